//! `/studios`: OBS on the air around the clock, what persons order of it, and what was measured.

mod dto;
mod health;
mod name;

use std::sync::Arc;

use axum::extract::FromRef;
use axum::response::Response;

use super::event_view::EventView;
use super::extract::StrictQuery;
use super::handler::{
    self, Admin, Answer, Call, Created, Operator, Problem, Routes, StrictJson, Viewer, created, ok, routes,
};
use super::list::{ListAnswer, ListCall, ListWithin, PageQuery};
use super::sse::{EventRequest, EventStreams, EventsQuery, sse_event};
use crate::adapters::views::{
    ContentLibraryView, DrillList, DrillView, FailoversView, SchedulePreviewView, ScheduleView,
    StudioDecisionList, StudioDecisionView, StudioList, StudioView, TransitionsView,
};
use crate::app::studio::{Drills, StudioDecisions, Studios};
use crate::domain::event::{Event, EventBody, Topic};
use dto::{DrillJson, EventJson, HoldJson, ReasonJson, SceneJson, ScheduleJson};
use health::{PeriodQuery, StudiosHealth};
use name::{Named, NamedDrill, StudiosQuery};

pub use health::{health, health_routes};

/// The state of the routes.
#[derive(Clone, FromRef)]
#[expect(missing_docs, reason = "the fields are named after their type")]
pub struct State {
    pub studios: Arc<Studios>,
    pub decisions: Arc<StudioDecisions>,
    pub drills: Arc<Drills>,
    pub events: EventStreams,
}

const KIND: &str = "studio";

/// The routes.
pub fn routes() -> Routes<State> {
    Routes::new("studios")
        .about("OBS on the air around the clock: checked, started, fed, taken over, measured.")
        .health::<StudiosHealth>()
        .management(Viewer, KIND, routes!(list_studios))
        .management(Viewer, KIND, routes!(follow_studios))
        .management(Viewer, KIND, routes!(read_studio))
        .management(Operator, KIND, routes!(start_studio))
        .management(Operator, KIND, routes!(stop_studio))
        .management(Operator, KIND, routes!(hold_studio))
        .management(Operator, KIND, routes!(release_studio))
        .management(Operator, KIND, routes!(set_scene))
        .management(Viewer, KIND, routes!(list_drills))
        .management(Operator, KIND, routes!(start_drill))
        .management(Viewer, KIND, routes!(read_drill))
        .management(Viewer, KIND, routes!(read_schedule))
        .management(Admin, KIND, routes!(replace_schedule))
        .management(Viewer, KIND, routes!(preview_schedule))
        .management(Viewer, KIND, routes!(list_studio_decisions))
        .management(Viewer, KIND, routes!(health::read_health))
        .management(Viewer, KIND, routes!(health::read_metrics))
        .management(Viewer, KIND, routes!(health::read_uptime))
        .management(Viewer, KIND, routes!(read_transitions))
        .management(Viewer, KIND, routes!(read_failovers))
        .management(Viewer, KIND, routes!(read_library))
}

/// List studios
///
/// By name. The whole list, or a page with `limit` or `cursor`.
#[utoipa::path(get, path = "/studios", params(StudiosQuery), responses((status = 200, body = StudioList)))]
async fn list_studios(call: ListCall<Studios, StudiosQuery>) -> ListAnswer {
    call.answer(|_, studio| StudioView::from(studio)).await
}

/// Read a studio
///
/// What persons ordered, and what its supervisor saw a moment ago: connection, stream, what is on air, the pre-flight
/// checks with what to do, and what is left of the promised uptime.
#[utoipa::path(get, path = "/studios/{name}", responses((status = 200, body = StudioView)))]
async fn read_studio(Call(studios, actor): Call<Studios>, Named(name): Named) -> Answer<StudioView> {
    ok(studios.get(&actor, &name).await?)
}

/// Start a studio
///
/// On air as soon as the pre-flight checks pass. They are made again every 60 seconds.
#[utoipa::path(
    post, path = "/studios/{name}/start", request_body = ReasonJson,
    responses(
        (status = 200, body = StudioView),
        (status = 409, description = "`studio-without-platform`: No platform is configured"),
    ),
)]
async fn start_studio(
    Call(studios, actor): Call<Studios>,
    Named(name): Named,
    StrictJson(ReasonJson { reason }): StrictJson<ReasonJson>,
) -> Answer<StudioView> {
    ok(studios.start(&actor, &name, &reason).await?)
}

