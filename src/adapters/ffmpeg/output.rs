//! Reads what ffmpeg and ffprobe print.

use std::path::Path;

use serde::Deserialize;

use crate::domain::clip::{AudioTrack, Probe, VideoTrack};

/// The longest text of an error.
const MOST_WORDS: usize = 500;

#[derive(Deserialize)]
struct Probed {
    #[serde(default)]
    streams: Vec<Stream>,
    format: Format,
}

#[derive(Deserialize)]
struct Format {
    #[serde(default)]
    format_name: String,
    duration: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Stream {
    codec_type: String,
    codec_name: String,
    width: u32,
    height: u32,
    avg_frame_rate: String,
    has_b_frames: u32,
    sample_rate: String,
    channels: u32,
    disposition: Disposition,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Disposition {
    attached_pic: u32,
}

/// What ffprobe says about a file.
pub(super) fn probe(json: &str) -> Result<Probe, String> {
    let probed: Probed =
        serde_json::from_str(json).map_err(|error| format!("ffprobe's answer is unreadable: {error}"))?;
    let of = |kind: &str| {
        let kind = kind.to_owned();
        move |stream: &&Stream| stream.codec_type == kind && stream.disposition.attached_pic == 0
    };
    let video = probed.streams.iter().find(of("video")).map(|stream| VideoTrack {
        codec: stream.codec_name.clone(),
        width: stream.width,
        height: stream.height,
        fps: rate(&stream.avg_frame_rate),
        has_b_frames: stream.has_b_frames > 0,
    });
    let audio = probed.streams.iter().find(of("audio")).map(|stream| AudioTrack {
        codec: stream.codec_name.clone(),
        rate: stream.sample_rate.parse().unwrap_or(0),
        channels: stream.channels,
    });
    let duration_ms = probed.format.duration.as_deref().and_then(milliseconds);
    Ok(Probe { container: probed.format.format_name, duration_ms, video, audio })
}

/// A rate such as `30000/1001`.
fn rate(text: &str) -> f64 {
    let parts = text
        .split_once('/')
        .and_then(|(over, under)| Some((over.parse::<f64>().ok()?, under.parse::<f64>().ok()?)));
    parts.filter(|(_, under)| *under > 0.0).map_or(0.0, |(over, under)| over / under)
}

/// Seconds such as `4.010000`.
fn milliseconds(seconds: &str) -> Option<u64> {
    let seconds: f64 = seconds.parse().ok()?;
    std::time::Duration::try_from_secs_f64(seconds).ok().and_then(|it| u64::try_from(it.as_millis()).ok())
}

/// The position in a line of `-progress`, in milliseconds.
pub(super) fn position_ms(line: &str) -> Option<u64> {
    // `N/A` and negative numbers come before the first frame.
    line.strip_prefix("out_time_us=")?.trim().parse::<u64>().ok().map(|us| us / 1_000)
}

/// Whether a line is one of `-progress`, such as `dup_frames=0`.
pub(super) fn is_progress(line: &str) -> bool {
    let name = line.split_once('=').map(|(name, _)| name);
    name.is_some_and(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'))
}

/// The last words of a program, without the path of the file.
pub(super) fn words(errors: &[String], file: &Path) -> String {
    let path = file.display().to_string();
    let lines = errors
        .iter()
        .map(|line| line.replace(&format!("file:{path}"), "the file").replace(&path, "the file"));
    // `[mov,mp4 @ 0x55fe0d9bab80]` is of use to nobody.
    let plain = lines.map(|line| match line.split_once("] ") {
        Some((head, rest)) if head.starts_with('[') && head.contains(" @ ") => rest.to_owned(),
        _ => line,
    });
    let mut lines: Vec<String> = plain.filter(|line| !line.trim().is_empty()).collect();
    lines.dedup();
    let text = lines.join("; ");
    let skip = text.chars().count().saturating_sub(MOST_WORDS);
    let text: String = text.chars().skip(skip).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.is_empty() { "no reason was given".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_tracks_are_read_and_covers_skipped() {
        let json = r#"{"streams": [
            {"codec_type": "video", "codec_name": "mjpeg", "disposition": {"attached_pic": 1}},
            {"codec_type": "audio", "codec_name": "opus", "sample_rate": "48000", "channels": 6},
            {"codec_type": "video", "codec_name": "vp9", "width": 640, "height": 360, "avg_frame_rate": "30000/1001"},
            {"codec_type": "subtitle"}], "format": {"format_name": "matroska,webm", "duration": "3.5001"}}"#;
        let found = probe(json).unwrap();
        let video = found.video.unwrap();
        assert_eq!((video.codec.as_str(), video.width, (video.fps * 100.0).round()), ("vp9", 640, 2_997.0));
        assert_eq!((found.audio.unwrap().channels, found.duration_ms), (6, Some(3_500)));
        assert_eq!(probe(r#"{"format": {}}"#).unwrap().duration_ms, None);
        assert!(probe("{}").is_err() && probe("no").is_err());
    }

    #[test]
    fn words_name_neither_paths_nor_addresses_in_memory() {
        let errors = ["[mov,mp4 @ 0x55fe0d9bab80] moov atom not found", "file:/srv/media/x: Invalid data"]
            .map(String::from);
        assert_eq!(words(&errors, Path::new("/srv/media/x")), "moov atom not found; the file: Invalid data");
        assert_eq!(words(&[], Path::new("x")), "no reason was given");
        assert_eq!(words(&["ä".repeat(2_000)], Path::new("x")).chars().count(), MOST_WORDS);
    }

    #[test]
    fn position_is_in_one_line_of_the_progress() {
        assert_eq!(position_ms("out_time_us=4010000"), Some(4_010));
        for other in ["out_time_us=N/A", "out_time_us=-21000", "frame=120", ""] {
            assert_eq!(position_ms(other), None, "{other}");
        }
        assert!(
            is_progress("stream_0_0_q=12.0") && is_progress("progress=end") && is_progress("out_time_us=N/A")
        );
        assert!(!is_progress("[flv @ 0x5] Packet corrupt (stream = 0, dts = 21)") && !is_progress("no"));
    }
}
