//! Logs, metrics and traces of a request.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};
use serde_json::{Value, json};
use streamward::runtime::telemetry::{LogFormat, Telemetry, TelemetryConfig};
use streamward_test_support::process::eventually;
use tokio::time::Instant;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::harness::{HOOK_SECRET, TestApp};
use crate::otlp::OtlpReceiver;

/// Log lines in memory.
#[derive(Clone, Default)]
pub(crate) struct LogLines(Arc<Mutex<Vec<u8>>>);

impl LogLines {
    /// Collects everything this thread logs, at every level, until the guard is dropped.
    pub(crate) fn collect(&self) -> tracing::subscriber::DefaultGuard {
        let lines = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_max_level(tracing::Level::TRACE)
            .with_span_events(FmtSpan::NEW | FmtSpan::CLOSE)
            .with_writer(self.clone())
            .finish();
        tracing::subscriber::set_default(lines)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().expect("not poisoned").clone()
    }

    /// Calls until log lines arrive. `tracing` caches whether anyone wants a log statement; another thread that reached
    /// the statement first may have cached that nobody does.
    pub(crate) async fn until_collecting(&self, app: &TestApp) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.with_message("request").is_empty() || self.with_message("auth").is_empty() {
            assert!(Instant::now() < deadline, "no lines arrive");
            tracing::callsite::rebuild_interest_cache();
            app.auth(json!({"action": "read", "path": "live/x"})).await.assert_status(200);
        }
    }

    pub(crate) fn with_message(&self, message: &str) -> Vec<Value> {
        let text = String::from_utf8(self.bytes()).expect("UTF-8");
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a JSON line"));
        lines.filter(|line| line["message"] == message).collect()
    }
}

impl Write for LogLines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogLines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Metrics of this thread only.
pub(crate) fn recorder() -> PrometheusRecorder {
    PrometheusBuilder::new().build_recorder()
}

#[tokio::test]
async fn request_is_logged_once_with_its_route() {
    let lines = LogLines::default();
    let _collecting = lines.collect();
    let app = TestApp::memory().await;
    lines.until_collecting(&app).await;
    let key = app.key("live/alice").await;
    let before = lines.with_message("request").len();
    let call = app.as_viewer().get(&format!("/stream-keys/{}?nonsense=secret-text", key.id));
    call.header("x-request-id", "req-7").await.assert_status(400);
    app.as_nobody().get("/nowhere/secret-text").await.assert_status(404);
    let requests = lines.with_message("request").split_off(before);
    assert_eq!(requests.len(), 2);
    let one = &requests[0];
    assert_eq!((&one["method"], &one["route"]), (&json!("GET"), &json!("/stream-keys/{id}")));
    assert_eq!((&one["status"], &one["span"]["request_id"]), (&json!(400), &json!("req-7")));
    assert!(one["request_id"].is_null(), "it is in the span: {one}");
    let took = one["duration_ms"].as_f64().expect("a number");
    assert!(took > 0.0 && one["duration_ms"].to_string().len() <= "12345.678".len(), "{one}");
    assert_eq!((&requests[1]["route"], &requests[1]["status"]), (&json!("unmatched"), &json!(404)));
    assert!(!String::from_utf8_lossy(&lines.bytes()).contains("secret-text"));
}

#[tokio::test]
async fn every_auth_decision_is_logged_with_its_reason() {
    let lines = LogLines::default();
    let _collecting = lines.collect();
    let app = TestApp::memory().await;
    lines.until_collecting(&app).await;
    let before = lines.with_message("auth").len();
    let key = app.key("live/alice").await;
    app.request_publish(&key, "c1").await.assert_status(200);
    app.request_publish(&key, "c2").await.assert_status(401);
    let decisions = lines.with_message("auth").split_off(before);
    let logged: Vec<[&Value; 6]> = decisions
        .iter()
        .map(|line| ["outcome", "reason", "key_id", "path", "protocol", "ip"].map(|field| &line[field]))
        .collect();
    let (id, path, protocol, ip) = (json!(key.id), json!("live/alice"), json!("rtmp"), json!("192.0.2.7"));
    let (allow, deny) = ([json!("allow"), json!("key_claimed")], [json!("deny"), json!("key_in_use")]);
    let expected = [allow, deny];
    let expected: Vec<[&Value; 6]> =
        expected.iter().map(|[outcome, why]| [outcome, why, &id, &path, &protocol, &ip]).collect();
    assert_eq!(logged, expected);
}

const REFUSED: &str = "a request is not authenticated";
const REFUSED_SERVER: &str = "a media server is refused: wrong hook secret or unknown server name";
const MORE: &str = "more lines like this were left out";

/// Three refused requests: of a client, of an encoder, and of a media server.
async fn refusals(app: &TestApp, path: &str) {
    // Without a token: many wrong ones of one address are a line a minute.
    app.as_nobody().get(path).await.assert_status(401);
    app.auth(json!({"action": "publish", "path": "live/x"})).await.assert_status(401);
    app.as_nobody().post("/webhook/online").await.assert_status(401);
}

