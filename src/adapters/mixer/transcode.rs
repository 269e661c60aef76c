//! Normalises a live input that differs from the profile: its frames go through a transcoder, which is started again if
//! it fails.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::meter::Meter;
use super::piece::Headers;
use crate::adapters::rtmp::{FlvStream, Frame, flv_header, flv_tag};
use crate::domain::channel::{Profile, Track, wrapped};
use crate::ports::LiveTranscoder;

/// How many frames wait for the transcoder: more than four seconds.
const FRAMES: usize = 512;
/// How many parts of its output wait.
const PARTS: usize = 64;
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// A transcoder that ran for this long begins the waits again.
const STABLE: Duration = Duration::from_secs(30);

/// A source whose timestamps jump by more than this begins anew.
const LONGEST_STEP_MS: i64 = 10_000;
const TOO_SLOW: &str =
    "this machine is too slow to transcode the live input: set the encoder to the channel's profile";

/// What comes out.
#[derive(Debug)]
pub(super) enum TranscodeEvent {
    /// A normalised frame.
    Frame(Frame),
    /// It failed, and is started again after a while.
    Failed(String),
}

/// A live input on its way through the transcoder. It ends when this is dropped.
pub(super) struct Transcoding {
    /// What comes out looks like this.
    pub(super) profile: Profile,
    frames: mpsc::Sender<Frame>,
    pub(super) events: mpsc::Receiver<TranscodeEvent>,
    /// What the encoder sends.
    pub(super) meter: Meter,
    pub(super) headers: Arc<Headers>,
    /// Why nothing comes out.
    pub(super) failure: Option<String>,
    /// Bytes of video that went in since a frame came out.
    bytes: u32,
    _task: JoinSet<()>,
}

impl Transcoding {
    /// Begins with an input that has these headers.
    pub(super) fn start(
        transcoder: Arc<dyn LiveTranscoder>,
        profile: Profile,
        headers: Arc<Headers>,
        meter: Meter,
    ) -> Self {
        let ((frames, to_convert), (sender, events)) = (mpsc::channel(FRAMES), mpsc::channel(FRAMES));
        let task =
            Task { transcoder, profile, headers: (*headers).clone(), frames: to_convert, events: sender };
        let mut tasks = JoinSet::new();
        tasks.spawn(task.run());
        Self { profile, frames, events, meter, headers, failure: None, bytes: 0, _task: tasks }
    }

    /// Takes a frame of the encoder. If the transcoder is too slow, it finds that out by itself.
    pub(super) fn take(&mut self, frame: Frame, now: Duration) {
        if frame.is_header {
            self.headers = Arc::new(self.headers.with(frame.clone()));
        } else {
            self.meter.frame(&frame, now);
        }
        self.resend(frame);
    }

    /// Takes a frame that was counted before.
    pub(super) fn resend(&mut self, frame: Frame) {
        if frame.track == Track::Video {
            self.bytes = self.bytes.saturating_add(u32::try_from(frame.payload.len()).unwrap_or(u32::MAX));
        }
        let _ = self.frames.try_send(frame);
    }

    /// A normalised frame came. Returns what the encoder sent for it.
    pub(super) fn made(&mut self) -> u32 {
        self.failure = None;
        std::mem::take(&mut self.bytes)
    }
}

/// The place of each frame in what the transcoder reads, which begins at zero.
struct Place {
    last: u32,
    at: i64,
}

impl Place {
    /// The timestamp of the frame; `None` if it jumps, or lies before the beginning.
    fn of(&mut self, frame: &Frame) -> Option<u32> {
        let step = i64::from(frame.timestamp.wrapping_sub(self.last).cast_signed());
        let at = u64::try_from(self.at + step).ok()?;
        if step.abs() > LONGEST_STEP_MS {
            return None;
        }
        (self.last, self.at) = (frame.timestamp, self.at + step);
        Some(wrapped(at))
    }
}

