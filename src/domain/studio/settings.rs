//! How a studio is to behave. The defaults are those of the specification.

use std::time::Duration;

use super::model::{Scenes, SourceName};
use super::words::words;
use crate::domain::invalid::{Checks, Invalid};
use crate::domain::local_time::TimeZone;

/// The rules of a studio.
#[derive(Clone, Debug, PartialEq)]
pub struct StudioSettings {
    /// The names of its scenes.
    pub scenes: Scenes,
    /// When the owner takes over.
    pub owner: OwnerSettings,
    /// The failover content: a file that OBS can open. Without it, the failover scene shows what it has.
    pub failover_video: Option<String>,
    /// Picture and bitrate of the stream.
    pub video: VideoSettings,
    /// Whose clock the schedule goes by.
    pub time_zone: TimeZone,
    /// When something is a failure.
    pub health: HealthSettings,
    /// What the far end must report.
    pub far_end: FarEndSettings,
    /// Whether Streamward can restart OBS.
    pub can_restart: bool,
}

impl Default for StudioSettings {
    fn default() -> Self {
        Self {
            scenes: Scenes::default(),
            owner: OwnerSettings::default(),
            failover_video: None,
            video: VideoSettings::default(),
            time_zone: TimeZone::UTC,
            health: HealthSettings::default(),
            far_end: FarEndSettings::default(),
            can_restart: false,
        }
    }
}

/// What shows that the owner wants to be on air.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnerSettings {
    /// The owner's sources in OBS, at most ten. Without one, the owner is never detected.
    pub sources: Vec<SourceName>,
    /// What makes a source active.
    pub detection: Detection,
    /// For how long a source must be active, or inactive, before that counts. 1 to 30 s.
    pub debounce: Duration,
    /// Quieter is silent. -60 to 0 dB.
    pub audio_threshold_db: f64,
    /// Darker is not ready: mean luminance, 0 to 1.
    pub min_luminance: f64,
    /// How long a change to and from the owner fades, picture and sound. At most 2 s.
    pub fade: Duration,
}

words! {
    /// What makes an owner's source active.
    Detection {
        /// It is enabled in the owner's scene.
        SourceEnabled,
        /// It is louder than the threshold.
        AudioLevel,
        /// It has a picture.
        VideoActive,
    }
}

/// Picture and bitrate of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoSettings {
    /// Pixels, even. 16 to 7,680.
    pub width: u32,
    /// Pixels, even. 16 to 4,320.
    pub height: u32,
    /// Frames a second. 1 to 120.
    pub fps: u32,
    /// 100 to 100,000 kbit/s.
    pub bitrate_kbps: u32,
    /// OBS's name of the encoder, such as `x264`.
    pub encoder: String,
}

/// When something is a failure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HealthSettings {
    /// How often the metrics are recorded. 1 to 300 s.
    pub interval: Duration,
    /// The stream is degraded if OBS drops more of its frames. 0 to 100 percent.
    pub degraded_dropped_percent: f64,
    /// OBS that does not accept a connection for this long is restarted, even if its process is there. 1 to 30 s.
    pub detection_timeout: Duration,
    /// A stream whose bytes do not grow for this long has stalled. 2 to 30 s.
    pub stall: Duration,
    /// A darker picture is black: mean luminance, 0 to 1.
    pub black_luminance: f64,
    /// After this long, black is a failure; never without it.
    pub black_after: Option<Duration>,
    /// Quieter sound is silent, in dB.
    pub silent_db: f64,
    /// After this long, silence is a failure; never without it.
    pub silent_after: Option<Duration>,
}

/// What the far end must report. A report counts when `needed` of the last `window` agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FarEndSettings {
    /// How many reports must agree. 1 to `window`.
    pub needed: usize,
    /// Of how many. 1 to 60.
    pub window: usize,
    /// Below this bitrate the picture is not good.
    pub low_kbps: Option<u32>,
    /// From this bitrate on it is good again. Not less than `low_kbps`; the same by default.
    pub recovered_kbps: Option<u32>,
}

impl Default for OwnerSettings {
    fn default() -> Self {
        Self {
            sources: Vec::new(),
            detection: Detection::SourceEnabled,
            debounce: Duration::from_secs(5),
            audio_threshold_db: -40.0,
            min_luminance: 0.1,
            fade: Duration::from_secs(1),
        }
    }
}