/// Refuses requests until every line about them arrives. See [`LogLines::until_collecting`].
async fn until_refusals_are_logged(app: &TestApp, lines: &LogLines) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while [REFUSED, REFUSED_SERVER, MORE, "auth", "request"]
        .iter()
        .any(|one| lines.with_message(one).is_empty())
    {
        assert!(Instant::now() < deadline, "no lines arrive");
        tracing::callsite::rebuild_interest_cache();
        for _ in 0..30 {
            refusals(app, "/streams").await;
        }
        app.clock.advance(Duration::from_secs(2));
    }
    // Tells what was left out, and begins anew.
    refusals(app, "/streams").await;
    app.clock.advance(Duration::from_secs(2));
}

#[tokio::test]
async fn lines_above_a_rate_are_counted_instead_of_written() {
    let (lines, recorder) = (LogLines::default(), recorder());
    let _collecting = lines.collect();
    let app = TestApp::memory().await;
    app.clock.stop();
    until_refusals_are_logged(&app, &lines).await;
    let before = lines.bytes().len();
    let since = |message: &str| {
        let text = String::from_utf8(lines.bytes().split_off(before)).expect("UTF-8");
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a JSON line"));
        lines.filter(|line| line["message"] == message).collect::<Vec<_>>()
    };
    {
        let _counting = metrics::set_default_local_recorder(&recorder);
        for n in 0..100 {
            refusals(&app, if n % 2 == 0 { "/streams" } else { "/broadcasters" }).await;
        }
    }
    for message in ["request", "auth", REFUSED, REFUSED_SERVER] {
        assert_eq!(since(message).len(), 20, "{message}");
    }
    let text = recorder.handle().render();
    for line in [
        r#"streamward_http_requests_total{method="GET",route="/streams",status="401"} 50"#,
        r#"streamward_http_requests_total{method="POST",route="/auth",status="401"} 100"#,
        r#"streamward_auth_decisions_total{action="publish",protocol="none",outcome="deny",reason="no_key"} 100"#,
        "streamward_http_unauthenticated_total 100",
    ] {
        assert!(text.lines().any(|one| one == line), "{line} is missing in\n{text}");
    }
    app.as_nobody().get("/nowhere").await.assert_status(404);
    assert_eq!(since("request").len(), 21, "another kind of line is written");
    // The next line of a kind tells how many were left out, or housekeeping does.
    app.clock.advance(Duration::from_secs(2));
    let told = async || {
        let more =
            |line: &str| since(MORE).iter().find(|one| one["line"] == line).map(|one| one["more"].clone());
        Ok(more("request").zip(more("auth")))
    };
    let (more, _) = eventually("the summaries", Duration::from_secs(30), told).await.expect("written");
    assert_eq!(more, (json!(280), json!(80)));
}

#[tokio::test]
async fn requests_decisions_and_hooks_are_counted() {
    let recorder = recorder();
    let _counting = metrics::set_default_local_recorder(&recorder);
    let app = TestApp::memory().await;
    let key = app.key("live/alice").await;
    app.request_publish(&key, "c1").await.assert_status(200);
    app.auth(json!({"action": "publish", "path": "x", "protocol": "new"})).await.assert_status(401);
    app.as_nobody().get("/streams").await.assert_status(401);
    app.as_nobody().get("/a/b").await.assert_status(404);
    let hook = app.as_nobody().post(&format!("/webhook/online?secret={HOOK_SECRET}"));
    hook.json(json!({"path": "live/alice"})).await.assert_status(204);
    app.as_nobody().post("/webhook/online").await.assert_status(401);
    let text = recorder.handle().render();
    for line in [
        r#"streamward_http_requests_total{method="GET",route="/streams",status="401"} 1"#,
        r#"streamward_http_requests_total{method="GET",route="unmatched",status="404"} 1"#,
        r#"streamward_http_requests_total{method="POST",route="/auth",status="200"} 1"#,
        r#"streamward_http_request_duration_seconds_count{method="POST",route="/auth"} 2"#,
        r#"streamward_auth_decisions_total{action="publish",protocol="rtmp",outcome="allow",reason="key_claimed"} 1"#,
        r#"streamward_auth_decisions_total{action="publish",protocol="other",outcome="deny",reason="no_key"} 1"#,
        r#"streamward_hooks_total{media_server="default",kind="ready"} 1"#,
        "streamward_http_unauthenticated_total 1",
        "streamward_hook_secret_refused_total 1",
    ] {
        assert!(text.lines().any(|one| one == line), "{line} is missing in\n{text}");
    }
}

#[tokio::test]
async fn trace_leads_from_the_request_to_the_store() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let receiver = OtlpReceiver::start().await;
    let config = TelemetryConfig {
        level: "off".into(),
        format: LogFormat::Json,
        otlp_endpoint: Some(receiver.endpoint()),
        service_instance: "here".into(),
    };
    let (telemetry, subscriber, _recorder) = Telemetry::build(&config).expect("built");
    {
        let _tracing = tracing::subscriber::set_default(subscriber);
        let app = TestApp::memory().await;
        let key = app.key("live/alice").await;
        app.request_publish(&key, "c1").await.assert_status(200);
    }
    tokio::task::spawn_blocking(|| telemetry.shutdown()).await.expect("flushed");
    assert_eq!(receiver.path_to("store.claim_for_publish"), ["POST /auth", "store.claim_for_publish"]);
}
