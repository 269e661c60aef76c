//! `/tasks`: the background tasks of this instance.

use serde::Serialize;
use serde_with::skip_serializing_none;
use utoipa::ToSchema;

use crate::adapters::http::handler::{Answer, Caller, State, ok};
use crate::adapters::http::options::Operation;
use crate::adapters::views::DateTime;
use crate::app::task::{TaskFailure, TaskStatus};

/// A background task of the instance that answers.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = Task)]
pub(crate) struct TaskJson {
    #[schema(example = "reconcile:default")]
    name: String,
    /// Its purpose.
    description: &'static str,
    /// `running`, `idle` (until its next tick), `waiting` (it is not assigned to this instance), or
    /// `restarting` (it ended or panicked, and starts again after a pause).
    #[schema(example = "idle")]
    state: &'static str,
    /// The instance that runs it. Absent if no instance runs it, or this is not known.
    instance: Option<String>,
    /// Since when it waits for its assignment, if that is too long and no instance is known to run it.
    waiting_since: Option<DateTime>,
    last_activation: Option<TaskActivation>,
    /// Ticks and runs that ended since the instance started.
    iterations: u64,
    /// Number of failed ticks and runs.
    failures: u64,
    /// Whether the last tick or run failed.
    failing: bool,
    /// When a tick last succeeded, or a long run last reported progress.
    last_ok_at: Option<DateTime>,
    /// The last failure, also if it is long ago; also that nobody runs the task.
    last_error: Option<TaskErrorJson>,
    /// How long the last tick or run took.
    duration_ms: Option<u64>,
    /// Details of the task; each task has its own fields.
    #[schema(value_type = Option<Object>)]
    details: Option<serde_json::Value>,
}

/// Why the task was last activated.
#[derive(Serialize, ToSchema)]
pub(crate) struct TaskActivation {
    at: DateTime,
    /// `start`, `assigned` (to this instance), `timer`, `wake_up` and what for, `follow_up` (shortly after a wake-up),
    /// or `restart`.
    #[schema(example = "wake_up reconcile:default")]
    reason: String,
}

/// A tick or run that failed.
#[derive(Serialize, ToSchema)]
#[schema(as = TaskError)]
pub(crate) struct TaskErrorJson {
    at: DateTime,
    message: String,
}

impl From<TaskStatus> for TaskJson {
    fn from(status: TaskStatus) -> Self {
        let error = |TaskFailure { at, message }| TaskErrorJson { at, message };
        Self {
            name: status.name,
            description: status.description,
            state: status.state.into(),
            instance: status.instance,
            waiting_since: status.waiting_since,
            last_activation: status
                .last_activation
                .map(|(at, why)| TaskActivation { at, reason: why.to_string() }),
            iterations: status.iterations,
            failures: status.failures,
            failing: status.failing,
            last_ok_at: status.last_ok.map(|(at, _)| at),
            last_error: status.last_error.map(error),
            duration_ms: status.duration.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
            details: status.details,
        }
    }
}

/// All background tasks of an instance.
#[derive(Serialize, ToSchema)]
pub(crate) struct TaskList {
    tasks: Vec<TaskJson>,
    count: usize,
}

impl From<Vec<TaskStatus>> for TaskList {
    fn from(tasks: Vec<TaskStatus>) -> Self {
        Self { count: tasks.len(), tasks: tasks.into_iter().map(TaskJson::from).collect() }
    }
}

/// List background tasks
///
/// The tasks of the instance that answers. A failed task is retried automatically.
#[utoipa::path(get, path = "/tasks", responses((status = 200, body = TaskList)))]
pub(super) async fn list_tasks(
    State(operation): State<Operation>,
    Caller(actor): Caller,
) -> Answer<TaskList> {
    ok(operation.options.tasks.list(&actor)?)
}
