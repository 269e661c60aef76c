//! The queries of `/events` and `/event-log`.

use serde::Deserialize;

use crate::adapters::http::extract::{ListQuery, number, uuid};
use crate::adapters::http::list::{Cursor, DEFAULT_PAGE};
use crate::app::event_log::EventPlace;
use crate::domain::Invalid;
use crate::domain::event::Topic;
use crate::domain::page::Page;
use crate::ports::EventFilter;

const MAX_PAGE: u32 = 1_000;

/// Which events, and where to resume.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TopicsQuery {
    /// Topics, separated by commas: `stream`, `stream_key`, `broadcaster`, `streamer`, `channel`, `studio`,
    /// `media_server`. All without it.
    #[param(example = "stream,channel")]
    topics: Option<String>,
    /// For clients that cannot set the header `Last-Event-ID`. The header takes precedence.
    #[param(value_type = Option<u64>)]
    pub(super) last_event_id: Option<String>,
}

impl TopicsQuery {
    pub(super) fn topics(&self) -> Result<Vec<Topic>, Invalid> {
        let Some(words) = &self.topics else { return Ok(Topic::ALL.to_vec()) };
        words.split(',').map(|word| topic("topics", word)).collect()
    }
}

fn topic(field: &str, word: &str) -> Result<Topic, Invalid> {
    let words: Vec<&str> = Topic::ALL.iter().map(|topic| topic.as_str()).collect();
    let rule = || format!("must be of {}, not {word:?}", words.join(", "));
    word.trim().parse().map_err(|_| Invalid::one(field, rule()))
}

/// Which events.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventLogQuery {
    /// Events of this topic.
    #[param(pattern = "^(stream|stream_key|broadcaster|streamer|channel|studio|media_server)$")]
    topic: Option<String>,
    /// Events about what has this id, such as a stream.
    #[param(format = Uuid)]
    subject_id: Option<String>,
    /// At most this many; 100 without it.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
    /// `next_cursor` of the previous page.
    #[param(pattern = "^[0-9A-Za-z_-]{11}$")]
    cursor: Option<String>,
}

impl Cursor for EventPlace {
    fn to_bytes(&self) -> Vec<u8> {
        self.0.to_be_bytes().to_vec()
    }

    fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        Some(Self(i64::from_be_bytes(bytes.try_into().ok()?)))
    }
}

impl ListQuery for EventLogQuery {
    type Filter = (EventFilter, Page<EventPlace>);

    fn filter(self) -> Result<Self::Filter, Invalid> {
        let topic = self.topic.as_deref().map(|word| topic("topic", word)).transpose()?;
        let subject = self.subject_id.as_deref().map(|id| uuid("subject_id", id)).transpose()?;
        let limit = number("limit", self.limit.as_deref(), 1..=MAX_PAGE)?.unwrap_or(DEFAULT_PAGE);
        let after = self.cursor.as_deref().map(EventPlace::parse).transpose()?;
        Ok((EventFilter { topic, subject }, Page { limit: Some(limit), after }))
    }
}
