//! The SRS adapter with an HTTP API that misbehaves in every known way: a snapshot is complete, or an error.

use serde_json::{Value, json};
use streamward::adapters::srs::Srs;
use streamward::domain::media_server::{ObservedSource, Relay, SourceId, SourceKind};
use streamward::domain::path::{IngestPath, StreamPath};
use streamward::domain::secret::{KeySecret, Secret};
use streamward::ports::{MediaServer as _, RelayRemoval, RemoteError, ServerInfo};
use streamward_test_support::srs::SrsStub;

use crate::control_api::{ControlApi, Received, Reply};

fn adapter(url: &str, secret: &str) -> Srs {
    Srs::new(&url.parse().expect("an address"), Secret::new(secret)).expect("a valid address")
}

fn head() -> Value {
    json!({"code": 0, "server": "vid-7h2k9d1", "service": "a1b2c3d4", "pid": "4242"})
}

fn with(field: &str, value: Value) -> Value {
    let mut body = head();
    body[field] = value;
    body
}

/// SRS with these rows.
fn answers(received: &Received, rows: &[Value]) -> Reply {
    Reply::ok(match received.line.split(['?', ' ']).nth(1).unwrap_or_default() {
        "/api/v1/versions" => with("data", json!({"major": 5, "version": "5.0.213"})),
        "/api/v1/streams/" => with("streams", rows.to_vec().into()),
        _ => with("client", json!({"type": "fmle-publish", "recv_bytes": 1})),
    })
}

fn row(name: &str, cid: &str) -> Value {
    json!({"name": name, "app": "live", "url": format!("/live/{name}"), "clients": 1, "recv_bytes": 1,
        "publish": {"active": true, "cid": cid}, "video": {"codec": "H264"}, "audio": null})
}

fn source(id: Option<&str>) -> ObservedSource {
    let id = id.and_then(SourceId::parse);
    ObservedSource { kind: SourceKind::Rtmp, publishes: true, id, aliases: Vec::new() }
}

#[tokio::test]
async fn all_streams_are_read_although_srs_lists_ten_by_default() {
    let srs = SrsStub::start().await;
    for n in 0..25 {
        let encoder = srs.publish("live", &format!("s{n}"), "").await.expect("no callback refuses it");
        srs.send(&encoder, 1_000);
    }
    let seen = adapter(&srs.url(), "").snapshot().await.expect("complete");
    assert_eq!(seen.paths.len(), 25);
    assert!(seen.paths.iter().all(|path| path.live && path.stats.inbound_bytes == 1_000));
    assert_eq!(seen.version.as_deref(), Some("SRS 5.0.213"));
    let before = seen.run.expect("it names its run");
    srs.restart();
    let seen = adapter(&srs.url(), "").snapshot().await.expect("complete");
    assert!(seen.paths.is_empty() && seen.run.is_some_and(|run| run != before));
}

#[tokio::test]
async fn publisher_is_requested_once() {
    let srs = SrsStub::start().await;
    let encoder = srs.publish("live", "alice", "").await.expect("in");
    srs.send(&encoder, 1_000);
    let remote = adapter(&srs.url(), "");
    for _ in 0..3 {
        remote.snapshot().await.expect("complete");
    }
    let requests = srs.requests().into_iter().filter(|line| line.contains("/clients/")).count();
    assert_eq!(requests, 1);
}

#[tokio::test]
async fn password_is_sent_and_a_wrong_one_is_refused() {
    let srs = SrsStub::start().await;
    srs.configure("http_api {\n username streamward;\n password control-secret;\n}\n");
    let right = adapter(&srs.url(), "control-secret");
    let info = ServerInfo { version: Some("SRS 5.0.213".into()), run: Some("run00000-4242".into()) };
    assert_eq!(right.info().await, Ok(info));
    for wrong in ["", "another-secret"] {
        assert_eq!(adapter(&srs.url(), wrong).snapshot().await.err(), Some(RemoteError::Unauthorised));
    }
}

