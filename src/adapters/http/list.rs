//! Lists: `limit` and `cursor` in the query, and the answer, which is sent while the list is read.
//!
//! The answer is one JSON object, however long the list is. A short one is read whole and has an entity tag. Of a long one
//! only a part is in memory. The next part is read when the client has received the one before, and no database connection
//! is held meanwhile.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{FromRef, FromRequestParts};
use axum::http::header::{CONTENT_TYPE, ETAG};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use tracing::{Instrument as _, Span};
use uuid::Uuid;

use super::admission::{LongLists, Slot};
use super::entity_tag::EntityTag;
use super::extract::{Filter, Id, ListQuery, number};
use super::handler::Call;
use super::problem::Problem;
use crate::adapters::views::Listed;
use crate::app::list::{List, Pages, PlaceIn};
use crate::app::{AppError, Result};
use crate::domain::access::Actor;
use crate::domain::media_server::MediaServerName;
use crate::domain::page::{Newest, Page, Placed};
use crate::domain::{Invalid, Timestamp};
use crate::ports::StoreError;

/// The largest page that a client can request, and the size of a page without `limit`.
const MAX_PAGE: u32 = 1_000;
pub(super) const DEFAULT_PAGE: u32 = 100;

/// An answer of up to so many bytes is read whole before it is sent, so that it can have an entity tag.
const TAGGED_BYTES: usize = 1 << 20;

/// A place in a list. Clients see it as an opaque cursor.
pub(super) trait Cursor: Sized {
    fn to_bytes(&self) -> Vec<u8>;
    fn from_bytes(bytes: Vec<u8>) -> Option<Self>;

    fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.to_bytes())
    }

    fn parse(text: &str) -> std::result::Result<Self, Invalid> {
        let place = URL_SAFE_NO_PAD.decode(text).ok().and_then(Self::from_bytes);
        place.ok_or_else(|| Invalid::one("cursor", "must be the next_cursor of an earlier answer"))
    }
}

impl Cursor for Newest {
    fn to_bytes(&self) -> Vec<u8> {
        [&self.at.micros().to_be_bytes()[..], self.id.as_bytes()].concat()
    }

    fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let bytes = <[u8; 24]>::try_from(bytes).ok()?;
        let (micros, id) = bytes.split_first_chunk::<8>()?;
        let at = Timestamp::from_micros(i64::from_be_bytes(*micros));
        Some(Self { at, id: Uuid::from_slice(id).ok()? })
    }
}

/// A name. Lists of names have that order.
impl Cursor for String {
    fn to_bytes(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        Self::from_utf8(bytes).ok().filter(|name| !name.contains('\0'))
    }
}

impl Cursor for MediaServerName {
    fn to_bytes(&self) -> Vec<u8> {
        self.as_str().into()
    }

    fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        Self::parse(&String::from_bytes(bytes)?).ok()
    }
}

/// The page that the parameters `limit` and `cursor` name; the whole list without them.
pub(super) fn page<P: Cursor>(
    limit: Option<&str>,
    cursor: Option<&str>,
) -> std::result::Result<Page<P>, Invalid> {
    let after = cursor.map(P::parse).transpose()?;
    let limit = number("limit", limit, 1..=MAX_PAGE)?.or(after.as_ref().map(|_| DEFAULT_PAGE));
    Ok(Page { limit, after })
}

/// The query of a list without filters, newest first.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// At most this many. Without it: the whole list, or 100 after a `cursor`.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
    /// `next_cursor` of the previous page.
    #[param(pattern = "^[0-9A-Za-z_-]{32}$")]
    cursor: Option<String>,
}

impl ListQuery for PageQuery {
    type Filter = ((), Page<Newest>);

    fn filter(self) -> std::result::Result<Self::Filter, Invalid> {
        Ok(((), page(self.limit.as_deref(), self.cursor.as_deref())?))
    }
}

/// The answer to a call of a list.
pub(super) type ListAnswer = std::result::Result<Response, Problem>;

/// A call of the list of `L` with the query `Q`.
pub(super) struct ListCall<L: List, Q> {
    service: Arc<L>,
    pages: Pages<L>,
    caller: String,
    long_lists: LongLists,
    headers: HeaderMap,
    query: PhantomData<fn() -> Q>,
}

