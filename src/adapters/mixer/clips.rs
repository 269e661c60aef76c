//! Reads clips, one after the other, again and again. Their timestamps continue from clip to clip.

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::piece::{ClipEvent, Headers, Item};
use super::supervised::supervised;
use crate::adapters::rtmp::Frame;
use crate::adapters::rtmp::flv::{FlvError, FlvReader};
use crate::domain::channel::Track;

/// The built-in picture: ffmpeg -f lavfi -i color=c=0x14181c:s=1280x720:r=30 -f lavfi -i anullsrc=r=48000:cl=stereo -t 4
/// -c:v libx264 -profile:v high -level 3.1 -pix_fmt yuv420p -bf 0 -g 60 -keyint_min 60 -sc_threshold 0 -c:a aac -b:a 64k
const SLATE: &[u8] = include_bytes!("slate.flv");

/// How many frames wait for the mixer.
const AHEAD: usize = 64;
/// How many frames are read at once.
const BATCH: usize = 32;
/// Clips that cannot be played are tried again after this time.
const AGAIN: Duration = Duration::from_secs(2);

/// What is played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Clip {
    File(PathBuf),
    Slate,
}

impl fmt::Display for Clip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => file.display().fmt(f),
            Self::Slate => f.write_str("the built-in picture"),
        }
    }
}

/// A channel for the events of clips.
pub(super) fn events() -> (mpsc::Sender<ClipEvent>, mpsc::Receiver<ClipEvent>) {
    mpsc::channel(AHEAD)
}

/// Plays the newest list of clips until nobody wants its frames. A new list counts from the end of the clip that plays.
pub(super) async fn play(clips: watch::Receiver<Vec<Clip>>, events: mpsc::Sender<ClipEvent>) {
    supervised("clips", || play_again_and_again(clips.clone(), &events)).await;
}

async fn play_again_and_again(mut clips: watch::Receiver<Vec<Clip>>, events: &mpsc::Sender<ClipEvent>) {
    let (mut next, mut offset, mut failed) = (0, 0, 0);
    // Whether those that cannot be played were reported. They are tried again every few seconds.
    let mut is_reported = false;
    while !events.is_closed() {
        if clips.has_changed().unwrap_or(false) {
            // A new list begins with its first clip.
            (next, is_reported) = (0, false);
        }
        let (clip, count) = {
            let clips = clips.borrow_and_update();
            (clips.get(next % clips.len().max(1)).cloned(), clips.len())
        };
        next = (next + 1) % count.max(1);
        let played = match clip {
            None => false,
            Some(clip) => match play_once(&clip, &mut offset, events).await {
                Ok(had_frames) => had_frames,
                Err(error) => {
                    if !is_reported {
                        tracing::warn!(%clip, %error, "a clip cannot be played");
                    }
                    false
                }
            },
        };
        failed = if played { 0 } else { failed + 1 };
        is_reported &= !played;
        if failed >= count.max(1) {
            (failed, is_reported) = (0, true);
            if events.send(ClipEvent::Unavailable).await.is_err() {
                return;
            }
            let _ = timeout(AGAIN, clips.changed()).await;
        }
    }
}

/// Plays one clip. Returns whether it had a frame. Fails if it cannot be opened.
async fn play_once(
    clip: &Clip,
    offset: &mut u64,
    events: &mpsc::Sender<ClipEvent>,
) -> Result<bool, FlvError> {
    let name = clip.clone();
    let Ok(opened) = spawn_blocking(move || open(&name)).await else { return Ok(false) };
    let (reader, headers) = (opened?, Arc::default());
    let mut playing = Playing { reader, headers, clock: ClipClock::new(*offset), has_begun: false };
    loop {
        let Ok((now, items, end)) = spawn_blocking(move || playing.read()).await else { return Ok(false) };
        playing = now;
        for item in items {
            if events.send(ClipEvent::Frame(item)).await.is_err() {
                return Ok(true);
            }
        }
        match end {
            None => {}
            Some(end) => {
                if let Err(error) = end {
                    tracing::warn!(%clip, %error, "a clip ends early");
                }
                *offset = playing.clock.end();
                return Ok(playing.has_begun);
            }
        }
        if events.is_closed() {
            // Nobody waits for it.
            sleep(Duration::ZERO).await;
            return Ok(true);
        }
    }
}

