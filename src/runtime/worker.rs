//! The driver of background work: one activation after another, by timer or nudge, until it is told to stop.
//!
//! A worker does the same amount of work each time, is idempotent and does not retry inside: the next tick is the
//! retry. The driver sees to the rest: no overlap, a limit on the time of a tick, survival of a panic, a status anyone
//! can read, and, with several instances, a lease without which no tick runs.

mod lease;
mod schedule;
mod status;
#[cfg(test)]
mod tests;

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::ports::{Lease, StoreError};
use lease::Tenure;
use schedule::Schedule;

pub use lease::LeaseTerms;
pub use status::{TickFailure, WorkerStatus};

/// A piece of background work.
#[async_trait]
pub trait Worker: Send + 'static {
    /// Which work this is, e.g. `reconcile:default`: the name in logs and metrics, and of its lease.
    fn name(&self) -> &str;

    /// Does the work once. Given a lease, every write MUST be conditional on its epoch.
    ///
    /// It may be dropped at any await: at the end of its time, on the loss of its lease, on the stop.
    async fn tick(&mut self, lease: Option<Lease>) -> TickOutcome;
}

/// What came of a tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TickOutcome {
    /// The work is done.
    Done,
    /// It could not be done; the next tick tries again. The text says why, and holds no secret.
    Failed(String),
    /// A write said that another instance has the lease.
    Fenced,
}

impl From<Result<(), StoreError>> for TickOutcome {
    fn from(result: Result<(), StoreError>) -> Self {
        match result {
            Ok(()) => Self::Done,
            Err(StoreError::Fenced(_)) => Self::Fenced,
            Err(error) => Self::Failed(error.to_string()),
        }
    }
}

/// When a worker is activated, for how long, and by which right.
#[derive(Clone)]
pub struct WorkerOptions {
    /// From the start of one tick to the start of the next, when nobody nudges.
    pub interval: Duration,
    /// How long a tick may take before it is dropped and counted as failed.
    pub tick_limit: Duration,
    /// With terms, ticks run only while this instance holds the lease of the worker's name.
    pub lease: Option<LeaseTerms>,
}

/// The outside of a running worker.
#[derive(Debug, Clone)]
pub struct WorkerHandle {
    nudged: Arc<Notify>,
    status: watch::Receiver<WorkerStatus>,
}

impl WorkerHandle {
    /// Makes the worker look at once, and again after 100 ms, 400 ms and 1 s, because what it is told of may not show
    /// yet. Nudges that come while it is looking become one. Never waits.
    pub fn nudge(&self) {
        self.nudged.notify_one();
    }

    /// How the worker is doing now.
    #[must_use]
    pub fn status(&self) -> WorkerStatus {
        self.status.borrow().clone()
    }

    /// Lets one wait for a status, e.g. for the first tick that succeeds.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<WorkerStatus> {
        self.status.clone()
    }
}

/// Runs `worker` as a task of `tasks` until `stop`. The first tick is at once (or as soon as the lease is held).
pub fn start(
    worker: impl Worker,
    options: WorkerOptions,
    tasks: &TaskTracker,
    stop: CancellationToken,
) -> WorkerHandle {
    let nudged = Arc::new(Notify::new());
    let (status, watched) = watch::channel(WorkerStatus::default());
    let driver = Driver { worker, nudged: Arc::clone(&nudged), status, stop };
    tasks.spawn(driver.run(options));
    WorkerHandle { nudged, status: watched }
}

struct Driver<W> {
    worker: W,
    nudged: Arc<Notify>,
    status: watch::Sender<WorkerStatus>,
    stop: CancellationToken,
}

impl<W: Worker> Driver<W> {
    async fn run(mut self, options: WorkerOptions) {
        let name = self.worker.name().to_owned();
        let stop = self.stop.clone();
        let mut schedule = Schedule::new(options.interval);
        match options.lease {
            None => {
                let work = self.work(&mut schedule, options.tick_limit, None);
                stop.run_until_cancelled(work).await;
            }
            Some(terms) => {
                let tenure = Tenure::new(name, terms);
                // In this order: after a pause of the whole process the lease is judged before any work goes on.
                tokio::select! {
                    biased;
                    () = stop.cancelled() => {}
                    never = tenure.keep() => never,
                    () = self.work(&mut schedule, options.tick_limit, Some(&tenure)) => {}
                }
                tenure.end().await;
            }
        }
    }

    /// Ticks, for as long as it is polled.
    async fn work(&mut self, schedule: &mut Schedule, limit: Duration, tenure: Option<&Tenure>) {
        loop {
            let lease = match tenure {
                Some(tenure) => Some(tenure.held().await),
                None => None,
            };
            self.status.send_modify(|status| status.lease = lease.clone());
            let nudged = Arc::clone(&self.nudged);
            let ticks = async {
                loop {
                    schedule.tick_starts();
                    let outcome = self.tick_once(lease.clone(), limit).await;
                    if let (TickOutcome::Fenced, Some(tenure)) = (outcome, tenure) {
                        tenure.lose();
                    }
                    schedule.next(&nudged).await;
                }
            };
            match (tenure, &lease) {
                (Some(tenure), Some(lease)) => tokio::select! {
                    biased;
                    () = tenure.lost(lease) => {}
                    () = ticks => {}
                },
                _ => ticks.await,
            }
            self.status.send_modify(|status| status.lease = None);
        }
    }

    /// One tick with its limit, its span and its traces in status, metrics and log.
    async fn tick_once(&mut self, lease: Option<Lease>, limit: Duration) -> TickOutcome {
        let name = self.worker.name().to_owned();
        let span = tracing::info_span!("tick", worker = %name);
        let start = Instant::now();
        let tick = AssertUnwindSafe(self.worker.tick(lease)).catch_unwind().instrument(span);
        let (outcome, panicked) = match tokio::time::timeout(limit, tick).await {
            Ok(Ok(outcome)) => (outcome, false),
            Ok(Err(panic)) => (TickOutcome::Failed(format!("panicked: {}", panic_text(&*panic))), true),
            Err(_) => (TickOutcome::Failed(format!("took longer than {limit:?}")), false),
        };
        status::record(&self.status, &name, &outcome, panicked, start.elapsed());
        outcome
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no message)")
}
