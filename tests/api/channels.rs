//! `/channels`: channels, their destinations, their mode and their events.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rstest_reuse::apply;
use serde_json::{Value, json};
use streamward::domain::channel::{Decision, DecisionId, DecisionKind, PushUrl, Reason, Source};
use streamward::ports::{
    Clock as _, DestinationProbe, IdGen as _, ProbeStep, ProbedStep, ReportedProgrammes,
};

use crate::clips::begin;
use crate::harness::{Answer, Engine, Reader, Setup, TestApp, every_engine};

pub(crate) const KEY: &str = "live_fBq0-Zt9Kk2_pL7wXy5R";

pub(crate) async fn create(app: &TestApp, draft: Value) -> Answer {
    app.as_admin().post("/channels").json(draft).shown_once().await
}

pub(crate) fn path(answer: &Answer) -> String {
    format!("/channels/{}", answer.text("/id"))
}

pub(crate) async fn add_destination(app: &TestApp, channel: &str, draft: Value) -> Answer {
    app.as_admin().post(&format!("{channel}/destinations")).json(draft).await
}

/// A new channel and one of its destinations.
pub(crate) async fn with_destination(app: &TestApp) -> (String, String) {
    let channel = path(&create(app, json!({"name": "Temple"})).await.assert_status(201));
    let draft = json!({"name": "YouTube", "platform": "youtube", "key": KEY});
    let made = add_destination(app, &channel, draft).await.assert_status(201);
    (channel, made.header("location"))
}

#[apply(every_engine)]
#[tokio::test]
async fn a_channel_is_created_with_keys_whose_secrets_are_shown_once(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let made = create(&app, json!({"name": "Classroom"})).await.assert_status(201);
    assert_eq!(made.header("location"), path(&made));
    let channel = app.as_viewer().get(&path(&made)).await.assert_status(200).json();
    for (field, value) in [
        ("name", json!("Classroom")),
        ("display_name", json!("Classroom")),
        ("path", json!("live/Classroom")),
        ("enabled", json!(true)),
        ("mode", json!("auto")),
        ("mismatch", json!("refuse")),
        ("engine", json!("mixer")),
    ] {
        assert_eq!((&made.json()[field], &channel[field]), (&value, &value), "{field}");
    }
    let playlist = json!({"clips": [], "schedule": [], "change": "end_of_clip"});
    let backup = json!({"kind": "playlist", "playlist": playlist});
    assert_eq!(channel["inputs"]["backup"], backup);
    let failover = json!({"stall_ms": 700, "recovery_grace_seconds": 5,
        "flapping": {"cuts": 3, "within_seconds": 60, "max_grace_seconds": 300}});
    assert_eq!(channel["failover"], failover);
    assert_eq!(channel.get("live_key"), None);

    let live = &made.json()["live_key"];
    assert_eq!(live["id"], channel["inputs"]["live"]["stream_key_id"]);
    assert_eq!((&live["path"], &live["on_conflict"]), (&json!("live/Classroom/live"), &json!("takeover")));
    let secret = live["key_value"].as_str().expect("a secret");
    assert_eq!(live["ingest"]["obs"]["server"], "rtmp://default.test:1935/live/Classroom");
    assert_eq!(live["ingest"]["obs"]["stream_key"], format!("live?key={secret}"));
    let publish = |path: &str| {
        app.auth(json!({"action": "publish", "path": path, "protocol": "rtmp", "id": "c1",
            "query": format!("key={secret}")}))
    };
    publish("live/Classroom/live").await.assert_status(200);
    publish("live/Classroom").await.assert_status(401);
    publish("live/Classroom/backup").await.assert_status(401);
    let actions: Vec<Value> = app.audit("resource_type=channel").await;
    assert_eq!((actions.len(), &actions[0]["action"]), (1, &json!("create")));
}

#[tokio::test]
async fn a_backup_can_be_a_second_encoder_with_a_key_of_its_own() {
    let app = TestApp::memory().await;
    let draft = json!({"name": "Classroom", "path": "tv/one", "inputs": {"backup": {"kind": "stream"}}});
    let made = create(&app, draft).await.assert_status(201).json();
    assert_eq!(made["backup_key"]["path"], "tv/one/backup");
    assert_eq!(
        made["inputs"]["backup"],
        json!({"kind": "stream", "stream_key_id": made["backup_key"]["id"]})
    );
    assert_ne!(made["backup_key"]["key_value"], made["live_key"]["key_value"]);
    let playlist = json!({"inputs": {"backup": {"playlist": {"clips": []}}}});
    let path = format!("/channels/{}", made["id"].as_str().expect("an id"));
    let refused = app.as_admin().patch(&path).json(playlist).await;
    refused.assert_refuses(&["inputs.backup.playlist"]);
}

