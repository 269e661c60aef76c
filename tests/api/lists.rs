//! Lists: whole, in pages, and sent while they are read.

use std::time::Duration;

use axum::body::{BodyDataStream, Bytes};
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use rstest_reuse::apply;
use serde_json::{Value, json};
use streamward::adapters::sql::Db;
use streamward::adapters::system::SystemIds;
use streamward::domain::access::Actor;
use streamward::domain::access::Scope;
use streamward::domain::audit::AuditEntry;
use streamward::domain::broadcaster::{Broadcaster, DisplayName, Metadata};
use streamward::domain::{AuditId, BroadcasterId, OrganizationId, Timestamp};
use streamward::ports::{Change, IdGen as _};
use tokio::time::{Instant, sleep, timeout};

use crate::harness::{Call, Engine, Key, TestApp, every_engine};

/// More rows than one read of the store returns.
const MANY: usize = 250;
/// How many that are.
const ONE_READ: usize = 100;

/// How much metadata each of them has, so that [`ONE_READ`] are too many for an entity tag.
const METADATA: usize = 12 << 10;

/// Stores [`MANY`] broadcasters; as many calls would take long.
async fn with_many(engine: Engine) -> TestApp {
    let app = TestApp::on(engine).await;
    let (store, _) = app.place.open().await;
    for number in 0..MANY {
        let at = Timestamp::from_seconds(i64::try_from(number / 7).expect("small"));
        let broadcaster = Broadcaster {
            id: BroadcasterId(SystemIds.uuid()),
            organization_id: OrganizationId::DEFAULT,
            display_name: DisplayName::parse(&format!("b{number}")).expect("a name"),
            metadata: Metadata::parse(json!({ "note": "x".repeat(METADATA) })).expect("metadata"),
            created_at: at,
            updated_at: at,
        };
        let actor = Actor::cli("test");
        let entry = AuditEntry::of(AuditId(SystemIds.uuid()), at, &actor, "create", "broadcaster");
        let scope = Scope::system();
        let change = Change::new(&scope, &entry);
        store.create_broadcaster(&broadcaster, change).await.expect("it is stored");
    }
    app
}

/// An answer of which only the beginning was read.
async fn begun(call: Call) -> (Bytes, BodyDataStream) {
    let answer = call.open().await;
    assert_eq!(answer.status(), 200);
    let mut body = answer.into_body().into_data_stream();
    let first = body.next().await.expect("a first part").expect("an unbroken body");
    (first, body)
}

#[apply(every_engine)]
#[tokio::test]
async fn a_whole_list_is_sent_in_parts_that_join_to_one_document(#[case] engine: Engine) {
    let app = with_many(engine).await;
    let (mut text, mut rest) = (Vec::new(), 0);
    let (first, mut body) = begun(app.as_viewer().get("/broadcasters")).await;
    let rows = |part: &[u8]| String::from_utf8_lossy(part).matches("\"display_name\"").count();
    assert_eq!(rows(&first), ONE_READ, "no more rows are in memory");
    text.extend_from_slice(&first);
    while let Some(part) = body.next().await {
        let part = part.expect("an unbroken body");
        assert!(rows(&part) <= ONE_READ);
        text.extend_from_slice(&part);
        rest += 1;
    }
    assert!(rest >= 2);
    let whole: Value = serde_json::from_slice(&text).expect("one document");
    let names: Vec<&Value> =
        whole["broadcasters"].as_array().expect("a list").iter().map(|b| &b["id"]).collect();
    assert_eq!((names.len(), &whole["count"], whole.get("next_cursor")), (MANY, &json!(MANY), None));

    let (mut joined, mut query) = (Vec::new(), "?limit=120".to_owned());
    loop {
        let page = app.as_viewer().get(&format!("/broadcasters{query}")).await.assert_status(200).json();
        let rows = page["broadcasters"].as_array().expect("a list").clone();
        assert_eq!(page["count"], rows.len());
        joined.push(rows);
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        query = format!("?limit=120&cursor={cursor}");
    }
    assert_eq!(joined.iter().map(Vec::len).collect::<Vec<_>>(), [120, 120, 10]);
    assert_eq!(json!(joined.concat()), whole["broadcasters"]);
    let of_limit =
        async |limit: usize| app.as_viewer().get(&format!("/broadcasters?limit={limit}")).await.json();
    assert!(of_limit(MANY - 1).await["next_cursor"].is_string());
    assert_eq!(of_limit(MANY).await, whole, "there is no next page");
}

