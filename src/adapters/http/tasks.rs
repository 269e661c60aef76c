//! `/tasks`: the background tasks of this instance.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::authentication::Caller;
use super::extract::NoQuery;
use super::operation::Operation;
use super::problem::Problem;
use crate::app::task::{TaskFailure, TaskStatus};
use crate::domain::Timestamp;

/// A background task of the instance that answers.
#[derive(Serialize, ToSchema)]
#[schema(as = Task)]
pub(super) struct TaskJson {
    #[schema(example = "reconcile:default")]
    name: String,
    /// Its purpose.
    description: &'static str,
    /// `running`, `idle` (until its next tick), `waiting` (it is not assigned to this instance), or
    /// `restarting` (it ended or panicked, and starts again after a pause).
    #[schema(example = "idle")]
    state: &'static str,
    /// The instance that runs it. Absent if no instance runs it, or this is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    instance: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    last_activation: Option<TaskActivation>,
    /// Ticks and runs that ended since the instance started.
    iterations: u64,
    /// Number of failed ticks and runs.
    failures: u64,
    /// When a tick last succeeded, or a long run last reported progress.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime, nullable = false)]
    last_ok_at: Option<Timestamp>,
    /// The last failure, also if it is long ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    last_error: Option<TaskErrorJson>,
    /// How long the last tick or run took.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    duration_ms: Option<u64>,
    /// Details of the task; each task has its own fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, nullable = false)]
    details: Option<serde_json::Value>,
}

/// Why the task was last activated.
#[derive(Serialize, ToSchema)]
pub(super) struct TaskActivation {
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// `start`, `assigned` (to this instance), `timer`, `wake_up` and what for, `follow_up` (shortly after a wake-up),
    /// or `restart`.
    #[schema(example = "wake_up reconcile:default")]
    reason: String,
}

/// A tick or run that failed.
#[derive(Serialize, ToSchema)]
#[schema(as = TaskError)]
pub(super) struct TaskErrorJson {
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
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
            last_activation: status
                .last_activation
                .map(|(at, why)| TaskActivation { at, reason: why.to_string() }),
            iterations: status.iterations,
            failures: status.failures,
            last_ok_at: status.last_ok.map(|(at, _)| at),
            last_error: status.last_error.map(error),
            duration_ms: status.duration.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
            details: status.details,
        }
    }
}

/// All background tasks of an instance.
#[derive(Serialize, ToSchema)]
#[schema(as = TaskList)]
pub(super) struct TaskListJson {
    tasks: Vec<TaskJson>,
    count: usize,
}

/// List background tasks
///
/// The tasks of the instance that answers. A failed task is retried automatically.
#[utoipa::path(
    get,
    path = "/tasks",
    tag = "operation",
    responses((status = 200, body = TaskListJson)),
    extensions(("x-role" = json!("operator")))
)]
pub(super) async fn list_tasks(
    State(operation): State<Operation>,
    Caller(actor): Caller,
    _: NoQuery,
) -> Result<Json<TaskListJson>, Problem> {
    let tasks: Vec<TaskJson> =
        operation.options.tasks.list(&actor)?.into_iter().map(TaskJson::from).collect();
    Ok(Json(TaskListJson { count: tasks.len(), tasks }))
}
