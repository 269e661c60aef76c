//! Server-sent events (WHATWG HTML, 9.2), read from the event log. A reader that reconnects with its last number misses
//! nothing. Each slice chooses its events and their form.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::sse::{Event as SseEvent, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream, StreamExt as _};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::admission::{Slot, Slots, share};
use super::authentication::Caller;
use super::extract::StrictQuery;
use super::problem::Problem;
use super::shown::Credential;
use crate::app::AppError;
use crate::app::access::{Access, SIGNATURE_WINDOW};
use crate::app::events::{EventReader, Events, Next};
use crate::app::user::Users;
use crate::domain::Invalid;
use crate::domain::access::{Actor, Origin};
use crate::domain::event::{Event, Topic};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// How often a comment is sent while there are no events, so that proxies keep the connection open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// After how long a reader should reconnect when the answer has ended.
const RETRY: Duration = Duration::from_secs(2);
/// The longest duration of an answer. The reader then reconnects and authenticates again.
const LIFETIME: Duration = Duration::from_secs(3600);

/// The same for a reader that signed its request: a signature is not valid for longer.
const SIGNED_LIFETIME: Duration = Duration::from_secs(SIGNATURE_WINDOW.unsigned_abs());

/// How often the reader's token or session is checked.
const RECHECK: Duration = Duration::from_millis(700);

/// Where to resume.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
    /// For clients that cannot set the header `Last-Event-ID`. The header takes precedence.
    #[param(value_type = Option<u64>)]
    last_event_id: Option<String>,
}

/// How many readers may be connected at once, in all and for one caller.
const READERS: (usize, usize) = (2_000, 500);

/// The state that all event streams share.
#[derive(Clone)]
pub struct EventStreams {
    events: Arc<Events>,
    access: Arc<Access>,
    users: Arc<Users>,
    checks: Arc<CredentialChecks>,
    readers: Slots<String>,
    stop: CancellationToken,
}

/// When each token or session was last checked, and whether it was valid. However many readers have it, it is checked once.
#[derive(Default)]
struct CredentialChecks(Mutex<HashMap<[u8; 32], (Instant, bool)>>);

impl CredentialChecks {
    /// Whether it is still valid. While the database does not answer, it is.
    async fn is_valid(&self, access: &Access, users: &Users, credential: &Credential) -> bool {
        let fingerprint = credential.fingerprint();
        let mut checks = self.0.lock().await;
        checks.retain(|_, (at, _)| at.elapsed() < RECHECK);
        if let Some((_, is_valid)) = checks.get(&fingerprint) {
            return *is_valid;
        }
        let known = credential.actor(access, users, Origin::default()).await;
        let is_valid = !matches!(known, Err(AppError::Unauthenticated(_)));
        checks.insert(fingerprint, (Instant::now(), is_valid));
        is_valid
    }
}

impl EventStreams {
    /// Answers end at `stop`, and when the reader's token or session becomes invalid. Readers leave most of `connections`
    /// to others.
    pub fn new(
        events: Arc<Events>,
        (access, users): (Arc<Access>, Arc<Users>),
        stop: CancellationToken,
        connections: usize,
    ) -> Self {
        let all = share(READERS.0, connections);
        let readers = Slots::new(all, READERS.1.min(all / 2));
        Self { events, access, users, checks: Arc::default(), readers, stop }
    }
}

/// A request for events: the reader, and the event to resume after.
pub(super) struct EventRequest {
    actor: Actor,
    credential: Option<Credential>,
    after: Option<i64>,
}

impl<S: Send + Sync> FromRequestParts<S> for EventRequest {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Caller(actor) = Caller::from_request_parts(parts, state).await?;
        let StrictQuery(query) = StrictQuery::<EventsQuery>::from_request_parts(parts, state).await?;
        Ok(Self::new(actor, parts, query.last_event_id.as_deref())?)
    }
}

impl EventRequest {
    /// The request of `actor`, which resumes behind the number in the header or behind `last`.
    pub(super) fn new(actor: Actor, parts: &Parts, last: Option<&str>) -> Result<Self, Invalid> {
        let after = resume_from(&parts.headers, last)?;
        Ok(Self { actor, credential: parts.extensions.get().cloned(), after })
    }

    /// The answer: the events of `topic`, made by `render`, while the reader is connected and allowed.
    pub(super) async fn answer<T>(
        self,
        shared: EventStreams,
        topic: Topic,
        render: T,
    ) -> Result<Response, Problem>
    where
        T: Fn(&Event) -> Option<SseEvent> + Send + 'static,
    {
        self.answer_all(shared, &[topic], KeepAlive::new(), render).await
    }

