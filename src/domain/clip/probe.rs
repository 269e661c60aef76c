//! What is in a media file, and whether it can be played.

use serde::{Deserialize, Serialize};

use crate::domain::profile::Profile;

/// The containers that are read, by the names of ffmpeg's demuxers. Playlists are not among them: they can name other
/// files.
pub const FORMATS: &str = "mov,matroska,webm,avi,flv,mpegts,mpeg,ogg,asf,mxf";

/// The shortest clip. A shorter one would be repeated several times a second.
const SHORTEST_MS: u64 = 1_000;
/// How much the tracks of a rendition may differ in length.
const TOLERANCE_MS: u64 = 100;

/// What is in a media file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// The container, as ffmpeg names it, such as `matroska,webm`.
    pub container: String,
    /// How long it plays, in milliseconds. Some files do not say.
    pub duration_ms: Option<u64>,
    /// Its first picture track.
    pub video: Option<VideoTrack>,
    /// Its first sound track.
    pub audio: Option<AudioTrack>,
}

/// A picture track.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VideoTrack {
    /// Such as `h264`.
    pub codec: String,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Frames a second, on average; 0 if unknown.
    pub fps: f64,
    /// Whether frames are sent in another order than they are shown.
    pub has_b_frames: bool,
}

/// A sound track.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioTrack {
    /// Such as `aac`.
    pub codec: String,
    /// Samples a second.
    pub rate: u32,
    /// How many channels.
    pub channels: u32,
}

impl Probe {
    /// Whether a clip can be made of it. The error says what is wrong with the file.
    pub fn check(&self) -> Result<(), String> {
        if self.video.as_ref().is_none_or(|video| video.width == 0 || video.height == 0) {
            return Err("the file has no picture: a clip needs a video track".to_owned());
        }
        match self.duration_ms {
            Some(ms) if ms < SHORTEST_MS => {
                Err(format!("the file plays for {ms} ms: a clip needs at least one second"))
            }
            _ => Ok(()),
        }
    }

    /// Whether it is a rendition of a clip in `profile`. The error says what differs.
    pub fn check_rendition(&self, profile: &Profile, source: &Self) -> Result<u64, String> {
        let video = self.video.as_ref().ok_or("it has no picture")?;
        let audio = self.audio.as_ref().ok_or("it has no sound")?;
        let duration = self.duration_ms.ok_or("it has no length")?;
        let (got, wanted) = (
            (
                video.codec.as_str(),
                video.width,
                video.height,
                audio.codec.as_str(),
                audio.rate,
                audio.channels,
            ),
            (
                "h264",
                profile.video.width,
                profile.video.height,
                "aac",
                profile.audio.rate,
                profile.audio.channels,
            ),
        );
        if got != wanted {
            return Err(format!("it has {got:?} instead of {wanted:?}"));
        }
        if video.has_b_frames || (video.fps - f64::from(profile.video.fps)).abs() > 0.1 {
            return Err(format!("it has {} frames a second or B-frames", video.fps));
        }
        match source.duration_ms {
            Some(expected)
                if duration.abs_diff(expected) > TOLERANCE_MS.max(2_000 / u64::from(profile.video.fps)) =>
            {
                Err(format!("it plays for {duration} ms instead of {expected} ms"))
            }
            _ => Ok(duration),
        }
    }
}

/// The bitrate for a picture, in kbit/s: 0.1 bits for each pixel.
pub fn video_kbps(profile: &Profile) -> u32 {
    let video = &profile.video;
    let bits = u64::from(video.width) * u64::from(video.height) * u64::from(video.fps) / 10;
    u32::try_from((bits / 1_000).clamp(300, 20_000)).unwrap_or(20_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe() -> Probe {
        let video =
            VideoTrack { codec: "h264".into(), width: 1280, height: 720, fps: 30.0, has_b_frames: false };
        let audio = AudioTrack { codec: "aac".into(), rate: 48_000, channels: 2 };
        Probe { container: "flv".into(), duration_ms: Some(4_010), video: Some(video), audio: Some(audio) }
    }

    #[test]
    fn clip_needs_a_picture_and_a_second() {
        assert_eq!(probe().check(), Ok(()));
        assert_eq!(Probe { audio: None, duration_ms: None, ..probe() }.check(), Ok(()));
        assert!(Probe { video: None, ..probe() }.check().unwrap_err().contains("no picture"));
        assert!(Probe { duration_ms: Some(40), ..probe() }.check().unwrap_err().contains("40 ms"));
    }

    #[test]
    fn rendition_has_the_profile_and_the_length_of_its_source() {
        let (profile, source) = (Profile::default(), Probe { duration_ms: Some(4_000), ..probe() });
        assert_eq!(probe().check_rendition(&profile, &source), Ok(4_010));
        let with = |change: fn(&mut VideoTrack)| {
            let mut changed = probe();
            change(changed.video.as_mut().unwrap());
            changed
        };
        for bad in [
            with(|video| video.width = 1_920),
            with(|video| video.codec = "hevc".into()),
            with(|video| video.fps = 25.0),
            with(|video| video.has_b_frames = true),
            Probe { audio: None, ..probe() },
            Probe { video: None, ..probe() },
            Probe { duration_ms: Some(3_000), ..probe() },
        ] {
            assert!(bad.check_rendition(&profile, &source).is_err(), "{bad:?}");
        }
        let of_unknown_length = Probe { duration_ms: None, ..probe() };
        assert_eq!(probe().check_rendition(&profile, &of_unknown_length), Ok(4_010));
    }

    #[test]
    fn bitrate_grows_with_the_picture_within_limits() {
        let kbps = |width, height, fps| {
            let mut profile = Profile::default();
            (profile.video.width, profile.video.height, profile.video.fps) = (width, height, fps);
            video_kbps(&profile)
        };
        assert_eq!((kbps(16, 16, 1), kbps(1280, 720, 30), kbps(1920, 1080, 30)), (300, 2_764, 6_220));
        assert_eq!(kbps(7_680, 4_320, 120), 20_000);
    }
}
