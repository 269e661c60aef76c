//! The driver of work that has no ticks: it goes on from when its lease is taken until another instance has it.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::lease::{LeaseGuard, LeaseTerms};
use super::{TickOutcome, WorkerHandle, WorkerStatus, panic_text, status};
use crate::app::worker::{Job, Tick};

/// How long a job may take to bring to an end what it has begun, when another instance goes on with it.
const HAND_OVER: Duration = Duration::from_secs(10);
/// The same when the process stops.
const LAST: Duration = Duration::from_millis(1_500);
/// How often it is noted that a job goes on.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// Runs `job` as a task of `tasks` until `stop`. When it ends by itself, or panics, it is begun again after as long as
/// another instance would wait to ask for the lease.
pub fn start_job(
    job: impl Job + 'static,
    terms: LeaseTerms,
    tasks: &TaskTracker,
    stop: CancellationToken,
) -> WorkerHandle {
    let (status, watched) = watch::channel(WorkerStatus::default());
    let name = job.name();
    let handle = WorkerHandle { name: name.clone(), status: watched };
    tasks.spawn(async move {
        let pause = terms.retry;
        let lease_guard = LeaseGuard::new(name.clone(), terms);
        let mut run = Run { job, name, status };
        let work = async {
            while !stop.is_cancelled() {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => {}
                    lease = lease_guard.held() => {
                        run.status.send_modify(|status| status.lease = Some(lease));
                        run.work(&lease_guard, &stop).await;
                        run.status.send_modify(|status| status.lease = None);
                        let _ = stop.run_until_cancelled(sleep(pause)).await;
                    }
                }
            }
        };
        tokio::select! {
            biased;
            never = lease_guard.keep() => never,
            () = work => {}
        }
        lease_guard.end().await;
    });
    handle
}

struct Run<J> {
    job: J,
    name: String,
    status: watch::Sender<WorkerStatus>,
}

impl<J: Job> Run<J> {
    async fn work(&mut self, lease_guard: &LeaseGuard, stop: &CancellationToken) {
        self.status.send_modify(|status| status.last_ok = Some(Instant::now()));
        let (begun, leave) = (Instant::now(), CancellationToken::new());
        let ended = {
            let mut work = pin!(AssertUnwindSafe(self.job.run(leave.clone())).catch_unwind());
            let limit = tokio::select! {
                biased;
                () = stop.cancelled() => Err(LAST),
                () = lease_guard.taken() => Err(HAND_OVER),
                ended = &mut work => Ok(ended),
                never = goes_on(&self.status) => never,
            };
            match limit {
                Ok(ended) => Ok(ended),
                Err(limit) => {
                    leave.cancel();
                    timeout(limit, work).await
                }
            }
        };
        let (outcome, panicked) = match ended {
            Ok(Ok(Ok(()))) => (TickOutcome::Done(Tick::default()), false),
            Ok(Ok(Err(error))) => (TickOutcome::from(Err(error)), false),
            Ok(Err(panic)) => (TickOutcome::Failed(format!("panicked: {}", panic_text(&*panic))), true),
            Err(_) => (TickOutcome::Failed("what it had begun was not done in time".to_owned()), false),
        };
        status::record(&self.status, &self.name, &outcome, panicked, begun.elapsed());
    }
}

/// Notes again and again that the job goes on: it has no ticks that would, and one that failed before would otherwise
/// be shown as failing for as long as it now works.
async fn goes_on(status: &watch::Sender<WorkerStatus>) -> ! {
    loop {
        sleep(SIGN_OF_LIFE).await;
        status.send_modify(|status| (status.failing, status.last_ok) = (false, Some(Instant::now())));
    }
}
