//! A watched streamer, and what the owner or a lookup changes about it.

use super::ids::{KickIds, Slug};
use super::session::Session;
use super::status::{Change, Status, Track};
use crate::domain::invalid::{Invalid, text};
use crate::domain::page::Placed;
use crate::domain::{OrganizationId, StreamerId, Timestamp};

/// A streamer and its known status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Streamer {
    /// Its id.
    pub id: StreamerId,
    /// Who owns it.
    pub organization_id: OrganizationId,
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

/// Streamers are listed by name in lower case. No two have the same.
impl Placed for Streamer {
    type Place = String;

    fn place(&self) -> String {
        self.username.to_ascii_lowercase()
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
    /// The present session, while online.
    pub fn current_session(&self) -> Option<&Session> {
        self.track.session.as_ref().filter(|_| self.track.status == Status::Online)
    }

    /// A new streamer of the default organization, with unknown status.
    pub fn new(id: StreamerId, username: &Slug, now: Timestamp) -> Self {
        Self {
            id,
            organization_id: OrganizationId::DEFAULT,
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
