//! `/streamers`: the list, the history of each streamer, and its events.

use std::time::Duration;

use axum::http::Method;
use rstest_reuse::apply;
use serde_json::{Value, json};
use streamward::domain::Timestamp;
use streamward::domain::streamer::decide::{Report, ReportedStatus};
use streamward::domain::streamer::{Session, Source};
use streamward::ports::{Clock as _, Store};

use crate::harness::{Engine, Reader, TestApp, every_engine};

/// How long a streamer must be offline before it is announced.
const FLAP_WINDOW: Duration = Duration::from_secs(15);

/// Stores reports as the watcher does.
struct Watcher<'a> {
    app: &'a TestApp,
    store: std::sync::Arc<dyn Store>,
}

impl<'a> Watcher<'a> {
    async fn of(app: &'a TestApp) -> Self {
        Self { app, store: app.place.open().await.0 }
    }

    async fn sees(&self, streamer: &Value, reported: ReportedStatus) {
        let now = self.app.clock.now();
        let id = streamer["id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
        let report = Report { streamer: id, source: Source::Centrifugo, at: now, reported };
        let recorded = self.store.record_reports(&[report], FLAP_WINDOW, now).await.expect("recorded");
        assert!(recorded[0].change.is_some(), "{recorded:?}");
    }

    async fn sees_start(&self, streamer: &Value, session: u64) {
        self.sees(streamer, ReportedStatus::Started(self.session(session))).await;
    }

    async fn sees_stop(&self, streamer: &Value, session: u64, banned: bool) {
        let session = Session { id: Some(session.to_string()), ..Session::default() };
        self.sees(streamer, ReportedStatus::Stopped { session, banned }).await;
    }

    fn session(&self, id: u64) -> Session {
        Session {
            id: Some(id.to_string()),
            started_at: Some(self.app.clock.now().minus(Duration::from_secs(1))),
            title: Some("Juice".into()),
            category: Some("Just Chatting".into()),
            viewers: Some(7),
            ..Session::default()
        }
    }

    /// The flap window passes.
    async fn announces(&self) {
        self.app.clock.advance(FLAP_WINDOW);
        let announced = self.store.announce_offline(self.app.clock.now()).await.expect("announced");
        assert_eq!(announced, 1);
    }
}

async fn add(app: &TestApp, username: &str) -> Value {
    app.as_admin().post("/streamers").json(json!({"username": username})).await.assert_status(201).json()
}

fn path(streamer: &Value) -> String {
    format!("/streamers/{}", streamer["id"].as_str().expect("an id"))
}

fn fields(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

fn names(list: &Value) -> Vec<&str> {
    let streamers = list["streamers"].as_array().expect("streamers");
    assert_eq!(list["count"], streamers.len());
    streamers.iter().map(|one| one["username"].as_str().expect("a name")).collect()
}

#[tokio::test]
async fn a_streamer_has_exactly_the_fields_of_the_contract() {
    let app = TestApp::memory().await;
    let watcher = Watcher::of(&app).await;
    let least = ["created_at", "id", "is_active", "organization_id", "status", "updated_at", "username"];
    assert_eq!(fields(&add(&app, "nobody").await), least);
    let draft = json!({"username": "xqc", "display_name": "xQc", "user_id": 676, "channel_id": 668,
                       "chatroom_id": 667, "is_active": true});
    let made = app.as_admin().post("/streamers").json(draft.clone()).await.assert_status(201);
    assert_eq!(made.header("location"), path(&made.json()));
    for (field, value) in draft.as_object().expect("an object") {
        assert_eq!(&made.json()[field], value);
    }
    let get = || app.as_viewer().get(&made.header("location"));
    watcher.sees_start(&made.json(), 5).await;
    let online = get().await.assert_status(200).json();
    let all = [
        "channel_id",
        "chatroom_id",
        "created_at",
        "display_name",
        "id",
        "is_active",
        "last_seen_online",
        "last_status_update",
        "organization_id",
        "session",
        "status",
        "updated_at",
        "user_id",
        "username",
    ];
    assert_eq!(fields(&online), all);
    assert_eq!(online["status"], "online");
    assert_eq!(fields(&online["session"]), ["category", "id", "started_at", "title", "viewers"]);
    watcher.sees_stop(&online, 5, false).await;
    let offline = get().await.json();
    assert_eq!((&offline["status"], offline.get("session")), (&json!("offline"), None));
    assert_eq!(fields(&offline["last_session"]), ["category", "ended_at", "id", "started_at", "title"]);
    assert_eq!(offline["last_session"]["title"], "Juice");
}

#[apply(every_engine)]
#[tokio::test]
async fn streamers_are_made_changed_and_deleted(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let made = add(&app, "https://kick.com/Some_One").await;
    assert_eq!((&made["username"], &made["status"]), (&json!("some_one"), &json!("unknown")));
    let patch = |body: Value| app.as_admin().patch(&path(&made)).json(body);
    let named = patch(json!({"display_name": "Someone", "user_id": 7})).await.assert_status(200).json();
    assert_eq!((&named["display_name"], &named["user_id"]), (&json!("Someone"), &json!(7)));
    assert_eq!(named["username"], "some_one");
    let paused = patch(json!({"is_active": false})).await.assert_status(200).json();
    assert_eq!((&paused["is_active"], &paused["user_id"]), (&json!(false), &json!(7)));
    // Another name means another person on Kick.
    let renamed = patch(json!({"username": "someone-else"})).await.assert_status(200).json();
    assert_eq!((&renamed["username"], renamed.get("user_id")), (&json!("someone-else"), None));
    assert_eq!(renamed["display_name"], "Someone");
    assert_eq!(app.as_viewer().get(&path(&made)).await.json(), renamed);
    app.as_admin().delete(&path(&made)).await.assert_status(204);
    for method in [Method::GET, Method::DELETE] {
        app.as_admin().call(method, &path(&made)).await.assert_status(404).assert_problem("not-found");
    }
    patch(json!({})).await.assert_status(404);
    app.as_viewer().get(&format!("{}/events", path(&made))).await.assert_status(404);
}

#[apply(every_engine)]
#[tokio::test]
async fn each_name_is_on_the_list_once(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let (_, bob) = (add(&app, "alice").await, add(&app, "bob").await);
    let again = app.as_admin().post("/streamers").json(json!({"username": "ALICE"}));
    let taken = again.await.assert_status(409).assert_problem("streamer-taken");
    assert!(taken.text("/detail").contains("alice is on the list already"), "{taken:?}");
    let rename = app.as_admin().patch(&path(&bob)).json(json!({"username": "alice"}));
    rename.await.assert_status(409).assert_problem("streamer-taken");
    app.as_admin().patch(&path(&bob)).json(json!({"username": "Bob"})).await.assert_status(200);
    assert_eq!(names(&app.as_viewer().get("/streamers").await.json()), ["alice", "bob"]);
}

#[tokio::test]
async fn refused_fields_are_named() {
    let app = TestApp::memory().await;
    let with = |field: &str, value: Value| {
        let mut draft = json!({"username": "alice"});
        draft[field] = value;
        draft
    };
    for (body, field, words) in [
        (json!({}), "username", "must be a name as in kick.com/<name>"),
        (with("username", json!("a b")), "username", "without spaces or accents"),
        (with("username", json!("x".repeat(65))), "username", "1 to 64 letters"),
        (with("username", json!(5)), "username", "must be a string"),
        (with("display_name", json!("")), "display_name", "must be 1 to 200 characters"),
        (with("user_id", json!(0)), "user_id", "must be a number from 1 to 9223372036854775807"),
        (with("user_id", json!(u64::MAX)), "user_id", "must be a number from 1 to 9223372036854775807"),
        (with("channel_id", json!(-1)), "channel_id", "must be a number from 1 to 9223372036854775807"),
        (with("chatroom_id", json!("667")), "chatroom_id", "must be a number from 1 to 9223372036854775807"),
        (with("is_active", json!("yes")), "is_active", "must be a boolean"),
        (with("status", json!("online")), "status", "is not known here"),
    ] {
        let refused = app.as_admin().post("/streamers").json(body).await.assert_refuses(&[field]);
        assert!(refused.text("/errors/0/message").contains(words), "{refused:?}");
    }
    let several = json!({"username": "", "display_name": "", "user_id": 0, "channel_id": 0});
    let several = app.as_admin().post("/streamers").json(several).await;
    several.assert_refuses(&["user_id", "channel_id", "username", "display_name"]);
    let id = path(&add(&app, "alice").await);
    for (query, field) in [
        ("?status=live".to_owned(), "status"),
        ("?active=1".to_owned(), "active"),
        ("?limit=0".to_owned(), "limit"),
        ("?limit=1001".to_owned(), "limit"),
        ("?cursor=%2F".to_owned(), "cursor"),
        ("?cursor=AA".to_owned(), "cursor"),
        ("?online=true".to_owned(), "online"),
        (format!("{id}?x=1"), "x"),
        (format!("{id}/events?limit=501"), "limit"),
        (format!("{id}/events?before=-1"), "before"),
        ("/nonsense".to_owned(), "id"),
        ("/events?last_event_id=x".to_owned(), "last_event_id"),
    ] {
        let at = if query.starts_with("/streamers") { query } else { format!("/streamers{query}") };
        app.as_viewer().get(&at).await.assert_refuses(&[field]);
    }
}

#[apply(every_engine)]
#[tokio::test]
async fn streamers_are_filtered_and_paged_by_name(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let watcher = Watcher::of(&app).await;
    let mut made = Vec::new();
    for name in ["dora", "b-b", "alice", "carol", "b_b"] {
        made.push(add(&app, name).await);
    }
    watcher.sees_start(&made[0], 1).await;
    watcher.sees_stop(&made[3], 2, false).await;
    app.as_admin().patch(&path(&made[1])).json(json!({"is_active": false})).await.assert_status(200);
    let get = async |query: &str| {
        app.as_viewer().get(&format!("/streamers{query}")).await.assert_status(200).json()
    };
    let all = get("").await;
    assert_eq!(names(&all), ["alice", "b-b", "b_b", "carol", "dora"]);
    assert_eq!(all.get("next_cursor"), None);
    assert_eq!(get("?status=all").await, all);
    for (query, expected) in [
        ("?status=online", &["dora"][..]),
        ("?status=offline", &["carol"]),
        ("?status=unknown", &["alice", "b-b", "b_b"]),
        ("?active=false", &["b-b"]),
        ("?active=true&status=unknown", &["alice", "b_b"]),
        ("?username=Dora", &["dora"]),
        ("?username=dor", &[]),
        ("?limit=2", &["alice", "b-b"]),
    ] {
        assert_eq!(names(&get(query).await), expected, "{query}");
    }
    let (mut pages, mut query) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let page = get(&query).await;
        pages.push(page["streamers"].as_array().expect("a list").clone());
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        query = format!("?limit=2&cursor={cursor}");
    }
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(json!(pages.concat()), all["streamers"]);
    assert_eq!(get("?limit=5").await.get("next_cursor"), None, "this is the last page");
    let cursor = get("?limit=2&active=true").await["next_cursor"].as_str().expect("a cursor").to_owned();
    assert_eq!(names(&get(&format!("?active=true&cursor={cursor}")).await), ["carol", "dora"]);
}

#[apply(every_engine)]
#[tokio::test]
async fn history_lists_each_change_newest_first(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let watcher = Watcher::of(&app).await;
    let (alice, bob) = (add(&app, "alice").await, add(&app, "bob").await);
    let get = async |query: &str| {
        let at = format!("{}/events{query}", path(&alice));
        app.as_viewer().get(&at).await.assert_status(200).json()
    };
    assert_eq!(get("").await, json!({"events": [], "count": 0}));
    watcher.sees_start(&alice, 1).await;
    watcher.sees_start(&bob, 2).await;
    watcher.sees_stop(&alice, 1, true).await;
    watcher.sees_start(&alice, 3).await;
    let all = get("").await;
    let events = all["events"].as_array().expect("events");
    let changes: Vec<(&Value, &Value)> =
        events.iter().map(|event| (&event["previous_status"], &event["new_status"])).collect();
    let (unknown, online, offline) = (&json!("unknown"), &json!("online"), &json!("offline"));
    assert_eq!(changes, [(offline, online), (online, offline), (unknown, online)]);
    assert_eq!(all["count"], 3);
    assert!(events.windows(2).all(|two| two[0]["seq"].as_i64() > two[1]["seq"].as_i64()));
    let of_stop = ["banned", "new_status", "occurred_at", "previous_status", "received_at", "recorded_at"];
    assert_eq!(fields(&events[1])[..6], of_stop);
    assert_eq!(fields(&events[1])[6..], ["seq", "session", "source"]);
    assert_eq!((&events[1]["banned"], &events[1]["source"]), (&json!(true), &json!("centrifugo")));
    assert_eq!(events[0].get("banned"), None);
    assert_eq!(events[2]["occurred_at"], events[2]["session"]["started_at"], "Kick's time");
    let seen = Timestamp::parse_rfc3339(events[2]["received_at"].as_str().expect("a time"));
    assert!(seen.is_some_and(|seen| seen <= app.clock.now()));

    assert_eq!(get("?limit=1").await, json!({"events": [events[0]], "count": 1}));
    let before = |at: usize| format!("?limit=1&before={}", events[at]["seq"]);
    assert_eq!(get(&before(0)).await["events"], json!([events[1]]));
    assert_eq!(get(&before(2)).await["count"], 0);
    assert_eq!(get("?before=0").await["count"], 0);
}

#[apply(every_engine)]
#[tokio::test]
async fn a_reader_gets_streamer_events_and_resumes_after_a_restart(#[case] engine: Engine) {
    let mut app = TestApp::on(engine).await;
    let mut reader = Reader::open(app.as_viewer().get("/streamers/events")).await;
    // This reader gets no other events of the log.
    app.broadcaster("Alice").await;
    let alice = add(&app, "alice").await;
    let created = reader.next().await;
    assert_eq!((created.event.as_str(), &created.data["streamer"]), ("streamer.created", &alice));
    assert!(created.data["at"].is_string() && created.data.get("change").is_none());
    let watcher = Watcher::of(&app).await;
    watcher.sees_start(&alice, 1).await;
    let online = reader.next().await;
    assert_eq!(
        (online.event.as_str(), &online.data["change"]["new_status"]),
        ("streamer.online", &json!("online"))
    );
    assert_eq!(online.data["streamer"], app.as_viewer().get(&path(&alice)).await.json());
    drop(reader);

    // Offline and back within the flap window: recorded, but not announced.
    watcher.sees_stop(&alice, 1, false).await;
    watcher.sees_start(&alice, 2).await;
    watcher.sees_stop(&alice, 2, false).await;
    watcher.announces().await;
    drop(watcher);
    app.restart().await;
    let from = online.id.to_string();
    let resume = || app.as_viewer().get("/streamers/events").header("last-event-id", &from);
    let mut reader = Reader::open(resume()).await;
    for (name, change) in [
        ("streamer.updated", json!(["online", "offline"])),
        ("streamer.updated", json!(["offline", "online"])),
        ("streamer.updated", json!(["online", "offline"])),
        ("streamer.offline", json!([null, null])),
    ] {
        let got = reader.next().await;
        let change_of = json!([got.data["change"]["previous_status"], got.data["change"]["new_status"]]);
        assert_eq!((got.event.as_str(), change_of), (name, change));
        assert!(got.id > online.id);
    }
    app.as_admin().delete(&path(&alice)).await.assert_status(204);
    let deleted = reader.next().await;
    assert_eq!((deleted.event.as_str(), &deleted.data["streamer"]["id"]), ("streamer.deleted", &alice["id"]));
    let query = format!("/streamers/events?last_event_id={from}");
    assert_eq!(Reader::open(app.as_viewer().get(&query)).await.next().await.event, "streamer.updated");
}

#[tokio::test]
async fn readers_of_streams_get_no_streamer_events() {
    let app = TestApp::memory().await;
    let mut reader = Reader::open(app.as_viewer().get("/streams/events")).await;
    let alice = add(&app, "alice").await;
    Watcher::of(&app).await.sees_start(&alice, 1).await;
    let key = app.key("live/alice").await;
    app.live(&key, "c1").await;
    assert_eq!(reader.next().await.event, "stream.started");
}

#[apply(every_engine)]
#[tokio::test]
async fn every_write_leaves_an_entry_allowed_or_refused(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let alice = add(&app, "alice").await;
    let admin = app.as_admin();
    admin.post("/streamers").json(json!({"username": "alice"})).await.assert_status(409);
    admin.post("/streamers").json(json!({"username": "a b"})).await.assert_status(400);
    admin.post("/streamers").json(json!({"username": 5})).await.assert_status(400);
    admin.patch(&path(&alice)).json(json!({"display_name": "A"})).await.assert_status(200);
    app.as_operator().patch(&path(&alice)).json(json!({})).await.assert_status(403);
    app.as_viewer().delete(&path(&alice)).await.assert_status(403);
    admin.delete(&path(&alice)).await.assert_status(204);
    admin.delete(&path(&alice)).await.assert_status(404);
    let entries = app.audit("resource_type=streamer").await;
    let reported: Vec<String> = entries
        .iter()
        .map(|entry| {
            format!("{} {} {}", entry["action"], entry["outcome"], entry["failure_reason"]).replace('"', "")
        })
        .collect();
    for (text, expected) in reported.iter().zip([
        "delete failure the streamer does not exist or was deleted",
        "delete success null",
        "delete failure this needs the role admin",
        "update failure this needs the role admin",
        "update success null",
        "create failure username must be a string",
        "create failure username must be a name",
        "create failure alice is on the list already",
        "create success null",
    ]) {
        assert!(
            text.starts_with(expected) || text.to_lowercase().contains(expected),
            "{text} is not {expected}"
        );
    }
    assert_eq!(entries.len(), 9);
    assert_eq!(entries[8]["resource_id"], alice["id"]);
    assert_eq!(entries[4]["request_path"], path(&alice));
}