type Reader = FlvReader<BufReader<Box<dyn Read + Send>>>;

fn open(clip: &Clip) -> Result<Reader, FlvError> {
    let bytes: Box<dyn Read + Send> = match clip {
        Clip::File(path) => Box::new(File::open(path)?),
        Clip::Slate => Box::new(Cursor::new(SLATE)),
    };
    FlvReader::new(BufReader::with_capacity(64 * 1024, bytes))
}

struct Playing {
    reader: Reader,
    headers: Arc<Headers>,
    clock: ClipClock,
    /// Whether the first keyframe came.
    has_begun: bool,
}

impl Playing {
    /// The next frames, and how the clip ended if it did.
    fn read(mut self) -> (Self, VecDeque<Item>, Option<Result<(), FlvError>>) {
        let mut items = VecDeque::new();
        while items.len() < BATCH {
            let mut frame = match self.reader.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => return (self, items, Some(Ok(()))),
                Err(error) => return (self, items, Some(Err(error))),
            };
            if frame.is_header {
                self.headers = Arc::new(self.headers.with(frame));
                continue;
            }
            self.has_begun |= frame.is_keyframe;
            if self.has_begun {
                frame.timestamp = self.clock.place(&frame);
                items.push_back((frame, self.headers.clone()));
            }
        }
        (self, items, None)
    }
}

/// The timestamps of a clip that begins where the last one ended.
struct ClipClock {
    offset: u64,
    first: Option<u32>,
    /// For video and audio: the last timestamp, and the time between the last two.
    last: [Option<(u64, u64)>; 2],
}

impl ClipClock {
    fn new(offset: u64) -> Self {
        Self { offset, first: None, last: [None; 2] }
    }

    fn place(&mut self, frame: &Frame) -> u32 {
        let first = *self.first.get_or_insert(frame.timestamp);
        // Sound may begin a little before the first keyframe.
        let at = self.offset + u64::from(frame.timestamp.saturating_sub(first));
        let last = &mut self.last[usize::from(frame.track == Track::Audio)];
        let step = last.map_or(0, |(last, _)| at.saturating_sub(last));
        *last = Some((at, step));
        crate::domain::channel::wrapped(at)
    }

    /// Where the next clip begins.
    fn end(&self) -> u64 {
        let ends = self.last.iter().flatten().map(|(last, step)| last + (*step).max(1));
        ends.max().unwrap_or(self.offset)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    async fn frames(clips: Vec<Clip>, count: usize) -> Vec<Item> {
        let (sender, mut receiver) = events();
        let (_keep, clips) = watch::channel(clips);
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(play(clips, sender));
        let mut items = Vec::new();
        while items.len() < count {
            match receiver.recv().await.unwrap() {
                ClipEvent::Frame(item) => items.push(item),
                ClipEvent::Unavailable => return items,
            }
        }
        items
    }

    #[tokio::test]
    async fn clip_repeats_without_a_jump_of_its_timestamps() {
        let items = frames(vec![Clip::Slate], 1_000).await;
        let video: Vec<_> = items.iter().filter(|(frame, _)| frame.track == Track::Video).collect();
        assert!(video[0].0.is_keyframe);
        for pair in video.windows(2) {
            let step = pair[1].0.timestamp - pair[0].0.timestamp;
            assert!((20..70).contains(&step), "{step}");
        }
        assert!(video.last().unwrap().0.timestamp > 8_000);
    }

    #[tokio::test]
    async fn clip_that_is_missing_or_broken_is_left_out() {
        let mut broken = tempfile::NamedTempFile::new().unwrap();
        broken.write_all(&SLATE[..5_000]).unwrap();
        let missing = Clip::File("/nowhere/clip.flv".into());
        let broken = Clip::File(broken.path().to_owned());
        assert_eq!(frames(vec![missing.clone()], 10).await.len(), 0);
        assert_eq!(frames(vec![], 10).await.len(), 0);
        assert_eq!(frames(vec![missing, broken, Clip::Slate], 600).await.len(), 600);
    }
}
