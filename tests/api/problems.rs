//! Problem details. `harness::Answer::check` checks their form for every answer of every test.

use std::sync::Arc;

use axum::http::Method;
use serde_json::json;
use streamward::adapters::http::ProblemType;

use crate::harness::{Engine, HOOK_SECRET, Setup, TestApp};

#[tokio::test]
async fn unknown_route_is_a_problem() {
    let app = TestApp::memory().await;
    for path in ["/nonsense", "/streams/", "/stream-keys/x/y/z", "/docs/nonsense.js", "//streams", "/%00"] {
        app.as_nobody().get(path).await.assert_status(404).assert_problem("unknown-route");
    }
    app.as_nobody().get("/nonsense?key=sk_secret").await.assert_status(404);
}

#[tokio::test]
async fn wrong_method_lists_the_allowed_ones() {
    let app = TestApp::memory().await;
    for (method, path, allowed) in [
        (Method::PUT, "/streams", "GET,HEAD"),
        (Method::GET, "/auth", "POST"),
        (Method::PUT, "/stream-keys", "GET,HEAD,POST"),
        (Method::POST, "/broadcasters/x", "DELETE,GET,HEAD,PATCH"),
        (Method::DELETE, "/health", "GET,HEAD"),
        (Method::OPTIONS, "/streams/events", "GET,HEAD"),
    ] {
        let answer = app.as_nobody().call(method, path).await.assert_status(405);
        let answer = answer.assert_problem("method-not-allowed");
        let header = answer.header("allow");
        let mut there: Vec<&str> = header.split(',').collect();
        there.sort_unstable();
        assert_eq!(there.join(","), allowed, "{path}");
    }
}

#[tokio::test]
async fn oversized_body_is_a_problem() {
    let app = TestApp::memory().await;
    let long = |bytes: usize| "x".repeat(bytes);
    let (mib, kib64) = (1024 * 1024, 64 * 1024);
    let admin = app.as_admin();
    admin.post("/broadcasters").body(long(mib + 1)).await.assert_status(413).assert_problem("too-large");
    admin.post("/broadcasters").body(long(mib)).await.assert_status(400);
    admin.delete("/broadcasters/x").body(long(mib + 1)).await.assert_status(413);
    app.as_signer().post("/broadcasters").body(long(mib + 1)).await.assert_status(413);
    for path in ["/auth", "/webhook/ready", "/webhook/offline", "/srs/on_publish", "/srs/on_close"] {
        let path = format!("{path}?secret={HOOK_SECRET}");
        let call = |bytes| app.as_nobody().post(&path).body(long(bytes));
        call(kib64 + 1).await.assert_status(413).assert_problem("too-large");
        call(kib64).await.assert_status(400);
    }
}

#[tokio::test]
async fn body_of_another_content_type_is_a_problem() {
    let app = TestApp::memory().await;
    let call = |kind| {
        app.as_admin().post("/broadcasters").header("content-type", kind).body(r#"{"display_name":"A"}"#)
    };
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        call(kind).await.assert_status(415).assert_problem("unsupported-media-type");
    }
    for kind in ["application/json", "application/json; charset=utf-8", "Application/JSON"] {
        call(kind).await.assert_status(201);
    }
    app.as_admin().post("/broadcasters").body(r#"{"display_name":"A"}"#).await.assert_status(201);
}

#[tokio::test]
async fn valid_request_id_is_echoed_and_an_invalid_one_replaced() {
    let app = TestApp::memory().await;
    let call = |id: String| app.as_nobody().get("/nonsense").header("x-request-id", &id);
    for valid in ["a".to_owned(), "x".repeat(128), "req/1:2~!".to_owned()] {
        assert_eq!(call(valid.clone()).await.header("x-request-id"), valid);
    }
    for invalid in [String::new(), "x".repeat(129), "a b".to_owned(), "a\tb".to_owned()] {
        assert_eq!(call(invalid).await.header("x-request-id").len(), 36);
    }
    let (one, two) = (app.as_nobody().get("/livez").await, app.as_nobody().get("/livez").await);
    assert_ne!(one.header("x-request-id"), two.header("x-request-id"));
}

#[tokio::test]
async fn query_and_path_secrets_are_not_repeated() {
    let app = TestApp::memory().await;
    let key = format!("sk_{}", "a".repeat(43));
    let answer = app.as_admin().get(&format!("/stream-keys?nonsense={key}")).await.assert_status(400);
    assert_eq!(answer.json()["instance"], "/stream-keys");
    assert!(!answer.text("/detail").contains(&key));
    let answer = app.as_admin().get(&format!("/stream-keys/{key}")).await;
    assert_eq!(answer.json()["instance"], "/stream-keys/sk_***");
}

#[tokio::test]
async fn every_problem_type_has_a_description() {
    let app = TestApp::memory().await;
    for kind in ProblemType::all() {
        let answer = app.as_nobody().get(&format!("/problems/{}", kind.slug)).await.assert_status(200);
        assert_eq!(answer.json()["status"], kind.status);
        assert_eq!(answer.text("/type"), format!("/problems/{}", kind.slug));
    }
    app.as_nobody().get("/problems/nonsense").await.assert_status(404).assert_problem("not-found");
}

#[tokio::test]
async fn head_is_answered_wherever_get_is() {
    let app = TestApp::memory().await;
    for path in ["/health", "/openapi.json", "/docs", "/streams", "/broadcasters"] {
        let answer = app.as_admin().call(Method::HEAD, path).await.assert_status(200);
        assert!(answer.body.is_empty(), "{path}");
    }
    app.as_admin().call(Method::HEAD, "/streams?limit=0").await.assert_status(400);
}

#[tokio::test]
async fn unreachable_database_is_a_problem_with_retry_after() {
    let app = TestApp::on(Engine::Sqlite).await;
    for db in [&app.db, &app.lists] {
        db.as_ref().expect("a database").close().await;
    }
    let admin = app.as_admin();
    admin.get("/streams").await.assert_status(503).assert_problem("unavailable");
    admin.post("/broadcasters").json(json!({"display_name": "A"})).await.assert_status(503);
    app.as_viewer().get("/streams").await.assert_status(503);
    app.as_nobody().get("/health").await.assert_status(503);
    app.as_nobody().get("/readyz").await.assert_status(503);
    app.as_nobody().get("/livez").await.assert_status(200);
    let unknown = format!("sk_{}", "a".repeat(43));
    let publish = json!({"action": "publish", "path": "live/alice", "id": "c1", "token": unknown});
    let denied = app.auth(publish).await.assert_status(401).assert_problem("denied");
    assert!(denied.text("/detail").contains("could not decide"), "{denied:?}");
    app.auth(json!({"action": "read", "path": "live/alice"})).await.assert_status(200);
    let hook = app.as_nobody().post(&format!("/webhook/ready?secret={HOOK_SECRET}"));
    hook.json(json!({"path": "live/alice"})).await.assert_status(503);
}

#[tokio::test]
async fn panic_fails_one_request_only() {
    let setup = Setup { metrics: Some(Arc::new(|| panic!("a bug, for this test"))), ..Setup::default() };
    let app = TestApp::with(Engine::Memory, setup).await;
    let answer = app.as_nobody().get("/metrics").await.assert_status(500).assert_problem("internal");
    assert!(!answer.text("/detail").contains("bug"));
    app.as_nobody().get("/livez").await.assert_status(200);
}
