//! `/streamers/events` and `/streamers/{id}/events`: changes of streamers, and the history of each status.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use axum::response::sse::Event as SseEvent;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::authentication::Caller;
use super::extract::{Id, StrictQuery, number};
use super::problem::Problem;
use super::sse::{EventRequest, EventStreams, EventsQuery, sse_event};
use super::streamers::{SessionJson, StatusJson, StreamerJson};
use crate::app::streamer::{MOST_EVENTS, Streamers};
use crate::domain::event::{Event, EventBody, Topic};
use crate::domain::streamer::{Change, Source, StatusEvent};
use crate::domain::{StreamerId, Timestamp};

/// Number of changes without `limit`.
const DEFAULT_EVENTS: u32 = 100;

/// A change of status.
#[derive(Serialize, ToSchema)]
#[schema(as = StatusChange)]
pub(super) struct ChangeJson {
    previous_status: StatusJson,
    /// `online` or `offline`; never the same as before.
    new_status: StatusJson,
    /// When it happened: Kick's time if known, otherwise when the report arrived.
    #[schema(value_type = String, format = DateTime)]
    occurred_at: Timestamp,
    /// When the report arrived.
    #[schema(value_type = String, format = DateTime)]
    received_at: Timestamp,
    source: SourceJson,
    /// The session that began or ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    session: Option<SessionJson>,
    /// Present if a ban ended the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = true)]
    banned: Option<bool>,
}

/// The source of a change.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = StatusSource)]
pub(super) enum SourceJson {
    /// Kick's old feed. Unofficial.
    Pusher,
    /// Kick's current feed. Unofficial.
    Centrifugo,
    /// Kick's webhooks.
    Webhook,
    /// A poll of Kick's API.
    Poll,
}

impl From<Source> for SourceJson {
    fn from(source: Source) -> Self {
        match source {
            Source::Pusher => Self::Pusher,
            Source::Centrifugo => Self::Centrifugo,
            Source::Webhook => Self::Webhook,
            Source::Poll => Self::Poll,
        }
    }
}

impl From<Change> for ChangeJson {
    fn from(change: Change) -> Self {
        Self {
            previous_status: change.previous_status.into(),
            new_status: change.new_status.into(),
            occurred_at: change.occurred_at,
            received_at: change.received_at,
            source: change.source.into(),
            session: change.session.map(SessionJson::from),
            banned: change.banned.then_some(true),
        }
    }
}

/// A change of status in the history.
#[derive(Serialize, ToSchema)]
#[schema(as = StatusEvent)]
pub(super) struct StatusEventJson {
    /// The number of its event.
    seq: i64,
    #[serde(flatten)]
    change: ChangeJson,
    /// When it was stored.
    #[schema(value_type = String, format = DateTime)]
    recorded_at: Timestamp,
}

impl From<StatusEvent> for StatusEventJson {
    fn from(event: StatusEvent) -> Self {
        Self { seq: event.seq, change: event.change.into(), recorded_at: event.recorded_at }
    }
}

/// Changes of one streamer's status.
#[derive(Serialize, ToSchema)]
pub(super) struct StatusEventList {
    events: Vec<StatusEventJson>,
    /// How many are in this answer.
    count: usize,
}

/// Which changes.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryQuery {
    /// At most this many; 100 without it.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 500)]
    limit: Option<String>,
    /// Changes before this `seq`. For the next page: the last `seq` of this page.
    #[param(value_type = Option<u64>)]
    before: Option<String>,
}

/// Read the status history of a streamer
///
/// Newest first, including changes within the flap window.
#[utoipa::path(
    get,
    path = "/streamers/{id}/events",
    tag = "streamers",
    params(("id" = Uuid, Path), HistoryQuery),
    responses((status = 200, body = StatusEventList)),
    extensions(("x-role" = json!("viewer")))
)]
pub(super) async fn list_status_events(
    State(streamers): State<Arc<Streamers>>,
    Caller(actor): Caller,
    Id(id): Id<StreamerId>,
    StrictQuery(query): StrictQuery<HistoryQuery>,
) -> Result<Json<StatusEventList>, Problem> {
    let limit = number("limit", query.limit.as_deref(), 1, u64::from(MOST_EVENTS))?;
    let limit = limit.and_then(|limit| u32::try_from(limit).ok()).unwrap_or(DEFAULT_EVENTS);
    let before = number("before", query.before.as_deref(), 0, i64::MAX.unsigned_abs())?;
    let before = before.and_then(|before| i64::try_from(before).ok());
    let found = streamers.status_events(&actor, id, before, limit).await?;
    let events: Vec<StatusEventJson> = found.into_iter().map(StatusEventJson::from).collect();
    Ok(Json(StatusEventList { count: events.len(), events }))
}

/// The data of an event.
#[derive(Serialize, ToSchema)]
pub(super) struct StreamerEvent {
    /// When the change happened.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The streamer after the change.
    streamer: StreamerJson,
    /// The change of status; absent if something else changed, or an earlier event was about this change.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    change: Option<ChangeJson>,
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
    get,
    path = "/streamers/events",
    tag = "streamers",
    params(EventsQuery, ("Last-Event-ID" = Option<u64>, Header, description = "The number of the last event received")),
    responses((status = 200, content_type = "text/event-stream", body = StreamerEvent)),
    extensions(("x-role" = json!("viewer")))
)]
pub(super) async fn follow_streamers(
    State(events): State<EventStreams>,
    request: EventRequest,
) -> Result<Response, Problem> {
    request.answer(events, Topic::Streamer, render).await
}

fn render(event: &Event) -> Option<SseEvent> {
    let EventBody::Streamer(body) = &event.body else { return None };
    let change = body.change.clone().map(ChangeJson::from);
    sse_event(event, StreamerEvent { at: event.at, streamer: body.streamer.clone().into(), change })
}
