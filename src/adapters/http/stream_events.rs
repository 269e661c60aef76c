//! `GET /streams/events`: what changes about streams.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::problem::Problem;
use super::sse::{EventStreams, EventsQuery, Follow, told};
use super::streams::StreamJson;
use crate::app::stream::Streams;
use crate::domain::Timestamp;
use crate::domain::event::{Event, EventBody, Topic};

/// The data of an event.
#[derive(Serialize, ToSchema)]
pub(super) struct StreamEvent {
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The stream right after it.
    stream: StreamJson,
}

/// Follow what changes
///
/// Server-sent events named `stream.started`, `stream.updated` and `stream.ended`, each with its number as `id` and
/// with data as shown here. `Last-Event-ID` (what `EventSource` sends by itself when it comes back) resumes behind that
/// number. An event `reset` means that numbers in between are gone: read `/streams` anew. A reader that is too slow is
/// dropped and may come back the same way.
#[utoipa::path(
    get,
    path = "/streams/events",
    tag = "streams",
    params(EventsQuery, ("Last-Event-ID" = Option<u64>, Header, description = "The last number that was seen")),
    responses((status = 200, content_type = "text/event-stream", body = StreamEvent)),
    extensions(("x-role" = json!("viewer")))
)]
pub(super) async fn follow_streams(
    State(streams): State<Arc<Streams>>,
    State(events): State<EventStreams>,
    follow: Follow,
) -> Result<Response, Problem> {
    let tell = move |event: &Event| {
        let EventBody::Stream(body) = &event.body else { return None };
        let stream = StreamJson::of(&streams, body.stream.clone());
        told(event, StreamEvent { at: event.at, stream })
    };
    follow.answer(events, Topic::Stream, tell).await
}
