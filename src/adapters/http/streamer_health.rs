//! What `GET /health` says of watching streamers.

use serde::Serialize;
use utoipa::ToSchema;

use super::health_section::HealthDocument;
use crate::domain::Timestamp;
use crate::domain::streamer::feed::WatchStatus;

/// How watching streamers is doing, as the instance that does it last wrote it down.
#[derive(Serialize, ToSchema)]
pub(super) struct StreamersHealth {
    /// When this was written: every 15 seconds at least. An older time means that nobody watches.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The feed that is in use, once one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "centrifugo")]
    feed: Option<&'static str>,
    /// `off` by choice, `connecting`, `degraded` (some connections are down), `connected`, or `rejected`: refused for
    /// now, so that only the sweep tells who is live.
    #[schema(example = "connected")]
    feed_state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    feed_error: Option<String>,
    /// Connections there should be.
    connections: u32,
    /// Connections there are.
    connected: u32,
    /// Channels that are subscribed to.
    subscribed: u32,
    watched: u32,
    /// Those that Kick does not know, or whose numbers are not known yet.
    unresolved: u32,
    /// Reports that wait to be written down.
    queued: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime, nullable = false)]
    last_report_at: Option<Timestamp>,
    /// When Kick was last asked about everyone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime, nullable = false)]
    last_sweep_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    sweep_error: Option<String>,
}

impl From<WatchStatus> for StreamersHealth {
    fn from(status: WatchStatus) -> Self {
        let WatchStatus { at, feed, watched, unresolved, queued, .. } = status;
        Self {
            at,
            feed: feed.provider.map(<&str>::from),
            feed_state: feed.state.as_str(),
            feed_error: feed.error,
            connections: feed.connections,
            connected: feed.connected,
            subscribed: feed.subscribed,
            watched,
            unresolved,
            queued,
            last_report_at: status.last_report_at,
            last_sweep_at: status.last_full_poll_at,
            sweep_error: status.poll_error,
        }
    }
}

impl HealthDocument for StreamersHealth {
    const NAME: &'static str = "streamers";
    const OPTIONAL: Option<&'static str> = Some(
        "How watching streamers is doing; absent if this setup does not, or has not begun. Streamward does the rest of\nits job without it.",
    );
}
