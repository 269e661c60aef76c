//! The status of the feed, its connections and the polls; for people and monitors.

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};

use super::status::Source;
use crate::domain::Timestamp;

/// The state of a feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum FeedState {
    /// No feed is configured, only polls (`kick.feed = "poll"`).
    Off,
    /// It is not connected yet, or not any more, and tries again.
    #[default]
    Connecting,
    /// Some of its connections are up, the others try again.
    Degraded,
    /// All its connections are up.
    Connected,
    /// Kick refused us, and an immediate retry is useless. It is tried again after minutes; until then only full polls
    /// show who is live.
    Rejected,
}

as_str!(FeedState);

/// The status of the feed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedStatus {
    /// The feed in use.
    pub provider: Option<Source>,
    /// Its state.
    pub state: FeedState,
    /// How many connections there should be.
    pub connections: u32,
    /// How many connections are up.
    pub connected: u32,
    /// How many channels should be subscribed to.
    pub wanted: u32,
    /// How many subscriptions Kick acknowledged.
    pub subscribed: u32,
    /// The error, for people; no secret.
    pub error: Option<String>,
}

/// The watch status: the watcher stores it for the other instances.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchStatus {
    /// When this was written.
    pub at: Timestamp,
    /// The feed.
    pub feed: FeedStatus,
    /// How many streamers are watched.
    pub watched: u32,
    /// How many of them cannot be fully watched, because an id is not known.
    pub unresolved: u32,
    /// Reports that wait to be stored.
    pub queued: u32,
    /// When the feed last reported a streamer.
    pub last_report_at: Option<Timestamp>,
    /// When the last full poll ended.
    #[serde(rename = "last_sweep_at")]
    pub last_full_poll_at: Option<Timestamp>,
    /// Why the last poll failed, if it did.
    #[serde(rename = "sweep_error")]
    pub poll_error: Option<String>,
}

impl WatchStatus {
    /// The status of a watcher that starts at `at`.
    pub fn new(at: Timestamp) -> Self {
        let (feed, (watched, unresolved, queued)) = (FeedStatus::default(), (0, 0, 0));
        let (last_report_at, last_full_poll_at, poll_error) = (None, None, None);
        Self { at, feed, watched, unresolved, queued, last_report_at, last_full_poll_at, poll_error }
    }
}
