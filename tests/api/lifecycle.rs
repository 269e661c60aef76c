//! The lifecycle of keys and streams with a media server in memory, on every store.

use std::time::Duration;

use rstest_reuse::apply;
use serde_json::{Value, json};
use tokio::time::Instant;

use streamward::domain::media_server::MediaServerName;

use crate::harness::{Engine, HOOK_SECRET, Key, TestApp, every_engine};

fn id(stream: &Value) -> String {
    stream["id"].as_str().expect("an id").to_owned()
}

async fn key_now(app: &TestApp, key: &Key) -> Value {
    app.as_viewer().get(&format!("/stream-keys/{}", key.id)).await.assert_status(200).json()
}

#[apply(every_engine)]
#[tokio::test]
async fn stream_starts_counts_readers_and_ends(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let key = app.key("live/alice").await;
    let stream = app.live(&key, "c1").await;
    assert_eq!(stream["path"], "live/alice");
    assert_eq!(key_now(&app, &key).await["in_use"], true);
    app.request_publish(&key, "c2").await.assert_status(401);

    app.media().watched_by("live/alice", 3);
    let path = format!("/streams/{}", id(&stream));
    let watched = |s: crate::harness::Answer| Some(s.json()).filter(|stream| stream["readers"] == 3);
    let watched = app.until(|| app.as_viewer().get(&path), watched).await;
    assert_eq!(watched["urls"], stream["urls"], "they do not change while it is live");

    app.media().leave("live/alice");
    let ended = app.ended(&stream["id"]).await;
    assert_eq!(ended["end_reason"], "publisher_left");
    assert!(ended["ended_at"].is_string());
    assert_eq!(app.as_viewer().get("/streams").await.json(), json!({"streams": [], "count": 0}));
    app.request_publish(&key, "c2").await.assert_status(200);
}

#[apply(every_engine)]
#[tokio::test]
async fn stream_on_a_secret_path_is_listed_at_the_public_path(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let key = app.key("live/alice").await;
    let private = format!("live/{}", key.secret);
    app.auth(json!({"action": "publish", "path": private, "id": "c1", "protocol": "rtmp"}))
        .await
        .assert_status(200);
    app.media().go_live(&private, "c1");
    let stream = app.stream_of("c1").await;
    assert_eq!(stream["path"], "live/alice");
    assert_eq!(stream["urls"]["hls"], "http://default.test:8888/live/alice/index.m3u8");
    wait_until(|| app.media().relays() == ["live/alice"]).await;
    app.auth(json!({"action": "read", "path": private})).await.assert_status(401);
    app.auth(json!({"action": "read", "path": "live/alice"})).await.assert_status(200);
    app.media().leave(&private);
    app.ended(&stream["id"]).await;
    wait_until(|| app.media().relays().is_empty()).await;
}

#[tokio::test]
async fn media_server_without_relays_gets_no_relay_requests() {
    let app = TestApp::memory().await;
    app.media().set_without_relays();
    let key = app.key("live/alice").await;
    let private = format!("live/{}", key.secret);
    app.media().go_live(&private, "c1");
    app.stream_of("c1").await;
    assert!(app.media().relays().is_empty());
}

#[apply(every_engine)]
#[tokio::test]
async fn revoking_ends_the_session_and_is_idempotent(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let key = app.key("live/alice").await;
    let stream = app.live(&key, "c1").await;
    let revoke = || app.as_admin().delete(&format!("/stream-keys/{}", key.id));
    revoke().await.assert_status(204);
    assert!(!app.media().carries("live/alice"), "the call waits for the end");
    assert_eq!(app.ended(&stream["id"]).await["end_reason"], "key_revoked");
    let now = key_now(&app, &key).await;
    assert_eq!((&now["status"], &now["in_use"]), (&json!("revoked"), &json!(false)));
    let denied = app.request_publish(&key, "c2").await.assert_status(401);
    assert!(denied.text("/detail").contains("revoked"));
    revoke().await.assert_status(204);
    assert_eq!(key_now(&app, &key).await["revoked_at"], now["revoked_at"]);
    let rotate = app.as_admin().post(&format!("/stream-keys/{}/rotate", key.id));
    rotate.await.assert_status(409).assert_problem("key-not-usable");
}

#[apply(every_engine)]
#[tokio::test]
async fn rotating_replaces_the_secret_and_ends_the_session(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let old = app.key("live/alice").await;
    let stream = app.live(&old, "c1").await;
    let rotate = app.as_admin().post(&format!("/stream-keys/{}/rotate", old.id)).shown_once();
    let rotated = rotate.await.assert_status(200);
    let new = Key { secret: rotated.text("/key_value"), ..old.clone() };
    assert_ne!(new.secret, old.secret);
    assert!(rotated.text("/ingest/obs/stream_key").ends_with(&new.secret));
    assert!(!app.media().carries("live/alice"));
    assert_eq!(app.ended(&stream["id"]).await["end_reason"], "key_rotated");
    app.request_publish(&old, "c2").await.assert_status(401);
    app.request_publish(&new, "c3").await.assert_status(200);
    assert_eq!(key_now(&app, &new).await["status"], "active");
}