    /// The same of several topics. `ping` is sent while there are no events.
    pub(super) async fn answer_all<T>(
        self,
        shared: EventStreams,
        topics: &[Topic],
        ping: KeepAlive,
        render: T,
    ) -> Result<Response, Problem>
    where
        T: Fn(&Event) -> Option<SseEvent> + Send + 'static,
    {
        let Self { actor, credential, after } = self;
        let slot = shared.readers.take(actor.caller())?;
        let reader = shared.events.subscribe(&actor, topics, after).await?;
        metrics::gauge!("streamward_event_readers").increment(1);
        let now = Instant::now();
        let lifetime = if credential.is_some() { LIFETIME } else { SIGNED_LIFETIME };
        let reader_events = ReaderEvents {
            shared,
            reader,
            render,
            credential,
            until: now + lifetime,
            recheck: now + RECHECK,
            _slot: slot,
        };
        let hello = stream::iter([Ok(SseEvent::default().retry(RETRY))]);
        let events = hello.chain(reader_events.into_stream());
        let sse = Sse::new(events).keep_alive(ping.interval(KEEP_ALIVE));
        // nginx would buffer the events.
        Ok(([("x-accel-buffering", HeaderValue::from_static("no"))], sse).into_response())
    }
}

/// An event with its name and number.
pub(super) fn sse_event(event: &Event, data: impl Serialize) -> Option<SseEvent> {
    let named = SseEvent::default().event(event.body.kind()).id(event.seq.to_string());
    named.json_data(data).ok()
}

fn resume_from(headers: &HeaderMap, last: Option<&str>) -> Result<Option<i64>, Invalid> {
    let header = headers.get(LAST_EVENT_ID).map(|value| value.to_str().unwrap_or("?"));
    // EventSource sends an empty one before its first event.
    let header = header.map(|text| ("Last-Event-ID", text)).filter(|(_, text)| !text.is_empty());
    let given = header.or(last.map(|text| ("last_event_id", text)));
    let Some((field, text)) = given else { return Ok(None) };
    let number = text.parse().ok().filter(|number: &i64| *number >= 0);
    number.map(Some).ok_or_else(|| Invalid::one(field, "must be the number of an event"))
}

/// The events of one reader.
struct ReaderEvents<T> {
    shared: EventStreams,
    reader: EventReader,
    render: T,
    credential: Option<Credential>,
    until: Instant,
    recheck: Instant,
    _slot: Slot<String>,
}

impl<T> Drop for ReaderEvents<T> {
    fn drop(&mut self) {
        metrics::gauge!("streamward_event_readers").decrement(1);
    }
}

impl<T: Fn(&Event) -> Option<SseEvent> + Send + 'static> ReaderEvents<T> {
    fn into_stream(self) -> impl Stream<Item = Result<SseEvent, Infallible>> + Send + 'static {
        stream::unfold(self, |mut this| async {
            let event = this.next().await?;
            Some((Ok(event), this))
        })
    }

    /// The next event; `None` ends the answer.
    async fn next(&mut self) -> Option<SseEvent> {
        loop {
            let now = Instant::now();
            if now >= self.until || (now >= self.recheck && !self.is_still_known().await) {
                return None;
            }
            let stopping = self.shared.stop.clone();
            let next = stopping.run_until_cancelled(self.reader.next());
            let Ok(next) = timeout_at(self.until.min(self.recheck), next).await else { continue };
            match next? {
                Ok(Next::Event(event)) => {
                    if let Some(event) = (self.render)(&event) {
                        return Some(event);
                    }
                }
                Ok(Next::Reset { seq }) => {
                    return Some(SseEvent::default().event("reset").id(seq.to_string()).data("{}"));
                }
                Ok(Next::Closed) => {
                    metrics::counter!("streamward_event_readers_dropped_total").increment(1);
                    return None;
                }
                Err(error) => {
                    tracing::warn!(%error, "a reader of events was disconnected: the event log cannot be read");
                    return None;
                }
            }
        }
    }

    /// Whether the token or session is still valid. While the check fails, the reader stays connected.
    async fn is_still_known(&mut self) -> bool {
        self.recheck = Instant::now() + RECHECK;
        let Some(credential) = &self.credential else { return true };
        let is_valid = self.shared.checks.is_valid(&self.shared.access, &self.shared.users, credential).await;
        if !is_valid {
            tracing::info!("a reader of events was disconnected: its token or session has ended");
        }
        is_valid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_takes_precedence_over_the_query() {
        let mut headers = HeaderMap::new();
        assert_eq!(resume_from(&headers, None), Ok(None));
        assert_eq!(resume_from(&headers, Some("7")), Ok(Some(7)));
        headers.insert(LAST_EVENT_ID, HeaderValue::from_static(""));
        assert_eq!(resume_from(&headers, Some("7")), Ok(Some(7)));
        headers.insert(LAST_EVENT_ID, HeaderValue::from_static("9"));
        assert_eq!(resume_from(&headers, Some("7")), Ok(Some(9)));
        headers.insert(LAST_EVENT_ID, HeaderValue::from_static("-1"));
        assert_eq!(resume_from(&headers, Some("7")).unwrap_err().0[0].field, "Last-Event-ID");
    }
}