impl<L: List, Q> ListCall<L, Q> {
    /// The call with these parts: of one page of what `filter` selects.
    fn new(
        Call(service, actor): Call<L>,
        filter: L::Filter,
        page: Page<PlaceIn<L>>,
        parts: &Parts,
    ) -> std::result::Result<Self, Problem> {
        // Absent only on a route outside of the management API.
        let long_lists = parts.extensions.get::<LongLists>().cloned().ok_or_else(Problem::internal)?;
        let (caller, headers) = (actor.caller(), parts.headers.clone());
        let pages = Pages::new(actor, filter, page);
        Ok(Self { service, pages, caller, long_lists, headers, query: PhantomData })
    }
}

impl<L, Q, S> FromRequestParts<S> for ListCall<L, Q>
where
    L: List + 'static,
    Q: ListQuery<Filter = (L::Filter, Page<PlaceIn<L>>)>,
    Arc<L>: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> std::result::Result<Self, Problem> {
        let call = Call::<L>::from_request_parts(parts, state).await?;
        let Filter((filter, page)) = Filter::<Q>::from_request_parts(parts, state).await?;
        Self::new(call, filter, page, parts)
    }
}

/// What names a resource in the path.
pub(super) trait InPath<T> {
    fn found(self) -> T;
}

impl<T> InPath<T> for Id<T> {
    fn found(self) -> T {
        self.0
    }
}

/// A call of the list of what belongs to the resource in the path, which `K` names.
pub(super) struct ListWithin<L: List, K = Id<<L as List>::Filter>>(
    ListCall<L, PageQuery>,
    PhantomData<fn() -> K>,
);

impl<L, K, S> FromRequestParts<S> for ListWithin<L, K>
where
    L: List + 'static,
    K: FromRequestParts<S, Rejection = Problem> + InPath<L::Filter>,
    L::Row: Placed<Place = Newest>,
    Arc<L>: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> std::result::Result<Self, Problem> {
        let call = Call::<L>::from_request_parts(parts, state).await?;
        let of = K::from_request_parts(parts, state).await?.found();
        let Filter(((), page)) = Filter::<PageQuery>::from_request_parts(parts, state).await?;
        Ok(Self(ListCall::new(call, of, page, parts)?, PhantomData))
    }
}

impl<L: List<Row: Placed<Place = Newest>> + 'static, K> ListWithin<L, K> {
    /// As [`ListCall::answer`].
    pub(super) async fn answer<T: Listed + 'static>(
        self,
        view: impl Fn(&L, L::Row) -> T + Send + 'static,
    ) -> ListAnswer {
        self.0.answer(view).await
    }
}

/// A call of the list of what belongs to the resource in the path, with the query `Q`.
pub(super) struct ListOf<L: List, Q>(pub(super) ListCall<L, Q>);

impl<L, Q, I, F, S> FromRequestParts<S> for ListOf<L, Q>
where
    L: List<Filter = (I, F)> + 'static,
    Q: ListQuery<Filter = (F, Page<PlaceIn<L>>)>,
    I: FromStr + Send,
    Arc<L>: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> std::result::Result<Self, Problem> {
        let call = Call::<L>::from_request_parts(parts, state).await?;
        let Id(of) = Id::<I>::from_request_parts(parts, state).await?;
        let Filter((filter, page)) = Filter::<Q>::from_request_parts(parts, state).await?;
        Ok(Self(ListCall::new(call, (of, filter), page, parts)?))
    }
}

