//! The tasks of an instance: starting, listing and stopping them.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::driver::Driver;
use super::instance::{Instance, LeaseTerms};
use super::status::{Outcome, Recorder};
use crate::app::task::{AnyTask, Placement, TaskList, TaskStatus};
use crate::ports::{Clock, WakeUps};

/// How long a tick may take before it is dropped and counted as failed.
const TICK_LIMIT: Duration = Duration::from_secs(10);
/// How long tasks may take to stop.
const STOP_LIMIT: Duration = Duration::from_secs(2);
/// The pause after the keeper of the lease panicked.
const KEEPER_PAUSE: Duration = Duration::from_secs(1);

/// A task that was started.
pub struct TaskHandle {
    /// How it is doing.
    pub status: watch::Receiver<TaskStatus>,
    pub(super) stop: CancellationToken,
    pub(super) driver: JoinHandle<()>,
}

/// The tasks of an instance. Clones share them.
#[derive(Clone)]
pub struct Tasks {
    instance: Arc<Instance>,
    pub(super) wake_ups: Arc<dyn WakeUps>,
    clock: Arc<dyn Clock>,
    running: Arc<Mutex<Vec<watch::Receiver<TaskStatus>>>>,
    tracker: TaskTracker,
    stop: CancellationToken,
    /// Keeps the lease.
    keeper: TaskTracker,
    pub(super) stop_keeper: CancellationToken,
}

impl Tasks {
    /// No tasks yet. Must be called within a tokio runtime.
    pub fn new(lease: LeaseTerms, wake_ups: Arc<dyn WakeUps>, clock: Arc<dyn Clock>) -> Self {
        let tasks = Self {
            instance: Arc::new(Instance::new(lease)),
            wake_ups,
            clock,
            running: Arc::default(),
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
            keeper: TaskTracker::new(),
            stop_keeper: CancellationToken::new(),
        };
        tasks.keeper.spawn(keep(Arc::clone(&tasks.instance), tasks.stop_keeper.clone()));
        tasks
    }

    /// Runs `task` until the stop. The first tick is at once (or as soon as it is assigned to this instance), the others at its
    /// interval. A wake-up makes a task tick at once, and again after 100 ms, 400 ms and 1 s, because what it is woken
    /// for may not show yet; so does a tick that reports work in progress. A long-running task that ends is
    /// started again after a pause.
    pub fn start(&self, task: AnyTask) -> TaskHandle {
        self.start_one(task, false)
    }

    pub(super) fn start_one(&self, task: AnyTask, supervises: bool) -> TaskHandle {
        let (name, description) = (task.as_task().name(), task.as_task().description());
        let (status, watched) = watch::channel(TaskStatus {
            name: name.clone(),
            description,
            supervises,
            ..TaskStatus::default()
        });
        let record = Recorder { name, status, clock: Arc::clone(&self.clock) };
        let guard = match task.as_task().placement() {
            Placement::EveryInstance => {
                record.runs_on(Some(self.instance.id().to_owned()));
                None
            }
            Placement::OneInstance(_) => Some(self.instance.request(&record.name)),
        };
        let stop = self.stop.child_token();
        let driver = Driver {
            task,
            record,
            wake_ups: self.wake_ups.listen(),
            tick_limit: TICK_LIMIT,
            stop: stop.clone(),
        };
        self.running.lock().unwrap_or_else(PoisonError::into_inner).push(watched.clone());
        let driver = self.tracker.spawn(driver.drive(guard));
        TaskHandle { status: watched, stop, driver }
    }

    /// How those are doing that have not been stopped.
    pub fn statuses(&self) -> Vec<TaskStatus> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|status| status.has_changed().is_ok());
        running.iter().map(|status| status.borrow().clone()).collect()
    }

    /// The same, for people.
    pub fn list(&self) -> TaskList {
        let tasks = self.clone();
        TaskList::new(move || tasks.statuses())
    }

    /// Stops them, and gives the lease of this instance back.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tracker.close();
        if timeout(STOP_LIMIT, self.tracker.wait()).await.is_err() {
            tracing::warn!("background work did not stop in time");
        }
        self.stop_keeper.cancel();
        self.keeper.close();
        self.keeper.wait().await;
    }
}

/// Keeps the lease until the stop, then releases it.
async fn keep(instance: Arc<Instance>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let keeping = AssertUnwindSafe(instance.keep()).catch_unwind();
        if let Some(Err(panic)) = stop.run_until_cancelled(keeping).await {
            tracing::error!(error = ?Outcome::panicked(&*panic), "keeping the lease of this instance is tried again");
            stop.run_until_cancelled(sleep(KEEPER_PAUSE)).await;
        }
    }
    instance.end().await;
}
