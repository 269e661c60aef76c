//! `GET /streams/events`: changes of streams.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;
use super::sse::{EventRequest, EventStreams, EventsQuery, sse_event};
use super::streams::StreamJson;
use crate::app::stream::Streams;
use crate::domain::Timestamp;
use crate::domain::event::{Event, EventBody, Topic};

/// The data of an event.
#[derive(Serialize, ToSchema)]
pub(super) struct StreamEvent {
    /// When the change happened.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The stream after the change.
    stream: StreamJson,
}

/// Receive changes of streams
///
/// Server-sent events named `stream.started`, `stream.updated` and `stream.ended`, each with its number as `id` and
/// with data as shown here. `Last-Event-ID` resumes after that number; `EventSource` sends it when it reconnects. An
/// event `reset` means that some events are lost: read `/streams` again. A reader that is too slow is disconnected and
/// may reconnect in the same way.
#[utoipa::path(
    get,
    path = "/streams/events",
    tag = "streams",
    params(EventsQuery, ("Last-Event-ID" = Option<u64>, Header, description = "The number of the last event received")),
    responses((status = 200, content_type = "text/event-stream", body = StreamEvent)),
    extensions(("x-role" = json!("viewer")))
)]
pub(super) async fn follow_streams(
    State(streams): State<Arc<Streams>>,
    State(events): State<EventStreams>,
    request: EventRequest,
) -> Result<Response, Problem> {
    let render = move |event: &Event| {
        let EventBody::Stream(body) = &event.body else { return None };
        let stream = StreamJson::of(&streams, body.stream.clone());
        sse_event(event, StreamEvent { at: event.at, stream })
    };
    request.answer(events, Topic::Stream, render).await
}
