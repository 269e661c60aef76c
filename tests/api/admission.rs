//! Who gets a slot, and whose body is read.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::{Method, Request, StatusCode};
use futures_util::stream;
use serde_json::json;
use streamward::domain::access::Role;
use streamward_test_support::process::eventually;
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use crate::harness::TestApp;

/// More than there are slots.
const FLOOD: usize = 1_100;
const SOON: Duration = Duration::from_secs(20);

/// Requests whose bodies never arrive. Counts how many of the bodies are read.
#[derive(Clone, Default)]
struct Silent {
    read: Arc<AtomicUsize>,
}

impl Silent {
    fn request(&self, method: Method, path: &str, from: &str, headers: &[(&str, &str)]) -> Request<Body> {
        let read = Arc::clone(&self.read);
        let mut is_first = true;
        let silence = stream::poll_fn(move |_| {
            if std::mem::take(&mut is_first) {
                read.fetch_add(1, Ordering::SeqCst);
            }
            std::task::Poll::<Option<Result<Bytes, std::io::Error>>>::Pending
        });
        let mut request = Request::builder().method(method).uri(path).header("content-length", "100");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let peer: SocketAddr = format!("{from}:50000").parse().expect("an address");
        request.extension(ConnectInfo(peer)).body(Body::from_stream(silence)).expect("a request")
    }

    fn count(&self) -> usize {
        self.read.load(Ordering::SeqCst)
    }
}

/// Sends `FLOOD` requests of `one`, and returns when each of them waits or was answered.
async fn flood(app: &TestApp, one: impl Fn(usize) -> Request<Body>) -> JoinSet<StatusCode> {
    let mut calls = JoinSet::new();
    let waiting = Arc::new(AtomicUsize::new(0));
    for n in 0..FLOOD {
        let (router, request, waiting) = (app.router.clone(), one(n), Arc::clone(&waiting));
        calls.spawn(async move {
            let mut call = std::pin::pin!(router.oneshot(request));
            if let std::task::Poll::Ready(answer) = futures_util::poll!(call.as_mut()) {
                waiting.fetch_add(1, Ordering::SeqCst);
                return answer.expect("infallible").status();
            }
            waiting.fetch_add(1, Ordering::SeqCst);
            call.await.expect("infallible").status()
        });
    }
    let all = async || Ok((waiting.load(Ordering::SeqCst) == FLOOD).then_some(()));
    eventually("all of them wait", SOON, all).await.expect("sent");
    calls
}

/// Reads and writes of those who have credentials.
async fn assert_others_are_served(app: &TestApp, round: i64) {
    app.as_viewer().get("/streams").await.assert_status(200);
    app.as_admin().post("/broadcasters").json(json!({"display_name": "A"})).await.assert_status(201);
    let signer = app.signing_at(app.clock.seconds() - round);
    signer.get("/streams").await.assert_status(200);
    signer.post("/broadcasters").json(json!({"display_name": "B"})).await.assert_status(201);
}

#[tokio::test]
async fn callers_without_credentials_keep_nobody_out() {
    let app = TestApp::memory().await;
    // Each signature is valid once, so each has a second of its own.
    app.clock.stop();
    let now = app.clock.seconds().to_string();
    let forged = [("x-api-key", "k"), ("x-timestamp", now.as_str()), ("x-signature", "00")];
    let made_up = streamward::domain::access::TokenSecret::from_random([3; 32]);
    let bearer = format!("Bearer {}", made_up.expose());
    let unknown = [("authorization", bearer.as_str())];
    let silent = Silent::default();
    let mut held = Vec::new();
    for (round, headers) in [&[][..], &unknown[..], &forged[..]].into_iter().enumerate() {
        // From many addresses, and from one.
        let from = |n: usize| {
            if n.is_multiple_of(2) { "192.0.2.9".to_owned() } else { format!("198.51.100.{}", n % 250) }
        };
        let post = |n: usize| silent.request(Method::POST, "/broadcasters", &from(n), headers);
        held.push(flood(&app, post).await);
        assert_others_are_served(&app, i64::try_from(round).expect("small")).await;
    }
}

#[tokio::test]
async fn body_of_a_caller_that_may_not_send_it_is_not_read() {
    let app = TestApp::memory().await;
    let viewer = format!("Bearer {}", app.token(Role::Viewer));
    let now = app.clock.seconds();
    let (old, now) = ((now - 301).to_string(), now.to_string());
    let signed = |time| vec![("x-api-key", "k"), ("x-timestamp", time), ("x-signature", "00")];
    let silent = Silent::default();
    for (path, headers, status) in [
        ("/broadcasters", vec![], 401),
        ("/broadcasters", vec![("authorization", "Bearer nonsense")], 401),
        ("/broadcasters", signed(&old), 401),
        ("/broadcasters", signed("x"), 401),
        ("/broadcasters", vec![("x-api-key", "k"), ("x-timestamp", &now)], 401),
        ("/broadcasters", vec![("authorization", &viewer)], 403),
        ("/auth", vec![], 401),
        ("/webhook/ready", vec![], 401),
    ] {
        let request = silent.request(Method::POST, path, "192.0.2.9", &headers);
        let answer = app.router.clone().oneshot(request).await.expect("infallible");
        assert_eq!((answer.status().as_u16(), silent.count()), (status, 0), "{path} {headers:?}");
    }
}

#[tokio::test]
async fn caller_with_a_token_cannot_take_all_slots() {
    let app = TestApp::memory().await;
    let admin = format!("Bearer {}", app.token(Role::Admin));
    let silent = Silent::default();
    let headers = [("authorization", admin.as_str())];
    let calls = flood(&app, |_| silent.request(Method::POST, "/broadcasters", "192.0.2.9", &headers)).await;
    assert_eq!(silent.count(), 250);
    app.as_viewer().get("/streams").await.assert_status(200);
    app.as_signer().post("/broadcasters").json(json!({"display_name": "A"})).await.assert_status(201);
    app.as_admin().get("/streams").await.assert_status(503).assert_problem("unavailable");
    drop(calls);
    let served = async || Ok((app.as_admin().get("/streams").await.status == StatusCode::OK).then_some(()));
    eventually("its slots are free again", SOON, served).await.expect("free");
}

#[tokio::test]
async fn body_where_none_is_documented_may_be_small_only() {
    let app = TestApp::memory().await;
    let broadcaster = app.broadcaster("Alice").await;
    let key = app.key("live/alice").await;
    let large = " ".repeat(5_000) + "{}";
    for caller in [app.as_admin(), app.as_signer()] {
        let rotate = |body: &str| caller.post(&format!("/stream-keys/{}/rotate", key.id)).body(body);
        rotate(&large).await.assert_status(413).assert_problem("too-large");
        caller.get("/streams").body(large.clone()).await.assert_status(413);
        caller.get("/streams").body("{}").await.assert_status(200);
    }
    let rotate = app.as_admin().post(&format!("/stream-keys/{}/rotate", key.id)).body("{}");
    rotate.shown_once().await.assert_status(200);
    let patch = json!({"metadata": {"a": "x".repeat(10_000)}});
    app.as_admin().patch(&format!("/broadcasters/{broadcaster}")).json(patch).await.assert_status(200);
}
