//! The errors of setting up telemetry.

use metrics_exporter_prometheus::BuildError;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::TryInitError;

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `log.level` is neither a level nor a filter.
    #[error("log.level {value:?} is neither a level (info) nor a filter (info,sqlx=warn): {reason}")]
    Level {
        /// The given value.
        value: String,
        /// The fault.
        reason: ParseError,
    },
    /// `otel.endpoint` cannot be used.
    #[error("otel.endpoint {value:?} cannot be used: {reason}")]
    Endpoint {
        /// The given value.
        value: String,
        /// The fault.
        reason: String,
    },
    /// The metrics recorder was refused.
    #[error("the metrics recorder cannot be built: {0}")]
    Recorder(#[from] BuildError),
    /// The process already has a log subscriber.
    #[error("logging is already set up in this process: {0}")]
    SecondSubscriber(#[from] TryInitError),
    /// The process already has a metrics recorder.
    #[error("metrics are already set up in this process")]
    SecondRecorder,
}
