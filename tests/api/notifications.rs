//! Notifications: messages to a real receiver on this machine.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use rstest_reuse::apply;
use serde_json::{Value, json};
use streamward::domain::notification::{SigningSecret, signature};
use streamward::ports::IdGen as _;

use crate::harness::{Engine, Setup, TestApp, every_engine};

/// What the receiver heard, and the answers it gives: the last one for ever.
#[derive(Clone, Default)]
struct Receiver {
    heard: Arc<Mutex<Vec<(HeaderMap, String)>>>,
    answers: Arc<Mutex<Vec<u16>>>,
    /// Ends with it.
    serving: Arc<Mutex<tokio::task::JoinSet<std::io::Result<()>>>>,
}

async fn take(
    State(receiver): State<Receiver>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, &'static str) {
    receiver.heard.lock().expect("a lock").push((headers, String::from_utf8_lossy(&body).into_owned()));
    let mut answers = receiver.answers.lock().expect("a lock");
    let status = if answers.len() > 1 { answers.remove(0) } else { answers.first().copied().unwrap_or(200) };
    (StatusCode::from_u16(status).expect("a status"), "the receiver's words")
}

impl Receiver {
    async fn start(answers: &[u16]) -> (Self, String) {
        let receiver = Self::default();
        *receiver.answers.lock().expect("a lock") = answers.to_vec();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hooks/path-that-is-secret", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(post(take)).with_state(receiver.clone());
        let serve = async move { axum::serve(listener, router).await };
        receiver.serving.lock().expect("a lock").spawn(serve);
        (receiver, url)
    }

    fn heard(&self) -> Vec<(HeaderMap, Value)> {
        let heard = self.heard.lock().expect("a lock").clone();
        heard.into_iter().map(|(head, body)| (head, serde_json::from_str(&body).expect("JSON"))).collect()
    }
}

async fn app(engine: Engine) -> TestApp {
    let configure = |config: &mut streamward::runtime::config::Config| {
        config.notifications.allow_private_addresses = true;
        config.notifications.retry_after.0 = std::time::Duration::from_millis(100);
        config.notifications.give_up_after.0 = std::time::Duration::from_secs(1);
    };
    TestApp::with(engine, Setup { configure, ..Setup::default() }).await
}

/// A webhook that is delivered to from now on: its path and its secret.
async fn webhook(app: &mut TestApp, url: &str) -> (String, String) {
    let draft = json!({"name": "hook", "kind": "webhook", "target": url, "topics": ["broadcaster"]});
    let made = app.as_admin().post("/notifications").json(draft).shown_once().await.assert_status(201);
    // Tasks of sets begin at the start in this harness.
    app.restart().await;
    (format!("/notifications/{}", made.text("/id")), made.text("/secret"))
}

async fn deliveries(app: &TestApp, path: &str, state: &str, count: usize) -> Vec<Value> {
    let path = format!("{path}/deliveries?status={state}");
    let found = |answer: crate::harness::Answer| {
        let rows = answer.json()["deliveries"].as_array().cloned()?;
        (rows.len() == count).then_some(rows)
    };
    app.until(|| app.as_operator().get(&path), found).await
}

#[apply(every_engine)]
#[tokio::test]
async fn events_reach_a_webhook_signed_once_and_in_order_per_subject(#[case] engine: Engine) {
    let mut app = app(engine).await;
    let (receiver, url) = Receiver::start(&[503, 200]).await;
    let (path, secret) = webhook(&mut app, &url).await;
    let id = app.broadcaster("Alice").await;
    let one = format!("/broadcasters/{id}");
    app.as_admin().patch(&one).json(json!({"display_name": "Bob"})).await.assert_status(200);
    app.as_admin().delete(&one).await.assert_status(204);
    deliveries(&app, &path, "delivered", 3).await;
    let heard = receiver.heard();
    let kinds: Vec<_> = heard.iter().map(|(_, body)| body["type"].as_str().expect("a type")).collect();
    assert_eq!(
        kinds,
        ["broadcaster.created", "broadcaster.created", "broadcaster.updated", "broadcaster.deleted"]
    );
    let header = |n: usize, name: &str| heard[n].0[name].to_str().expect("text").to_owned();
    assert_eq!(header(0, "webhook-id"), header(1, "webhook-id"), "the same message again");
    let seconds = header(0, "webhook-timestamp").parse().expect("seconds");
    let body = receiver.heard.lock().expect("a lock")[0].1.clone();
    let signed = signature(&[SigningSecret::stored(&secret)], &header(0, "webhook-id"), seconds, &body);
    assert_eq!(header(0, "webhook-signature"), signed);
    let shown = app.as_admin().get(&path).await.assert_status(200).json().to_string();
    assert!(!shown.contains("path-that-is-secret") && !shown.contains(&secret), "{shown}");
}

