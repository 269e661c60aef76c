//! The specification's health API, of a studio in the path or at an address of its own; and the section of `GET /health`.
//!
//! An error is a problem that also has the fields of the specification's `Error`: `error`, `details` and `timestamp`.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use utoipa::ToSchema;

use super::name::Named;
use crate::adapters::http::extract::StrictQuery;
use crate::adapters::http::handler::{Answer, Call};
use crate::adapters::http::health_section::{HealthDocument, HealthSection};
use crate::adapters::http::problem::{Problem, ProblemType};
use crate::adapters::views::{HealthMetricsView, HealthSnapshotView, StudioUptimeView};
use crate::app::studio::{HealthQuery, StudioHealth, StudioProblem, Studios};
use crate::domain::Invalid;
use crate::domain::access::{Actor, Origin, Permissions, Role};
use crate::domain::studio::StudioName;

/// The most problems in an answer.
const MOST: usize = 100;

/// The studios.
#[derive(Serialize, ToSchema)]
pub(super) struct StudiosHealth {
    configured: usize,
    /// What is wrong with them, up to 100.
    problems: Vec<StudioProblemView>,
}

/// What is wrong with a studio.
#[derive(Serialize, ToSchema)]
#[schema(as = StudioProblem)]
struct StudioProblemView {
    #[schema(example = "main")]
    studio: String,
    /// Such as an alert, a failed pre-flight check with what to do, or that no instance supervises it.
    problem: String,
}

impl HealthDocument for StudiosHealth {
    const NAME: &'static str = "studios";
    const OPTIONAL: Option<&'static str> = Some("The studios. Absent if none is configured.");
}

/// Adds the studios to `/health`.
pub fn health(studios: Arc<Studios>) -> HealthSection {
    HealthSection::new(move || {
        let studios = Arc::clone(&studios);
        async move {
            let (configured, problems) = studios.problems().await?;
            let problem = |StudioProblem { studio, problem }: StudioProblem| StudioProblemView {
                studio: studio.into(),
                problem,
            };
            let problems = problems.into_iter().take(MOST).map(problem).collect();
            Ok((configured > 0).then_some(StudiosHealth { configured, problems }))
        }
    })
}

/// What is wanted of the health.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SnapshotQuery {
    /// Whether the last hundred measures are wanted.
    #[param(value_type = Option<bool>, default = false)]
    include_history: Option<String>,
}

/// Which part of the recorded health is wanted.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct MetricsQuery {
    /// Not before.
    #[param(value_type = Option<crate::adapters::views::DateTime>)]
    start_time: Option<String>,
    /// Before.
    #[param(value_type = Option<crate::adapters::views::DateTime>)]
    end_time: Option<String>,
    /// At most this many, the last ones.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000, default = 100)]
    limit: Option<String>,
}

/// Which period.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PeriodQuery {
    /// The length of the period, which ends now.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 30, default = 7)]
    pub(super) period_days: Option<String>,
}

/// The query, or why it was refused: that gets the specification's fields too.
type Query<T> = Result<StrictQuery<T>, Problem>;

/// Read the health of a studio
///
/// As the specification's `GET /health`. 503 unless the studio streams.
#[utoipa::path(
    get, path = "/studios/{name}/health", params(SnapshotQuery),
    responses(
        (status = 200, body = HealthSnapshotView),
        (status = 503, description = "`studio-offline`: The studio is not on air"),
    ),
)]
pub(super) async fn read_health(
    Call(studios, actor): Call<Studios>,
    Named(name): Named,
    query: Query<SnapshotQuery>,
) -> Answer<HealthSnapshotView> {
    snapshot(&studios, &actor, &name, query).await
}

/// Read the recorded health of a studio
///
/// As the specification's `GET /health/metrics`.
#[utoipa::path(
    get, path = "/studios/{name}/health/metrics", params(MetricsQuery),
    responses((status = 200, body = HealthMetricsView)),
)]
pub(super) async fn read_metrics(
    Call(studios, actor): Call<Studios>,
    Named(name): Named,
    query: Query<MetricsQuery>,
) -> Answer<HealthMetricsView> {
    metrics(&studios, &actor, &name, query).await
}

