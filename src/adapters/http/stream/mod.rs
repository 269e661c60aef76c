//! `/streams`: live and ended streams, their changes, and ending one.

mod dto;

use std::sync::Arc;

use axum::extract::FromRef;
use axum::response::Response;

use super::event_view::EventView;
use super::handler::{
    Answer, Call, Done, Id, NoContent, Operator, Problem, Routes, State, Viewer, ok, routes,
};
use super::list::{ListAnswer, ListCall};
use super::sse::{EventRequest, EventStreams, EventsQuery, sse_event};
use crate::adapters::views::{StreamList, StreamView};
use crate::app::stream::Streams;
use crate::domain::StreamId;
use crate::domain::event::{Event, EventBody, Topic};
use dto::{StreamEvent, StreamsQuery};

/// The state of the routes.
#[derive(Clone, FromRef)]
pub struct Streaming {
    /// The streams.
    pub streams: Arc<Streams>,
    /// The event streams.
    pub events: EventStreams,
}

/// The routes.
pub fn routes() -> Routes<Streaming> {
    Routes::new("streams")
        .about("Live and ended streams, and their changes.")
        .management(Viewer, "stream", routes!(list_streams))
        .management(Viewer, "stream", routes!(follow_streams))
        .management(Viewer, "stream", routes!(read_stream))
        .management(Operator, "stream", routes!(end_stream))
}

/// List streams
///
/// Newest first. By default only live streams; see `status`. Live streams come whole, or in pages with `limit` or
/// `cursor`; the others always come in pages.
#[utoipa::path(get, path = "/streams", params(StreamsQuery), responses((status = 200, body = StreamList)))]
async fn list_streams(call: ListCall<Streams, StreamsQuery>) -> ListAnswer {
    call.answer(StreamView::of).await
}

/// Read a stream, live or ended
#[utoipa::path(get, path = "/streams/{id}", responses((status = 200, body = StreamView)))]
async fn read_stream(Call(streams, actor): Call<Streams>, Id(id): Id<StreamId>) -> Answer<StreamView> {
    ok(StreamView::of(&streams, streams.get(&actor, id).await?))
}

/// End a stream
///
/// Streamward disconnects the session and waits at most two seconds for that. The stream key stays valid, so the
/// encoder may connect again. To prevent that, revoke the key.
#[utoipa::path(
    delete, path = "/streams/{id}", responses((status = 204, description = "The session is being disconnected"))
)]
async fn end_stream(Call(streams, actor): Call<Streams>, Id(id): Id<StreamId>) -> Done {
    streams.end(&actor, id).await?;
    Ok(NoContent)
}

/// Receive changes of streams
///
/// Server-sent events named `stream.started`, `stream.updated` and `stream.ended`, each with its number as `id` and
/// with data as shown here. `Last-Event-ID` resumes after that number; `EventSource` sends it when it reconnects. An
/// event `reset` means that some events are lost: read `/streams` again. A reader that is too slow is disconnected and
/// may reconnect in the same way.
#[utoipa::path(
    get, path = "/streams/events",
    params(EventsQuery, ("Last-Event-ID" = Option<u64>, Header, description = "The number of the last event received")),
    responses((status = 200, content_type = "text/event-stream", body = StreamEvent))
)]
async fn follow_streams(
    State(streams): State<Arc<Streams>>,
    State(events): State<EventStreams>,
    request: EventRequest,
) -> Result<Response, Problem> {
    let render = move |event: &Event| sse_event(event, shown(&streams, event)?);
    request.answer(events, Topic::Stream, render).await
}

fn shown(streams: &Streams, event: &Event) -> Option<StreamEvent> {
    let EventBody::Stream(body) = &event.body else { return None };
    Some(StreamEvent { at: event.at, stream: StreamView::of(streams, body.stream.clone()) })
}

/// How events of streams are shown.
pub fn event_view(streams: Arc<Streams>) -> EventView {
    EventView::new(move |event| shown(&streams, event))
}