/// Stop a studio
///
/// It stays off air until somebody starts it, also across restarts. A stop by hand in OBS is undone.
#[utoipa::path(
    post, path = "/studios/{name}/stop", request_body = ReasonJson, responses((status = 200, body = StudioView))
)]
async fn stop_studio(
    Call(studios, actor): Call<Studios>,
    Named(name): Named,
    StrictJson(ReasonJson { reason }): StrictJson<ReasonJson>,
) -> Answer<StudioView> {
    ok(studios.stop(&actor, &name, &reason).await?)
}

/// Hold what is on air
///
/// Automation leaves the scene alone until the end of the hold, or until somebody releases it.
#[utoipa::path(
    post, path = "/studios/{name}/hold", request_body = HoldJson, responses((status = 200, body = StudioView))
)]
async fn hold_studio(
    Call(studios, actor): Call<Studios>,
    Named(name): Named,
    StrictJson(hold): StrictJson<HoldJson>,
) -> Answer<StudioView> {
    ok(studios.hold(&actor, &name, hold.into()).await?)
}

/// Release a hold
///
/// Automation continues. Without a hold, nothing changes.
#[utoipa::path(
    post, path = "/studios/{name}/release", request_body = ReasonJson, responses((status = 200, body = StudioView))
)]
async fn release_studio(
    Call(studios, actor): Call<Studios>,
    Named(name): Named,
    StrictJson(ReasonJson { reason }): StrictJson<ReasonJson>,
) -> Answer<StudioView> {
    ok(studios.release(&actor, &name, &reason).await?)
}

/// Put a scene on air
///
/// And hold it: automation leaves it alone until the end of the hold, or until somebody releases it.
#[utoipa::path(
    post, path = "/studios/{name}/scene", request_body = SceneJson, responses((status = 200, body = StudioView))
)]
async fn set_scene(
    Call(studios, actor): Call<Studios>,
    Named(name): Named,
    StrictJson(scene): StrictJson<SceneJson>,
) -> Answer<StudioView> {
    ok(studios.hold(&actor, &name, scene.into()).await?)
}

/// List the drills of a studio
///
/// Newest first. All of them, or a page with `limit` or `cursor`.
#[utoipa::path(
    get, path = "/studios/{name}/drills", params(PageQuery), responses((status = 200, body = DrillList))
)]
async fn list_drills(call: ListWithin<Drills, Named>) -> ListAnswer {
    call.answer(|_, drill| DrillView::from(drill)).await
}

/// Try out a failure
///
/// It is really made, on air. The report is in the drill when it is done: when there is a good picture again, or cannot be
/// expected any more.
#[utoipa::path(
    post, path = "/studios/{name}/drills", request_body = DrillJson,
    responses(
        (status = 201, body = DrillView),
        (status = 409, description = "`studio-not-supervised`: No instance supervises it. `drill-open`: Another drill has \
                                      not ended. `drill-not-possible`: What the failure needs is not configured"),
    ),
)]
async fn start_drill(
    Call(studios, actor): Call<Studios>,
    Named(name): Named,
    StrictJson(DrillJson { kind }): StrictJson<DrillJson>,
) -> Created<DrillView> {
    let made = studios.drill(&actor, &name, kind).await?;
    created(Some(format!("/studios/{name}/drills/{}", made.id)), made)
}

/// Read a drill
///
/// It is done when `state` is `done` or `failed`.
#[utoipa::path(get, path = "/studios/{name}/drills/{drill_id}", responses((status = 200, body = DrillView)))]
async fn read_drill(
    Call(studios, actor): Call<Studios>,
    NamedDrill(name, drill): NamedDrill,
) -> Answer<DrillView> {
    ok(studios.read_drill(&actor, &name, drill).await?)
}

/// Read the schedule of a studio
#[utoipa::path(get, path = "/studios/{name}/schedule", responses((status = 200, body = ScheduleView)))]
async fn read_schedule(Call(studios, actor): Call<Studios>, Named(name): Named) -> Answer<ScheduleView> {
    ok(studios.schedule(&actor, &name).await?)
}