/// 150 rows are two reads of the store.
#[rstest::rstest]
#[case(3)]
#[case(150)]
#[tokio::test]
async fn a_list_that_the_client_has_is_not_sent_again(#[case] count: usize) {
    let app = TestApp::on(Engine::Sqlite).await;
    for number in 0..count {
        app.broadcaster(&format!("b{number}")).await;
    }
    let list = || app.as_viewer().get("/broadcasters");
    let first = list().await.assert_status(200);
    let tag = first.header("etag");
    assert_eq!(first.json()["count"], count);
    assert_eq!(list().await.assert_status(200).header("etag"), tag, "nothing changed");
    let again = list().header("if-none-match", &tag).await.assert_status(304);
    assert_eq!((again.header("etag"), again.json_or_null()), (tag.clone(), Value::Null), "no body");
    app.broadcaster("one more").await;
    let changed = list().header("if-none-match", &tag).await.assert_status(200);
    assert_ne!(changed.header("etag"), tag);
    assert_eq!(changed.json()["count"], count + 1);
    let page = app.as_viewer().get("/broadcasters?limit=1").header("if-none-match", &tag).await;
    page.assert_status(200);
}

#[apply(every_engine)]
#[tokio::test]
async fn a_list_whose_client_does_not_read_holds_no_database_connection(#[case] engine: Engine) {
    let app = with_many(engine).await;
    let mut unread = Vec::new();
    for _ in 0..15 {
        unread.push(begun(app.as_viewer().get("/broadcasters")).await);
        unread.push(begun(app.as_admin().get("/broadcasters")).await);
    }
    let key = app.key("live/alice").await;
    app.live(&key, "c1").await;
    app.as_admin().delete(&format!("/stream-keys/{}", key.id)).await.assert_status(204);
    let (first, body) = unread.pop().expect("one of them");
    let rest: Vec<Bytes> = body.map(|part| part.expect("an unbroken body")).collect().await;
    let text = [vec![first], rest].concat().concat();
    assert_eq!(serde_json::from_slice::<Value>(&text).expect("one document")["count"], MANY);
}

#[apply(every_engine)]
#[tokio::test]
async fn a_list_that_fails_halfway_never_looks_complete(#[case] engine: Engine) {
    let app = with_many(engine).await;
    let Some(db) = app.lists.clone() else { return };
    let (first, mut body) = begun(app.as_viewer().get("/broadcasters")).await;
    db.close().await;
    let failed = body.next().await.expect("not the end of the body");
    assert!(failed.is_err(), "{failed:?}");
    assert!(serde_json::from_slice::<Value>(&first).is_err());
}

#[tokio::test]
async fn lists_that_keep_all_their_readers_busy_hold_up_neither_publishers_nor_a_revocation() {
    let app = TestApp::on(Engine::Sqlite).await;
    let [known, live] = [app.key("live/known").await, app.key("live/alice").await];
    app.live(&live, "c1").await;
    let Some(Db::Sqlite(file)) = &app.lists else { panic!("SQLite") };
    let readers = file.readers();
    let busy = join_all((0..readers.options().get_max_connections()).map(|_| readers.acquire())).await;
    assert!(busy.iter().all(Result::is_ok));
    let list = timeout(Duration::from_millis(100), app.as_viewer().get("/streams").open()).await;
    assert!(list.is_err(), "a list waits for a reader");
    app.request_publish(&known, "c2").await.assert_status(200);
    let unknown = Key { secret: format!("sk_{}", "A".repeat(43)), ..live.clone() };
    app.request_publish(&unknown, "c3").await.assert_status(401);
    app.as_admin().delete(&format!("/stream-keys/{}", live.id)).await.assert_status(204);
    let deadline = Instant::now() + Duration::from_secs(20);
    while app.media().disconnected() != ["c1"] {
        assert!(Instant::now() < deadline, "the reconcile loop does not end the session");
        sleep(Duration::from_millis(20)).await;
    }
    app.request_publish(&live, "c4").await.assert_status(401);
    drop(busy);
    app.as_viewer().get("/streams").await.assert_status(200);
}