#[tokio::test]
async fn session_is_ended_and_one_that_is_gone_has_ended() {
    let srs = SrsStub::start().await;
    let encoder = srs.publish("live", "alice", "").await.expect("in");
    let remote = adapter(&srs.url(), "");
    for _ in 0..2 {
        assert_eq!(remote.disconnect(&source(Some(&encoder.0))).await, Ok(()));
    }
    assert_eq!(srs.ended(), [encoder.0]);
    assert!(matches!(remote.disconnect(&source(None)).await, Err(RemoteError::Unsupported(_))));
}

#[tokio::test]
async fn failed_and_incomplete_answers_are_errors() {
    type Expected = fn(&RemoteError) -> bool;
    let malformed: Expected = |e| matches!(e, RemoteError::Malformed(_));
    let cases: [(fn() -> Reply, Expected); 8] = [
        (|| Reply::error(500, "boom"), |e| matches!(e, RemoteError::Status { status: 500, .. })),
        (
            || Reply::ok(json!({"code": 1061})),
            |e| matches!(e, RemoteError::Status { message, .. } if message == "code 1061"),
        ),
        (|| Reply::Truncated(r#"{"code":0,"streams":["#), malformed),
        (|| Reply::Text(200, "<html>"), malformed),
        (|| Reply::ok(json!("oops")), malformed),
        (|| Reply::ok(head()), malformed),
        (|| Reply::ok(with("streams", json!({}))), malformed),
        (|| Reply::Json(401, json!({"code": 401})), |e| *e == RemoteError::Unauthorised),
    ];
    for (n, (answer, expected)) in cases.into_iter().enumerate() {
        let server =
            ControlApi::start(move |a| if a.line.contains("streams") { answer() } else { answers(a, &[]) })
                .await;
        let error = adapter(&server.url(), "").snapshot().await.expect_err("an error");
        assert!(expected(&error), "{n}: {error:?}");
    }
}

#[tokio::test]
async fn row_that_cannot_be_read_is_left_out_and_the_others_are_read() {
    let key = KeySecret::from_random([7; 32]);
    let mut odd = row("odd", "c2");
    odd["publish"] = json!("yes");
    let rows = [row("alice", "c1"), odd, json!({"name": 7}), row(key.expose(), "c3")];
    let server = ControlApi::start(move |received| answers(received, &rows)).await;
    let seen = adapter(&server.url(), "").snapshot().await.expect("complete");
    assert_eq!(seen.unreadable, [Some(IngestPath::from_media_server("live/odd")), None]);
    assert_eq!(seen.paths.len(), 2);
    assert!(matches!(seen.paths[1].path, IngestPath::Private(_)));
    assert!(!format!("{seen:?}").contains(key.expose()));
}

#[tokio::test]
async fn failed_request_of_a_publisher_spoils_no_poll() {
    let server = ControlApi::start(|received| {
        if received.line.contains("/clients/") {
            Reply::error(500, "boom")
        } else {
            answers(received, &[row("a", "c1")])
        }
    })
    .await;
    let seen = adapter(&server.url(), "").snapshot().await.expect("complete");
    assert_eq!(seen.paths[0].source, Some(source(Some("c1"))));
}

#[tokio::test]
async fn there_are_no_relays() {
    let server = ControlApi::start(|received| answers(received, &[])).await;
    let remote = adapter(&server.url(), "");
    let public = StreamPath::parse("live/alice").expect("a path");
    let IngestPath::Private(private) =
        IngestPath::from_media_server(KeySecret::from_random([7; 32]).expose())
    else {
        panic!("a private path")
    };
    let relay = Relay { public: public.clone(), private };
    assert!(matches!(remote.ensure_relay(&relay, &Secret::new("x")).await, Err(RemoteError::Unsupported(_))));
    assert_eq!(remote.remove_relay(&public).await, Ok(RelayRemoval::NotOurs));
    assert!(server.requests().is_empty());
}
