//! The tasks of an instance: starting, supervising, listing and stopping them.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::driver::{Driver, Work};
use super::instance::{Instance, LeaseTerms};
use super::status::{Recorder, panic_text};
use crate::app::task::{
    AnyTask, PeriodicTask, Placement, Task, TaskContext, TaskError, TaskList, TaskSet, TaskStatus, Tick,
};
use crate::ports::{Clock, WakeUp, WakeUps};

/// How long tasks may take to stop.
const STOP_LIMIT: Duration = Duration::from_secs(2);
/// The pause after the keeper of the lease panicked.
const KEEPER_PAUSE: Duration = Duration::from_secs(1);
/// How often rows and their tasks are compared without a wake-up.
const SUPERVISION_INTERVAL: Duration = Duration::from_secs(5);

/// The tasks of an instance. Clones share them.
#[derive(Clone)]
pub struct Tasks {
    instance: Arc<Instance>,
    pub(super) wake_ups: Arc<dyn WakeUps>,
    clock: Arc<dyn Clock>,
    list: TaskList,
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
            list: TaskList::default(),
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
    pub fn start(&self, task: AnyTask) {
        self.start_one(task);
    }

    fn start_one(&self, task: AnyTask) -> Running {
        let supervises = matches!(task, AnyTask::Set(_));
        let work = match task {
            AnyTask::Periodic(task) => Work::Ticks(task),
            AnyTask::LongRunning(task) => Work::Runs(task),
            AnyTask::Set(set) => Work::Ticks(Box::new(Supervisor::new(set, self.clone()))),
        };
        let (name, description) = (work.task().name(), work.task().description());
        let status = TaskStatus { name, description, supervises, ..TaskStatus::default() };
        let record = Recorder::new(status, Arc::clone(&self.clock));
        self.list.add(record.status.subscribe());
        let guard = match work.task().placement() {
            Placement::EveryInstance => {
                record.runs_on(self.instance.id());
                None
            }
            Placement::OneInstance(_) => Some(self.instance.request(&record.name)),
        };
        let stop = self.stop.child_token();
        let driver = Driver { work, record, wake_ups: self.wake_ups.listen(), stop: stop.clone() };
        Running { stop, driver: self.tracker.spawn(driver.drive(guard)) }
    }

    /// Those that have not been stopped, for people.
    pub fn list(&self) -> TaskList {
        self.list.clone()
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
            let error = panic_text(&*panic);
            tracing::error!(error, "keeping the lease of this instance is tried again");
            stop.run_until_cancelled(sleep(KEEPER_PAUSE)).await;
        }
    }
    instance.end().await;
}

/// A task that was started.
pub(super) struct Running {
    stop: CancellationToken,
    pub(super) driver: JoinHandle<()>,
}

/// Keeps one task per row: compares the rows with the running tasks, and starts and stops tasks. A task that ends or
/// panics is restarted by its own driver; one whose driver is gone is started again here.
pub(super) struct Supervisor {
    set: Box<dyn TaskSet>,
    tasks: Tasks,
    pub(super) running: BTreeMap<String, Running>,
}

impl Supervisor {
    pub(super) fn new(set: Box<dyn TaskSet>, tasks: Tasks) -> Self {
        Self { set, tasks, running: BTreeMap::new() }
    }
}

impl Task for Supervisor {
    fn name(&self) -> String {
        self.set.name()
    }

    fn description(&self) -> &'static str {
        self.set.description()
    }
}

#[async_trait]
impl PeriodicTask for Supervisor {
    fn interval(&self) -> Duration {
        SUPERVISION_INTERVAL
    }

    fn wakes_on(&self, wake_up: &WakeUp) -> bool {
        self.set.wakes_on(wake_up)
    }

    async fn tick(&mut self, context: &TaskContext) -> Result<Tick, TaskError> {
        let desired = self.set.desired().await?;
        for (_, task) in self.running.iter().filter(|(key, _)| !desired.contains(*key)) {
            task.stop.cancel();
        }
        self.running.retain(|_, task| !task.driver.is_finished());
        for key in &desired {
            // A task that is still stopping is started again afterwards.
            if !self.running.contains_key(key)
                && let Some(task) = self.set.task(key)
            {
                self.running.insert(key.clone(), self.tasks.start_one(task));
            }
        }
        let stopping = self.running.values().filter(|task| task.stop.is_cancelled()).count();
        context.show(
            json!({"desired": desired.len(), "running": self.running.len() - stopping, "stopping": stopping}),
        );
        Ok(Tick { again: stopping > 0 })
    }
}
