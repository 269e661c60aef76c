//! The rules of a studio, as the configuration has them. The defaults are those of [`StudioSettings`].

use std::time::Duration;

use serde::Serialize;
use strum::{EnumString, VariantNames};

use super::super::error::ConfigError;
use super::super::section::section;
use super::super::values::{ConfigDuration, Texts, choice};
use crate::domain::invalid::Invalid;
use crate::domain::studio::{
    Detection, HealthSettings, OwnerSettings, SceneName, ScenePurpose, Scenes, SourceName, VideoSettings,
};

section! {
    pub struct Video {
        /// Width of the picture in pixels, an even number.
        width: Option<u32>, unset "not set: as in OBS; 1920 if another key of video is set";
        /// Height of the picture in pixels, an even number.
        height: Option<u32>, unset "not set: as in OBS; 1080 if another key of video is set";
        /// How many frames a second.
        fps: Option<u32>, unset "not set: as in OBS; 60 if another key of video is set";
        /// The bitrate of the picture in kbit/s.
        bitrate_kbps: Option<u32>, unset "not set: as in OBS; 6000 if another key of video is set";
        /// The encoder, by OBS's name for it.
        encoder: Option<String>, unset "not set: as in OBS; x264 if another key of video is set";
    }
}

section! {
    pub struct SceneNames {
        /// The scene that plays the content of the schedule.
        automated: SceneName = name(ScenePurpose::Automated);
        /// The scene that shows the owner.
        owner: SceneName = name(ScenePurpose::Owner);
        /// The scene that plays the failover content.
        failover: SceneName = name(ScenePurpose::Failover);
        /// The scene for when the failover content fails too.
        technical_difficulties: SceneName = name(ScenePurpose::TechnicalDifficulties);
        /// The scene for while the owner is active, but not visible or silent.
        going_live_soon: SceneName = name(ScenePurpose::GoingLiveSoon);
    }
}

section! {
    pub struct Owner {
        /// The owner's sources in OBS, at most ten.
        sources: Texts;
        /// What makes a source of the owner active.
        detection: OwnerDetection;
        /// For how long a source must be active, or inactive, until it counts.
        debounce: ConfigDuration = ConfigDuration(OwnerSettings::default().debounce);
        /// Sound that is quieter, in dB, is silent.
        audio_threshold_db: f64 = OwnerSettings::default().audio_threshold_db;
        /// A picture that is darker is not ready: mean luminance, 0 to 1.
        min_luminance: f64 = OwnerSettings::default().min_luminance;
        /// How long a change to and from the owner fades.
        fade: ConfigDuration = ConfigDuration(OwnerSettings::default().fade);
    }
}

/// What makes an owner's source active.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, EnumString, VariantNames)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum OwnerDetection {
    /// It is enabled in the owner's scene.
    #[default]
    SourceEnabled,
    /// It is louder than the threshold.
    AudioLevel,
    /// It has a picture.
    VideoActive,
}

choice!(OwnerDetection);

impl From<OwnerDetection> for Detection {
    fn from(detection: OwnerDetection) -> Self {
        match detection {
            OwnerDetection::SourceEnabled => Self::SourceEnabled,
            OwnerDetection::AudioLevel => Self::AudioLevel,
            OwnerDetection::VideoActive => Self::VideoActive,
        }
    }
}

section! {
    pub struct Content {
        /// The failover content: a file that OBS can open.
        failover_video: Option<String>, unset "not set: the studio is not started";
    }
}

section! {
    pub struct Health {
        /// How often the metrics are recorded.
        interval: ConfigDuration = ConfigDuration(HealthSettings::default().interval);
        /// Dropping more frames than these, in percent, is a warning, and the stream is degraded.
        degraded_dropped_percent: f64 = HealthSettings::default().degraded_dropped_percent;
        /// OBS that accepts no connection for this long is restarted.
        detection_timeout: ConfigDuration = ConfigDuration(HealthSettings::default().detection_timeout);
        /// A stream whose bytes do not grow for this long has stalled.
        stall: ConfigDuration = ConfigDuration(HealthSettings::default().stall);
        /// A darker picture is black: mean luminance, 0 to 1.
        black_luminance: f64 = HealthSettings::default().black_luminance;
        /// After this long, black is a failure; `0s`: never.
        black_after: ConfigDuration = or_never(HealthSettings::default().black_after);
        /// Sound that is quieter, in dB, is silence.
        silent_db: f64 = HealthSettings::default().silent_db;
        /// After this long, silence is a failure; `0s`: never.
        silent_after: ConfigDuration = or_never(HealthSettings::default().silent_after);
    }
}

fn name(purpose: ScenePurpose) -> SceneName {
    Scenes::default().name(purpose).clone()
}

fn or_never(after: Option<Duration>) -> ConfigDuration {
    ConfigDuration(after.unwrap_or_default())
}

/// The rule of a refusal, without its field.
pub(in crate::runtime::config) fn rule(invalid: Invalid) -> String {
    invalid.0.into_iter().map(|error| error.message).collect::<Vec<_>>().join("; ")
}

/// The first refused field as a key.
pub(super) fn key(invalid: Invalid) -> ConfigError {
    let refused = invalid.0.into_iter().next();
    refused.map_or_else(
        || ConfigError::new("", "is not valid"),
        |error| ConfigError::new(error.field, error.message),
    )
}

impl Video {
    pub(super) fn settings(&self) -> Option<VideoSettings> {
        let Self { width, height, fps, bitrate_kbps, encoder } = self;
        let is_set = [width, height, fps, bitrate_kbps].into_iter().any(Option::is_some) || encoder.is_some();
        let default = VideoSettings::default();
        is_set.then(|| VideoSettings {
            width: width.unwrap_or(default.width),
            height: height.unwrap_or(default.height),
            fps: fps.unwrap_or(default.fps),
            bitrate_kbps: bitrate_kbps.unwrap_or(default.bitrate_kbps),
            encoder: encoder.clone().unwrap_or(default.encoder),
        })
    }
}

impl SceneNames {
    pub(super) fn scenes(&self) -> Result<Scenes, ConfigError> {
        let Self { automated, owner, failover, technical_difficulties, going_live_soon } = self.clone();
        Scenes::new([automated, owner, failover, technical_difficulties, going_live_soon]).map_err(key)
    }
}

impl Owner {
    pub(super) fn settings(&self) -> Result<OwnerSettings, ConfigError> {
        let sources = self.sources.0.iter().map(|name| SourceName::parse(name)).collect::<Result<_, _>>();
        Ok(OwnerSettings {
            sources: sources.map_err(|invalid| ConfigError::new("owner.sources", rule(invalid)))?,
            detection: self.detection.into(),
            debounce: self.debounce.0,
            audio_threshold_db: self.audio_threshold_db,
            min_luminance: self.min_luminance,
            fade: self.fade.0,
        })
    }
}

impl Health {
    pub(super) fn settings(&self) -> HealthSettings {
        let or_never = |after: ConfigDuration| Some(after.0).filter(|after| !after.is_zero());
        HealthSettings {
            interval: self.interval.0,
            degraded_dropped_percent: self.degraded_dropped_percent,
            detection_timeout: self.detection_timeout.0,
            stall: self.stall.0,
            black_luminance: self.black_luminance,
            black_after: or_never(self.black_after),
            silent_db: self.silent_db,
            silent_after: or_never(self.silent_after),
        }
    }
}
