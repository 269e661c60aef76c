//! The profile of a programme and of the clips that are prepared for it.

use serde::{Deserialize, Serialize};

use super::invalid::{Invalid, within};

/// What the programme looks like. Backups are prepared for it, and the live input is compared with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// The picture.
    pub video: Video,
    /// The sound.
    pub audio: Audio,
}

/// A picture: H.264.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Video {
    /// Pixels, even. 16 to 7,680.
    pub width: u32,
    /// Pixels, even. 16 to 4,320.
    pub height: u32,
    /// Frames a second. 1 to 120.
    pub fps: u32,
}

/// Sound: AAC-LC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Audio {
    /// Samples a second: 44,100 or 48,000.
    pub rate: u32,
    /// 1 or 2.
    pub channels: u32,
}

impl Default for Video {
    fn default() -> Self {
        Self { width: 1280, height: 720, fps: 30 }
    }
}

impl Default for Audio {
    fn default() -> Self {
        Self { rate: 48_000, channels: 2 }
    }
}

impl Profile {
    /// Refuses what cannot be encoded or what no platform takes.
    pub fn check(self) -> Result<Self, Invalid> {
        within("profile.video.width", Some(self.video.width), 16, 7_680)?;
        within("profile.video.height", Some(self.video.height), 16, 4_320)?;
        within("profile.video.fps", Some(self.video.fps), 1, 120)?;
        within("profile.audio.channels", Some(self.audio.channels), 1, 2)?;
        for (field, value) in [("width", self.video.width), ("height", self.video.height)] {
            if value % 2 == 1 {
                return Err(Invalid::one(
                    format!("profile.video.{field}"),
                    format!("must be even, got {value}"),
                ));
            }
        }
        if !matches!(self.audio.rate, 44_100 | 48_000) {
            let rule = format!("must be 44100 or 48000, got {}", self.audio.rate);
            return Err(Invalid::one("profile.audio.rate", rule));
        }
        Ok(self)
    }
}
