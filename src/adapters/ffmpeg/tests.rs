//! The real ffmpeg, on small files.

use std::path::PathBuf;
use std::process::Command as Program;

use rstest::rstest;
use tempfile::TempDir;
use tokio::sync::mpsc;

use super::*;
use crate::adapters::rtmp::{FlvStream, Formats, Frame};
use crate::domain::channel::Track;
use crate::domain::profile::Profile;
use crate::ports::LiveTranscoder as _;

/// A small picture, so that the tests take little time.
fn profile() -> Profile {
    let mut profile = Profile::default();
    (profile.video.width, profile.video.height) = (160, 90);
    profile
}

fn make(folder: &TempDir, name: &str, arguments: &str) -> PathBuf {
    let file = folder.path().join(name);
    let made = Program::new("ffmpeg")
        .args(["-v", "error", "-nostdin"])
        .args(arguments.split(' '))
        .arg(&file)
        .status()
        .expect("ffmpeg is installed");
    assert!(made.success());
    file
}

async fn convert(source: &Path, target: &Path, max_bytes: u64) -> Result<Probe, TranscodeError> {
    let (probe, profile) = (Ffmpeg.probe(source).await?, profile());
    let conversion = Conversion { source, probe: &probe, target, profile: &profile, max_bytes };
    let progress = watch::Sender::new(0.0);
    Ffmpeg.convert(conversion, &progress, &CancellationToken::new()).await?;
    let made = Ffmpeg.probe(target).await?;
    made.check_rendition(&profile, &probe).map_err(TranscodeError::Failed)?;
    assert!(probe.duration_ms.is_none() || *progress.borrow() > 0.9, "{progress:?}");
    Ok(made)
}

#[rstest]
#[case::sound_is_longer(
    "a.mp4",
    "-f lavfi -i testsrc=s=128x96:r=25:d=2 -f lavfi -i sine=d=3 -c:v libx264 -c:a aac",
    3_000
)]
#[case::picture_is_longer(
    "b.mkv",
    "-f lavfi -i testsrc=s=96x128:r=10:d=3 -f lavfi -i sine=r=44100:d=1 -c:v libx264 -c:a aac",
    3_000
)]
#[case::no_sound("c.ts", "-f lavfi -i testsrc=s=128x96:r=30:d=2 -c:v mpeg2video", 2_000)]
#[tokio::test]
async fn rendition_has_the_profile_and_both_tracks(
    #[case] name: &str,
    #[case] arguments: &str,
    #[case] ms: u64,
) {
    let folder = TempDir::new().unwrap();
    let source = make(&folder, name, arguments);
    let made = convert(&source, &folder.path().join("out.flv"), u64::MAX).await.unwrap();
    assert_eq!(made.container, "flv");
    assert!(made.duration_ms.unwrap().abs_diff(ms) < 150, "{made:?}");
}

/// The times of the keyframes, and the last time of each track.
fn times(file: &Path, of: &str, entry: &str) -> Vec<(f64, String)> {
    let arguments = ["-v", "error", "-select_streams", of, "-show_entries", entry, "-of", "csv=p=0"];
    let printed = Program::new("ffprobe").args(arguments).arg(file).output().expect("ffprobe is installed");
    let text = String::from_utf8(printed.stdout).unwrap();
    let parse = |line: &str| {
        let (time, rest) = line.split_once(',')?;
        Some((time.parse().ok()?, rest.to_owned()))
    };
    text.lines().filter_map(parse).collect()
}

#[tokio::test]
async fn keyframe_comes_every_two_seconds_and_tracks_end_together() {
    let folder = TempDir::new().unwrap();
    let source = make(
        &folder,
        "a.mp4",
        "-f lavfi -i testsrc=s=128x96:r=25:d=5 -f lavfi -i sine=d=4 -c:v libx264 -c:a aac",
    );
    let target = folder.path().join("out.flv");
    convert(&source, &target, u64::MAX).await.unwrap();
    let pictures = times(&target, "v", "packet=dts_time,flags");
    let keyframes: Vec<f64> =
        pictures.iter().filter(|(_, flags)| flags.starts_with('K')).map(|(at, _)| *at).collect();
    assert_eq!(keyframes.len(), 3, "{keyframes:?}");
    assert!(keyframes.windows(2).all(|pair| (pair[1] - pair[0] - 2.0).abs() < 0.01), "{keyframes:?}");
    let last_sound = times(&target, "a", "packet=dts_time,flags").last().unwrap().0;
    assert!((pictures.last().unwrap().0 - last_sound).abs() < 0.1);
}

#[tokio::test]
async fn playlist_and_text_are_no_media_whatever_their_name() {
    let folder = TempDir::new().unwrap();
    make(&folder, "a.mp4", "-f lavfi -i testsrc=s=128x96:r=25:d=1 -c:v libx264");
    for content in ["hello", "ffconcat version 1.0\nfile a.mp4\n", "#EXTM3U\n#EXTINF:1,\na.mp4\n", ""] {
        let file = folder.path().join("list.mp4");
        std::fs::write(&file, content).unwrap();
        let refused = Ffmpeg.probe(&file).await.unwrap_err();
        assert!(matches!(refused, TranscodeError::NotMedia(_)), "{content:?}: {refused}");
        assert!(!refused.to_string().contains("list.mp4"), "{refused}");
    }
    let sound = make(&folder, "a.wav", "-f lavfi -i sine=d=1");
    let refused = Ffmpeg.probe(&sound).await.unwrap_err().to_string();
    assert!(refused.contains("this format is not accepted"), "{refused}");
}