#[apply(every_engine)]
#[tokio::test]
async fn names_and_paths_belong_to_one_channel(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let first = create(&app, json!({"name": "a"})).await.assert_status(201);
    create(&app, json!({"name": "a", "path": "x"})).await.assert_status(409).assert_problem("channel-taken");
    // Its paths are taken too; that is no reason to revoke a key.
    create(&app, json!({"name": "a"})).await.assert_status(409).assert_problem("channel-taken");
    create(&app, json!({"name": "b", "path": "live/a"}))
        .await
        .assert_status(409)
        .assert_problem("path-taken");
    app.key("tv/live").await;
    create(&app, json!({"name": "b", "path": "tv"})).await.assert_status(409).assert_problem("path-taken");
    create(&app, json!({"name": "b"})).await.assert_status(201);
    let rename = app.as_admin().patch(&path(&first)).json(json!({"name": "b"})).await;
    rename.assert_status(409).assert_problem("channel-taken");
    app.as_admin().delete(&path(&first)).await.assert_status(204);
    create(&app, json!({"name": "a"})).await.assert_status(201);
}

#[tokio::test]
async fn bad_fields_of_a_channel_are_refused_by_name() {
    let app = TestApp::memory().await;
    let clips = |clips: Value| json!({"name": "a", "inputs": {"backup": {"playlist": {"clips": clips}}}});
    for (draft, fields) in [
        (json!({}), vec!["name"]),
        (json!({"name": "two words"}), vec!["name"]),
        (json!({"name": "a", "display_name": "", "path": "/x"}), vec!["display_name", "path"]),
        (json!({"name": "a", "mismatch": "x", "engine": "x"}), vec!["mismatch", "engine"]),
        (json!({"name": "a", "engine": "srs"}), vec!["engine"]),
        (json!({"name": "a", "failover": {"stall_ms": 299}}), vec!["failover.stall_ms"]),
        (json!({"name": "a", "profile": {"video": {"width": 641}}}), vec!["profile.video.width"]),
        (json!({"name": "a", "inputs": {"backup": {"kind": "x"}}}), vec!["inputs.backup.kind"]),
        (clips(json!(["x"])), vec!["inputs.backup.playlist.clips"]),
        (
            json!({"name": "a", "inputs": {"backup": {"playlist": {"clips": [], "change": "now", "schedule": [
                {"clips": [], "from": "24:00", "to": "20:00", "days": ["sunday"], "time_zone": "Mars"}]}}}}),
            vec![
                "inputs.backup.playlist.schedule[0].clips",
                "inputs.backup.playlist.schedule[0].from",
                "inputs.backup.playlist.schedule[0].days",
                "inputs.backup.playlist.schedule[0].time_zone",
                "inputs.backup.playlist.change",
            ],
        ),
        (json!({"name": "a", "x": 1}), vec!["x"]),
        (json!({"name": "a", "inputs": {"live": {}}}), vec!["inputs.live"]),
        (json!({"name": "a", "inputs": {"backup": {"playlist": {}}}}), vec!["inputs.backup.playlist.clips"]),
    ] {
        create(&app, draft).await.assert_refuses(&fields);
    }
    let (channel, _) = with_destination(&app).await;
    let kind = json!({"inputs": {"backup": {"kind": "stream"}}});
    app.as_admin().patch(&channel).json(kind).await.assert_refuses(&["inputs.backup.kind"]);
    app.as_admin().patch(&channel).json(json!({"path": "x"})).await.assert_refuses(&["path"]);
}

