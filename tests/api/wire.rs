//! Over real connections, as a media server and a browser make them.

use std::net::SocketAddr;
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::json;
use streamward::runtime::serve::{ServeLimits, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::harness::{Engine, HOOK_SECRET, TestApp};

/// The application, listening. Stops when the app's token is cancelled.
async fn listening(app: &TestApp) -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (router, stop) = (app.router.clone(), app.stop.clone());
    let mut task = JoinSet::new();
    task.spawn(async move { serve(listener, router, ServeLimits::default(), stop).await.expect("served") });
    (address, task)
}

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    // MediaMTX opens a connection for each request.
    reqwest::Client::builder().pool_max_idle_per_host(0).build().expect("a client")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_a_hundred_connections_gets_the_key() {
    let app = TestApp::on(Engine::Sqlite).await;
    let key = app.key("live/alice").await;
    let (address, _task) = listening(&app).await;
    let (client, mut calls) = (client(), JoinSet::new());
    for n in 0..100 {
        let request =
            json!({"action": "publish", "path": key.path, "id": format!("c{n}"), "token": key.secret});
        let call = client.post(format!("http://:{HOOK_SECRET}@{address}/auth")).json(&request).send();
        calls.spawn(async move { call.await.expect("answered").status() });
    }
    let statuses = calls.join_all().await;
    let allowed = statuses.iter().filter(|status| **status == StatusCode::OK).count();
    let denied = statuses.iter().filter(|status| **status == StatusCode::UNAUTHORIZED).count();
    assert_eq!((allowed, denied), (1, 99));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn request_without_exactly_one_host_is_refused_with_a_problem() {
    let app = TestApp::memory().await;
    let (address, _task) = listening(&app).await;
    for (head, status) in [
        ("GET /livez HTTP/1.1\r\nHost: a\r\n", "200"),
        ("GET /livez HTTP/1.0\r\n", "200"),
        ("GET /livez HTTP/1.1\r\n", "400"),
        ("GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n", "400"),
    ] {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.split(' ').nth(1) == Some(status), "{head}: {answer}");
        assert_eq!(answer.contains("application/problem+json"), status == "400", "{head}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sender_of_an_oversized_body_reads_the_answer() {
    let app = TestApp::memory().await;
    let (address, _task) = listening(&app).await;
    for (path, bytes) in [("/auth", 70_000), ("/auth", 5_000_000), ("/webhook/ready", 70_000)] {
        let url = format!("http://{address}{path}?secret={HOOK_SECRET}");
        let answer = client().post(url).body("x".repeat(bytes)).send().await.expect("an answer, not a reset");
        assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
        let problem: serde_json::Value = answer.json().await.expect("a problem");
        assert_eq!(problem["type"], "/problems/too-large");
    }
    let url = format!("http://{address}/broadcasters");
    let call = client().post(url).bearer_auth(app.token(streamward::domain::access::Role::Admin));
    let answer = call.body("x".repeat(3_000_000)).send().await.expect("an answer, not a reset");
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_do_not_delay_shutdown() {
    let app = TestApp::memory().await;
    let (address, mut task) = listening(&app).await;
    let mut readers = Vec::new();
    for _ in 0..20 {
        let token = app.token(streamward::domain::access::Role::Viewer);
        let call = client().get(format!("http://{address}/streams/events")).bearer_auth(token).send();
        readers.push(call.await.expect("opened"));
    }
    let stopped = Instant::now();
    app.stop.cancel();
    timeout(Duration::from_secs(3), task.join_next()).await.expect("it ends in time");
    assert!(stopped.elapsed() < Duration::from_secs(2));
    for reader in readers {
        let text = reader.text().await.expect("ended in order, not cut");
        assert!(text.contains("retry:"), "{text}");
    }
}
