//! Background work: the traits of tasks, and the status they show.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::AppError;
use crate::domain::Timestamp;
use crate::domain::access::{Action, Actor, Resource, Role};
use crate::ports::{Assignment, LeaseCheck, RemoteError, StoreError, WakeUp};

const RESOURCE: Resource = Resource::read_by(Role::Operator).of_installation();

/// Why a task did not do its work. The next tick, or the next run, is the retry.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The clock of this machine is wrong.
    #[error("{0}")]
    Clock(String),
    /// What the work needs is not right.
    #[error("{0}")]
    Setup(String),
    /// A media server.
    #[error("the media server {0}")]
    Remote(#[from] RemoteError),
}

/// What a task does while it is not sure that the lease of its instance is valid, e.g. because the database is
/// unreachable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLeaseDoubt {
    /// It stops before another instance can begin.
    Stop,
    /// It continues until another instance has the work. Two instances at once for a moment must do no harm.
    Continue,
    /// It continues if no other instance was alive at the last contact with the database; otherwise it stops.
    StopUnlessAlone,
}

/// Which instances run a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Each of them.
    EveryInstance,
    /// The one it is assigned to; the key of the assignment is the task's name.
    OneInstance(OnLeaseDoubt),
}

/// What both kinds of tasks have.
pub trait Task: Send {
    /// Its name in logs, metrics, `/health` and `/tasks`, and the key of its assignment.
    fn name(&self) -> String;

    /// What it does, in one sentence for operators.
    fn description(&self) -> &'static str;

    /// Which instances run it.
    fn placement(&self) -> Placement {
        Placement::EveryInstance
    }
}

/// Work that is done again and again: by timer or wake-up, idempotent, the same amount each time.
#[async_trait]
pub trait PeriodicTask: Task {
    /// The time from the start of one tick to the start of the next, without being woken. Read after every tick.
    fn interval(&self) -> Duration;

    /// How long a tick may take before it is dropped and counted as failed.
    fn limit(&self) -> Duration {
        Duration::from_secs(10)
    }

    /// Whether this wake-up is about it. [`WakeUp::Everything`] always is.
    fn wakes_on(&self, wake_up: &WakeUp) -> bool;

    /// Does the work once. The context has an assignment if [`Task::placement`] needs one.
    async fn tick(&mut self, context: &TaskContext) -> Result<Tick, TaskError>;
}

/// Work that runs until it is stopped.
#[async_trait]
pub trait LongRunningTask: Task {
    /// Works until `context.stop`, then finishes its current work and returns; if that takes too long it is dropped. If
    /// it returns earlier or panics, it is restarted after a pause.
    async fn run(&mut self, context: &TaskContext) -> Result<(), TaskError>;
}

/// Tasks of which there is one for each row of some kind, and the task that starts and stops them.
#[async_trait]
pub trait TaskSet: Task {
    /// Whether this wake-up may change what is desired.
    fn wakes_on(&self, wake_up: &WakeUp) -> bool;

    /// The keys of the rows that need a task.
    async fn desired(&mut self) -> Result<BTreeSet<String>, TaskError>;

    /// The task for a row. Its name is unique. `None` if the row is gone meanwhile.
    fn task(&self, key: &str) -> Option<AnyTask>;
}

/// Background work of any kind.
pub enum AnyTask {
    /// Ticks.
    Periodic(Box<dyn PeriodicTask>),
    /// Runs.
    LongRunning(Box<dyn LongRunningTask>),
    /// Keeps a task running for each row.
    Set(Box<dyn TaskSet>),
}

impl AnyTask {
    /// A task that ticks.
    pub fn periodic(task: impl PeriodicTask + 'static) -> Self {
        Self::Periodic(Box::new(task))
    }

    /// A task that runs until it is stopped.
    pub fn long_running(task: impl LongRunningTask + 'static) -> Self {
        Self::LongRunning(Box::new(task))
    }
}

/// The result of a tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tick {
    /// Work is in progress: tick again soon, as after a wake-up.
    pub again: bool,
}

/// The context of a task. The default has no assignment and is never stopped.
#[derive(Clone, Debug, Default)]
pub struct TaskContext {
    /// When a long-running task must finish.
    pub stop: CancellationToken,
    /// Whether the assignment is valid now. A process that was suspended finds out here before it is stopped.
    pub lease: LeaseCheck,
    status: watch::Sender<TaskStatus>,
}