/// Begins the upload of a clip; returns its id.
pub(crate) async fn new_clip(app: &TestApp) -> String {
    begin(app, "intro.mp4", 10).await.rsplit('/').next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_change_leaves_absent_fields_as_they_are() {
    let app = TestApp::memory().await;
    let made = create(&app, json!({"name": "a", "mismatch": "switch"})).await;
    let clip = new_clip(&app).await;
    let change = json!({"display_name": "Temple", "enabled": false, "failover": {"stall_ms": 900},
        "inputs": {"backup": {"playlist": {"clips": [clip, clip]}}}});
    let changed = app.as_admin().patch(&path(&made)).json(change).await.assert_status(200).json();
    assert_eq!((&changed["name"], &changed["mismatch"]), (&json!("a"), &json!("switch")));
    assert_eq!((&changed["display_name"], &changed["enabled"]), (&json!("Temple"), &json!(false)));
    assert_eq!(changed["failover"]["stall_ms"], 900);
    assert_eq!(changed["inputs"]["backup"]["playlist"]["clips"], json!([clip, clip]));
    assert_eq!(app.as_viewer().get(&path(&made)).await.json(), changed);
}

#[tokio::test]
async fn a_change_of_one_rule_or_figure_of_the_profile_leaves_the_others_as_they_are() {
    let app = TestApp::memory().await;
    let draft = json!({"name": "a", "profile": {"video": {"width": 1920, "height": 1080}, "audio": {"rate": 44100}},
        "failover": {"stall_ms": 900, "min_bitrate_kbps": 300, "flapping": {"cuts": 9}}});
    let made = path(&create(&app, draft).await.assert_status(201));
    let change = async |draft: Value| app.as_admin().patch(&made).json(draft).await;
    let fps = json!({"profile": {"video": {"fps": 25}}, "failover": {"recovery_grace_seconds": 9}});
    let changed = change(fps).await.assert_status(200).json();
    let profile =
        json!({"video": {"width": 1920, "height": 1080, "fps": 25}, "audio": {"rate": 44100, "channels": 2}});
    assert_eq!(changed["profile"], profile);
    let mut failover = json!({"stall_ms": 900, "recovery_grace_seconds": 9, "min_bitrate_kbps": 300,
        "flapping": {"cuts": 9, "within_seconds": 60, "max_grace_seconds": 300}});
    assert_eq!(changed["failover"], failover);
    let changed = change(json!({"failover": {"min_bitrate_kbps": null}})).await.assert_status(200).json();
    failover.as_object_mut().expect("an object").remove("min_bitrate_kbps");
    assert_eq!(changed["failover"], failover);
    change(json!({"profile": {"video": {"width": 641}}})).await.assert_refuses(&["profile.video.width"]);
}

#[apply(every_engine)]
#[tokio::test]
async fn a_clip_of_a_playlist_is_not_deleted(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let playlist = |clips: Value| json!({"inputs": {"backup": {"playlist": {"clips": clips}}}});
    let clip = new_clip(&app).await;
    let made = create(&app, json!({"name": "a"})).await;
    let change = async |clips: Value| app.as_admin().patch(&path(&made)).json(playlist(clips)).await;
    change(json!([clip, clip])).await.assert_status(200);
    let id = made.json()["id"].clone();
    let shown = app.as_viewer().get(&format!("/clips/{clip}")).await.json();
    assert_eq!(shown["in_use_by"], json!([id]));
    let refused = app.as_operator().delete(&format!("/clips/{clip}")).await;
    refused.assert_status(409).assert_problem("clip-in-use");
    let unknown = "01890000-0000-7000-8000-000000000000";
    change(json!([clip, unknown])).await.assert_refuses(&["inputs.backup.playlist.clips"]);
    change(json!([])).await.assert_status(200);
    app.as_operator().delete(&format!("/clips/{clip}")).await.assert_status(204);
}

#[apply(every_engine)]
#[tokio::test]
async fn what_was_made_for_a_channel_is_deleted_with_it_only(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let made = create(&app, json!({"name": "a"})).await;
    let (channel, live) = (path(&made), made.json()["live_key"].clone());
    let of = |folder: &str, id: &Value| format!("{folder}/{}", id.as_str().expect("an id"));
    let broadcaster = of("/broadcasters", &live["broadcaster_id"]);
    let keys = app.as_viewer().get("/stream-keys?path=live/a").await.json();
    let programme = of("/stream-keys", &keys["stream_keys"][0]["id"]);
    let live = of("/stream-keys", &live["id"]);
    for refused in [
        app.as_admin().delete(&broadcaster).await,
        app.as_admin().delete(&live).await,
        app.as_admin().delete(&programme).await,
        app.as_admin().post(&format!("{programme}/rotate")).await,
    ] {
        refused.assert_status(409).assert_problem("of-channel");
    }
    app.as_admin().post(&format!("{live}/rotate")).shown_once().await.assert_status(200);
    app.as_admin().delete(&channel).await.assert_status(204);
    for gone in [&channel, &broadcaster, &live, &programme] {
        app.as_viewer().get(gone).await.assert_status(404);
    }
    app.as_admin().delete(&channel).await.assert_status(404);
}

#[tokio::test]
async fn a_mode_holds_until_it_expires() {
    let app = TestApp::memory().await;
    let (channel, _) = with_destination(&app).await;
    let mode = |draft: Value| app.as_operator().post(&format!("{channel}/mode")).json(draft);
    let held = mode(json!({"mode": "hold_backup", "expires_in_seconds": 60, "reason": "cables"})).await;
    let held = held.assert_status(200).json();
    assert_eq!((&held["mode"], &held["mode_reason"]), (&json!("hold_backup"), &json!("cables")));
    assert!(held["mode_expires_at"].is_string());
    assert_eq!(app.as_viewer().get(&channel).await.json()["mode"], "hold_backup");
    app.clock.advance(Duration::from_secs(61));
    let now = app.as_viewer().get(&channel).await.json();
    assert_eq!((&now["mode"], now.get("mode_reason")), (&json!("auto"), None));
    mode(json!({"mode": "x", "reason": "y"})).await.assert_refuses(&["mode"]);
    mode(json!({"mode": "slate"})).await.assert_refuses(&["reason"]);
    mode(json!({"mode": "slate", "reason": "x", "expires_in_seconds": 0}))
        .await
        .assert_refuses(&["expires_in_seconds"]);
    let entries = app.audit("action=mode").await;
    assert_eq!(entries.iter().filter(|entry| entry["outcome"] == "success").count(), 1);
}

#[apply(every_engine)]
#[tokio::test]
async fn a_platform_fills_in_what_it_is_known_for(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let channel = path(&create(&app, json!({"name": "a"})).await);
    let add = async |draft: Value| add_destination(&app, &channel, draft).await;
    let youtube = add(json!({"name": "YouTube", "platform": "youtube", "key": KEY})).await.assert_status(201);
    assert_eq!(youtube.text("/url"), "rtmps://a.rtmps.youtube.com/live2");
    assert_eq!(youtube.text("/backup_url"), "rtmps://b.rtmps.youtube.com/live2?backup=1");
    let facebook =
        add(json!({"name": "f", "platform": "facebook", "key": KEY})).await.assert_status(201).json();
    assert_eq!(facebook["rotate_session_every_seconds"], 8 * 3_600 - 300);
    let own = json!({"name": "o", "platform": "youtube", "url": "rtmp://h/app", "key": KEY});
    assert_eq!(add(own).await.assert_status(201).json().get("backup_url"), None);
    for (draft, fields) in [
        (json!({}), vec!["name", "platform", "key", "url"]),
        (json!({"name": "k", "platform": "kick", "key": KEY}), vec!["url"]),
        (json!({"name": "k", "platform": "custom", "url": "http://h/x", "key": KEY}), vec!["url"]),
        (json!({"name": "k", "platform": "custom", "url": "rtmp://u:p@h/x", "key": KEY}), vec!["url"]),
        (json!({"name": "k", "platform": "twitch", "key": "a b"}), vec!["key"]),
        (
            json!({"name": "k", "platform": "twitch", "key": "a", "backup_url": "x",
                "rotate_session_every_seconds": 1}),
            vec!["backup_url", "rotate_session_every_seconds"],
        ),
    ] {
        add(draft).await.assert_refuses(&fields);
    }
    let list = app.as_viewer().get(&format!("{channel}/destinations")).await.assert_status(200).json();
    let names: Vec<&Value> =
        list["destinations"].as_array().expect("a list").iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["o", "f", "YouTube"]);
    let page = app.as_viewer().get(&format!("{channel}/destinations?limit=1")).await.json();
    let next = page["next_cursor"].as_str().expect("a cursor");
    let page = app.as_viewer().get(&format!("{channel}/destinations?limit=1&cursor={next}")).await.json();
    assert_eq!(page["destinations"][0]["name"], "f");
}

