//! What the live encoders send: ten seconds of H.264 and AAC at 4 Mbit/s, again and again.

use std::process::{Command, Stdio};
use std::time::Duration;

use streamward::adapters::rtmp::Frame;
use streamward::adapters::rtmp::flv::FlvReader;

/// The bitrate of the whole.
pub(crate) const BITS_A_SECOND: u64 = 4_000_000;
const SECONDS: u32 = 10;

/// The frames of a file.
pub(crate) struct Media {
    headers: Vec<Frame>,
    frames: Vec<Frame>,
}

impl Media {
    /// Made by ffmpeg, which `.ci/setup` installs.
    pub(crate) fn make() -> Self {
        let file = tempfile::Builder::new().suffix(".flv").tempfile().expect("a file");
        let seconds = SECONDS.to_string();
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-nostdin", "-loglevel", "error", "-y"]);
        ffmpeg.args(["-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=30"]);
        ffmpeg.args(["-f", "lavfi", "-i", "sine=sample_rate=48000", "-t", &seconds]);
        ffmpeg.args(["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-bf", "0"]);
        ffmpeg.args(["-g", "60", "-keyint_min", "60", "-sc_threshold", "0"]);
        ffmpeg.args(["-b:v", "3870k", "-minrate", "3870k", "-maxrate", "3870k", "-bufsize", "3870k"]);
        ffmpeg.args(["-x264-params", "nal-hrd=cbr", "-c:a", "aac", "-b:a", "128k", "-ac", "2"]);
        let made =
            ffmpeg.arg(file.path()).stdin(Stdio::null()).status().expect("ffmpeg: .ci/setup installs it");
        assert!(made.success(), "ffmpeg made no media");
        let mut reader = FlvReader::new(std::io::BufReader::new(file)).expect("an FLV file");
        let (mut headers, mut frames) = (Vec::new(), Vec::new());
        while let Some(frame) = reader.next_frame().expect("frames") {
            if frame.is_header { &mut headers } else { &mut frames }.push(frame);
        }
        let end = SECONDS * 1_000;
        frames.retain(|frame| frame.timestamp < end);
        Self { headers, frames }
    }

    pub(crate) fn headers(&self) -> &[Frame] {
        &self.headers
    }

    /// The frame of this number since a stream began, and its time.
    pub(crate) fn frame(&self, number: usize) -> (&Frame, u32) {
        let round = u32::try_from(number / self.frames.len()).expect("a bench is short");
        let frame = &self.frames[number % self.frames.len()];
        (frame, round * SECONDS * 1_000 + frame.timestamp)
    }
}

/// The time of a timestamp since its stream began.
pub(crate) fn after(timestamp: u32) -> Duration {
    Duration::from_millis(u64::from(timestamp))
}
