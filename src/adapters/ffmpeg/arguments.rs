//! The arguments of ffmpeg and ffprobe.

use std::ffi::OsString;
use std::path::Path;

use crate::domain::clip::{FORMATS, video_kbps};
use crate::domain::profile::Profile;
use crate::ports::Conversion;

/// The bitrate of the sound.
const AUDIO_KBPS: u32 = 160;

/// A file as an input or output. Without the protocol, a name could be taken for an address.
fn file(path: &Path) -> OsString {
    let mut name = OsString::from("file:");
    name.push(path);
    name
}

/// What may be opened: files of these containers. A playlist could name other files and addresses.
fn restricted(arguments: &mut Vec<OsString>) {
    for argument in ["-protocol_whitelist", "file", "-format_whitelist", FORMATS] {
        arguments.push(argument.into());
    }
}

fn texts(texts: &[&str]) -> Vec<OsString> {
    texts.iter().map(OsString::from).collect()
}

/// The picture in full, within `w` x `h`.
fn fitted(w: u32, h: u32) -> String {
    format!(
        "scale={w}:{h}:force_original_aspect_ratio=decrease:force_divisible_by=2,pad={w}:{h}:(ow-iw)/2:(oh-ih)/2,setsar=1"
    )
}

/// A source of silence.
fn silence(profile: &Profile) -> String {
    let layout = if profile.audio.channels == 1 { "mono" } else { "stereo" };
    format!("anullsrc=r={}:cl={layout}", profile.audio.rate)
}

/// Encodes in the profile: constant bitrate, no B-frames, a keyframe every two seconds.
fn encoders(profile: &Profile) -> Vec<OsString> {
    let (kbps, buffer) = (format!("{}k", video_kbps(profile)), format!("{}k", 2 * video_kbps(profile)));
    let (keyframes, audio_kbps) = ((2 * profile.video.fps).to_string(), format!("{AUDIO_KBPS}k"));
    let (rate, channels) = (profile.audio.rate.to_string(), profile.audio.channels.to_string());
    let groups: [&[&str]; 5] = [
        &["-c:v", "libx264", "-preset", "veryfast", "-profile:v", "high", "-pix_fmt", "yuv420p"],
        &["-g", &keyframes, "-keyint_min", &keyframes, "-sc_threshold", "0", "-bf", "0"],
        &["-b:v", &kbps, "-minrate", &kbps, "-maxrate", &kbps, "-bufsize", &buffer],
        &["-x264-params", "nal-hrd=cbr"],
        &["-c:a", "aac", "-b:a", &audio_kbps, "-ar", &rate, "-ac", &channels],
    ];
    texts(&groups.concat())
}

/// Examines a file; the answer is JSON.
pub(super) fn probe(path: &Path) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = ["-v", "error", "-hide_banner"].map(OsString::from).into();
    restricted(&mut arguments);
    let entries = "format=format_name,duration:stream=codec_type,codec_name,width,height,avg_frame_rate,has_b_frames,\
                   sample_rate,channels:stream_disposition=attached_pic";
    arguments.extend(["-of", "json", "-show_entries", entries].map(OsString::from));
    arguments.push(file(path));
    arguments
}

/// Converts a file to a rendition.
///
/// Both tracks begin at zero and end with the file: the last picture is repeated, the sound is filled with silence. A
/// file that does not say its length ends with its picture.
pub(super) fn convert(conversion: &Conversion<'_>) -> Vec<OsString> {
    let Conversion { source, probe, target, profile, max_bytes: _ } = *conversion;
    let (video, audio) = (&profile.video, &profile.audio);
    let (w, h, fps) = (video.width, video.height, video.fps);
    let has_sound = probe.audio.is_some();
    let mut arguments =
        texts(&["-nostdin", "-hide_banner", "-loglevel", "error", "-nostats", "-progress", "pipe:1", "-y"]);
    restricted(&mut arguments);
    arguments.extend([OsString::from("-i"), file(source)]);
    if !has_sound {
        arguments.extend(texts(&["-f", "lavfi", "-i", &silence(profile)]));
    }
    // `V`: a picture, but no cover.
    arguments.extend(texts(&["-map", "0:V:0", "-map", if has_sound { "0:a:0" } else { "1:a:0" }]));
    let end = if probe.duration_ms.is_some() { ",tpad=stop_mode=clone:stop=-1" } else { "" };
    let picture = format!("{},fps={fps}:start_time=0{end}", fitted(w, h));
    let sound = format!("aresample={}:async=1:first_pts=0,apad", audio.rate);
    arguments.extend(texts(&["-vf", &picture, "-af", &sound]));
    match probe.duration_ms {
        Some(ms) => arguments.extend(texts(&["-t", &format!("{}.{:03}", ms / 1_000, ms % 1_000)])),
        None => arguments.push("-shortest".into()),
    }
    arguments.extend(encoders(profile));
    arguments.extend(texts(&["-map_metadata", "-1", "-map_chapters", "-1", "-sn", "-dn"]));
    arguments.extend(texts(&["-flvflags", "no_sequence_end+no_duration_filesize", "-f", "flv"]));
    arguments.push(file(target));
    arguments
}