#[tokio::test]
async fn secrets_of_srt_are_taken_in_the_key_only() {
    let app = TestApp::memory().await;
    let channel = path(&create(&app, json!({"name": "a"})).await);
    let draft = |url: &str, key: &str| json!({"name": "s", "platform": "custom", "url": url, "key": key});
    let url = "srt://host:9000?latency=200";
    for key in ["publish:live/x", "streamid=publish:live/x&passphrase=0123456789"] {
        let added = add_destination(&app, &channel, draft(url, key)).await.assert_status(201);
        assert_eq!(added.text("/url"), url);
        assert!(!added.json().to_string().contains("live/x"));
    }
    for (url, key, field) in [
        ("srt://host:9000?streamid=hidden-id", "a", "url"),
        ("srt://host:9000?passphrase=hidden-words", "a", "url"),
        ("srt://host", "a", "url"),
        (url, "passphrase=hidden", "key"),
    ] {
        let refused = add_destination(&app, &channel, draft(url, key)).await.assert_refuses(&[field]);
        assert!(!refused.json().to_string().contains("hidden"), "{url}");
    }
}

#[tokio::test]
async fn addresses_that_cannot_work_or_show_the_key_are_refused() {
    let app = TestApp::memory().await;
    let channel = path(&create(&app, json!({"name": "a"})).await);
    let draft = |url: &str| json!({"name": "d", "platform": "custom", "url": url, "key": KEY});
    let with_key = format!("rtmp://host/live/{KEY}");
    for url in [" rtmp://host/live", "rtmp://ho\nst/live", "rtmp://host/a b", "rtmp://host:0/live", &with_key]
    {
        let refused = add_destination(&app, &channel, draft(url)).await.assert_refuses(&["url"]);
        assert!(!refused.json().to_string().contains(KEY));
    }
    let second = json!({"name": "d", "platform": "custom", "url": "rtmp://h/live", "backup_url": "srt://h:9", "key": KEY});
    add_destination(&app, &channel, second).await.assert_refuses(&["backup_url"]);
    let added = add_destination(&app, &channel, draft("rtmp://host/live")).await.assert_status(201);
    let added = added.header("location");
    let change = async |draft: Value| app.as_admin().patch(&added).json(draft).await;
    change(json!({"url": "srt://host:9000"})).await.assert_refuses(&["key"]);
    change(json!({"url": "srt://host:9000", "key": "publish:x"})).await.assert_status(200);
    change(json!({"key": "passphrase=short"})).await.assert_refuses(&["key"]);
    change(json!({"url": "rtmp://host/live", "key": KEY})).await.assert_status(200);
    // Two publishers with one key would end each other's sessions.
    let twice = add_destination(&app, &channel, draft("rtmp://host/live")).await.assert_refuses(&["key"]);
    assert!(!twice.json().to_string().contains(KEY));
    change(json!({"key": KEY})).await.assert_status(200);
}

