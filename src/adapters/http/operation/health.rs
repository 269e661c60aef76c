//! `/health`, `/livez` and `/readyz`: for people, orchestrators and load balancers.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::request::Parts;
use axum::{Extension, Json};
use serde::Serialize;
use serde_json::Value;
use serde_with::skip_serializing_none;
use utoipa::ToSchema;

use crate::adapters::http::authentication::Gate;
use crate::adapters::http::options::Operation;
use crate::adapters::http::problem::{Problem, ProblemType};
use crate::adapters::views::DateTime;
use crate::app::task::TaskStatus;

/// What to do about a damaged database.
const RESTORE: &str = "The database is damaged: restore a backup (`streamward restore`).";

/// The state of this instance.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
pub(super) struct HealthReport {
    /// `ok`, or `degraded`: it works, but not everywhere. If it does not work, the answer is 503.
    #[schema(example = "ok")]
    status: &'static str,
    /// `ok`, or `damaged`: pages of the SQLite file were found damaged since the start. Restore a backup.
    #[schema(example = "ok")]
    database: &'static str,
    /// What to do, if it is degraded.
    advice: Option<&'static str>,
    version: &'static str,
    /// The sections of the slices.
    #[serde(flatten)]
    #[schema(ignore)]
    sections: BTreeMap<&'static str, Value>,
    /// The background tasks. A failed task is retried automatically; the log shows the error.
    workers: Vec<WorkerReport>,
    /// What this caller does not see, because it names resources of several organizations. Tokens and users of the whole
    /// installation see it; for others `problems` and `workers` are empty.
    hidden: Option<Hidden>,
}

/// How much is not shown.
#[derive(Default, Serialize, ToSchema)]
pub(super) struct Hidden {
    /// How many `problems` there are.
    problems: usize,
    /// How many tasks fail.
    failing_workers: usize,
}

/// One task.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
pub(super) struct WorkerReport {
    #[schema(example = "reconcile:default")]
    name: String,
    /// Whether its last try failed, or nobody runs it.
    failing: bool,
    /// How long ago it last succeeded; absent if it never has.
    seconds_since_ok: Option<u64>,
    /// Since when it waits for its assignment, if that is too long and no instance is known to run it.
    waiting_since: Option<DateTime>,
}

/// The answer of a probe.
#[derive(Serialize, ToSchema)]
pub(super) struct Alive {
    #[schema(example = "ok")]
    status: &'static str,
}

/// Read the state of this instance
///
/// Anyone may read it. If there are several organizations, only tokens and users of the whole installation see the names of
/// their resources; for everybody else these are counted in `hidden`.
#[utoipa::path(
    get,
    path = "/health",
    responses((status = 200, body = HealthReport), (status = 503, description = "`unavailable`: It cannot work"))
)]
pub(super) async fn health(
    State(operation): State<Operation>,
    Extension(gate): Extension<Gate>,
    parts: Parts,
) -> Result<Json<HealthReport>, Problem> {
    let found = async {
        let mut found = BTreeMap::new();
        for section in &*operation.sections {
            if let Some(value) = (section.check)().await? {
                found.insert(section.name, value);
            }
        }
        let hides = operation.health.is_shared().await? && !sees_all(&gate, &parts).await;
        Ok((found, hides))
    };
    let (mut sections, hides) = operation.health.check(found).await.ok_or_else(|| unavailable(&operation))?;
    let tasks = operation.options.tasks.at_work();
    let report = |task: TaskStatus| WorkerReport {
        name: task.name,
        failing: task.failing,
        seconds_since_ok: task.last_ok.map(|(_, at)| at.elapsed().as_secs()),
        waiting_since: task.waiting_since,
    };
    let mut workers: Vec<_> = tasks.into_iter().map(report).collect();
    let hidden = hides.then(|| hide(&mut sections, &mut workers));
    let is_damaged = operation.health.is_damaged();
    Ok(Json(HealthReport {
        status: if is_damaged { "degraded" } else { "ok" },
        database: if is_damaged { "damaged" } else { "ok" },
        advice: is_damaged.then_some(RESTORE),
        version: env!("CARGO_PKG_VERSION"),
        sections,
        workers,
        hidden,
    }))
}

async fn sees_all(gate: &Gate, parts: &Parts) -> bool {
    let caller = gate.known_caller(parts).await;
    caller.is_some_and(|caller| caller.permissions.installation_role().is_some())
}

/// Takes out what names resources of organizations.
fn hide(sections: &mut BTreeMap<&'static str, Value>, workers: &mut Vec<WorkerReport>) -> Hidden {
    let failing_workers = workers.drain(..).filter(|worker| worker.failing).count();
    let lists = sections.values_mut().filter_map(|section| section.get_mut("problems")?.as_array_mut());
    Hidden { problems: lists.map(|list| list.drain(..).count()).sum(), failing_workers }
}

fn unavailable(operation: &Operation) -> Problem {
    if operation.health.is_damaged() {
        Problem::new(ProblemType::UNAVAILABLE, RESTORE)
    } else {
        Problem::unavailable()
    }
}

/// Check whether the process is alive
///
/// For orchestrators: when this fails, restart it.
#[utoipa::path(get, path = "/livez", responses((status = 200, body = Alive)))]
pub(super) async fn livez() -> Json<Alive> {
    Json(Alive { status: "ok" })
}

/// Check whether the instance is ready for requests
///
/// For orchestrators and load balancers: 503 while the database does not answer or the instance is stopping.
#[utoipa::path(
    get,
    path = "/readyz",
    responses((status = 200, body = Alive), (status = 503, description = "`unavailable`: Send requests elsewhere"))
)]
pub(super) async fn readyz(State(operation): State<Operation>) -> Result<Json<Alive>, Problem> {
    if operation.options.stop.is_cancelled() {
        return Err(Problem::new(ProblemType::UNAVAILABLE, "This instance is stopping."));
    }
    if operation.health.check(async { Ok(()) }).await.is_none() {
        return Err(unavailable(&operation));
    }
    Ok(Json(Alive { status: "ok" }))
}
