//! Streamers: people on Kick.com, whether they are live, and how that is known.

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
    /// Nothing is known yet. Once something is, this never comes back.
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
    /// The greatest number of a session that is over: a report of this one or an earlier one comes too late.
    pub ended_watermark: Option<u64>,
    /// When an answer first contradicted the status; a second, later one changes it.
    pub contradicted_at: Option<Timestamp>,
    /// When it will be announced that the streamer went offline, unless they are back before.
    pub offline_due: Option<Timestamp>,
}

/// Someone whose status is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Streamer {
    /// Its identity here.
    pub id: StreamerId,
    /// The name on Kick. Another program may have written it, so it need not be a [`Slug`].
    pub username: String,
    /// A name of the owner's own choice.
    pub display_name: Option<String>,
    /// Whether the status is watched.
    pub is_active: bool,
    /// Kick's three numbers, as far as they are known.
    pub ids: KickIds,
    /// What is known of the status.
    pub track: Track,
    /// Why the status cannot be watched, if it cannot.
    pub problem: Option<String>,
    /// When the row was made.
    pub created_at: Timestamp,
    /// When its owner's part of it last changed.
    pub updated_at: Timestamp,
}

impl Streamer {
    /// The present session, while online.
    pub fn current_session(&self) -> Option<&Session> {
        self.track.session.as_ref().filter(|_| self.track.status == Status::Online)
    }
}

/// Checks a display name: 1 to 200 characters.
///
/// # Errors
/// [`Invalid`] naming `display_name`.
pub fn display_name(value: &str) -> Result<String, Invalid> {
    text("display_name", value, 1, 200)
}

/// A change by the owner; what is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamerPatch {
    /// Another name on Kick. What was known of the old one (numbers, status, session) is forgotten.
    pub username: Option<Slug>,
    /// The owner's name for the streamer.
    pub display_name: Option<String>,
    /// Whether the status is watched.
    pub is_active: Option<bool>,
    /// Numbers that the owner knows; those that are `None` stay.
    pub ids: KickIds,
}

impl Streamer {
    /// A streamer of whom nothing is known yet.
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

    /// The streamer as `patch` makes it at `now`.
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
                // Whether it lasts is not known any more.
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

/// What Kick was found to call a streamer, to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learned {
    /// Whose row it is for.
    pub streamer: StreamerId,
    /// What was found.
    pub found: Found,
}

/// What looking a streamer up came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Numbers, and the present name if it is another one. Clears the problem.
    Ids {
        /// Those that are `None` stay as they are.
        ids: KickIds,
        /// The name on Kick now; `None` if it is not known to have changed.
        renamed: Option<Slug>,
    },
    /// It cannot be watched, and why.
    Problem(String),
}

/// A change of status, as history keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusEvent {
    /// The number of the event about the same change.
    pub seq: i64,
    /// Whose status.
    pub streamer_id: StreamerId,
    /// What changed.
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
    /// From where.
    pub source: Source,
    /// The session that began or ended.
    pub session: Option<Session>,
    /// Whether a ban ended it.
    pub banned: bool,
}
