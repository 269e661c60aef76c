//! Whether a streamer is live, since when, and how that is known.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::session::Session;
use crate::domain::Timestamp;

/// Whether a streamer is live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[derive(Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Status {
    /// Not known yet. A known status never becomes unknown again, unless the name changes.
    #[default]
    Unknown,
    /// Live.
    Online,
    /// Not live.
    Offline,
}

/// Where a report of a streamer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[derive(EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Source {
    /// Kick's former feed, over the Pusher protocol. Unofficial.
    Pusher,
    /// Kick's present feed, over Centrifugo. Unofficial.
    Centrifugo,
    /// Kick's webhooks. Official.
    Webhook,
    /// An answer of Kick's API. Official.
    Poll,
}

as_str!(Status, Source);

/// The known status of a streamer, to which the next report is applied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Track {
    /// Whether the streamer is live.
    pub status: Status,
    /// When the status last changed, by our clock.
    pub last_status_update: Option<Timestamp>,
    /// When the streamer was last known to be live.
    pub last_seen_online: Option<Timestamp>,
    /// The present session while online, otherwise the last one that is known.
    pub session: Option<Session>,
    /// The greatest id of an ended session: a report of it or an earlier one is late.
    pub ended_watermark: Option<u64>,
    /// When an answer first contradicted the status; a second, later one changes it.
    pub contradicted_at: Option<Timestamp>,
    /// When the streamer is announced as offline, unless they come back before.
    pub offline_due: Option<Timestamp>,
}

/// A change of status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The status before.
    pub previous_status: Status,
    /// The status after; never the same, never [`Status::Unknown`].
    pub new_status: Status,
    /// When it happened: Kick's time if known, otherwise when the report arrived.
    pub occurred_at: Timestamp,
    /// When the report arrived.
    pub received_at: Timestamp,
    /// The source.
    pub source: Source,
    /// The session that began or ended.
    pub session: Option<Session>,
    /// Whether a ban ended it.
    pub banned: bool,
}