#[tokio::test]
async fn a_destination_is_changed_and_deleted_by_itself() {
    let app = TestApp::memory().await;
    let (channel, destination) = with_destination(&app).await;
    let change = json!({"enabled": false, "backup_url": null, "rotate_session_every_seconds": 3_600});
    let changed = app.as_admin().patch(&destination).json(change).await.assert_status(200).json();
    assert_eq!((&changed["enabled"], changed.get("backup_url")), (&json!(false), None));
    assert_eq!(changed["rotate_session_every_seconds"], 3_600);
    let back = json!({"rotate_session_every_seconds": null});
    let changed = app.as_admin().patch(&destination).json(back).await.json();
    assert_eq!(changed.get("rotate_session_every_seconds"), None);
    assert_eq!(app.as_viewer().get(&destination).await.json(), changed);
    let other = path(&create(&app, json!({"name": "other"})).await);
    let elsewhere = destination.replace(&channel, &other);
    app.as_viewer().get(&elsewhere).await.assert_status(404);
    app.as_admin().delete(&elsewhere).await.assert_status(404);
    app.as_admin().delete(&destination).await.assert_status(204);
    app.as_viewer().get(&destination).await.assert_status(404);
    let nowhere = "/channels/01890000-0000-7000-8000-000000000000";
    app.as_viewer().get(&format!("{nowhere}/destinations")).await.assert_status(404);
    app.as_viewer().get(&format!("{nowhere}/decisions")).await.assert_status(404);
    app.as_viewer().get(&format!("{nowhere}/status")).await.assert_status(404);
}

#[tokio::test]
async fn status_of_a_channel_that_does_not_run_lists_its_destinations() {
    let app = TestApp::memory().await;
    let (channel, _) = with_destination(&app).await;
    let status = app.as_viewer().get(&format!("{channel}/status")).await.assert_status(200).json();
    assert_eq!((&status["running"], &status["mode"]), (&json!(false), &json!("auto")));
    assert_eq!(status.get("on_air"), None);
    assert_eq!(status["destinations"][0]["name"], "YouTube");
    let rehearsal = json!({"cut_live_for_seconds": 5});
    let refused = app.as_operator().post(&format!("{channel}/rehearsals")).json(rehearsal).await;
    refused.assert_status(409).assert_problem("channel-not-running");
}

