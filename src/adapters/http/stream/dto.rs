//! The query of `/streams`, and its events.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::adapters::http::extract::{ListQuery, uuid};
use crate::adapters::http::page::requested;
use crate::adapters::views::{DateTime, StreamView};
use crate::domain::Invalid;
use crate::domain::media_server::MediaServerName;
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
    /// At most this many; the whole list without it.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
    /// `next_cursor` of the previous page.
    #[param(pattern = "^[0-9A-Za-z_-]{32}$")]
    cursor: Option<String>,
}

impl ListQuery for StreamsQuery {
    type Filter = StreamFilter;

    fn filter(self) -> Result<StreamFilter, Invalid> {
        let status = match self.status.as_deref() {
            None | Some("active") => StatusFilter::Active,
            Some("ended") => StatusFilter::Ended,
            Some("all") => StatusFilter::All,
            Some(_) => return Err(Invalid::one("status", "must be active, ended or all")),
        };
        let (limit, after) = requested(self.limit.as_deref(), self.cursor.as_deref())?;
        let broadcaster_id =
            self.broadcaster_id.as_deref().map(|id| uuid("broadcaster_id", id)).transpose()?;
        let path = self.path.as_deref().map(StreamPath::parse).transpose()?;
        let media_server = self.media_server.as_deref().map(MediaServerName::parse).transpose()?;
        Ok(StreamFilter { status, broadcaster_id, path, media_server, limit, after })
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