#[tokio::test]
async fn conversion_that_outgrows_its_room_is_ended() {
    let folder = TempDir::new().unwrap();
    let source =
        make(&folder, "a.mp4", "-f lavfi -i testsrc=s=128x96:r=25:d=600 -c:v libx264 -preset ultrafast");
    let refused = convert(&source, &folder.path().join("out.flv"), 10_000).await;
    assert_eq!(refused, Err(TranscodeError::Full));
}

/// The first frames that come out of a live input that plays a file as fast as it is read.
async fn normalised(source: &Path, profile: &Profile, with_sound: bool) -> Vec<Frame> {
    let bytes = std::fs::read(source).unwrap();
    let ((to, input), (output, mut from)) = (mpsc::channel(8), mpsc::channel::<Vec<u8>>(8));
    let feeding = async move {
        for part in bytes.chunks(4_000) {
            if to.send(part.to_vec()).await.is_err() {
                return;
            }
        }
        // Silence continues when the file ends.
        to.closed().await;
    };
    let reading = async move {
        let (mut stream, mut frames) = (FlvStream::default(), Vec::new());
        while frames.iter().filter(|frame: &&Frame| frame.track == Track::Video).count() <= PICTURES {
            let part = from.recv().await.unwrap();
            stream.push(&part);
            frames.extend(std::iter::from_fn(|| stream.next_frame().unwrap()));
        }
        frames
    };
    let converting = Ffmpeg.convert_live(profile, with_sound, input, output);
    let (ended, (), frames) = tokio::join!(converting, feeding, reading);
    assert_eq!(ended, TranscodeError::Stopped);
    frames
}

/// How many pictures are read: with 25 a second nearly five seconds.
const PICTURES: usize = 120;

#[rstest]
#[case::other_size_rate_and_sound(
    "-f lavfi -i testsrc=s=128x96:r=15:d=6 -f lavfi -i sine=r=44100:d=6 -bf 2",
    true
)]
#[case::no_sound("-f lavfi -i testsrc=s=320x240:r=30:d=6", false)]
#[tokio::test]
async fn live_input_is_normalised(#[case] arguments: &str, #[case] with_sound: bool) {
    let folder = TempDir::new().unwrap();
    let source = make(&folder, "in.flv", &format!("{arguments} -c:v libx264 -pix_fmt yuv420p -c:a aac"));
    let mut profile = profile();
    profile.video.fps = 25;
    profile.audio.channels = 1;
    let frames = normalised(&source, &profile, with_sound).await;
    let mut formats = Formats::default();
    frames.iter().filter(|frame| frame.is_header).for_each(|header| formats.learn(header));
    assert_eq!(formats.mismatch(&profile), None, "{formats:?}");
    let of = |track| frames.iter().filter(move |frame: &&Frame| frame.track == track && !frame.is_header);
    let (video, audio) =
        (of(Track::Video).last().unwrap().timestamp, of(Track::Audio).last().unwrap().timestamp);
    assert!(video >= 4_700 && video.abs_diff(audio) < 500, "{video} {audio}");
    let keyframes: Vec<u32> =
        of(Track::Video).filter(|frame| frame.is_keyframe).map(|frame| frame.timestamp).collect();
    assert!(keyframes.windows(2).all(|pair| pair[1] - pair[0] == 2_000), "{keyframes:?}");
    // No frame is shown in another order than it is sent.
    assert!(of(Track::Video).all(|frame| frame.payload[2..5] == [0, 0, 0]));
}

#[tokio::test]
async fn slate_of_a_profile_and_its_mp4_are_made_once() {
    let folder = TempDir::new().unwrap();
    let mut profile = profile();
    profile.video.fps = 25;
    profile.audio.channels = 1;
    let slate = Ffmpeg.slate(&profile, &folder.path().join("slates")).await.unwrap();
    let made = Ffmpeg.probe(&slate).await.unwrap();
    let whole = Probe { duration_ms: Some(4_000), ..made.clone() };
    assert!(made.check_rendition(&profile, &whole).is_ok(), "{made:?}");
    let mp4 = Ffmpeg.as_mp4(&slate).await.unwrap();
    let same = Probe { container: made.container, ..Ffmpeg.probe(&mp4).await.unwrap() };
    assert_eq!((same.video, same.audio), (made.video, made.audio));
    let times = |file: &Path| std::fs::metadata(file).unwrap().modified().unwrap();
    let before = (times(&slate), times(&mp4));
    assert_eq!(Ffmpeg.slate(&profile, slate.parent().unwrap()).await.as_ref(), Ok(&slate));
    assert_eq!(Ffmpeg.as_mp4(&slate).await.as_ref(), Ok(&mp4));
    assert_eq!((times(&slate), times(&mp4)), before);
    // Nothing unfinished is left.
    assert_eq!(std::fs::read_dir(slate.parent().unwrap()).unwrap().count(), 2);
}
