//! `/streamers`: the watched streamers and their status on Kick, with changes and history.

mod dto;
mod health;
mod webhook;

use std::sync::Arc;

use axum::extract::FromRef;
use axum::response::Response;

use super::event_view::EventView;
use super::extract::Filter;
use super::handler::{
    Admin, Answer, Call, Created, Done, Id, NoContent, Problem, Routes, State, StrictJson, Viewer, created,
    ok, routes,
};
use super::list::{ListAnswer, ListCall};
use super::sse::{EventRequest, EventStreams, EventsQuery, sse_event};
use crate::adapters::views::{StreamerList, StreamerView};
use crate::app::streamer::Streamers;
use crate::domain::StreamerId;
use crate::domain::event::{Event, EventBody, Topic};
use dto::{DraftJson, HistoryQuery, PatchJson, StatusEventList, StreamerEvent, StreamersQuery};
use health::StreamersHealth;

pub use health::health;

/// The state of the routes.
#[derive(Clone, FromRef)]
pub struct Streaming {
    /// The streamers.
    pub streamers: Arc<Streamers>,
    /// The event streams.
    pub events: EventStreams,
}

/// The routes.
pub fn routes() -> Routes<Streaming> {
    Routes::new("streamers")
        .about("Who is watched on Kick, and whether they are live.")
        .health::<StreamersHealth>()
        .management(Viewer, "streamer", routes!(list_streamers))
        .management(Admin, "streamer", routes!(create_streamer))
        .management(Viewer, "streamer", routes!(follow_streamers))
        .management(Viewer, "streamer", routes!(read_streamer))
        .management(Admin, "streamer", routes!(update_streamer, delete_streamer))
        .management(Viewer, "streamer", routes!(list_status_events))
        .anyone(routes!(webhook::receive_kick_webhook))
}

/// List streamers
///
/// By name. The whole list, or a page with `limit` or `cursor`.
#[utoipa::path(get, path = "/streamers", params(StreamersQuery), responses((status = 200, body = StreamerList)))]
async fn list_streamers(call: ListCall<Streamers, StreamersQuery>) -> ListAnswer {
    call.answer(|_, streamer| StreamerView::from(streamer)).await
}

/// Watch a streamer
///
/// The status is `unknown` until Kick first answers.
#[utoipa::path(
    post, path = "/streamers", request_body = DraftJson,
    responses(
        (status = 201, body = StreamerView),
        (status = 409, description = "`streamer-taken`: The name is on the list already. `owner-gone`: The \
                                      organization was deleted meanwhile"),
    ),
)]
async fn create_streamer(
    Call(streamers, actor): Call<Streamers>,
    StrictJson(draft): StrictJson<DraftJson>,
) -> Created<StreamerView> {
    let made = streamers.create(&actor, draft.into()).await?;
    created(Some(format!("/streamers/{}", made.id)), made)
}

/// Read a streamer
#[utoipa::path(get, path = "/streamers/{id}", responses((status = 200, body = StreamerView)))]
async fn read_streamer(
    Call(streamers, actor): Call<Streamers>,
    Id(id): Id<StreamerId>,
) -> Answer<StreamerView> {
    ok(streamers.get(&actor, id).await?)
}

/// Change a streamer
///
/// With `is_active` false the status is not watched and does not change.
#[utoipa::path(
    patch, path = "/streamers/{id}", request_body = PatchJson,
    responses(
        (status = 200, body = StreamerView),
        (status = 409, description = "`streamer-taken`: The name is on the list already"),
    ),
)]
async fn update_streamer(
    Call(streamers, actor): Call<Streamers>,
    Id(id): Id<StreamerId>,
    StrictJson(patch): StrictJson<PatchJson>,
) -> Answer<StreamerView> {
    ok(streamers.update(&actor, id, patch.into()).await?)
}

/// Delete a streamer
///
/// This also deletes the history. To keep it, set `is_active` to false instead.
#[utoipa::path(delete, path = "/streamers/{id}", responses((status = 204, description = "It is deleted")))]
async fn delete_streamer(Call(streamers, actor): Call<Streamers>, Id(id): Id<StreamerId>) -> Done {
    streamers.delete(&actor, id).await?;
    Ok(NoContent)
}

/// Read the status history of a streamer
///
/// Newest first, including changes within the flap window.
#[utoipa::path(
    get, path = "/streamers/{id}/events", params(HistoryQuery), responses((status = 200, body = StatusEventList))
)]
async fn list_status_events(
    Call(streamers, actor): Call<Streamers>,
    Id(id): Id<StreamerId>,
    Filter((before, limit)): Filter<HistoryQuery>,
) -> Answer<StatusEventList> {
    ok(streamers.status_events(&actor, id, before, limit).await?)
}

/// Receive changes of streamers
///
/// Server-sent events, each with its number as `id` and with data as shown here.
///
/// `streamer.online` and `streamer.offline` are for announcements. `streamer.offline` is sent when the streamer was
/// offline for the whole flap window (`kick.flap_window`). If the streamer returns earlier, neither event is sent.
/// `streamer.updated` is any other change: fields, the session, or a change of status without an announcement: the
/// first status, offline before the flap window is over, or back online within it. Every change of status is sent at
/// once in the field `change` of one event; to react to each change, read `change` instead of the event name.
/// `streamer.created` and `streamer.deleted` report changes of the list.
///
/// `Last-Event-ID` and `reset` work as for `/streams/events`; after a `reset`, read `/streamers` again.
#[utoipa::path(
    get, path = "/streamers/events",
    params(EventsQuery, ("Last-Event-ID" = Option<u64>, Header, description = "The number of the last event received")),
    responses((status = 200, content_type = "text/event-stream", body = StreamerEvent))
)]
async fn follow_streamers(
    State(events): State<EventStreams>,
    request: EventRequest,
) -> Result<Response, Problem> {
    let render = |event: &Event| sse_event(event, shown(event)?);
    request.answer(events, Topic::Streamer, render).await
}

fn shown(event: &Event) -> Option<StreamerEvent> {
    let EventBody::Streamer(body) = &event.body else { return None };
    let (streamer, change) = (body.streamer.clone().into(), body.change.clone().map(Into::into));
    Some(StreamerEvent { at: event.at, streamer, change })
}

/// How events of streamers are shown.
pub fn event_view() -> EventView {
    EventView::new(shown)
}
