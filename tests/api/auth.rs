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
    let mut question = json!({"action": "publish", "path": path, "id": id, "protocol": "rtmp"});
    question[field] = value.into();
    question
}

#[tokio::test]
async fn the_key_may_be_in_any_of_its_places() {
    let app = TestApp::memory().await;
    let key = app.key("live/alice").await;
    let secret = &key.secret;
    for (n, question) in [
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
        let answer = app.ask(question.clone()).await.assert_status(200);
        assert!(answer.body.is_empty(), "{n}: {question}");
    }
}

#[tokio::test]
async fn a_no_says_why_and_repeats_nothing() {
    let app = TestApp::memory().await;
    let key = app.key("live/alice").await;
    let other = app.key("live/bob").await;
    let made_up = format!("sk_{}", "a".repeat(43));
    for (question, word) in [
        (publish("live/alice", "c", "query", ""), "No stream key was sent"),
        (publish("live/alice", "c", "query", "key=sk_short"), "No stream key was sent"),
        (publish("live/alice", "c", "token", &made_up), "There is no such stream key"),
        (publish(&made_up, "c", "user", ""), "There is no such stream key"),
        (publish("live/bob", "c", "token", &key.secret), "another path"),
        (publish("live.bob", "c", "token", &key.secret), "another path"),
        (publish(&other.secret, "c", "token", &key.secret), "another path"),
        (json!({"action": "read", "path": key.secret}), "cannot be watched"),
        (json!({"action": "api"}), "control secret"),
        (json!({"action": "fly"}), "not known"),
    ] {
        let answer = app.ask(question.clone()).await.assert_status(401).assert_problem("denied");
        assert!(answer.text("/detail").contains(word), "{question}: {answer:?}");
        assert_eq!(answer.json()["instance"], "/auth");
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        for secret in [&key.secret, &other.secret, &made_up, HOOK_SECRET] {
            assert!(!body.contains(secret), "{body}");
        }
    }
}

#[tokio::test]
async fn reading_is_free_and_control_takes_the_control_secret() {
    let app = TestApp::memory().await;
    let key = app.key("live/alice").await;
    for action in ["read", "playback"] {
        app.ask(json!({"action": action, "path": "live/alice"})).await.assert_status(200);
    }
    app.ask(json!({"action": "read", "path": key.secret, "password": RELAY_SECRET})).await.assert_status(200);
    for action in ["api", "metrics", "pprof"] {
        app.ask(json!({"action": action, "token": CONTROL_SECRET})).await.assert_status(200);
        app.ask(json!({"action": action, "password": CONTROL_SECRET})).await.assert_status(200);
        app.ask(json!({"action": action, "token": RELAY_SECRET})).await.assert_status(401);
    }
}

#[tokio::test]
async fn the_hook_secret_is_shown_in_three_ways_and_two_are_valid_while_rotating() {
    let hook_secrets = vec![Secret::new(HOOK_SECRET), Secret::new("the-new-one")];
    let app = TestApp::with(Engine::Memory, Setup { hook_secrets, ..Setup::default() }).await;
    let ask = |query: &str, header: Option<String>| {
        let call =
            app.as_nobody().post(&format!("/auth{query}")).json(json!({"action": "read", "path": "x"}));
        match header {
            Some(value) => call.header("authorization", &value),
            None => call,
        }
    };
    let basic =
        |user: &str, password: &str| Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))));
    let bearer = |token: &str| Some(format!("Bearer {token}"));
    for secret in [HOOK_SECRET, "the-new-one"] {
        ask(&format!("?secret={secret}"), None).await.assert_status(200);
        ask("", basic("mediamtx", secret)).await.assert_status(200);
        ask("", basic("", secret)).await.assert_status(200);
        ask("?server=eu", bearer(secret)).await.assert_status(200);
        ask("?server=nobody", bearer(secret)).await.assert_status(401).assert_problem("unauthenticated");
        ask("?server=Default!", bearer(secret)).await.assert_status(401);
    }
    for (query, header) in [
        ("", None),
        ("?secret=", None),
        ("?secret=wrong", None),
        ("", basic(HOOK_SECRET, "wrong")),
        ("", bearer("")),
        ("", Some(HOOK_SECRET.to_owned())),
    ] {
        ask(query, header).await.assert_status(401).assert_problem("unauthenticated");
    }
    // One good one is enough.
    ask("?secret=wrong", bearer(HOOK_SECRET)).await.assert_status(200);
}

#[apply(every_engine)]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_hundred_callers_with_one_key_exactly_one_is_let_in(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let key = app.key("live/alice").await;
    let mut calls = JoinSet::new();
    for n in 0..100 {
        calls.spawn(app.ask_to_publish(&key, &format!("c{n}")).into_future());
    }
    let statuses: Vec<StatusCode> = calls.join_all().await.into_iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == StatusCode::OK).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|s| *s == StatusCode::OK || *s == StatusCode::UNAUTHORIZED), "{statuses:?}");
}

#[apply(every_engine)]
#[tokio::test]
async fn a_claim_is_kept_for_its_connection_and_lapses(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let key = app.key("live/alice").await;
    app.ask_to_publish(&key, "c1").await.assert_status(200);
    app.ask_to_publish(&key, "c1").await.assert_status(200);
    app.ask_to_publish(&key, "").await.assert_status(200);
    let denied = app.ask_to_publish(&key, "c2").await.assert_status(401);
    assert!(denied.text("/detail").contains("in use"));
    let shown = app.as_viewer().get(&format!("/stream-keys/{}", key.id)).await.json();
    assert_eq!((&shown["in_use"], &shown["status"]), (&json!(true), &json!("active")));
    app.clock.advance(std::time::Duration::from_secs(16));
    let shown = app.as_viewer().get(&format!("/stream-keys/{}", key.id)).await.json();
    assert_eq!(shown["in_use"], false);
    app.ask_to_publish(&key, "c2").await.assert_status(200);
}

#[apply(every_engine)]
#[tokio::test]
async fn claims_survive_a_restart(#[case] engine: Engine) {
    let mut app = TestApp::on(engine).await;
    let key = app.key("live/alice").await;
    app.ask_to_publish(&key, "c1").await.assert_status(200);
    app.restart().await;
    app.ask_to_publish(&key, "c2").await.assert_status(401);
    app.ask_to_publish(&key, "c1").await.assert_status(200);
}

#[tokio::test]
async fn a_key_that_is_asked_for_and_then_made_works_at_once() {
    let app = TestApp::memory().await;
    let made_up = format!("sk_{}", "b".repeat(43));
    for _ in 0..50 {
        app.ask(publish("live/alice", "c", "token", &made_up)).await.assert_status(401);
    }
    let key = app.key("live/alice").await;
    app.ask_to_publish(&key, "c1").await.assert_status(200);
}
