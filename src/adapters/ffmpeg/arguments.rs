//! The arguments of ffmpeg and ffprobe.

use std::ffi::OsString;
use std::path::Path;

use crate::domain::clip::{FORMATS, video_kbps};
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
    let layout = if audio.channels == 1 { "mono" } else { "stereo" };
    let texts = |texts: &[&str]| -> Vec<OsString> { texts.iter().map(OsString::from).collect() };
    let mut arguments =
        texts(&["-nostdin", "-hide_banner", "-loglevel", "error", "-nostats", "-progress", "pipe:1", "-y"]);
    restricted(&mut arguments);
    arguments.extend([OsString::from("-i"), file(source)]);
    if !has_sound {
        arguments.extend(texts(&["-f", "lavfi", "-i", &format!("anullsrc=r={}:cl={layout}", audio.rate)]));
    }
    // `V`: a picture, but no cover.
    arguments.extend(texts(&["-map", "0:V:0", "-map", if has_sound { "0:a:0" } else { "1:a:0" }]));
    let end = if probe.duration_ms.is_some() { ",tpad=stop_mode=clone:stop=-1" } else { "" };
    let picture = format!(
        "scale={w}:{h}:force_original_aspect_ratio=decrease:force_divisible_by=2,pad={w}:{h}:(ow-iw)/2:(oh-ih)/2,\
         setsar=1,fps={fps}:start_time=0{end}"
    );
    let sound = format!("aresample={}:async=1:first_pts=0,apad", audio.rate);
    arguments.extend(texts(&["-vf", &picture, "-af", &sound]));
    match probe.duration_ms {
        Some(ms) => arguments.extend(texts(&["-t", &format!("{}.{:03}", ms / 1_000, ms % 1_000)])),
        None => arguments.push("-shortest".into()),
    }
    let (kbps, buffer, keyframes) =
        (format!("{}k", video_kbps(profile)), format!("{}k", 2 * video_kbps(profile)), (2 * fps).to_string());
    arguments.extend(texts(&["-c:v", "libx264", "-preset", "veryfast", "-profile:v", "high"]));
    arguments.extend(texts(&["-pix_fmt", "yuv420p", "-g", &keyframes, "-keyint_min", &keyframes]));
    arguments.extend(texts(&[
        "-sc_threshold",
        "0",
        "-bf",
        "0",
        "-b:v",
        &kbps,
        "-minrate",
        &kbps,
        "-maxrate",
        &kbps,
    ]));
    arguments.extend(texts(&["-bufsize", &buffer, "-x264-params", "nal-hrd=cbr"]));
    let (rate, channels) = (audio.rate.to_string(), audio.channels.to_string());
    arguments.extend(texts(&[
        "-c:a",
        "aac",
        "-b:a",
        &format!("{AUDIO_KBPS}k"),
        "-ar",
        &rate,
        "-ac",
        &channels,
    ]));
    arguments.extend(texts(&["-map_metadata", "-1", "-map_chapters", "-1", "-sn", "-dn"]));
    arguments.extend(texts(&["-flvflags", "no_sequence_end+no_duration_filesize", "-f", "flv"]));
    arguments.push(file(target));
    arguments
}