#[apply(every_engine)]
#[tokio::test]
async fn expired_key_ends_its_session(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let at = streamward::domain::Timestamp::from_seconds(app.clock.seconds() + 3_600).to_string();
    let key = app.key_with(json!({"path": "live/alice", "expires_at": at})).await;
    let stream = app.live(&key, "c1").await;
    app.clock.advance(Duration::from_secs(3_601));
    assert_eq!(key_now(&app, &key).await["status"], "expired");
    app.request_publish(&key, "c2").await.assert_status(401);
    assert_eq!(app.ended(&stream["id"]).await["end_reason"], "key_expired");
    assert_eq!(app.media().disconnected().first().map(String::as_str), Some("c1"));
}

#[apply(every_engine)]
#[tokio::test]
async fn deleting_a_broadcaster_ends_its_sessions_and_keeps_its_history(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let key = app.key("live/alice").await;
    let stream = app.live(&key, "c1").await;
    let broadcaster = format!("/broadcasters/{}", key.broadcaster);
    app.as_admin().patch(&broadcaster).json(json!({"display_name": "Later"})).await.assert_status(200);
    app.as_admin().delete(&broadcaster).await.assert_status(204);
    assert!(!app.media().carries("live/alice"));
    let ended = app.ended(&stream["id"]).await;
    assert_eq!(
        (&ended["end_reason"], &ended["broadcaster_name"]),
        (&json!("broadcaster_deleted"), &json!("Alice"))
    );
    let key_path = format!("/stream-keys/{}", key.id);
    app.as_viewer().get(&key_path).await.assert_status(404);
    app.as_admin().delete(&key_path).await.assert_status(404);
    app.as_viewer().get(&broadcaster).await.assert_status(404);
    app.as_admin().delete(&broadcaster).await.assert_status(404);
    app.request_publish(&key, "c2").await.assert_status(401);
}

#[apply(every_engine)]
#[tokio::test]
async fn ending_a_stream_leaves_its_key_valid(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let key = app.key("live/alice").await;
    let stream = app.live(&key, "c1").await;
    let path = format!("/streams/{}", id(&stream));
    app.as_operator().delete(&path).await.assert_status(204);
    assert!(!app.media().carries("live/alice"));
    assert_eq!(app.ended(&stream["id"]).await["end_reason"], "ended_by_operator");
    app.as_operator().delete(&path).await.assert_status(204);
    let again = app.live(&key, "c2").await;
    assert_ne!(again["id"], stream["id"]);
}

#[apply(every_engine)]
#[tokio::test]
async fn takeover_gives_the_key_to_the_newcomer(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let key = app.key_with(json!({"path": "live/alice", "on_conflict": "takeover"})).await;
    let stream = app.live(&key, "c1").await;
    app.request_publish(&key, "c2").await.assert_status(200);
    wait_until(|| app.media().disconnected().contains(&"c1".to_owned())).await;
    app.media().go_live("live/alice", "c2");
    assert_eq!(app.ended(&stream["id"]).await["end_reason"], "takeover");
    let newcomer = app.stream_of("c2").await;
    assert_eq!(newcomer["stream_key_id"], stream["stream_key_id"]);
    assert!(!app.media().disconnected().contains(&"c2".to_owned()));
}

#[apply(every_engine)]
#[tokio::test]
async fn revoking_answers_within_two_seconds_and_ending_continues(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let key = app.key("live/alice").await;
    let stream = app.live(&key, "c1").await;
    app.media().set_ignores_disconnects(true);
    let started = Instant::now();
    app.as_admin().delete(&format!("/stream-keys/{}", key.id)).await.assert_status(204);
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(1_900) && took < Duration::from_secs(4), "{took:?}");
    let still = app.as_viewer().get(&format!("/streams/{}", id(&stream))).await.json();
    assert_eq!(still["status"], "active", "it ends only when its session is gone");
    app.media().set_ignores_disconnects(false);
    assert_eq!(app.ended(&stream["id"]).await["end_reason"], "key_revoked");
}

#[apply(every_engine)]
#[tokio::test]
async fn hook_event_is_accepted_only_while_the_media_server_is_unreachable(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let key = app.key("live/alice").await;
    let stream = app.live(&key, "c1").await;
    let hook = |name: &str, source: &str| {
        let path = format!("/webhook/{name}?secret={HOOK_SECRET}");
        app.as_nobody()
            .post(&path)
            .json(json!({"path": "live/alice", "source_type": "rtmpConn", "source_id": source}))
    };
    hook("not-ready", "c1").await.assert_status(204);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let stream_path = format!("/streams/{}", id(&stream));
    assert_eq!(app.as_viewer().get(&stream_path).await.json()["status"], "active");

    app.media().set_unreachable(true);
    hook("unavailable", "another-session").await.assert_status(204);
    hook("offline", "c1").await.assert_status(204);
    assert_eq!(app.ended(&stream["id"]).await["end_reason"], "publisher_left");
    app.request_publish(&key, "c2").await.assert_status(200);
    hook("online", "c2").await.assert_status(204);
    let accepted = app.stream_of("c2").await;
    app.media().leave("live/alice");
    app.media().go_live("live/alice", "c2");
    app.media().set_unreachable(false);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(app.stream_of("c2").await["id"], accepted["id"], "it is still the same stream");
}

