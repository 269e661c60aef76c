//! Streamers on Kick.com and their live status.

pub mod apply;
pub mod decide;
pub mod feed;
pub mod ids;
pub mod session;

#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

pub use ids::{ChannelId, ChatroomId, KickIds, Slug, UserId};
pub use session::Session;

use super::invalid::{Invalid, text};
use super::{StreamerId, Timestamp};

/// Whether a streamer is live.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    IntoStaticStr,
    EnumString,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
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

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where a report of a streamer comes from.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    IntoStaticStr,
    EnumString,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
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

macro_rules! as_str {
    ($($name:ty),+) => {
        $(impl $name {
            /// The word that is stored and shown.
            pub fn as_str(self) -> &'static str {
                self.into()
            }
        })+
    };
}

as_str!(Status, Source, feed::FeedState, decide::Outcome);

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

/// A streamer and its known status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Streamer {
    /// Its id.
    pub id: StreamerId,
    /// The name on Kick. Another program may have written it, so it need not be a [`Slug`].
    pub username: String,
    /// A name that the owner chose.
    pub display_name: Option<String>,
    /// Whether the status is watched.
    pub is_active: bool,
    /// Kick's three numbers, as far as they are known.
    pub ids: KickIds,
    /// The known status.
    pub track: Track,
    /// Why the status cannot be watched; `None` if it can.
    pub problem: Option<String>,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When the owner last changed it.
    pub updated_at: Timestamp,
}

impl Streamer {
    /// The present session, while online.
    pub fn current_session(&self) -> Option<&Session> {
        self.track.session.as_ref().filter(|_| self.track.status == Status::Online)
    }
}

/// Checks a display name: 1 to 200 characters.
pub fn display_name(value: &str) -> Result<String, Invalid> {
    text("display_name", value, 1, 200)
}

/// A change by the owner; `None` means no change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamerPatch {
    /// Another name on Kick. Clears ids, status and session of the old one.
    pub username: Option<Slug>,
    /// The owner's name for the streamer.
    pub display_name: Option<String>,
    /// Whether the status is watched.
    pub is_active: Option<bool>,
    /// Ids that the owner knows; `None` means no change.
    pub ids: KickIds,
}

impl Streamer {
    /// A new streamer, with unknown status.
    pub fn new(id: StreamerId, username: &Slug, now: Timestamp) -> Self {
        Self {
            id,
            username: username.as_str().to_owned(),
            display_name: None,
            is_active: true,
            ids: KickIds::default(),
            track: Track::default(),
            problem: None,
            created_at: now,
            updated_at: now,
        }
    }

    /// The streamer with `patch` applied at `now`.
    #[must_use]
    pub fn patched(mut self, patch: &StreamerPatch, now: Timestamp) -> Self {
        if let Some(username) = patch.username.as_ref().filter(|new| !new.is(&self.username)) {
            username.as_str().clone_into(&mut self.username);
            self.ids = KickIds::default();
            self.track = Track::default();
            self.problem = None;
        }
        if let Some(name) = &patch.display_name {
            self.display_name = Some(name.clone());
        }
        if let Some(is_active) = patch.is_active {
            self.is_active = is_active;
            if !is_active {
                // A paused streamer cannot be announced as offline.
                self.track.offline_due = None;
            }
        }
        if !patch.ids.is_empty() {
            self.ids = self.ids.updated(patch.ids);
            self.problem = None;
        }
        self.updated_at = now;
        self
    }
}

/// The result of a lookup for one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learned {
    /// The streamer.
    pub streamer: StreamerId,
    /// The result.
    pub found: Found,
}

/// The result of a lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Ids, and the present name if it changed. Clears the problem.
    Ids {
        /// `None` means no change.
        ids: KickIds,
        /// The new name on Kick; `None` means no change.
        renamed: Option<Slug>,
    },
    /// It cannot be watched, and why.
    Problem(String),
}

/// A status change in the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusEvent {
    /// The number of the event about the same change.
    pub seq: i64,
    /// The streamer.
    pub streamer_id: StreamerId,
    /// The change.
    pub change: Change,
    /// When it was written.
    pub recorded_at: Timestamp,
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
