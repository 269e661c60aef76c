//! `/events` and `/event-log`: what happened to anything, as it happens and as a list.

mod dto;

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts, Request};
use axum::response::Response;
use axum::response::sse::{Event as SseEvent, KeepAlive};

use super::event_view::EventViews;
use super::extract::StrictQuery;
use super::handler::{Caller, Problem, Routes, State, Viewer, routes};
use super::list::{ListAnswer, ListCall};
use super::sse::{EventRequest, EventStreams};
use crate::adapters::views::{EventEntryList, EventEntryView};
use crate::app::event_log::{EventLog, LoggedEvent};
use crate::domain::event::Event;
use dto::{EventLogQuery, TopicsQuery};

/// The state of the routes.
#[derive(Clone, FromRef)]
pub struct EventState {
    /// The log.
    pub log: Arc<EventLog>,
    /// The event streams.
    pub events: EventStreams,
    /// What the events say.
    pub views: EventViews,
}

/// The routes.
pub fn routes() -> Routes<EventState> {
    Routes::new("events")
        .about("What happened, to anything.")
        .management(Viewer, "event", routes!(follow_events))
        .management(Viewer, "event", routes!(list_events))
}

/// List events
///
/// Newest first, always in pages. `GET /events` goes on from there: the `seq` of the first one is its `last_event_id`.
#[utoipa::path(
    get, path = "/event-log", params(EventLogQuery), responses((status = 200, body = EventEntryList))
)]
async fn list_events(State(views): State<EventViews>, call: ListCall<EventLog, EventLogQuery>) -> ListAnswer {
    let view = move |_: &EventLog, row: LoggedEvent| {
        let data = row.event.as_ref().map(|event| views.data(event)).unwrap_or_default();
        EventEntryView::of(row.stored, data)
    };
    call.answer(view).await
}

/// Receive events of all topics
///
/// Server-sent events without a name, each with its number as `id` and with data as shown here: one connection for
/// everything. `Last-Event-ID` resumes after that number; `EventSource` sends it when it reconnects. An event `reset` means
/// that some events are lost: read the lists again. An event `ping` comes after 15 s without another one. A reader that is
/// too slow is disconnected and may reconnect in the same way.
#[utoipa::path(
    get, path = "/events",
    params(TopicsQuery, ("Last-Event-ID" = Option<u64>, Header, description = "The number of the last event received")),
    responses((status = 200, content_type = "text/event-stream", body = EventEntryView))
)]
async fn follow_events(
    State(views): State<EventViews>,
    State(events): State<EventStreams>,
    request: Request,
) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    let Caller(actor) = Caller::from_request_parts(&mut parts, &()).await?;
    let StrictQuery(query) = StrictQuery::<TopicsQuery>::from_request_parts(&mut parts, &()).await?;
    let topics = query.topics()?;
    let request = EventRequest::new(actor, &parts, query.last_event_id.as_deref())?;
    let render = move |event: &Event| {
        let stored = event.body.stored(event.seq, event.at, event.organization_id);
        let sent = SseEvent::default().id(event.seq.to_string());
        sent.json_data(EventEntryView::of(stored, views.data(event))).ok()
    };
    let ping = KeepAlive::new().event(SseEvent::default().event("ping").data("{}"));
    request.answer_all(events, &topics, ping, render).await
}