/// Replace the schedule of a studio
///
/// As a whole. What plays plays on if the new schedule allows it.
#[utoipa::path(
    put, path = "/studios/{name}/schedule", request_body = ScheduleJson,
    responses((status = 200, body = ScheduleView)),
)]
async fn replace_schedule(
    Call(studios, actor): Call<Studios>,
    Named(name): Named,
    StrictJson(schedule): StrictJson<ScheduleJson>,
) -> Answer<ScheduleView> {
    ok(studios.set_schedule(&actor, &name, schedule.into()).await?)
}

/// The span of a preview.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PreviewQuery {
    /// Now without it.
    #[param(value_type = Option<crate::adapters::views::DateTime>)]
    from: Option<String>,
    /// At most 31 days later; a day later without it.
    #[param(value_type = Option<crate::adapters::views::DateTime>)]
    to: Option<String>,
}

/// Preview the schedule of a studio
///
/// What plays when, also across a change to or from daylight saving time.
#[utoipa::path(
    get, path = "/studios/{name}/schedule/preview", params(PreviewQuery),
    responses((status = 200, body = SchedulePreviewView)),
)]
async fn preview_schedule(
    Call(studios, actor): Call<Studios>,
    Named(name): Named,
    StrictQuery(PreviewQuery { from, to }): StrictQuery<PreviewQuery>,
) -> Answer<SchedulePreviewView> {
    ok(studios.preview(&actor, &name, from.as_deref(), to.as_deref()).await?)
}

/// List the decisions about a studio
///
/// Every change of the scene, the content, the stream and OBS, newest first, with its reason and its figures. All of them,
/// or a page with `limit` or `cursor`.
#[utoipa::path(
    get, path = "/studios/{name}/decisions", params(PageQuery),
    responses((status = 200, body = StudioDecisionList)),
)]
async fn list_studio_decisions(call: ListWithin<StudioDecisions, Named>) -> ListAnswer {
    call.answer(|_, decision| StudioDecisionView::from(decision)).await
}

/// Read how long changes of the scene took
///
/// By what they were for, from what really happened.
#[utoipa::path(
    get, path = "/studios/{name}/analytics/transitions", params(PeriodQuery),
    responses((status = 200, body = TransitionsView)),
)]
async fn read_transitions(
    Call(studios, actor): Call<Studios>,
    Named(name): Named,
    StrictQuery(PeriodQuery { period_days }): StrictQuery<PeriodQuery>,
) -> Answer<TransitionsView> {
    ok(studios.transitions(&actor, &name, period_days.as_deref()).await?)
}

/// Read how long failovers took
///
/// From what really happened.
#[utoipa::path(
    get, path = "/studios/{name}/analytics/failover", params(PeriodQuery),
    responses((status = 200, body = FailoversView)),
)]
async fn read_failovers(
    Call(studios, actor): Call<Studios>,
    Named(name): Named,
    StrictQuery(PeriodQuery { period_days }): StrictQuery<PeriodQuery>,
) -> Answer<FailoversView> {
    ok(studios.failovers(&actor, &name, period_days.as_deref()).await?)
}

/// Read the content of a studio
///
/// Each source of the schedule, and whether it was found playable.
#[utoipa::path(
    get, path = "/studios/{name}/content-library", responses((status = 200, body = ContentLibraryView))
)]
async fn read_library(Call(studios, actor): Call<Studios>, Named(name): Named) -> Answer<ContentLibraryView> {
    ok(studios.library(&actor, &name).await?)
}

/// Receive changes of studios
///
/// Server-sent events, each with its number as `id` and with data as shown here: `studio.ordered`, `studio.decided`,
/// `studio.session`, `studio.downtime`, `studio.alert`, `studio.preflight` and `studio.connection`. `Last-Event-ID` and
/// `reset` work as for `/streams/events`; after a `reset`, read `/studios` again.
#[utoipa::path(
    get, path = "/studios/events",
    params(EventsQuery, ("Last-Event-ID" = Option<u64>, Header, description = "The number of the last event received")),
    responses((status = 200, content_type = "text/event-stream", body = EventJson))
)]
async fn follow_studios(
    handler::State(events): handler::State<EventStreams>,
    request: EventRequest,
) -> Result<Response, Problem> {
    let render = |event: &Event| sse_event(event, shown(event)?);
    request.answer(events, Topic::Studio, render).await
}

fn shown(event: &Event) -> Option<EventJson> {
    let EventBody::Studio(body) = &event.body else { return None };
    Some(EventJson::of(event, body))
}

/// How events of studios are shown.
pub fn event_view() -> EventView {
    EventView::new(shown)
}