/// Normalises an FLV stream on standard input to one on standard output, with little delay. The progress is among the
/// lines on standard error.
pub(super) fn live(profile: &Profile, with_sound: bool) -> Vec<OsString> {
    let video = &profile.video;
    let mut arguments = texts(&["-nostdin", "-hide_banner", "-loglevel", "error", "-nostats"]);
    arguments.extend(texts(&["-progress", "pipe:2", "-stats_period", "0.5", "-protocol_whitelist", "pipe"]));
    // What the tracks are stands in their first frames. More threads of the decoder would each hold a frame back.
    arguments.extend(texts(&["-fpsprobesize", "0", "-analyzeduration", "1", "-threads", "1"]));
    arguments.extend(texts(&["-f", "flv", "-i", "pipe:0"]));
    if !with_sound {
        arguments.extend(texts(&["-f", "lavfi", "-i", &silence(profile)]));
    }
    arguments.extend(texts(&["-map", "0:v:0", "-map", if with_sound { "0:a:0" } else { "1:a:0" }]));
    let picture = format!("{},fps={}", fitted(video.width, video.height), video.fps);
    arguments.extend(texts(&["-vf", &picture, "-af", &format!("aresample={}:async=1", profile.audio.rate)]));
    arguments.extend(encoders(profile));
    arguments.extend(texts(&[
        "-tune",
        "zerolatency",
        "-max_interleave_delta",
        "200000",
        "-flush_packets",
        "1",
    ]));
    arguments.extend(texts(&["-flvflags", "no_sequence_end+no_duration_filesize", "-f", "flv", "pipe:1"]));
    arguments
}

/// Makes the built-in picture: four seconds of one colour and silence.
pub(super) fn slate(profile: &Profile, target: &Path) -> Vec<OsString> {
    let video = &profile.video;
    let picture = format!("color=c=0x14181c:s={}x{}:r={}", video.width, video.height, video.fps);
    let mut arguments = texts(&["-nostdin", "-hide_banner", "-loglevel", "error", "-nostats"]);
    arguments.extend(texts(&["-progress", "pipe:1", "-y"]));
    arguments.extend(texts(&[
        "-f",
        "lavfi",
        "-i",
        &picture,
        "-f",
        "lavfi",
        "-i",
        &silence(profile),
        "-t",
        "4",
    ]));
    arguments.extend(encoders(profile));
    // One colour needs no constant bitrate.
    arguments.extend(texts(&["-x264-params", "nal-hrd=none", "-minrate", "0"]));
    arguments.extend(texts(&["-flvflags", "no_sequence_end+no_duration_filesize", "-f", "flv"]));
    arguments.push(file(target));
    arguments
}

/// Puts the media of a file into an MP4.
pub(super) fn as_mp4(source: &Path, target: &Path) -> Vec<OsString> {
    let mut arguments = texts(&["-nostdin", "-hide_banner", "-loglevel", "error", "-nostats"]);
    arguments.extend(texts(&["-progress", "pipe:1", "-y"]));
    restricted(&mut arguments);
    arguments.extend([OsString::from("-i"), file(source)]);
    arguments.extend(texts(&[
        "-map",
        "0:v:0",
        "-map",
        "0:a:0",
        "-c",
        "copy",
        "-video_track_timescale",
        "90000",
    ]));
    arguments.extend(texts(&["-movflags", "+faststart", "-f", "mp4"]));
    arguments.push(file(target));
    arguments
}