/// Read the uptime of a studio
///
/// As the specification's `GET /health/uptime`, from a ledger of intervals. What lasts counts to now.
#[utoipa::path(
    get, path = "/studios/{name}/health/uptime", params(PeriodQuery),
    responses((status = 200, body = StudioUptimeView)),
)]
pub(super) async fn read_uptime(
    Call(studios, actor): Call<Studios>,
    Named(name): Named,
    query: Query<PeriodQuery>,
) -> Answer<StudioUptimeView> {
    uptime(&studios, &actor, &name, query).await
}

async fn snapshot(
    studios: &Studios,
    actor: &Actor,
    name: &StudioName,
    query: Query<SnapshotQuery>,
) -> Answer<HealthSnapshotView> {
    let found = async {
        let StrictQuery(SnapshotQuery { include_history }) = query?;
        let history = match include_history.as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(Invalid::one("include_history", "must be true or false").into()),
        };
        match studios.health(actor, name, history).await? {
            StudioHealth::OnAir(health) => Ok(HealthSnapshotView::from(*health)),
            StudioHealth::Offline(why) => Err(Problem::new(ProblemType::STUDIO_OFFLINE, why)),
        }
    };
    answer(studios, found.await)
}

async fn metrics(
    studios: &Studios,
    actor: &Actor,
    name: &StudioName,
    query: Query<MetricsQuery>,
) -> Answer<HealthMetricsView> {
    let found = async {
        let StrictQuery(MetricsQuery { start_time, end_time, limit }) = query?;
        let query = HealthQuery { start_time, end_time, limit };
        Ok(studios.health_history(actor, name, &query).await?)
    };
    answer(studios, found.await.map(HealthMetricsView::from))
}

async fn uptime(
    studios: &Studios,
    actor: &Actor,
    name: &StudioName,
    query: Query<PeriodQuery>,
) -> Answer<StudioUptimeView> {
    let found = async {
        let StrictQuery(PeriodQuery { period_days }) = query?;
        Ok(studios.uptime(actor, name, period_days.as_deref()).await?)
    };
    answer(studios, found.await.map(StudioUptimeView::from))
}

/// The answer. An error gets the specification's fields.
fn answer<T>(studios: &Studios, found: Result<T, Problem>) -> Answer<T> {
    found.map(Json).map_err(|problem| {
        let mut fields = Map::new();
        fields.insert("error".to_owned(), json!(problem.title()));
        fields.insert("details".to_owned(), json!(problem.detail()));
        fields.insert("timestamp".to_owned(), json!(studios.now()));
        problem.with(fields)
    })
}

/// The health API of one studio at an address of its own, without sign-in.
pub fn health_routes(studios: Arc<Studios>, name: StudioName) -> Router {
    let one = OneStudio { studios, name, actor: reader() };
    Router::new()
        .route(
            "/health",
            get(|State(one): State<OneStudio>, query: Query<SnapshotQuery>| async move {
                snapshot(&one.studios, &one.actor, &one.name, query).await
            }),
        )
        .route(
            "/health/metrics",
            get(|State(one): State<OneStudio>, query: Query<MetricsQuery>| async move {
                metrics(&one.studios, &one.actor, &one.name, query).await
            }),
        )
        .route(
            "/health/uptime",
            get(|State(one): State<OneStudio>, query: Query<PeriodQuery>| async move {
                uptime(&one.studios, &one.actor, &one.name, query).await
            }),
        )
        .with_state(one)
}

#[derive(Clone)]
struct OneStudio {
    studios: Arc<Studios>,
    name: StudioName,
    actor: Actor,
}

/// Whoever reaches the address.
fn reader() -> Actor {
    let permissions = Permissions::of_installation(Role::Viewer);
    Actor { name: "health_listen".into(), permissions, origin: Origin::default() }
}
