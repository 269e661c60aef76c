//! Changes of channels and destinations.

use super::destination::{Destination, Platform, PushUrl};
use super::model::{Backup, Channel, ChannelName};
use super::playlist::Playlist;
use super::settings::{Engine, Failover, Mismatch};
use crate::domain::Timestamp;
use crate::domain::broadcaster::DisplayName;
use crate::domain::invalid::{Invalid, text};
use crate::domain::profile::Profile;

/// A change of a channel; `None` means no change. The path is bound to the channel's keys and never changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelPatch {
    /// The new short name.
    pub name: Option<ChannelName>,
    /// The new name for people.
    pub display_name: Option<DisplayName>,
    /// Whether it runs.
    pub enabled: Option<bool>,
    /// What plays, if the backup is a playlist. Otherwise this changes nothing.
    pub playlist: Option<Playlist>,
    /// When it cuts.
    pub failover: Option<Failover>,
    /// What it looks like.
    pub profile: Option<Profile>,
    /// What happens to a live input that looks different.
    pub mismatch: Option<Mismatch>,
    /// What carries its media.
    pub engine: Option<Engine>,
}

impl Channel {
    /// The channel after a change at `at`.
    #[must_use]
    pub fn patched(mut self, patch: &ChannelPatch, at: Timestamp) -> Self {
        let ChannelPatch { name, display_name, enabled, playlist, failover, profile, mismatch, engine } =
            patch.clone();
        self.name = name.unwrap_or(self.name);
        self.display_name = display_name.unwrap_or(self.display_name);
        self.enabled = enabled.unwrap_or(self.enabled);
        if let (Backup::Playlist(present), Some(playlist)) = (&mut self.inputs.backup, playlist) {
            *present = playlist;
        }
        self.failover = failover.unwrap_or(self.failover);
        self.profile = profile.unwrap_or(self.profile);
        self.mismatch = mismatch.unwrap_or(self.mismatch);
        self.engine = engine.unwrap_or(self.engine);
        self.updated_at = at;
        self
    }
}

/// A change of a destination; the outer `None` means no change, the inner one removes the value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DestinationPatch {
    /// The new name.
    pub name: Option<String>,
    /// Which platform it is.
    pub platform: Option<Platform>,
    /// Where it is.
    pub url: Option<PushUrl>,
    /// Where it is if the first address fails.
    pub backup_url: Option<Option<PushUrl>>,
    /// Whether the programme is pushed to it.
    pub enabled: Option<bool>,
    /// A new session begins after this many seconds.
    pub rotate_session_every_seconds: Option<Option<u32>>,
}

impl Destination {
    /// Checks a name: 1 to 100 characters.
    pub fn check_name(name: &str) -> Result<String, Invalid> {
        text("name", name, 1, 100)
    }

    /// Checks a time after which a new session begins: 60 s to 7 days.
    pub fn check_rotation(seconds: u32) -> Result<u32, Invalid> {
        const LIMITS: std::ops::RangeInclusive<u32> = 60..=7 * 86_400;
        if LIMITS.contains(&seconds) {
            return Ok(seconds);
        }
        let rule = format!("must be {} to {}, got {seconds}", LIMITS.start(), LIMITS.end());
        Err(Invalid::one("rotate_session_every_seconds", rule))
    }

    /// The destination after a change at `at`.
    #[must_use]
    pub fn patched(mut self, patch: &DestinationPatch, at: Timestamp) -> Self {
        let DestinationPatch { name, platform, url, backup_url, enabled, rotate_session_every_seconds } =
            patch.clone();
        self.name = name.unwrap_or(self.name);
        self.platform = platform.unwrap_or(self.platform);
        self.url = url.unwrap_or(self.url);
        self.backup_url = backup_url.unwrap_or(self.backup_url);
        self.enabled = enabled.unwrap_or(self.enabled);
        self.rotate_session_every_seconds =
            rotate_session_every_seconds.unwrap_or(self.rotate_session_every_seconds);
        self.updated_at = at;
        self
    }
}