#[tokio::test]
async fn long_lists_have_a_limit_for_each_caller_and_short_ones_have_none() {
    let app = with_many(Engine::Memory).await;
    let mut unread = Vec::new();
    for _ in 0..16 {
        unread.push(begun(app.as_viewer().get("/broadcasters")).await);
    }
    app.as_viewer().get("/broadcasters").await.assert_status(503).assert_problem("unavailable");
    app.as_viewer().get("/broadcasters?limit=100").await.assert_status(200);
    app.as_viewer().get("/stream-keys").await.assert_status(200);
    app.as_operator().get("/broadcasters").await.assert_status(200);
    unread.pop();
    app.as_viewer().get("/broadcasters").await.assert_status(200);
}

#[tokio::test]
async fn every_list_takes_limit_and_cursor() {
    let app = TestApp::memory().await;
    let keys = [app.key("live/a").await, app.key("live/b").await];
    for key in &keys {
        app.live(key, &key.path.replace('/', "-")).await;
    }
    for name in ["alice", "bob"] {
        app.as_admin().post("/streamers").json(json!({"username": name})).await.assert_status(201);
    }
    for (path, field) in [
        ("/streams", "streams"),
        ("/stream-keys", "stream_keys"),
        ("/broadcasters", "broadcasters"),
        ("/api-tokens", "api_tokens"),
        ("/media-servers", "media_servers"),
        ("/streamers", "streamers"),
    ] {
        let get = async |query: &str| app.as_admin().get(&format!("{path}{query}")).await;
        let whole = get("").await.assert_status(200).json();
        assert_eq!((&whole["count"], whole.get("next_cursor")), (&json!(2), None), "{path}");
        let first = get("?limit=1").await.assert_status(200).json();
        let cursor = first["next_cursor"].as_str().expect("a cursor");
        let second = get(&format!("?limit=1&cursor={cursor}")).await.assert_status(200).json();
        assert_eq!(second.get("next_cursor"), None, "{path}");
        assert_eq!(json!([first[field][0], second[field][0]]), whole[field], "{path}");
        for refused in ["?cursor=%2F", "?cursor=", "?cursor=_w"] {
            if (path, refused) == ("/streamers", "?cursor=") {
                // Another program may have stored an empty name.
                continue;
            }
            get(refused).await.assert_refuses(&["cursor"]);
        }
        for limit in ["0", "1001", "x"] {
            get(&format!("?limit={limit}")).await.assert_refuses(&["limit"]);
        }
    }
}

#[apply(every_engine)]
#[tokio::test]
async fn the_audit_log_is_read_by_cursor_too(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    app.key("live/a").await;
    let get = async |query: &str| app.as_admin().get(&format!("/audit-logs{query}")).await;
    let whole = get("").await.assert_status(200).json();
    assert_eq!(whole["pagination"].get("next_cursor"), None);
    let total = whole["audit_logs"].as_array().expect("a list").len();
    let (mut joined, mut query) = (Vec::new(), "?limit=3".to_owned());
    loop {
        let page = get(&query).await.assert_status(200).json();
        assert_eq!((&page["pagination"]["total"], &page["pagination"]["limit"]), (&json!(total), &json!(3)));
        joined.extend(page["audit_logs"].as_array().expect("a list").clone());
        let Some(cursor) = page["pagination"]["next_cursor"].as_str() else { break };
        query = format!("?limit=3&cursor={cursor}");
    }
    assert_eq!(json!(joined), whole["audit_logs"]);
    get("?cursor=x").await.assert_refuses(&["cursor"]);
    let cursor = get("?limit=1").await.text("/pagination/next_cursor");
    get(&format!("?offset=1&cursor={cursor}")).await.assert_refuses(&["offset"]);
}