#[apply(every_engine)]
#[tokio::test]
async fn decisions_are_listed_newest_first_in_pages(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let channel = path(&create(&app, json!({"name": "a"})).await);
    let (store, _) = app.place.open().await;
    let now = app.clock.now();
    let decision = |seconds: u64, to| Decision {
        id: DecisionId(streamward::adapters::system::SystemIds.uuid()),
        channel: channel.trim_start_matches("/channels/").parse().expect("an id"),
        at: now.plus(Duration::from_secs(seconds)),
        from: (seconds > 1).then_some(Source::Live),
        to,
        kind: DecisionKind::Cut,
        reason: if seconds > 1 { Reason::LiveStalled } else { Reason::Start },
        numbers: json!({"last_frame_ms": 712}).as_object().expect("an object").clone(),
    };
    let decisions = vec![decision(1, Source::Live), decision(2, Source::Backup)];
    let reported = ReportedProgrammes { decisions, ..ReportedProgrammes::default() };
    store.record_programmes(&reported, now).await.expect("stored");
    let list = |query: &str| app.as_viewer().get(&format!("{channel}/decisions{query}"));
    let all = list("").await.assert_status(200).json();
    assert_eq!(all["count"], 2);
    let first = &all["decisions"][0];
    assert_eq!((&first["from"], &first["to"]), (&json!("live"), &json!("backup")));
    assert_eq!((&first["kind"], &first["reason"]), (&json!("cut"), &json!("live_stalled")));
    assert_eq!(first["numbers"], json!({"last_frame_ms": 712}));
    assert_eq!(all["decisions"][1].get("from"), None);
    let page = list("?limit=1").await.json();
    let next = page["next_cursor"].as_str().expect("a cursor");
    assert_eq!(list(&format!("?limit=1&cursor={next}")).await.json()["decisions"][0], all["decisions"][1]);
    list("?limit=x").await.assert_refuses(&["limit"]);
}

#[apply(every_engine)]
#[tokio::test]
async fn readers_see_every_change_of_a_channel(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let mut reader = Reader::open(app.as_viewer().get("/channels/events")).await;
    let (channel, destination) = with_destination(&app).await;
    let mode = json!({"mode": "slate", "reason": "x"});
    app.as_operator().post(&format!("{channel}/mode")).json(mode).await.assert_status(200);
    app.as_admin().patch(&destination).json(json!({"enabled": false})).await.assert_status(200);
    let status = app.as_viewer().get(&format!("{channel}/status")).await.assert_status(200).json();
    assert_eq!(status["destinations"][0]["connection"]["state"], "disabled");
    app.as_admin().delete(&destination).await.assert_status(204);
    app.as_admin().delete(&channel).await.assert_status(204);
    for expected in [
        "channel.created",
        "destination.created",
        "channel.updated",
        "destination.updated",
        "destination.deleted",
        "channel.deleted",
    ] {
        let got = reader.next().await;
        assert_eq!(got.event, expected);
        assert_eq!((&got.data["channel_name"], got.data["at"].is_string()), (&json!("Temple"), true));
        let of_destination = expected.starts_with("destination");
        assert_eq!(got.data["destination"]["name"] == "YouTube", of_destination, "{:?}", got.data);
    }
}

/// Answers without a network.
struct Probe;

#[async_trait]
impl DestinationProbe for Probe {
    async fn probe(&self, url: &PushUrl) -> Vec<ProbedStep> {
        let took = Duration::from_millis(7);
        let error = url.as_str().contains("a.rtmps").then(|| "connection refused".to_owned());
        let step = |step, error| ProbedStep { step, took, error };
        vec![step(ProbeStep::Name, None), step(ProbeStep::Tcp, error)]
    }
}

#[tokio::test]
async fn a_test_of_a_destination_shows_each_step_of_both_addresses() {
    let setup = Setup { destination_probe: Some(Arc::new(Probe)), ..Setup::default() };
    let app = TestApp::with(Engine::Memory, setup).await;
    let (_, destination) = with_destination(&app).await;
    let tested = app.as_operator().post(&format!("{destination}/test")).await.assert_status(200).json();
    let name = json!({"step": "name", "milliseconds": 7});
    let refused = json!({"step": "tcp", "milliseconds": 7, "error": "connection refused"});
    let good = json!({"step": "tcp", "milliseconds": 7});
    assert_eq!(tested, json!({"ok": true, "url": [name, refused], "backup_url": [name, good]}));
    assert_eq!(app.audit("action=test").await.len(), 1);
}
