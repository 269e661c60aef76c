//! `/health`, `/livez` and `/readyz`: for people, and for whoever starts, stops and balances instances.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::operation::Operation;
use super::problem::{Problem, ProblemType};
use crate::app::task::TaskStatus;
use crate::domain::Timestamp;
use crate::domain::streamer::feed::WatchStatus;

/// How this instance is.
#[derive(Serialize, ToSchema)]
pub(super) struct HealthReport {
    /// `ok` whenever it can do its job; otherwise the answer is 503.
    #[schema(example = "ok")]
    status: &'static str,
    #[schema(example = "ok")]
    database: &'static str,
    version: &'static str,
    media_servers: MediaServersHealth,
    /// How watching streamers is doing; absent if this setup does not, or has not begun. Streamward does the rest of
    /// its job without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    streamers: Option<StreamersHealth>,
    /// The work in the background. It is tried again by itself; the log says what is wrong.
    workers: Vec<WorkerReport>,
}

/// How the media servers are. Streamward does its job without them.
#[derive(Serialize, ToSchema)]
pub(super) struct MediaServersHealth {
    configured: usize,
    /// Names of those that did not answer when last looked at.
    unreachable: Vec<String>,
}

/// How watching streamers is doing, as the instance that does it last wrote it down.
#[derive(Serialize, ToSchema)]
pub(super) struct StreamersHealth {
    /// When this was written: every 15 seconds at least. An older time means that nobody watches.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The feed that is in use, once one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "centrifugo")]
    feed: Option<&'static str>,
    /// `off` by choice, `connecting`, `degraded` (some connections are down), `connected`, or `rejected`: refused for
    /// now, so that only the sweep tells who is live.
    #[schema(example = "connected")]
    feed_state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    feed_error: Option<String>,
    /// Connections there should be.
    connections: u32,
    /// Connections there are.
    connected: u32,
    /// Channels that are subscribed to.
    subscribed: u32,
    watched: u32,
    /// Those that Kick does not know, or whose numbers are not known yet.
    unresolved: u32,
    /// Reports that wait to be written down.
    queued: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime, nullable = false)]
    last_report_at: Option<Timestamp>,
    /// When Kick was last asked about everyone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime, nullable = false)]
    last_sweep_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    sweep_error: Option<String>,
}

impl From<WatchStatus> for StreamersHealth {
    fn from(status: WatchStatus) -> Self {
        let WatchStatus { at, feed, watched, unresolved, queued, .. } = status;
        Self {
            at,
            feed: feed.provider.map(<&str>::from),
            feed_state: feed.state.as_str(),
            feed_error: feed.error,
            connections: feed.connections,
            connected: feed.connected,
            subscribed: feed.subscribed,
            watched,
            unresolved,
            queued,
            last_report_at: status.last_report_at,
            last_sweep_at: status.last_full_poll_at,
            sweep_error: status.poll_error,
        }
    }
}

/// One task.
#[derive(Serialize, ToSchema)]
pub(super) struct WorkerReport {
    #[schema(example = "reconcile:default")]
    name: String,
    /// Whether its last try failed.
    failing: bool,
    /// How long ago it last did its work; absent if it never has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    seconds_since_ok: Option<u64>,
}

/// A plain yes.
#[derive(Serialize, ToSchema)]
pub(super) struct Alive {
    #[schema(example = "ok")]
    status: &'static str,
}

/// Read how this instance is
#[utoipa::path(
    get,
    path = "/health",
    tag = "operation",
    responses((status = 200, body = HealthReport), (status = 503, description = "`unavailable`: It cannot do its job"))
)]
pub(super) async fn health(State(operation): State<Operation>) -> Result<Json<HealthReport>, Problem> {
    let health = operation.health.check().await;
    if !health.database {
        return Err(Problem::unavailable());
    }
    let tasks = operation.options.tasks.at_work();
    let report = |task: TaskStatus| WorkerReport {
        name: task.name,
        failing: task.failing,
        seconds_since_ok: task.last_ok.map(|(_, at)| at.elapsed().as_secs()),
    };
    Ok(Json(HealthReport {
        status: "ok",
        database: "ok",
        version: env!("CARGO_PKG_VERSION"),
        media_servers: MediaServersHealth {
            configured: health.media_servers,
            unreachable: health.unreachable,
        },
        streamers: health.streamers.map(StreamersHealth::from),
        workers: tasks.into_iter().map(report).collect(),
    }))
}

/// Ask whether the process lives
///
/// For orchestrators: when this fails, restart it.
#[utoipa::path(get, path = "/livez", tag = "operation", responses((status = 200, body = Alive)))]
pub(super) async fn livez() -> Json<Alive> {
    Json(Alive { status: "ok" })
}

/// Ask whether it should be sent requests
///
/// For orchestrators: no while the database does not answer, and from the moment it was told to stop.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operation",
    responses((status = 200, body = Alive), (status = 503, description = "`unavailable`: Send requests elsewhere"))
)]
pub(super) async fn readyz(State(operation): State<Operation>) -> Result<Json<Alive>, Problem> {
    if operation.options.stop.is_cancelled() {
        return Err(Problem::new(ProblemType::UNAVAILABLE, "This instance is stopping."));
    }
    if !operation.health.check().await.database {
        return Err(Problem::unavailable());
    }
    Ok(Json(Alive { status: "ok" }))
}
