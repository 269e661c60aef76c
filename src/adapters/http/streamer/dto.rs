//! The bodies and queries of `/streamers`, and its events.

use std::fmt;

use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use utoipa::ToSchema;

use crate::adapters::http::extract::{ListQuery, number};
use crate::adapters::http::list::page;
use crate::adapters::views::{ChangeView, DateTime, StatusEventView, StreamerView};
use crate::app::streamer::{MOST_EVENTS, StreamerDraft};
use crate::domain::Invalid;
use crate::domain::page::Page;
use crate::domain::streamer::StatusEvent;
use crate::ports::StreamerFilter;

/// Number of changes without `limit`.
const DEFAULT_EVENTS: u32 = 100;

/// One of Kick's numbers in a body. The domain checks its range.
struct Number(u64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Whole;
        impl Visitor<'_> for Whole {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a number from 1 to {}", i64::MAX)
            }

            fn visit_u64<E>(self, number: u64) -> Result<Number, E> {
                Ok(Number(number))
            }
        }
        deserializer.deserialize_u64(Whole)
    }
}

/// A streamer to watch. Streamward finds the numbers itself. Set them only if `problem` of the streamer requires it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StreamerDraft)]
pub(super) struct DraftJson {
    /// The name on Kick, `@name`, or the address of the channel.
    #[schema(value_type = String, required = true, example = "xqc", pattern = "^(https://)?(www[.])?(kick[.]com/)?@?[0-9A-Za-z_-]{1,64}/?$")]
    username: Option<String>,
    #[schema(min_length = 1, max_length = 200)]
    display_name: Option<String>,
    /// `true` without it.
    is_active: Option<bool>,
    #[schema(value_type = Option<u64>, minimum = 1)]
    user_id: Option<Number>,
    #[schema(value_type = Option<u64>, minimum = 1)]
    channel_id: Option<Number>,
    #[schema(value_type = Option<u64>, minimum = 1)]
    chatroom_id: Option<Number>,
    /// Who owns it. Without it: the first organization, or the only one of the client.
    #[schema(value_type = Option<Uuid>)]
    organization_id: Option<String>,
}

/// Changes of a streamer. Absent fields stay unchanged.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StreamerPatch)]
pub(super) struct PatchJson {
    /// Another name on Kick. This resets numbers, status and session, and keeps the history.
    #[schema(example = "xqc", pattern = "^(https://)?(www[.])?(kick[.]com/)?@?[0-9A-Za-z_-]{1,64}/?$")]
    username: Option<String>,
    #[schema(min_length = 1, max_length = 200)]
    display_name: Option<String>,
    is_active: Option<bool>,
    #[schema(value_type = Option<u64>, minimum = 1)]
    user_id: Option<Number>,
    #[schema(value_type = Option<u64>, minimum = 1)]
    channel_id: Option<Number>,
    #[schema(value_type = Option<u64>, minimum = 1)]
    chatroom_id: Option<Number>,
}

macro_rules! into_draft {
    ($($from:ident: |$json:ident| $owner:expr),+) => {$(
        impl From<$from> for StreamerDraft {
            fn from($json: $from) -> Self {
                let organization_id = $owner;
                let $from { username, display_name, is_active, user_id, channel_id, chatroom_id, .. } = $json;
                let [user_id, channel_id, chatroom_id] =
                    [user_id, channel_id, chatroom_id].map(|number| number.map(|Number(number)| number));
                Self { username, display_name, is_active, user_id, channel_id, chatroom_id, organization_id }
            }
        }
    )+};
}

into_draft!(DraftJson: |json| json.organization_id.clone(), PatchJson: |json| None);

/// Filter of the streamers.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StreamersQuery {
    /// `unknown`, `online`, `offline` or `all` (default).
    #[param(pattern = "^(unknown|online|offline|all)$")]
    status: Option<String>,
    /// Watched (`true`) or not watched (`false`) streamers; both without it.
    #[param(value_type = Option<bool>)]
    active: Option<String>,
    /// The streamer with this name; upper and lower case do not matter.
    username: Option<String>,
    /// At most this many. Without it: the whole list, or 100 after a `cursor`.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
    /// `next_cursor` of the previous page.
    #[param(pattern = "^[0-9A-Za-z_-]+$")]
    cursor: Option<String>,
}

impl ListQuery for StreamersQuery {
    type Filter = (StreamerFilter, Page<String>);

    fn filter(self) -> Result<Self::Filter, Invalid> {
        let status = self.status.filter(|status| status != "all").map(|status| status.parse()).transpose();
        let status = status.map_err(|_| Invalid::one("status", "must be unknown, online, offline or all"))?;
        let is_active = self.active.map(|active| active.parse()).transpose();
        let is_active = is_active.map_err(|_| Invalid::one("active", "must be true or false"))?;
        let filter = StreamerFilter { status, is_active, username: self.username, user: None };
        Ok((filter, page(self.limit.as_deref(), self.cursor.as_deref())?))
    }
}

/// Changes of one streamer's status.
#[derive(Serialize, ToSchema)]
pub(super) struct StatusEventList {
    events: Vec<StatusEventView>,
    /// How many are in this answer.
    count: usize,
}

impl From<Vec<StatusEvent>> for StatusEventList {
    fn from(found: Vec<StatusEvent>) -> Self {
        Self { count: found.len(), events: found.into_iter().map(StatusEventView::from).collect() }
    }
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

impl ListQuery for HistoryQuery {
    /// The `seq` to read before, and how many to read.
    type Filter = (Option<i64>, u32);

    fn filter(self) -> Result<Self::Filter, Invalid> {
        let limit = number("limit", self.limit.as_deref(), 1..=MOST_EVENTS)?;
        let before = number("before", self.before.as_deref(), 0..=i64::MAX)?;
        Ok((before, limit.unwrap_or(DEFAULT_EVENTS)))
    }
}

/// The data of an event.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
pub(super) struct StreamerEvent {
    /// When the change happened.
    pub(super) at: DateTime,
    /// The streamer after the change.
    pub(super) streamer: StreamerView,
    /// The change of status; absent if something else changed, or an earlier event was about this change.
    pub(super) change: Option<ChangeView>,
}
