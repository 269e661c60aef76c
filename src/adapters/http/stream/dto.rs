//! The query of `/streams`, and its events.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::adapters::http::extract::{ListQuery, number, uuid};
use crate::adapters::http::list::{DEFAULT_PAGE, page};
use crate::adapters::views::{DateTime, StreamView};
use crate::app::stream_samples::SampleRange;
use crate::domain::Invalid;
use crate::domain::media_server::MediaServerName;
use crate::domain::page::{Newest, Page};
use crate::domain::path::StreamPath;
use crate::ports::{StatusFilter, StreamFilter};

/// Filter of the streams.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StreamsQuery {
    /// `active` (default), `ended` or `all`.
    #[param(pattern = "^(active|ended|all)$")]
    status: Option<String>,
    /// Streams of this broadcaster.
    #[param(format = Uuid)]
    broadcaster_id: Option<String>,
    /// Streams on this path.
    #[param(max_length = 200, pattern = "^[0-9A-Za-z_-]+(/[0-9A-Za-z_-]+)*$")]
    path: Option<String>,
    /// Streams on this media server.
    #[param(pattern = "^[0-9a-z_-]{1,64}$")]
    media_server: Option<String>,
    /// At most this many. Without it: all live streams, or 100 after a `cursor` and for any other `status`.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
    /// `next_cursor` of the previous page.
    #[param(pattern = "^[0-9A-Za-z_-]{32}$")]
    cursor: Option<String>,
}

impl ListQuery for StreamsQuery {
    type Filter = (StreamFilter, Page<Newest>);

    fn filter(self) -> Result<Self::Filter, Invalid> {
        let status = match self.status.as_deref() {
            None | Some("active") => StatusFilter::Active,
            Some("ended") => StatusFilter::Ended,
            Some("all") => StatusFilter::All,
            Some(_) => return Err(Invalid::one("status", "must be active, ended or all")),
        };
        let mut page = page(self.limit.as_deref(), self.cursor.as_deref())?;
        if status != StatusFilter::Active {
            page.limit.get_or_insert(DEFAULT_PAGE);
        }
        let broadcaster_id =
            self.broadcaster_id.as_deref().map(|id| uuid("broadcaster_id", id)).transpose()?;
        let path = self.path.as_deref().map(StreamPath::parse).transpose()?;
        let media_server = self.media_server.as_deref().map(MediaServerName::parse).transpose()?;
        Ok((StreamFilter { status, broadcaster_id, path, media_server }, page))
    }
}

/// Which samples of a stream.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SamplesQuery {
    /// From this time on; without it: one hour.
    #[param(format = DateTime)]
    from: Option<String>,
    /// Before this time; without it: until now.
    #[param(format = DateTime)]
    to: Option<String>,
    /// How many seconds one sample of the answer stands for; without it: as many as give about 200.
    #[param(value_type = Option<u32>, minimum = 10, maximum = 86400)]
    step: Option<String>,
}

impl SamplesQuery {
    pub(super) fn range(&self) -> Result<SampleRange, Invalid> {
        let time = |field: &str, text: &Option<String>| {
            let parse = |text: &String| text.parse().map_err(|rule: &str| Invalid::one(field, rule));
            text.as_ref().map(parse).transpose()
        };
        let step = number("step", self.step.as_deref(), 10..=86_400)?.map(Duration::from_secs);
        Ok(SampleRange { from: time("from", &self.from)?, to: time("to", &self.to)?, step })
    }
}

/// The data of an event.
#[derive(Serialize, ToSchema)]
pub(super) struct StreamEvent {
    /// When the change happened.
    pub(super) at: DateTime,
    /// The stream after the change.
    pub(super) stream: StreamView,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::http::list::Cursor as _;
    use crate::adapters::http::strict;

    #[test]
    fn ended_streams_come_in_pages_and_live_ones_whole() {
        let limit = |query: &str| {
            let query: StreamsQuery = strict::from_query(query).unwrap();
            query.filter().unwrap().1.limit
        };
        let cursor = Newest::START.to_text();
        assert_eq!((limit(""), limit("status=active"), limit("path=a")), (None, None, None));
        assert_eq!((limit("status=ended"), limit("status=all&path=a")), (Some(100), Some(100)));
        assert_eq!((limit("limit=1000&status=all"), limit("limit=7")), (Some(1000), Some(7)));
        assert_eq!(limit(&format!("cursor={cursor}")), Some(100));
    }
}
