//! What a worker shows of itself.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::TickOutcome;
use crate::ports::Lease;

/// How a worker is doing. Ages are by the monotonic clock.
#[derive(Debug, Clone, Default)]
pub struct WorkerStatus {
    /// Ticks that ended, well or badly.
    pub ticks: u64,
    /// Those that ended badly.
    pub failures: u64,
    /// Those that ended in a panic; counted among the failures.
    pub panics: u64,
    /// Whether the last tick ended badly.
    pub failing: bool,
    /// When a tick last ended well.
    pub last_ok: Option<Instant>,
    /// The last tick that ended badly, however long ago.
    pub last_error: Option<TickFailure>,
    /// How long the last tick took.
    pub duration: Option<Duration>,
    /// The lease it works under now; `None` for a worker without one, or while another instance has it.
    pub lease: Option<Lease>,
}

/// A tick that ended badly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TickFailure {
    /// When.
    pub at: Instant,
    /// Why.
    pub message: String,
}

/// Notes the end of a tick in the status, the metrics and, when it is news, the log.
pub(super) fn record(
    status: &watch::Sender<WorkerStatus>,
    worker: &str,
    outcome: &TickOutcome,
    panicked: bool,
    took: Duration,
) {
    let (label, failure) = match outcome {
        TickOutcome::Done(_) => ("done", None),
        TickOutcome::Failed(why) => (if panicked { "panicked" } else { "failed" }, Some(why.clone())),
        TickOutcome::Fenced => ("fenced", Some("another instance has the lease".to_owned())),
    };
    metrics::counter!("streamward_worker_ticks_total", "worker" => worker.to_owned(), "outcome" => label)
        .increment(1);
    metrics::histogram!("streamward_worker_tick_seconds", "worker" => worker.to_owned()).record(took);
    status.send_modify(|status| {
        status.ticks += 1;
        status.duration = Some(took);
        let was_failing = std::mem::replace(&mut status.failing, failure.is_some());
        let Some(message) = failure else {
            status.last_ok = Some(Instant::now());
            if was_failing {
                tracing::info!(worker, "works again");
            }
            return;
        };
        let is_news = !was_failing || status.last_error.as_ref().is_none_or(|last| last.message != message);
        if is_news || panicked {
            tracing::warn!(worker, error = message, "tick failed; the next one tries again");
        }
        status.failures += 1;
        status.panics += u64::from(panicked);
        status.last_error = Some(TickFailure { at: Instant::now(), message });
    });
}
