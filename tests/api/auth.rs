//! The publish decision as a media server sees it.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rstest_reuse::apply;
use serde_json::{Value, json};
use streamward::domain::secret::Secret;

use tokio::task::JoinSet;

use crate::harness::{CONTROL_SECRET, Engine, HOOK_SECRET, RELAY_SECRET, Setup, TestApp, every_engine};

fn publish(path: &str, id: &str, field: &str, value: &str) -> Value {
    let mut request = json!({"action": "publish", "path": path, "id": id, "protocol": "rtmp"});
    request[field] = value.into();
    request
}

#[tokio::test]
async fn key_is_found_in_token_password_query_or_path() {
    let app = TestApp::memory().await;
    let key = app.key("live/alice").await;
    let secret = &key.secret;
    for (n, request) in [
        publish("live/alice", "", "token", secret),
        publish("live/alice", "", "password", secret),
        publish("live/alice", "", "query", &format!("key={secret}")),
        publish("live/alice", "", "query", &format!("a=1&token={secret}")),
        publish("live/alice", "", "query", &format!("user=x&pass={secret}")),
        publish("live/alice", "", "query", &format!("password={}", secret.replace('_', "%5F"))),
        publish(secret, "", "user", ""),
        publish(&format!("live/{secret}"), "", "user", ""),
        publish(&format!("/{secret}"), "", "user", ""),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = app.auth(request.clone()).await.assert_status(200);
        assert!(answer.body.is_empty(), "{n}: {request}");
    }
}

#[tokio::test]
async fn refusal_gives_the_reason_and_repeats_no_secret() {
    let app = TestApp::memory().await;
    let key = app.key("live/alice").await;
    let other = app.key("live/bob").await;
    let made_up = format!("sk_{}", "a".repeat(43));
    for (request, word) in [
        (publish("live/alice", "c", "query", ""), "Nothing that was sent is a stream key"),
        (publish("live/alice", "c", "query", "key=sk_short"), "The stream key is malformed"),
        (publish("live/alice", "c", "token", &made_up), "The stream key does not exist"),
        (publish(&made_up, "c", "user", ""), "The stream key does not exist"),
        (publish("live/bob", "c", "token", &key.secret), "another path"),
        (publish("live.bob", "c", "token", &key.secret), "another path"),
        (publish(&other.secret, "c", "token", &key.secret), "another path"),
        (json!({"action": "read", "path": key.secret}), "cannot be watched"),
        (json!({"action": "api"}), "control secret"),
        (json!({"action": "fly"}), "does not know the action"),
    ] {
        let answer = app.auth(request.clone()).await.assert_status(401).assert_problem("denied");
        assert!(answer.text("/detail").contains(word), "{request}: {answer:?}");
        assert_eq!(answer.json()["instance"], "/auth");
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        for secret in [&key.secret, &other.secret, &made_up, HOOK_SECRET] {
            assert!(!body.contains(secret), "{body}");
        }
    }
}

#[tokio::test]
async fn reading_needs_no_key_and_the_control_api_needs_its_secret() {
    let app = TestApp::memory().await;
    let key = app.key("live/alice").await;
    for action in ["read", "playback"] {
        app.auth(json!({"action": action, "path": "live/alice"})).await.assert_status(200);
    }
    app.auth(json!({"action": "read", "path": key.secret, "password": RELAY_SECRET}))
        .await
        .assert_status(200);
    for action in ["api", "metrics", "pprof"] {
        app.auth(json!({"action": action, "token": CONTROL_SECRET})).await.assert_status(200);
        app.auth(json!({"action": action, "password": CONTROL_SECRET})).await.assert_status(200);
        app.auth(json!({"action": action, "token": RELAY_SECRET})).await.assert_status(401);
    }
}

