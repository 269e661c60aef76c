//! Logs, traces and metrics of the process: set up at the start, flushed at the end.
//!
//! Logs go to standard error (standard output is for the output of commands). Metrics are recorded with the `metrics` macros
//! and can always be read as Prometheus text. With an OTLP endpoint, they and the spans of `tracing` are also pushed there
//! as protobuf over HTTP.

mod buckets;
mod descriptions;
mod logs;
mod otel_recorder;
mod otlp;

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use metrics::gauge;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;
use metrics_util::layers::FanoutBuilder;
use tokio_util::sync::CancellationToken;
use tracing::Subscriber;
use tracing_appender::non_blocking::{ErrorCounter, WorkerGuard};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

pub use buckets::{AUTH_BUCKETS, SECONDS_BUCKETS};
pub use descriptions::{COUNTERS, GAUGES, HISTOGRAMS, help};
pub use logs::LogFormat;

use buckets::{AUTH_DURATION, SECONDS_SUFFIX};
use otel_recorder::OtelRecorder;

/// How long the last spans and metrics may take to be sent.
const FLUSH_LIMIT: Duration = Duration::from_secs(2);

/// How often recorded samples are put into their buckets between scrapes.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// The settings of telemetry.
#[derive(Debug, Clone)]
pub struct TelemetryConfig {
    /// A level (`info`) or a filter (`info,sqlx=warn`), see `log.level`.
    pub level: String,
    /// Text or JSON.
    pub format: LogFormat,
    /// Base address of an OTLP collector over HTTP, for example `http://127.0.0.1:4318`; nothing is pushed without it.
    pub otlp_endpoint: Option<String>,
    /// The id of this instance: `service.instance.id` of everything pushed.
    pub service_instance: String,
}

/// A metrics recorder that can be installed for the process or, in tests, for one thread.
pub type BoxedRecorder = Box<dyn metrics::Recorder + Sync>;

/// The running telemetry of a process. Hold it until the end, then call [`Telemetry::shutdown`].
pub struct Telemetry {
    prometheus: PrometheusHandle,
    otlp: Option<otlp::Otlp>,
    log_thread: WorkerGuard,
    log_errors: ErrorCounter,
}

impl Telemetry {
    /// Sets up logs, traces and metrics for the process. Call it once, inside the tokio runtime.
    pub fn init(config: &TelemetryConfig) -> anyhow::Result<Self> {
        let (telemetry, subscriber, recorder) = Self::build(config)?;
        subscriber.try_init().context("logging is already set up in this process")?;
        let second = |_| anyhow!("metrics are already set up in this process");
        metrics::set_global_recorder(recorder).map_err(second)?;
        Ok(telemetry)
    }

    /// Builds the parts without installing them. A test can install them for its own thread
    /// (`tracing::subscriber::set_default`, `metrics::set_default_local_recorder`).
    pub fn build(
        config: &TelemetryConfig,
    ) -> anyhow::Result<(Self, impl Subscriber + Send + Sync + use<>, BoxedRecorder)> {
        let prometheus = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix(SECONDS_SUFFIX.to_owned()), &SECONDS_BUCKETS)
            .and_then(|it| it.set_buckets_for_metric(Matcher::Full(AUTH_DURATION.to_owned()), &AUTH_BUCKETS))
            .context("the metrics recorder cannot be built")?
            .build_recorder();
        descriptions::describe(&prometheus);
        let handle = prometheus.handle();
        let endpoint = config.otlp_endpoint.as_deref();
        let otlp =
            endpoint.map(|endpoint| otlp::Otlp::start(endpoint, &config.service_instance)).transpose()?;
        let recorder: BoxedRecorder = match &otlp {
            None => Box::new(prometheus),
            Some(otlp) => Box::new(
                FanoutBuilder::default()
                    .add_recorder(prometheus)
                    .add_recorder(OtelRecorder::new(otlp.meter()))
                    .build(),
            ),
        };
        metrics::with_local_recorder(&recorder, || {
            gauge!("streamward_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1);
            Collector::default().describe();
        });
        let (log_layer, log_thread, log_errors) = logs::layer(&config.level, config.format)?;
        let subscriber =
            tracing_subscriber::registry().with(log_layer).with(otlp.as_ref().map(otlp::Otlp::span_layer));
        Ok((Self { prometheus: handle, otlp, log_thread, log_errors }, subscriber, recorder))
    }

    /// Renders the current metrics as Prometheus text on each call, for `GET /metrics`.
    pub fn prometheus(&self) -> impl Fn() -> String + Clone + Send + Sync + 'static + use<> {
        let handle = self.prometheus.clone();
        move || {
            // The memory, CPU, threads and open files of the process.
            Collector::default().collect();
            handle.render()
        }
    }

    /// Bounds the memory of histograms without scrapes, until `stop`. Run it as a task.
    pub fn upkeep(&self, stop: CancellationToken) -> impl Future<Output = ()> + Send + 'static + use<> {
        let prometheus = self.prometheus.clone();
        let log_errors = self.log_errors.clone();
        async move {
            let mut tick = tokio::time::interval(UPKEEP_INTERVAL);
            while stop.run_until_cancelled(tick.tick()).await.is_some() {
                prometheus.run_upkeep();
                metrics::counter!("streamward_log_lines_dropped_total")
                    .absolute(log_errors.dropped_lines() as u64);
            }
        }
    }

    /// Sends all buffered data, for at most two seconds. Blocks the thread: call it after the runtime has ended, or in
    /// `spawn_blocking`.
    pub fn shutdown(self) {
        if let Some(otlp) = self.otlp {
            otlp.shutdown(FLUSH_LIMIT);
        }
        drop(self.log_thread);
    }
}