impl<L, Q> ListCall<L, Q>
where
    L: List + 'static,
    PlaceIn<L>: Cursor,
{
    /// The service, and who calls.
    pub(super) fn caller(&self) -> (&L, &Actor) {
        (&self.service, self.pages.actor())
    }

    /// Answers with the rows as `view` shows them, and with `beside` in the field that [`Listed::beside`] names.
    pub(super) async fn answer_with<T: Listed + 'static>(
        self,
        view: impl Fn(&L, L::Row) -> T + Send + 'static,
        beside: &impl Serialize,
    ) -> ListAnswer {
        let Some((field, _)) = T::beside() else { return self.answer(view).await };
        let beside = serde_json::to_string(beside).map_err(|_| Problem::internal())?;
        self.send(view, format!(",\"{field}\":{beside}")).await
    }

    /// Answers with the rows as `view` shows them. If reading them fails before the answer begins, that is a problem;
    /// later, the connection is closed before the answer is complete.
    pub(super) async fn answer<T: Listed + 'static>(
        self,
        view: impl Fn(&L, L::Row) -> T + Send + 'static,
    ) -> ListAnswer {
        self.send(view, String::new()).await
    }

    async fn send<T: Listed + 'static>(
        self,
        view: impl Fn(&L, L::Row) -> T + Send + 'static,
        beside: String,
    ) -> ListAnswer {
        let Self { service, pages, caller, long_lists, headers, query: _ } = self;
        let (count, is_complete) = (0, false);
        let mut document = Document { service, pages, view, beside, count, is_complete, _row: PhantomData };
        let mut begun = vec![document.part().await?];
        let sending = (!document.is_complete).then(|| long_lists.take(caller)).transpose()?;
        while !document.is_complete && begun.iter().map(Bytes::len).sum::<usize>() < TAGGED_BYTES {
            begun.push(document.part().await?);
        }
        if document.is_complete {
            return Ok(whole(begun, sending, &headers));
        }
        let span = Span::current();
        let rest = stream::try_unfold((document, sending), move |(mut document, sending)| {
            let span = span.clone();
            async move {
                if document.is_complete {
                    return Ok::<_, AppError>(None);
                }
                let part = document.part().instrument(span.clone()).await;
                let part = part.inspect_err(|error| {
                    span.in_scope(|| tracing::error!(%error, list = T::FIELD, "a list is cut off: its next rows cannot be read"));
                })?;
                Ok(Some((part, (document, sending))))
            }
        });
        Ok(json(Body::from_stream(stream::iter(begun.into_iter().map(Ok)).chain(rest))))
    }
}

/// A list that was read whole; 304 if the client has it already. `sending` is held until the list is sent.
fn whole(parts: Vec<Bytes>, sending: Option<Slot<String>>, request: &HeaderMap) -> Response {
    let tag = EntityTag::of(parts.iter().map(|part| &**part));
    let mut response = if tag.is_known(request) {
        StatusCode::NOT_MODIFIED.into_response()
    } else if let [part] = &*parts {
        json(Body::from(part.clone()))
    } else {
        let parts = parts.into_iter().map(move |part| {
            let _held = &sending;
            Ok::<_, Infallible>(part)
        });
        json(Body::from_stream(stream::iter(parts)))
    };
    response.headers_mut().extend(tag.to_header().map(|tag| (ETAG, tag)));
    response
}

fn json(body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The JSON object of a list, part by part.
struct Document<L: List, V, T> {
    service: Arc<L>,
    pages: Pages<L>,
    view: V,
    /// JSON that follows the rows.
    beside: String,
    /// How many rows it has so far.
    count: usize,
    is_complete: bool,
    _row: PhantomData<fn() -> T>,
}

impl<L, V, T> Document<L, V, T>
where
    L: List,
    PlaceIn<L>: Cursor,
    V: Fn(&L, L::Row) -> T,
    T: Listed,
{
    /// The next part: the next rows, and what stands before and after all rows.
    async fn part(&mut self) -> Result<Bytes> {
        let is_first = self.count == 0;
        let rows = self.pages.next(&self.service).await?;
        let mut json = Vec::new();
        if is_first {
            json.extend_from_slice(format!("{{\"{}\":[", T::FIELD).as_bytes());
        }
        for row in rows {
            if self.count > 0 {
                json.push(b',');
            }
            self.count += 1;
            let row = (self.view)(&self.service, row);
            serde_json::to_writer(&mut json, &row)
                .map_err(|error| StoreError::Corrupt(format!("a row is no JSON: {error}")))?;
        }
        if self.pages.is_over() {
            self.is_complete = true;
            json.extend_from_slice(format!("],\"count\":{}", self.count).as_bytes());
            if let Some(place) = self.pages.continues_after() {
                json.extend_from_slice(format!(",\"next_cursor\":\"{}\"", place.to_text()).as_bytes());
            }
            json.extend_from_slice(self.beside.as_bytes());
            json.push(b'}');
        }
        Ok(json.into())
    }
}