impl TaskContext {
    /// The context of a task with this status.
    pub fn new(status: watch::Sender<TaskStatus>, stop: CancellationToken) -> Self {
        Self { stop, lease: LeaseCheck::default(), status }
    }

    /// The same under an assignment that `lease` checks.
    #[must_use]
    pub fn with_lease(self, lease: LeaseCheck) -> Self {
        Self { lease, ..self }
    }

    /// A context with an assignment; for tests and benches.
    pub fn under(assignment: Assignment) -> Self {
        let status = TaskStatus { assignment: Some(assignment), ..TaskStatus::default() };
        Self::new(watch::Sender::new(status), CancellationToken::new())
    }

    /// The assignment the task works under. While it is in doubt, the last one.
    pub fn assignment(&self) -> Option<Assignment> {
        self.status.borrow().assignment.clone()
    }

    /// Shows `details` in `/tasks`, in place of the ones before. They must hold no secret.
    pub fn show(&self, details: Value) {
        self.status.send_modify(|status| status.details = Some(details));
    }
}

/// Why a task was last activated.
#[derive(Clone, Debug, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "snake_case")]
pub enum Activation {
    /// The instance started.
    Start,
    /// It was assigned to this instance.
    Assigned,
    /// The interval was over.
    Timer,
    /// A wake-up.
    #[strum(to_string = "wake_up {0}")]
    WakeUp(WakeUp),
    /// A short time after a wake-up, or while work was in progress.
    FollowUp,
    /// It had ended or panicked.
    Restart,
}

/// What a task is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum TaskState {
    /// It is not assigned to this instance.
    #[default]
    Waiting,
    /// It works.
    Running,
    /// It waits for its next tick.
    Idle,
    /// It ended or panicked, and starts again after a pause.
    Restarting,
}

/// A tick or run that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskFailure {
    /// When.
    pub at: Timestamp,
    /// Why, without secrets.
    pub message: String,
}

/// The status of a task on this instance.
#[derive(Clone, Debug, Default)]
pub struct TaskStatus {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: &'static str,
    /// What it is doing now.
    pub state: TaskState,
    /// When it was last activated, and why.
    pub last_activation: Option<(Timestamp, Activation)>,
    /// Ticks and runs that ended, well or badly.
    pub iterations: u64,
    /// Those that failed.
    pub failures: u64,
    /// Those that panicked; counted among the failures.
    pub panics: u64,
    /// Whether the last one failed.
    pub failing: bool,
    /// When a tick last succeeded, or a run was last working.
    pub last_ok: Option<(Timestamp, Instant)>,
    /// The last failure, however long ago.
    pub last_error: Option<TaskFailure>,
    /// How long the last tick or run took.
    pub duration: Option<Duration>,
    /// The assignment it works under; `None` for a task of every instance, or while it is not assigned to this one.
    pub assignment: Option<Assignment>,
    /// The instance that runs it, if it is known.
    pub instance: Option<String>,
    /// Since when it waits for its assignment, if that is too long and no instance is known to run it. It is failing then.
    pub waiting_since: Option<Timestamp>,
    /// What the task itself shows.
    pub details: Option<Value>,
    /// Whether its work is to start and stop other tasks.
    pub supervises: bool,
}

/// The background tasks of this instance. Clones share it. The default has none.
#[derive(Clone, Default)]
pub struct TaskList(Arc<Mutex<Vec<watch::Receiver<TaskStatus>>>>);

impl TaskList {
    /// Adds a task, until its status has no sender any more.
    pub fn add(&self, status: watch::Receiver<TaskStatus>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(status);
    }

    /// All tasks, by name.
    pub fn list(&self, actor: &Actor) -> Result<Vec<TaskStatus>, AppError> {
        actor.authorize(Action::Read, &RESOURCE)?;
        Ok(self.all())
    }

    /// All tasks, by name, for ourselves.
    pub fn all(&self) -> Vec<TaskStatus> {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|status| status.has_changed().is_ok());
        let mut all: Vec<TaskStatus> = tasks.iter().map(|status| status.borrow().clone()).collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    /// The tasks that do not supervise others, for `/health`.
    pub fn at_work(&self) -> Vec<TaskStatus> {
        let mut all = self.all();
        all.retain(|status| !status.supervises);
        all
    }
}
