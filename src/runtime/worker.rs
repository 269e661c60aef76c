//! The driver of background work: one activation after another, by timer or wake_up, until it is told to stop.
//!
//! A worker does the same amount of work each time, is idempotent and does not retry inside: the next tick is the
//! retry. The driver sees to the rest: no overlap, a limit on the time of a tick, survival of a panic, a status anyone
//! can read, and, with several instances, a lease without which no tick runs.

mod job;
mod lease;
mod schedule;
mod status;
#[cfg(test)]
mod tests;
mod woken;

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::app::worker::{Tick, TickError, Worker};
use crate::ports::{Lease, StoreError, WakeUp};
use lease::LeaseGuard;
use schedule::Schedule;
use woken::WakeUpReceiver;

pub use job::start_job;
pub use lease::LeaseTerms;
pub use status::{TickFailure, WorkerStatus};

/// What came of a tick.
#[derive(Debug, Clone, PartialEq, Eq)]
enum TickOutcome {
    /// The work is done.
    Done(Tick),
    /// It could not be done; the next tick tries again. The text says why, and holds no secret.
    Failed(String),
    /// A write said that another instance has the lease.
    Fenced,
}

impl From<Result<Tick, TickError>> for TickOutcome {
    fn from(result: Result<Tick, TickError>) -> Self {
        match result {
            Ok(tick) => Self::Done(tick),
            Err(TickError::Store(StoreError::Fenced(_))) => Self::Fenced,
            Err(error) => Self::Failed(error.to_string()),
        }
    }
}

/// What every worker of an instance runs under.
pub struct WorkerOptions {
    /// How long a tick may take before it is dropped and counted as failed.
    pub tick_limit: Duration,
    /// How a worker that asks for a lease gets it. Without terms it is never given one, and so does nothing.
    pub lease: Option<LeaseTerms>,
    /// WakeUps, heard from now on.
    pub wake_ups: broadcast::Receiver<WakeUp>,
}

/// The outside of a running worker.
#[derive(Debug, Clone)]
pub struct WorkerHandle {
    name: String,
    status: watch::Receiver<WorkerStatus>,
}

impl WorkerHandle {
    /// Which worker it is.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
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

/// Runs `worker` as a task of `tasks` until `stop`. The first tick is at once (or as soon as the lease is held), the
/// others at its interval. A wake_up that it hears makes it look at once, and again after 100 ms, 400 ms and 1 s, because
/// what it is told of may not show yet; so does a tick that says that something is under way.
pub fn start(
    worker: impl Worker + 'static,
    options: WorkerOptions,
    tasks: &TaskTracker,
    stop: CancellationToken,
) -> WorkerHandle {
    let (status, watched) = watch::channel(WorkerStatus::default());
    let name = worker.name();
    let woken = WakeUpReceiver::new(options.wake_ups);
    let driver = Driver { worker, name: name.clone(), status, stop, limit: options.tick_limit };
    tasks.spawn(driver.run(options.lease, woken));
    WorkerHandle { name, status: watched }
}

struct Driver<W> {
    worker: W,
    name: String,
    status: watch::Sender<WorkerStatus>,
    stop: CancellationToken,
    limit: Duration,
}

impl<W: Worker> Driver<W> {
    async fn run(mut self, terms: Option<LeaseTerms>, mut woken: WakeUpReceiver) {
        let stop = self.stop.clone();
        let mut schedule = Schedule::new();
        match (self.worker.lease(), terms) {
            (None, _) => {
                let work = self.work(&mut schedule, &mut woken, None);
                stop.run_until_cancelled(work).await;
            }
            (Some(lease), Some(terms)) => {
                let lease_guard = LeaseGuard::new(lease, terms);
                // In this order: after a pause of the whole process the lease is judged before any work goes on.
                tokio::select! {
                    biased;
                    () = stop.cancelled() => {}
                    never = lease_guard.keep() => never,
                    () = self.work(&mut schedule, &mut woken, Some(&lease_guard)) => {}
                }
                lease_guard.end().await;
            }
            (Some(lease), None) => tracing::error!(worker = self.name, lease, "no way to get this lease"),
        }
    }

    /// Ticks, for as long as it is polled.
    async fn work(
        &mut self,
        schedule: &mut Schedule,
        woken: &mut WakeUpReceiver,
        lease_guard: Option<&LeaseGuard>,
    ) {
        loop {
            let lease = match lease_guard {
                Some(lease_guard) => Some(lease_guard.held().await),
                None => None,
            };
            self.status.send_modify(|status| status.lease = lease.clone());
            match (lease_guard, &lease) {
                (Some(lease_guard), Some(held)) => tokio::select! {
                    biased;
                    () = lease_guard.lost(held) => {}
                    never = self.ticks(schedule, woken, Some((lease_guard, held))) => never,
                },
                _ => self.ticks(schedule, woken, None).await,
            }
            self.status.send_modify(|status| status.lease = None);
        }
    }

    /// Ticks under one lease, for as long as it is polled.
    async fn ticks(
        &mut self,
        schedule: &mut Schedule,
        woken: &mut WakeUpReceiver,
        held: Option<(&LeaseGuard, &Lease)>,
    ) -> ! {
        loop {
            schedule.tick_starts();
            woken.forget();
            match (self.tick_once(held.map(|(_, lease)| lease)).await, held) {
                (TickOutcome::Done(Tick { again: true }), _) => schedule.schedule_follow_ups(),
                (TickOutcome::Fenced, Some((lease_guard, _))) => lease_guard.lose(),
                _ => {}
            }
            let interval = self.worker.interval();
            schedule.next(interval, woken.heard_by(&mut self.worker)).await;
        }
    }

    /// One tick with its limit, its span and its traces in status, metrics and log.
    async fn tick_once(&mut self, lease: Option<&Lease>) -> TickOutcome {
        let (name, limit) = (self.name.clone(), self.limit);
        let span = tracing::info_span!("tick", worker = %name);
        let start = Instant::now();
        let tick = AssertUnwindSafe(self.worker.tick(lease)).catch_unwind().instrument(span);
        let (outcome, panicked) = match tokio::time::timeout(limit, tick).await {
            Ok(Ok(done)) => (done.into(), false),
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
