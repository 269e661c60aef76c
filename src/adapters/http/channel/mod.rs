//! `/channels`: programmes that never go dark, what they do, and their destinations (`destinations.rs`).

mod destinations;
mod dto;
mod health;

use std::sync::Arc;

use axum::extract::FromRef;
use axum::response::Response;

use super::event_view::EventView;
use super::extract::ChildId;
use super::handler::{
    self, Admin, Answer, Call, Created, Done, Id, NoContent, Operator, Problem, Routes, StrictJson, Viewer,
    created, ok, routes,
};
use super::list::{ListAnswer, ListCall, ListWithin, PageQuery};
use super::sse::{EventRequest, EventStreams, EventsQuery, sse_event};
use crate::adapters::views::{
    ChannelList, ChannelStatusView, ChannelView, DecisionList, DecisionView, NewChannelView, RehearsalView,
};
use crate::app::channel::{Channels, Decisions, Destinations};
use crate::domain::channel::{ChannelId, RehearsalId};
use crate::domain::event::{Event, EventBody, Topic};
use dto::{DraftJson, EventJson, ModeJson, PatchJson, RehearsalJson};
use health::ChannelsHealth;

pub use health::health;

/// The state of the routes.
#[derive(Clone, FromRef)]
#[expect(missing_docs, reason = "the fields are named after their type")]
pub struct State {
    pub channels: Arc<Channels>,
    pub destinations: Arc<Destinations>,
    pub decisions: Arc<Decisions>,
    pub events: EventStreams,
}

/// The routes.
pub fn routes() -> Routes<State> {
    Routes::new("channels")
        .about("Programmes that never go dark, and where they are pushed.")
        .health::<ChannelsHealth>()
        .management(Viewer, "channel", routes!(list_channels))
        .management(Admin, "channel", routes!(create_channel))
        .management(Viewer, "channel", routes!(follow_channels))
        .management(Viewer, "channel", routes!(read_channel))
        .management(Admin, "channel", routes!(update_channel, delete_channel))
        .management(Viewer, "channel", routes!(read_status))
        .management(Operator, "channel", routes!(set_mode))
        .management(Viewer, "channel", routes!(list_decisions))
        .management(Operator, "channel", routes!(start_rehearsal))
        .management(Viewer, "channel", routes!(read_rehearsal))
        .management(Viewer, "destination", routes!(destinations::list_destinations))
        .management(Admin, "destination", routes!(destinations::create_destination))
        .management(Viewer, "destination", routes!(destinations::read_destination))
        .management(
            Admin,
            "destination",
            routes!(destinations::update_destination, destinations::delete_destination),
        )
        .management(Operator, "destination", routes!(destinations::test_destination))
}

/// List channels
///
/// Newest first. The whole list, or a page with `limit` or `cursor`.
#[utoipa::path(get, path = "/channels", params(PageQuery), responses((status = 200, body = ChannelList)))]
async fn list_channels(call: ListCall<Channels, PageQuery>) -> ListAnswer {
    call.answer(|_, channel| ChannelView::from(channel)).await
}

/// Create a channel
///
/// The channel gets a broadcaster and keys of its own. The secret of the live key is shown only in this answer; rotate
/// the key to get another one.
#[utoipa::path(
    post, path = "/channels", request_body = DraftJson,
    responses(
        (status = 201, body = NewChannelView),
        (status = 409, description = "`channel-taken`: Another channel has the name. `path-taken`: A usable stream key \
                                      has the path, or the path of an input. `owner-gone`: The organization was \
                                      deleted meanwhile"),
    ),
)]
async fn create_channel(
    Call(channels, actor): Call<Channels>,
    StrictJson(draft): StrictJson<DraftJson>,
) -> Created<NewChannelView> {
    let made = channels.create(&actor, draft.into()).await?;
    created(Some(format!("/channels/{}", made.channel.channel.id)), made)
}

/// Read a channel
#[utoipa::path(get, path = "/channels/{id}", responses((status = 200, body = ChannelView)))]
async fn read_channel(Call(channels, actor): Call<Channels>, Id(id): Id<ChannelId>) -> Answer<ChannelView> {
    ok(channels.get(&actor, id).await?)
}

/// Change a channel
///
/// What did not change is not interrupted.
#[utoipa::path(
    patch, path = "/channels/{id}", request_body = PatchJson,
    responses(
        (status = 200, body = ChannelView),
        (status = 409, description = "`channel-taken`: Another channel has the name"),
    ),
)]
async fn update_channel(
    Call(channels, actor): Call<Channels>,
    Id(id): Id<ChannelId>,
    StrictJson(patch): StrictJson<PatchJson>,
) -> Answer<ChannelView> {
    ok(channels.update(&actor, id, patch.into()).await?)
}

