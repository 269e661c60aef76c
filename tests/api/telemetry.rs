//! Spans and metrics reach a collector, also those buffered at shutdown.

use std::time::Duration;

use streamward::runtime::telemetry::{LogFormat, SECONDS_BUCKETS, Telemetry, TelemetryConfig};
use tracing::{Instrument, info_span};

use crate::otlp::OtlpReceiver;

fn config(endpoint: Option<String>) -> TelemetryConfig {
    TelemetryConfig {
        level: "warn".to_owned(),
        format: LogFormat::Json,
        otlp_endpoint: endpoint,
        service_instance: "here".to_owned(),
    }
}

/// As `main` does. Only the first call has an effect.
fn use_ring() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

#[tracing::instrument]
async fn decide() {
    store().await;
}

#[tracing::instrument]
async fn store() {
    metrics::histogram!("streamward_test_seconds").record(0.002);
}

/// Three nested spans and some metrics, as of a request.
async fn work() {
    decide().instrument(info_span!("POST /auth")).await;
    metrics::describe_counter!("streamward_test_total", "decisions");
    metrics::counter!("streamward_test_total", "decision" => "allow").increment(2);
    metrics::counter!("streamward_test_total", "decision" => "allow").increment(1);
    metrics::counter!("streamward_test_total", "decision" => "deny").increment(1);
    metrics::gauge!("streamward_test_live").set(7.0);
    metrics::gauge!("streamward_test_live").decrement(2.0);
}

#[tokio::test]
async fn collector_receives_the_span_tree_and_the_metrics() {
    use_ring();
    let receiver = OtlpReceiver::start().await;
    let (telemetry, subscriber, recorder) =
        Telemetry::build(&config(Some(receiver.endpoint()))).expect("built");
    {
        let _spans = tracing::subscriber::set_default(subscriber);
        let _metrics = metrics::set_default_local_recorder(&recorder);
        work().await;
    }
    let render = telemetry.prometheus();
    tokio::task::spawn_blocking(|| telemetry.shutdown()).await.expect("flushed");

    assert_eq!(receiver.path_to("store"), ["POST /auth", "decide", "store"]);
    assert_eq!(receiver.resource("service.name").as_deref(), Some("streamward"));
    assert_eq!(receiver.resource("service.instance.id").as_deref(), Some("here"));
    assert_eq!(receiver.number("streamward_test_total", &[("decision", "allow")]), Some(3.0));
    assert_eq!(receiver.number("streamward_test_total", &[("decision", "deny")]), Some(1.0));
    assert_eq!(receiver.number("streamward_test_live", &[]), Some(5.0));
    let (count, sum, bounds) = receiver.histogram("streamward_test_seconds").expect("pushed");
    assert_eq!((count, sum), (1, 0.002));
    assert_eq!(bounds, SECONDS_BUCKETS);

    let text = render();
    for line in [
        "# HELP streamward_test_total decisions",
        r#"streamward_test_total{decision="allow"} 3"#,
        "streamward_test_live 5",
        r#"streamward_test_seconds_bucket{le="0.0025"} 1"#,
        r#"streamward_test_seconds_bucket{le="0.001"} 0"#,
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
    }
}

#[tokio::test]
async fn silent_collector_delays_shutdown_by_two_seconds_at_most() {
    use_ring();
    // The kernel accepts connections; nobody answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let endpoint = format!("http://{}", silent.local_addr().expect("bound"));
    let (telemetry, subscriber, recorder) = Telemetry::build(&config(Some(endpoint))).expect("built");
    {
        let _spans = tracing::subscriber::set_default(subscriber);
        let _metrics = metrics::set_default_local_recorder(&recorder);
        work().await;
    }
    let start = tokio::time::Instant::now();
    tokio::task::spawn_blocking(|| telemetry.shutdown()).await.expect("ended");
    assert!(start.elapsed() < Duration::from_millis(2500), "took {:?}", start.elapsed());
}

#[tokio::test]
async fn invalid_endpoint_is_refused_with_the_name_of_its_key() {
    for bad in ["127.0.0.1:4318", "ftp://collector", ""] {
        let Err(error) = Telemetry::build(&config(Some(bad.to_owned()))) else {
            panic!("{bad} accepted");
        };
        assert!(error.to_string().starts_with("otel.endpoint "), "{error}");
    }
}