#[tokio::test]
async fn hook_secret_is_accepted_in_three_places_and_two_are_valid_during_rotation() {
    let hook_secrets = vec![Secret::new(HOOK_SECRET), Secret::new("the-new-one")];
    let app = TestApp::with(Engine::Memory, Setup { hook_secrets, ..Setup::default() }).await;
    let call = |query: &str, header: Option<String>| {
        let request =
            app.as_nobody().post(&format!("/auth{query}")).json(json!({"action": "read", "path": "x"}));
        match header {
            Some(value) => request.header("authorization", &value),
            None => request,
        }
    };
    let basic =
        |user: &str, password: &str| Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))));
    let bearer = |token: &str| Some(format!("Bearer {token}"));
    for secret in [HOOK_SECRET, "the-new-one"] {
        call(&format!("?secret={secret}"), None).await.assert_status(200);
        call("", basic("mediamtx", secret)).await.assert_status(200);
        call("", basic("", secret)).await.assert_status(200);
        call("?server=eu", bearer(secret)).await.assert_status(200);
        call("?server=nobody", bearer(secret)).await.assert_status(401).assert_problem("unauthenticated");
        call("?server=Default!", bearer(secret)).await.assert_status(401);
    }
    for (query, header) in [
        ("", None),
        ("?secret=", None),
        ("?secret=wrong", None),
        ("", basic(HOOK_SECRET, "wrong")),
        ("", bearer("")),
        ("", Some(HOOK_SECRET.to_owned())),
    ] {
        call(query, header).await.assert_status(401).assert_problem("unauthenticated");
    }
    // One valid secret is enough.
    call("?secret=wrong", bearer(HOOK_SECRET)).await.assert_status(200);
}

#[apply(every_engine)]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_a_hundred_concurrent_callers_gets_the_key(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let key = app.key("live/alice").await;
    let mut calls = JoinSet::new();
    for n in 0..100 {
        calls.spawn(app.request_publish(&key, &format!("c{n}")).into_future());
    }
    let statuses: Vec<StatusCode> = calls.join_all().await.into_iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == StatusCode::OK).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|s| *s == StatusCode::OK || *s == StatusCode::UNAUTHORIZED), "{statuses:?}");
}

#[apply(every_engine)]
#[tokio::test]
async fn claim_belongs_to_its_connection_until_it_expires(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let key = app.key("live/alice").await;
    app.request_publish(&key, "c1").await.assert_status(200);
    app.request_publish(&key, "c1").await.assert_status(200);
    app.request_publish(&key, "").await.assert_status(200);
    let denied = app.request_publish(&key, "c2").await.assert_status(401);
    assert!(denied.text("/detail").contains("Another connection uses the stream key"));
    let shown = app.as_viewer().get(&format!("/stream-keys/{}", key.id)).await.json();
    assert_eq!((&shown["in_use"], &shown["status"]), (&json!(true), &json!("active")));
    app.clock.advance(std::time::Duration::from_secs(16));
    let shown = app.as_viewer().get(&format!("/stream-keys/{}", key.id)).await.json();
    assert_eq!(shown["in_use"], false);
    app.request_publish(&key, "c2").await.assert_status(200);
}

#[apply(every_engine)]
#[tokio::test]
async fn claims_survive_a_restart(#[case] engine: Engine) {
    let mut app = TestApp::on(engine).await;
    let key = app.key("live/alice").await;
    app.request_publish(&key, "c1").await.assert_status(200);
    app.restart().await;
    app.request_publish(&key, "c2").await.assert_status(401);
    app.request_publish(&key, "c1").await.assert_status(200);
}

#[tokio::test]
async fn key_created_after_it_was_refused_works_at_once() {
    let app = TestApp::memory().await;
    let made_up = format!("sk_{}", "b".repeat(43));
    for _ in 0..50 {
        app.auth(publish("live/alice", "c", "token", &made_up)).await.assert_status(401);
    }
    let key = app.key("live/alice").await;
    app.request_publish(&key, "c1").await.assert_status(200);
}
