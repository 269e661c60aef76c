//! How a channel is to behave: mode, failover rules, profile.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use crate::domain::invalid::{Invalid, within};

/// Who chooses what is on air.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Mode {
    /// The rules: the live input if it is good, otherwise the backup.
    #[default]
    Auto,
    /// The live input, for as long as it is there at all.
    HoldLive,
    /// The backup, also when the live input is good.
    HoldBackup,
    /// The built-in picture.
    Slate,
}

/// What happens when the live input does not have the channel's profile.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Mismatch {
    /// It does not go on air.
    #[default]
    Refuse,
    /// It goes on air with headers of its own. Some platforms end the broadcast then.
    Switch,
    /// It is transcoded to the profile.
    Transcode,
}

/// What carries the media.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Engine {
    /// Our own.
    #[default]
    Mixer,
    /// The media server itself (MediaMTX 1.20 and later).
    MediaServer,
}

/// When the live input is lost, and when it is back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Failover {
    /// Without a video frame for this long, the live input is lost. 300 to 10,000 ms.
    pub stall_ms: u32,
    /// The live input must be good for this long before it goes on air. 0 to 300 s.
    pub recovery_grace_seconds: u32,
    /// Below this bitrate, over five seconds, the live input is lost.
    pub min_bitrate_kbps: Option<u32>,
    /// Without a keyframe for this long, the live input is lost. 1 to 60 s.
    pub max_keyframe_gap_seconds: Option<u32>,
    /// When the grace grows.
    pub flapping: Flapping,
}

/// An input that is lost again and again has to be good for longer each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Flapping {
    /// After this many losses …
    pub cuts: u32,
    /// … within this time, the grace doubles with each further loss. 1 to 3,600 s.
    pub within_seconds: u32,
    /// The grace never exceeds this. 1 to 3,600 s.
    pub max_grace_seconds: u32,
}

impl Default for Failover {
    fn default() -> Self {
        Self {
            stall_ms: 700,
            recovery_grace_seconds: 5,
            min_bitrate_kbps: None,
            max_keyframe_gap_seconds: None,
            flapping: Flapping::default(),
        }
    }
}

impl Default for Flapping {
    fn default() -> Self {
        Self { cuts: 3, within_seconds: 60, max_grace_seconds: 300 }
    }
}

impl Failover {
    /// The time without a video frame after which the live input is lost.
    pub fn stall(&self) -> Duration {
        Duration::from_millis(u64::from(self.stall_ms))
    }

    /// How long the live input must be good.
    pub fn recovery_grace(&self) -> Duration {
        Duration::from_secs(u64::from(self.recovery_grace_seconds))
    }

    /// Refuses values out of their limits.
    pub fn check(self) -> Result<Self, Invalid> {
        let Flapping { cuts, within_seconds, max_grace_seconds } = self.flapping;
        for (field, value, min, max) in [
            ("failover.stall_ms", Some(self.stall_ms), 300, 10_000),
            ("failover.recovery_grace_seconds", Some(self.recovery_grace_seconds), 0, 300),
            ("failover.min_bitrate_kbps", self.min_bitrate_kbps, 1, 1_000_000),
            ("failover.max_keyframe_gap_seconds", self.max_keyframe_gap_seconds, 1, 60),
            ("failover.flapping.cuts", Some(cuts), 1, 1_000),
            ("failover.flapping.within_seconds", Some(within_seconds), 1, 3_600),
            ("failover.flapping.max_grace_seconds", Some(max_grace_seconds), 1, 3_600),
        ] {
            within(field, value, min, max)?;
        }
        Ok(self)
    }
}
