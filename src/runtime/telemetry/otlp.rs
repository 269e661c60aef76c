//! Pushes spans and metrics as protobuf over HTTP to an OpenTelemetry collector.
//!
//! The exporters run on threads of the SDK, not on the tokio runtime, so they use the blocking HTTP client. The async one
//! would panic there on the first export, and every trace would be lost while the service seems healthy.

use std::sync::mpsc;
use std::time::Duration;

use anyhow::anyhow;
use opentelemetry::global;
use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{MetricExporter, Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use opentelemetry_semantic_conventions::resource::{SERVICE_INSTANCE_ID, SERVICE_VERSION};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer};

const SCOPE: &str = "streamward";

/// How long one push may take. A slow collector loses spans; it never delays a request.
const PUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// How often metrics are pushed.
const METRICS_INTERVAL: Duration = Duration::from_secs(15);

/// The filter of spans, independent of `log.level`. It excludes the exporter: each push would cause the next.
const SPAN_FILTER: &str = "info,streamward=debug,opentelemetry=off,hyper=off,hyper_util=off,reqwest=off";

fn pushing<B: WithExportConfig>(builder: B, to: String) -> B {
    builder.with_protocol(Protocol::HttpBinary).with_endpoint(to).with_timeout(PUSH_TIMEOUT)
}

/// The two providers and their threads.
pub(super) struct Otlp {
    spans: SdkTracerProvider,
    metrics: SdkMeterProvider,
}

impl Otlp {
    /// Starts pushing to `endpoint` (scheme, host and port; the paths `/v1/traces` and `/v1/metrics` are added).
    pub(super) fn start(endpoint: &str, instance: &str) -> anyhow::Result<Self> {
        let base = endpoint.trim_end_matches('/');
        let refuse = |reason: String| anyhow!("otel.endpoint {endpoint:?} cannot be used: {reason}");
        let url = url::Url::parse(base).map_err(|e| refuse(e.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse("it must start with http:// or https://".to_owned()));
        }
        let span_exporter = pushing(SpanExporter::builder().with_http(), format!("{base}/v1/traces"));
        let metric_exporter = pushing(MetricExporter::builder().with_http(), format!("{base}/v1/metrics"));
        let span_exporter = span_exporter.build().map_err(|e| refuse(e.to_string()))?;
        let metric_exporter = metric_exporter.build().map_err(|e| refuse(e.to_string()))?;
        let resource = Resource::builder()
            .with_service_name(SCOPE)
            .with_attribute(opentelemetry::KeyValue::new(SERVICE_VERSION, env!("CARGO_PKG_VERSION")))
            .with_attribute(opentelemetry::KeyValue::new(SERVICE_INSTANCE_ID, instance.to_owned()))
            .build();
        let spans = SdkTracerProvider::builder()
            .with_resource(resource.clone())
            .with_batch_exporter(span_exporter)
            .build();
        let metrics = SdkMeterProvider::builder()
            .with_resource(resource)
            .with_reader(PeriodicReader::builder(metric_exporter).with_interval(METRICS_INTERVAL).build())
            .build();
        global::set_text_map_propagator(TraceContextPropagator::new());
        Ok(Self { spans, metrics })
    }

    /// The meter for all metrics.
    pub(super) fn meter(&self) -> Meter {
        self.metrics.meter(SCOPE)
    }

    /// The layer that turns `tracing` spans into pushed ones.
    pub(super) fn span_layer<S>(&self) -> Box<dyn Layer<S> + Send + Sync>
    where
        S: tracing::Subscriber + for<'a> LookupSpan<'a> + Send + Sync + 'static,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.spans.tracer(SCOPE))
            .with_threads(false)
            .with_filter(EnvFilter::new(SPAN_FILTER))
            .boxed()
    }

    /// Pushes the remaining data, for at most `limit`. The limits of the SDK are longer and add up, so both providers shut down
    /// at the same time, on threads that are abandoned after `limit`.
    pub(super) fn shutdown(self, limit: Duration) {
        let (done, wait) = mpsc::channel::<()>();
        let Self { spans, metrics } = self;
        let also_done = done.clone();
        std::thread::spawn(move || {
            if let Err(error) = spans.shutdown_with_timeout(limit) {
                tracing::warn!(%error, "the last spans could not be sent to otel.endpoint");
            }
            drop(done);
        });
        std::thread::spawn(move || {
            if let Err(error) = metrics.shutdown_with_timeout(limit) {
                tracing::warn!(%error, "the last metrics could not be sent to otel.endpoint");
            }
            drop(also_done);
        });
        // Nothing is ever sent: the channel closes when both threads are done.
        if wait.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
            tracing::warn!("the collector at otel.endpoint did not accept the last data in time");
        }
    }
}
