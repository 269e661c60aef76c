//! Media servers and their state.

use serde::Serialize;
use serde_with::skip_serializing_none;
use utoipa::ToSchema;

use super::DateTime;
use super::list::list;
use crate::app::media_server::MediaServerOverview;

list! {
    /// All media servers.
    MediaServerList { media_servers: MediaServerView }
}

/// A configured media server.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = MediaServer)]
pub(crate) struct MediaServerView {
    #[schema(example = "default")]
    name: String,
    /// Its version; absent until the first successful poll.
    #[schema(example = "v1.20.1")]
    version: Option<String>,
    /// Whether the last poll succeeded.
    reachable: bool,
    /// Since when it is reachable or unreachable. Absent before the first poll.
    since: Option<DateTime>,
    /// When a poll last succeeded.
    last_reconcile: Option<DateTime>,
    /// Why the last poll failed.
    last_error: Option<String>,
    /// When its last hook arrived.
    last_hook: Option<DateTime>,
    /// When its last request to `/auth` arrived.
    last_auth: Option<DateTime>,
    /// Number of its live streams.
    streams: u64,
    /// Number of repaired differences between it and the database that nothing announced. Ordinary starts and stops are none.
    drift_repaired: u64,
}

impl From<MediaServerOverview> for MediaServerView {
    fn from(overview: MediaServerOverview) -> Self {
        let MediaServerOverview { name, status, streams } = overview;
        let status = status.as_ref();
        Self {
            name: name.into(),
            version: status.and_then(|s| s.version.clone()),
            reachable: status.is_some_and(|s| s.reachable),
            since: status.map(|s| s.since),
            last_reconcile: status.and_then(|s| s.last_reconcile),
            last_error: status.and_then(|s| s.last_error.clone()),
            last_hook: status.and_then(|s| s.last_hook),
            last_auth: status.and_then(|s| s.last_auth),
            streams,
            drift_repaired: status.map_or(0, |s| s.drift_repaired),
        }
    }
}