impl Default for VideoSettings {
    fn default() -> Self {
        Self { width: 1_920, height: 1_080, fps: 60, bitrate_kbps: 6_000, encoder: "x264".to_owned() }
    }
}

impl Default for HealthSettings {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(10),
            degraded_dropped_percent: 1.0,
            detection_timeout: Duration::from_secs(10),
            stall: Duration::from_secs(5),
            black_luminance: 0.02,
            // With the time between two pictures and a cut, less than 5 s.
            black_after: Some(Duration::from_millis(3_500)),
            silent_db: -60.0,
            silent_after: Some(Duration::from_millis(4_500)),
        }
    }
}

impl Default for FarEndSettings {
    fn default() -> Self {
        Self { needed: 3, window: 5, low_kbps: None, recovered_kbps: None }
    }
}

impl FarEndSettings {
    /// The bitrate from which on a low stream is good again.
    pub fn recovered(&self) -> u32 {
        self.recovered_kbps.or(self.low_kbps).unwrap_or(0)
    }
}

impl StudioSettings {
    /// Refuses values out of their limits, all at once.
    pub fn check(self) -> Result<Self, Invalid> {
        let (owner, health, far_end, video) = (&self.owner, &self.health, &self.far_end, &self.video);
        let mut checks = Checks::default();
        let mut between = |field: &str, value: f64, min: f64, max: f64| {
            let is_good = (min..=max).contains(&value);
            let refused = || Invalid::one(field, format!("must be {min} to {max}, got {value}"));
            checks.take(is_good.then_some(()).ok_or_else(refused));
        };
        let seconds = |time: Duration| time.as_secs_f64();
        let count = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        between("owner.sources", count(owner.sources.len()), 0.0, 10.0);
        between("owner.debounce", seconds(owner.debounce), 1.0, 30.0);
        between("owner.audio_threshold_db", owner.audio_threshold_db, -60.0, 0.0);
        between("owner.min_luminance", owner.min_luminance, 0.0, 1.0);
        between("owner.fade", seconds(owner.fade), 0.0, 2.0);
        between("video.width", video.width.into(), 16.0, 7_680.0);
        between("video.height", video.height.into(), 16.0, 4_320.0);
        between("video.fps", video.fps.into(), 1.0, 120.0);
        between("video.bitrate_kbps", video.bitrate_kbps.into(), 100.0, 100_000.0);
        between("health.interval", seconds(health.interval), 1.0, 300.0);
        between("health.degraded_dropped_percent", health.degraded_dropped_percent, 0.0, 100.0);
        between("health.detection_timeout", seconds(health.detection_timeout), 1.0, 30.0);
        between("health.stall", seconds(health.stall), 2.0, 30.0);
        between("health.black_luminance", health.black_luminance, 0.0, 1.0);
        between("health.silent_db", health.silent_db, -100.0, 0.0);
        between("probe.window", count(far_end.window), 1.0, 60.0);
        between("probe.needed", count(far_end.needed), 1.0, count(far_end.window));
        if let (Some(low), Some(recovered)) = (far_end.low_kbps, far_end.recovered_kbps) {
            between("probe.recovered_kbps", recovered.into(), low.into(), u32::MAX.into());
        }
        for (field, value) in [("video.width", video.width), ("video.height", video.height)] {
            let refused = Invalid::one(field, format!("must be even, got {value}"));
            checks.take(if value % 2 == 1 { Err(refused) } else { Ok(()) });
        }
        checks.finish()?;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_good() {
        let settings = StudioSettings::default();
        assert_eq!(settings.clone().check(), Ok(settings));
    }

    #[test]
    fn every_value_out_of_its_limits_is_named() {
        let mut settings = StudioSettings::default();
        settings.owner.debounce = Duration::from_millis(500);
        settings.owner.audio_threshold_db = f64::NAN;
        settings.video.width = 641;
        settings.far_end =
            FarEndSettings { needed: 6, window: 5, low_kbps: Some(800), recovered_kbps: Some(500) };
        let Err(Invalid(errors)) = settings.check() else { panic!("accepted") };
        let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "owner.debounce",
                "owner.audio_threshold_db",
                "probe.needed",
                "probe.recovered_kbps",
                "video.width"
            ]
        );
        assert_eq!(errors[0].message, "must be 1 to 30, got 0.5");
    }
}
