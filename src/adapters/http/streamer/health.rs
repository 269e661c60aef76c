//! The section of `GET /health` about watching streamers.

use std::sync::Arc;

use serde::Serialize;
use serde_with::skip_serializing_none;
use utoipa::ToSchema;

use crate::adapters::http::health_section::{HealthDocument, HealthSection};
use crate::adapters::views::DateTime;
use crate::app::streamer::Streamers;
use crate::domain::streamer::feed::WatchStatus;

/// The state of watching streamers, as the instance that watches them last stored it.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
pub(super) struct StreamersHealth {
    /// When this was stored, at least every 15 seconds. An older time means that no instance watches.
    at: DateTime,
    /// The feed in use; absent before the first connection.
    #[schema(example = "centrifugo")]
    feed: Option<&'static str>,
    /// `off` by choice, `connecting`, `degraded` (some connections are down), `connected`, or `rejected`: Kick
    /// refuses the feed for now, and only the poll of Kick's API finds live streamers.
    #[schema(example = "connected")]
    feed_state: &'static str,
    feed_error: Option<String>,
    /// Number of wanted connections.
    connections: u32,
    /// Number of open connections.
    connected: u32,
    /// Number of subscribed channels.
    subscribed: u32,
    watched: u32,
    /// Number of streamers that Kick does not know, or whose Kick numbers are not known yet.
    unresolved: u32,
    /// Number of reports that wait to be stored.
    queued: u32,
    last_report_at: Option<DateTime>,
    /// When all streamers were last polled.
    last_sweep_at: Option<DateTime>,
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
        "The state of watching streamers. Absent if this setup does not watch streamers or has not started. The rest of\nStreamward works without it.",
    );
}

/// Adds the state of watching to `/health`.
pub fn health(streamers: Arc<Streamers>) -> HealthSection {
    HealthSection::new(move || {
        let streamers = Arc::clone(&streamers);
        async move { Ok(streamers.last_watch_status().await?.map(StreamersHealth::from)) }
    })
}
