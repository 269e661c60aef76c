//! Pages of lists: `limit` and `cursor` in the query, `next_cursor` in the answer.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::extract::number;
use crate::adapters::views::Page;
use crate::domain::{Invalid, StreamId, Timestamp};
use crate::ports::StreamCursor;

/// The largest page, and the size of a page without `limit`.
const MAX_PAGE: u32 = 1_000;
const DEFAULT_PAGE: u32 = 100;

/// A place in a list. Callers see it as an opaque cursor.
pub(super) trait Place: Sized {
    fn to_bytes(&self) -> Vec<u8>;
    fn from_bytes(bytes: Vec<u8>) -> Option<Self>;
}

impl Place for StreamCursor {
    fn to_bytes(&self) -> Vec<u8> {
        [&self.started_at.micros().to_be_bytes()[..], self.id.0.as_bytes()].concat()
    }

    fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let bytes = <[u8; 24]>::try_from(bytes).ok()?;
        let (micros, id) = bytes.split_first_chunk::<8>()?;
        let started_at = Timestamp::from_micros(i64::from_be_bytes(*micros));
        Some(Self { started_at, id: StreamId(Uuid::from_slice(id).ok()?) })
    }
}

/// A name: unique, and the list has that order.
impl Place for String {
    fn to_bytes(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        Self::from_utf8(bytes).ok().filter(|name| !name.contains('\0'))
    }
}

/// How many to read and after which place, for the parameters `limit` and `cursor`; the whole list without them. One
/// more than requested shows whether there is a next page.
pub(super) fn requested<P: Place>(
    limit: Option<&str>,
    cursor: Option<&str>,
) -> Result<(Option<u32>, Option<P>), Invalid> {
    let read = |text| URL_SAFE_NO_PAD.decode(text).ok().and_then(P::from_bytes);
    let refused = || Invalid::one("cursor", "must be the next_cursor of an earlier answer");
    let after = cursor.map(|text| read(text).ok_or_else(refused)).transpose()?;
    let limit = number("limit", limit, 1..=MAX_PAGE)?.or(after.as_ref().map(|_| DEFAULT_PAGE));
    Ok((limit.map(|limit| limit + 1), after))
}

/// The answer to a request for `limit` rows, see [`requested`]. `place` is that of a row.
pub(super) fn page<D, P: Place, T>(
    limit: Option<u32>,
    mut found: Vec<D>,
    place: impl Fn(&D) -> P,
    view: impl Fn(D) -> T,
) -> Page<T> {
    let more = limit.is_some_and(|limit| usize::try_from(limit).is_ok_and(|limit| found.len() == limit));
    if more {
        found.pop();
    }
    let last = found.last().filter(|_| more);
    let next_cursor = last.map(|last| URL_SAFE_NO_PAD.encode(place(last).to_bytes()));
    Page { items: found.into_iter().map(view).collect(), next_cursor }
}
