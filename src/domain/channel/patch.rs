//! Changes of channels and destinations.

use super::destination::{Destination, Platform, PushUrl};
use super::model::{Backup, Channel, ChannelName};
use super::playlist::Playlist;
use super::settings::{Engine, Failover, Flapping, Mismatch};
use crate::domain::Timestamp;
use crate::domain::broadcaster::DisplayName;
use crate::domain::invalid::{Invalid, text};
use crate::domain::profile::{Audio, Profile, Video};

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
    pub failover: FailoverPatch,
    /// What it looks like.
    pub profile: ProfilePatch,
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
        self.failover = failover.applied(self.failover);
        self.profile = profile.applied(self.profile);
        self.mismatch = mismatch.unwrap_or(self.mismatch);
        self.engine = engine.unwrap_or(self.engine);
        self.updated_at = at;
        self
    }
}

/// A change of the rules; the outer `None` means no change, the inner one removes the value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields of `Failover` and `Flapping`")]
pub struct FailoverPatch {
    pub stall_ms: Option<u32>,
    pub recovery_grace_seconds: Option<u32>,
    pub min_bitrate_kbps: Option<Option<u32>>,
    pub max_keyframe_gap_seconds: Option<Option<u32>>,
    pub cuts: Option<u32>,
    pub within_seconds: Option<u32>,
    pub max_grace_seconds: Option<u32>,
}

impl FailoverPatch {
    /// The rules after the change.
    #[must_use]
    pub fn applied(self, to: Failover) -> Failover {
        Failover {
            stall_ms: self.stall_ms.unwrap_or(to.stall_ms),
            recovery_grace_seconds: self.recovery_grace_seconds.unwrap_or(to.recovery_grace_seconds),
            min_bitrate_kbps: self.min_bitrate_kbps.unwrap_or(to.min_bitrate_kbps),
            max_keyframe_gap_seconds: self.max_keyframe_gap_seconds.unwrap_or(to.max_keyframe_gap_seconds),
            flapping: Flapping {
                cuts: self.cuts.unwrap_or(to.flapping.cuts),
                within_seconds: self.within_seconds.unwrap_or(to.flapping.within_seconds),
                max_grace_seconds: self.max_grace_seconds.unwrap_or(to.flapping.max_grace_seconds),
            },
        }
    }

    /// Refuses values out of their limits. Each value has limits of its own.
    pub fn check(self) -> Result<Self, Invalid> {
        self.applied(Failover::default()).check().map(|_| self)
    }
}

/// A change of the profile; `None` means no change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields of `Video` and `Audio`")]
pub struct ProfilePatch {
    pub width: Option<u32>,
    pub height: Option<u32>,
    pub fps: Option<u32>,
    pub rate: Option<u32>,
    pub channels: Option<u32>,
}

impl ProfilePatch {
    /// The profile after the change.
    #[must_use]
    pub fn applied(self, Profile { video, audio }: Profile) -> Profile {
        Profile {
            video: Video {
                width: self.width.unwrap_or(video.width),
                height: self.height.unwrap_or(video.height),
                fps: self.fps.unwrap_or(video.fps),
            },
            audio: Audio {
                rate: self.rate.unwrap_or(audio.rate),
                channels: self.channels.unwrap_or(audio.channels),
            },
        }
    }

    /// Refuses values out of their limits. Each value has limits of its own.
    pub fn check(self) -> Result<Self, Invalid> {
        self.applied(Profile::default()).check().map(|_| self)
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