/// Delete a channel
///
/// The programme ends, then its destinations. Its keys, decisions and rehearsals are deleted too.
#[utoipa::path(delete, path = "/channels/{id}", responses((status = 204, description = "It is deleted")))]
async fn delete_channel(Call(channels, actor): Call<Channels>, Id(id): Id<ChannelId>) -> Done {
    channels.delete(&actor, id).await?;
    Ok(NoContent)
}

/// Read what is on air
///
/// What is on air, since when and why, and the state of each input and destination. It is renewed once a second.
#[utoipa::path(get, path = "/channels/{id}/status", responses((status = 200, body = ChannelStatusView)))]
async fn read_status(
    Call(channels, actor): Call<Channels>,
    Id(id): Id<ChannelId>,
) -> Answer<ChannelStatusView> {
    ok(channels.status(&actor, id).await?)
}

/// Set the mode of a channel
///
/// It survives restarts. `auto` lets the rules choose again.
#[utoipa::path(
    post, path = "/channels/{id}/mode", request_body = ModeJson, responses((status = 200, body = ChannelView))
)]
async fn set_mode(
    Call(channels, actor): Call<Channels>,
    Id(id): Id<ChannelId>,
    StrictJson(mode): StrictJson<ModeJson>,
) -> Answer<ChannelView> {
    ok(channels.set_mode(&actor, id, mode.into()).await?)
}

/// List the decisions about a channel
///
/// Cuts and refusals to cut, newest first, each with its reason and its figures. All of them, or a page with `limit` or
/// `cursor`.
#[utoipa::path(
    get, path = "/channels/{id}/decisions", params(PageQuery), responses((status = 200, body = DecisionList))
)]
async fn list_decisions(call: ListWithin<Decisions>) -> ListAnswer {
    call.answer(|_, decision| DecisionView::from(decision)).await
}

/// Rehearse the loss of the live input
///
/// The live input is treated as lost for the given time. The report is in the rehearsal when it is done: when the live
/// input is on air again, or cannot be expected any more.
#[utoipa::path(
    post, path = "/channels/{id}/rehearsals", request_body = RehearsalJson,
    responses(
        (status = 201, body = RehearsalView),
        (status = 409, description = "`channel-not-running`: The programme does not run. `rehearsal-open`: Another \
                                      rehearsal has not ended"),
    ),
)]
async fn start_rehearsal(
    Call(channels, actor): Call<Channels>,
    Id(id): Id<ChannelId>,
    StrictJson(RehearsalJson { cut_live_for_seconds }): StrictJson<RehearsalJson>,
) -> Created<RehearsalView> {
    let made = channels.rehearse(&actor, id, cut_live_for_seconds.unwrap_or_default()).await?;
    created(Some(format!("/channels/{id}/rehearsals/{}", made.id)), made)
}

/// Read a rehearsal
///
/// It is done when `state` is `done` or `failed`.
#[utoipa::path(
    get, path = "/channels/{id}/rehearsals/{rehearsal_id}", responses((status = 200, body = RehearsalView))
)]
async fn read_rehearsal(
    Call(channels, actor): Call<Channels>,
    ChildId(id, rehearsal): ChildId<ChannelId, RehearsalId>,
) -> Answer<RehearsalView> {
    ok(channels.rehearsal(&actor, id, rehearsal).await?)
}

/// Receive changes of channels
///
/// Server-sent events, each with its number as `id` and with data as shown here: `channel.created`, `channel.updated`
/// (also a new mode), `channel.deleted`, `channel.cut`, `channel.input`, `destination.created`, `destination.updated`,
/// `destination.deleted` and `destination.state`. `Last-Event-ID` and `reset` work as for `/streams/events`; after a
/// `reset`, read `/channels` again.
#[utoipa::path(
    get, path = "/channels/events",
    params(EventsQuery, ("Last-Event-ID" = Option<u64>, Header, description = "The number of the last event received")),
    responses((status = 200, content_type = "text/event-stream", body = EventJson))
)]
async fn follow_channels(
    handler::State(events): handler::State<EventStreams>,
    request: EventRequest,
) -> Result<Response, Problem> {
    let render = |event: &Event| sse_event(event, shown(event)?);
    request.answer(events, Topic::Channel, render).await
}

fn shown(event: &Event) -> Option<EventJson> {
    let EventBody::Channel(body) = &event.body else { return None };
    Some(EventJson::of(event, body))
}

/// How events of channels are shown.
pub fn event_view() -> EventView {
    EventView::new(shown)
}