/// How a transcoder ended.
enum End {
    /// Its frames are not wanted any more, or there are no more.
    Unwanted,
    /// The encoder changed what it sends.
    Changed(Frame),
    Failed(String),
}

struct Task {
    transcoder: Arc<dyn LiveTranscoder>,
    profile: Profile,
    headers: Headers,
    frames: mpsc::Receiver<Frame>,
    events: mpsc::Sender<TranscodeEvent>,
}

impl Task {
    async fn run(mut self) {
        let backoff = || {
            ExponentialBuilder::new()
                .with_min_delay(SHORTEST_WAIT)
                .with_max_delay(LONGEST_WAIT)
                .without_max_times()
        };
        let mut waits = backoff().build();
        let mut not_before = Instant::now();
        loop {
            let Some(first) = self.next_keyframe(not_before).await else { return };
            let began = Instant::now();
            match self.convert(first).await {
                End::Unwanted => return,
                End::Changed(frame) => {
                    if frame.is_header {
                        self.headers = self.headers.with(frame);
                    }
                }
                End::Failed(why) => {
                    if began.elapsed() >= STABLE {
                        waits = backoff().build();
                    }
                    let wait = waits.next().unwrap_or(LONGEST_WAIT);
                    tracing::warn!(why, ?wait, "the transcoding of a live input failed and is tried again");
                    not_before = Instant::now() + wait;
                    if self.events.send(TranscodeEvent::Failed(why)).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// The next keyframe that comes after `not_before`.
    async fn next_keyframe(&mut self, not_before: Instant) -> Option<Frame> {
        loop {
            let frame = self.frames.recv().await?;
            if frame.is_header {
                self.headers = self.headers.with(frame);
            } else if frame.is_keyframe && Instant::now() >= not_before {
                return Some(frame);
            }
        }
    }

    /// Runs the transcoder from a keyframe on.
    async fn convert(&mut self, first: Frame) -> End {
        let Self { transcoder, profile, headers, frames, events } = self;
        let with_sound = headers.audio.is_some();
        let ((input, to_convert), (converted, mut output)) = (mpsc::channel(FRAMES), mpsc::channel(PARTS));
        let mut converting = transcoder.convert_live(profile, with_sound, to_convert, converted);
        let mut place = Place { last: first.timestamp, at: 0 };
        let start = [flv_header(with_sound)].into_iter();
        let start =
            start.chain(headers.frames().map(|header| flv_tag(header, 0))).chain([flv_tag(&first, 0)]);
        if input.try_send(start.collect::<Vec<_>>().concat()).is_err() {
            return End::Failed("it takes nothing".to_owned());
        }
        let mut stream = FlvStream::default();
        loop {
            tokio::select! {
                why = &mut converting => return End::Failed(why.to_string()),
                frame = frames.recv() => {
                    let Some(frame) = frame else { return End::Unwanted };
                    if frame.is_header {
                        let known = match frame.track {
                            Track::Video => &headers.video,
                            Track::Audio => &headers.audio,
                        };
                        if known.as_ref().map(|known| &known.payload) != Some(&frame.payload) {
                            return End::Changed(frame);
                        }
                        continue;
                    }
                    match place.of(&frame) {
                        Some(at) if input.try_send(flv_tag(&frame, at)).is_err() => {
                            return End::Failed(TOO_SLOW.to_owned());
                        }
                        None if frame.is_keyframe => return End::Changed(frame),
                        _ => {}
                    }
                }
                Some(part) = output.recv() => {
                    stream.push(&part);
                    loop {
                        match stream.next_frame() {
                            Ok(None) => break,
                            Ok(Some(frame)) => if events.send(TranscodeEvent::Frame(frame)).await.is_err() {
                                return End::Unwanted;
                            },
                            Err(error) => return End::Failed(error.to_string()),
                        }
                    }
                }
            }
        }
    }
}