#[apply(every_engine)]
#[tokio::test]
async fn session_of_an_unknown_publisher_is_ended(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    app.media().go_live("live/nobody", "unknown");
    let made_up = format!("sk_{}", "c".repeat(43));
    app.media().go_live(&made_up, "guesser");
    wait_until(|| !app.media().carries("live/nobody") && !app.media().carries(&made_up)).await;
    assert_eq!(app.as_viewer().get("/streams?status=all").await.json()["count"], 0);
}

#[apply(every_engine)]
#[tokio::test]
async fn stream_on_a_path_that_cannot_be_read_goes_on_and_the_others_are_handled(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let [odd, revoked] = [app.key("live/odd").await, app.key("live/bob").await];
    let stream = app.live(&odd, "c1").await;
    let ending = app.live(&revoked, "c2").await;
    app.media().set_unreadable("live/odd");
    app.as_admin().delete(&format!("/stream-keys/{}", revoked.id)).await.assert_status(204);
    app.ended(&ending["id"]).await;
    assert_eq!(app.media().disconnected(), ["c2"]);
    assert_eq!(app.stream_of("c1").await["id"], stream["id"]);
    app.request_publish(&odd, "c3").await.assert_status(401);
}

/// It is polled twenty times a second here.
#[tokio::test(start_paused = true)]
async fn session_that_cannot_be_ended_is_tried_ever_less_often() {
    let app = TestApp::memory().await;
    app.media().set_ignores_disconnects(true);
    app.media().go_live("live/nobody", "unknown");
    tokio::time::sleep(Duration::from_secs(20)).await;
    let tried = app.media().disconnected().len();
    assert!(
        (5..=8).contains(&tried),
        "{tried} times, instead of after 0, 0.1, 0.3, 0.7, 1.5, 3.1, 6.3 and 12.7 s"
    );
}

#[apply(every_engine)]
#[tokio::test]
async fn live_stream_is_found_again_after_a_restart(#[case] engine: Engine) {
    let mut app = TestApp::on(engine).await;
    let key = app.key("live/alice").await;
    let stream = app.live(&key, "c1").await;
    app.restart().await;
    app.request_publish(&key, "c2").await.assert_status(401);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(app.stream_of("c1").await["id"], stream["id"]);
    app.media().leave("live/alice");
    app.ended(&stream["id"]).await;
}

#[apply(every_engine)]
#[tokio::test]
async fn encoder_moves_to_another_media_server(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let key = app.key("live/alice").await;
    let stream = app.live(&key, "c1").await;
    app.media().leave("live/alice");
    app.ended(&stream["id"]).await;
    let query = format!("/auth?secret={HOOK_SECRET}&server=eu");
    let request = json!({"action": "publish", "path": "live/alice", "id": "c1", "token": key.secret});
    app.as_nobody().post(&query).json(request).await.assert_status(200);
    let eu = MediaServerName::parse("eu").expect("a name");
    app.media_servers[&eu].go_live("live/alice", "c1");
    let moved = app.stream_of("c1").await;
    assert_eq!(moved["media_server"], "eu");
    assert_eq!(moved["urls"]["rtsp"], "rtsp://eu.test:8554/live/alice");
    let there = app.as_viewer().get("/streams?media_server=eu").await.json();
    assert_eq!(there["count"], 1);
    let servers = app.as_viewer().get("/media-servers").await.json();
    let streams: Vec<&Value> = servers["media_servers"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|server| &server["streams"])
        .collect();
    assert_eq!(streams, [0, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revoked_key_is_refused_on_every_instance() {
    let one = TestApp::on(Engine::Postgres).await;
    let two = one.another().await;
    let key = one.key("live/alice").await;
    two.request_publish(&key, "c1").await.assert_status(200);
    two.media().go_live("live/alice", "c1");
    let stream = one.stream_of("c1").await;
    one.as_admin().delete(&format!("/stream-keys/{}", key.id)).await.assert_status(204);
    two.request_publish(&key, "c2").await.assert_status(401);
    assert_eq!(two.ended(&stream["id"]).await["end_reason"], "key_revoked");
}

async fn wait_until(condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "not within 20 s");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn renamed_media_server_releases_the_keys_of_the_old_name() {
    let mut app = TestApp::memory().await;
    let key = app.key("live/alice").await;
    let stream = app.live(&key, "c1").await;
    app.media_servers.remove(&MediaServerName::default());
    app.restart().await;
    // A media server that is not configured is left alone while its last instance may still run.
    app.clock.advance(Duration::from_secs(4));
    assert_eq!(app.ended(&stream["id"]).await["end_reason"], "media_server_removed");
    let request = json!({"action": "publish", "path": key.path, "protocol": "rtmp", "id": "c2",
                          "query": format!("key={}", key.secret)});
    app.as_nobody()
        .post(&format!("/auth?server=eu&secret={HOOK_SECRET}"))
        .json(request)
        .await
        .assert_status(200);
}