#[apply(every_engine)]
#[tokio::test]
async fn dead_messages_are_listed_with_the_other_sides_words_and_replayed(#[case] engine: Engine) {
    let mut app = app(engine).await;
    let (receiver, url) = Receiver::start(&[500]).await;
    let (path, _) = webhook(&mut app, &url).await;
    app.broadcaster("Alice").await;
    let dead = deliveries(&app, &path, "dead", 1).await;
    assert_eq!(dead[0]["last_status"], 500);
    assert_eq!(dead[0]["last_words"], "the receiver's words");
    assert!(dead[0]["attempts"].as_u64() > Some(1), "{dead:?}");
    *receiver.answers.lock().expect("a lock") = vec![200];
    app.as_operator().post(&format!("{path}/deliveries/replay")).await.assert_status(403);
    let replayed = app.as_admin().post(&format!("{path}/deliveries/replay")).await.assert_status(200);
    assert_eq!(replayed.json()["count"], 1);
    deliveries(&app, &path, "delivered", 1).await;
}

#[tokio::test]
async fn receiver_that_is_gone_is_turned_off() {
    let mut app = app(Engine::Memory).await;
    let (receiver, url) = Receiver::start(&[410]).await;
    let (path, _) = webhook(&mut app, &url).await;
    app.broadcaster("Alice").await;
    let off = |answer: crate::harness::Answer| (answer.json()["enabled"] == false).then(|| answer.json());
    let off = app.until(|| app.as_operator().get(&path), off).await;
    assert!(off["problem"].as_str().expect("a problem").contains("410"), "{off}");
    assert_eq!(receiver.heard().len(), 1);
}

#[apply(every_engine)]
#[tokio::test]
async fn what_happened_while_nothing_ran_is_delivered_after_the_restart(#[case] engine: Engine) {
    let mut app = app(engine).await;
    let (receiver, url) = Receiver::start(&[200]).await;
    let draft = json!({"name": "hook", "kind": "webhook", "target": url});
    let made = app.as_admin().post("/notifications").json(draft).shown_once().await.assert_status(201);
    // Its task does not run yet.
    app.broadcaster("Alice").await;
    app.restart().await;
    let path = format!("/notifications/{}", made.text("/id"));
    deliveries(&app, &path, "delivered", 1).await;
    assert_eq!(receiver.heard()[0].1["type"], "broadcaster.created");
}

#[apply(every_engine)]
#[tokio::test]
async fn two_instances_deliver_once(#[case] engine: Engine) {
    let mut app = app(engine).await;
    let (receiver, url) = Receiver::start(&[200]).await;
    let (path, _) = webhook(&mut app, &url).await;
    let other = app.another().await;
    for name in ["Alice", "Bob", "Carol"] {
        other.broadcaster(name).await;
    }
    deliveries(&app, &path, "delivered", 3).await;
    assert_eq!(receiver.heard().len(), 3);
}

#[tokio::test]
async fn private_receivers_are_refused_and_redirects_are_not_followed() {
    let strict = TestApp::memory().await;
    let (receiver, url) = Receiver::start(&[200]).await;
    let draft = json!({"name": "hook", "kind": "slack", "target": url});
    let made = strict.as_admin().post("/notifications").json(draft.clone()).await.assert_status(201);
    let test = format!("/notifications/{}/test", made.text("/id"));
    let answer = strict.as_operator().post(&test).await.assert_status(200).json();
    assert_eq!(answer["is_delivered"], false);
    assert!(answer["words"].as_str().expect("words").contains("not on the public internet"), "{answer}");
    assert!(receiver.heard().is_empty());

    let open = app(Engine::Memory).await;
    let (_, url) = Receiver::start(&[302]).await;
    let draft = json!({"name": "hook", "kind": "discord", "target": url});
    let made = open.as_admin().post("/notifications").json(draft).await.assert_status(201);
    let test = format!("/notifications/{}/test", made.text("/id"));
    let answer = open.as_operator().post(&test).await.assert_status(200).json();
    assert_eq!((&answer["is_delivered"], &answer["status"]), (&json!(false), &json!(302)));
}

#[tokio::test]
async fn both_secrets_sign_while_rotating() {
    let mut app = app(Engine::Memory).await;
    let (receiver, url) = Receiver::start(&[200]).await;
    let (path, old) = webhook(&mut app, &url).await;
    let rotated = app.as_admin().post(&format!("{path}/rotate-secret")).shown_once().await.assert_status(200);
    assert_ne!(rotated.text("/secret"), old);
    app.as_operator().post(&format!("{path}/test")).await.assert_status(200);
    let heard = receiver.heard();
    let signatures = heard[0].0["webhook-signature"].to_str().expect("text");
    assert_eq!(signatures.split(' ').count(), 2, "{signatures}");
}

#[tokio::test]
async fn unusable_input_is_refused_by_field() {
    let app = TestApp::memory().await;
    let post = |draft: Value| app.as_admin().post("/notifications").json(draft);
    post(json!({"name": "", "kind": "fax", "target": "x"})).await.assert_refuses(&["name", "kind"]);
    post(json!({"name": "a", "kind": "webhook", "target": "ftp://x"})).await.assert_refuses(&["target"]);
    post(json!({"name": "a", "kind": "email", "target": "a@b.c"})).await.assert_refuses(&["kind"]);
    let unknown = streamward::adapters::system::SystemIds.uuid();
    app.as_admin().get(&format!("/notifications/{unknown}")).await.assert_status(404);
}
