//! Over real connections, as a media server and a browser make them.

use std::net::SocketAddr;
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::json;
use streamward::runtime::config::ConfigDuration;
use streamward::runtime::serve::{ServeLimits, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::harness::{Engine, HOOK_SECRET, Setup, TestApp};

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
    // On a machine so busy that a statement is late, the key cache would let another one in.
    let setup =
        Setup { configure: |config| config.auth.grace = ConfigDuration(Duration::ZERO), ..Setup::default() };
    let app = TestApp::with(Engine::Sqlite, setup).await;
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
    // A claim that is made, and answered too late, is a refusal.
    assert!(allowed <= 1 && allowed + denied == 100, "{allowed} were let in, {denied} were refused");
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

/// Sends these bytes, and reads until the connection is closed.
async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    stream.write_all(bytes).await.expect("sent");
    let mut answer = String::new();
    let read = timeout(Duration::from_secs(20), stream.read_to_string(&mut answer));
    read.await.expect("closed in time").expect("an answer, not a reset");
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_request_is_answered_with_a_problem() {
    let app = TestApp::memory().await;
    let (address, _task) = listening(&app).await;
    let head = |text: &str| format!("GET /livez HTTP/1.1\r\nHost: a\r\n{text}\r\n\r\n");
    let many: String = (0..200).map(|n| format!("x-{n}: y\r\n")).collect();
    for (bytes, status, slug) in [
        ("nonsense\r\n\r\n".to_owned(), 400, "malformed-request"),
        ("\u{1}\u{2}\u{3}\r\n\r\n".to_owned(), 400, "malformed-request"),
        ("GET /livez HTTP/7.0\r\nHost: a\r\n\r\n".to_owned(), 400, "malformed-request"),
        (head("no colon"), 400, "malformed-request"),
        (head("content-length: -1"), 400, "malformed-request"),
        (head("content-length: 1\r\ncontent-length: 2"), 400, "malformed-request"),
        (head(&many), 431, "head-too-large"),
        (head(&format!("x: {}", "y".repeat(500_000))), 431, "head-too-large"),
    ] {
        let answer = exchange(address, bytes.as_bytes()).await;
        let shown: String = bytes.chars().take(60).collect();
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{shown}: {answer}");
        let header = |name: &str| {
            let mut found = head.lines().filter_map(|line| line.split_once(": ")).filter(|(n, _)| *n == name);
            let value = found.next().map(|(_, value)| value.to_owned()).unwrap_or_default();
            assert_eq!(found.count(), 0, "{name} twice: {answer}");
            value
        };
        assert_eq!(header("content-type"), "application/problem+json", "{shown}: {answer}");
        assert_eq!(header("connection"), "close");
        assert_eq!(header("content-length"), body.len().to_string());
        assert!(!header("date").is_empty() && !header("x-request-id").is_empty(), "{answer}");
        let problem: serde_json::Value = serde_json::from_str(body).expect("a problem");
        assert_eq!(problem["type"], format!("/problems/{slug}"), "{shown}: {answer}");
        assert_eq!(
            (&problem["status"], &problem["request_id"]),
            (&json!(status), &json!(header("x-request-id")))
        );
    }
    // After a request, on the same connection.
    let both = head("x: y") + "nonsense\r\n\r\n";
    let answer = exchange(address, both.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("HTTP/1.1 400 "), "{answer}");
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
