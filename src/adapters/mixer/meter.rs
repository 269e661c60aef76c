//! The bitrate, frame rate and keyframe interval of an input.

use std::collections::VecDeque;
use std::time::Duration;

use crate::adapters::rtmp::Frame;
use crate::domain::channel::Track;

/// The time over which rates are measured.
const WINDOW: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
pub(super) struct Meter {
    began: Option<Duration>,
    /// When each frame came, and its bytes; for video whether it is a keyframe.
    frames: VecDeque<(Duration, usize, bool)>,
    bytes: usize,
    last_video: Option<Duration>,
    last_keyframe: Option<u32>,
    keyframe_interval_ms: Option<u32>,
}

impl Meter {
    pub(super) fn frame(&mut self, frame: &Frame, now: Duration) {
        self.began.get_or_insert(now);
        let is_video = frame.track == Track::Video;
        self.frames.push_back((now, frame.payload.len(), is_video));
        self.bytes += frame.payload.len();
        self.forget(now);
        if is_video {
            self.last_video = Some(now);
        }
        if frame.is_keyframe {
            let interval = self.last_keyframe.map(|last| frame.timestamp.wrapping_sub(last));
            self.keyframe_interval_ms = interval.filter(|interval| *interval < 3_600_000);
            self.last_keyframe = Some(frame.timestamp);
        }
    }

    fn forget(&mut self, now: Duration) {
        while let Some((at, bytes, _)) = self.frames.front()
            && now.saturating_sub(*at) > WINDOW
        {
            self.bytes -= bytes;
            self.frames.pop_front();
        }
    }

    /// The seconds over which frames were counted; `None` if they are too few to say something.
    fn seconds(&self, now: Duration) -> Option<f64> {
        let measured = now.saturating_sub(self.began?).min(WINDOW);
        (measured >= Duration::from_secs(1)).then_some(measured.as_secs_f64())
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a figure for people"
    )]
    pub(super) fn bitrate_kbps(&mut self, now: Duration) -> Option<u32> {
        self.forget(now);
        self.seconds(now).map(|seconds| (self.bytes as f64 * 8.0 / 1_000.0 / seconds) as u32)
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a figure for people")]
    pub(super) fn fps(&mut self, now: Duration) -> Option<f32> {
        self.forget(now);
        let video = self.frames.iter().filter(|(_, _, is_video)| *is_video).count();
        self.seconds(now).map(|seconds| (video as f64 / seconds * 10.0).round() as f32 / 10.0)
    }

    pub(super) fn keyframe_interval_ms(&self) -> Option<u32> {
        self.keyframe_interval_ms
    }

    /// The age of the last video frame.
    /// When the last picture came.
    pub(super) fn last_video(&self) -> Option<Duration> {
        self.last_video
    }

    pub(super) fn age(&self, now: Duration) -> Option<Duration> {
        self.last_video.map(|last| now.saturating_sub(last))
    }
}
