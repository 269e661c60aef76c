//! The sources of a channel, with the tasks that read them.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::clips::{self, Clip};
use super::feed::{ClipFeed, LiveFeed};
use super::input::{self, InputEvent};
use super::piece::Item;
use crate::adapters::rtmp::{Connector, Frame, Unsupported};
use crate::domain::channel::{
    BackupMedia, Failover, InputState, InputStatus, Mismatch, PlaylistChange, Programme,
};
use crate::domain::secret::Secret;

/// How many events of an input wait for the mixer.
const EVENTS: usize = 256;
/// Both tracks of an input should be known after this time.
const TRACKS: Duration = Duration::from_secs(1);

/// An RTMP input.
pub(super) struct Input {
    url: Secret,
    pub(super) feed: LiveFeed,
    pub(super) events: mpsc::Receiver<InputEvent>,
    pub(super) is_connected: bool,
    /// When its first frame came.
    first_frame: Option<Duration>,
    unsupported: Option<Unsupported>,
    /// What differs from the profile.
    problem: Option<String>,
    /// What the rules were told about that.
    mismatches: bool,
    /// Ends with it.
    _task: JoinSet<()>,
}

impl Input {
    pub(super) fn start(url: &Secret, connector: &Connector) -> Self {
        let (sender, events) = mpsc::channel(EVENTS);
        let mut task = JoinSet::new();
        task.spawn(input::read(url.clone(), connector.clone(), sender));
        Self {
            url: url.clone(),
            feed: LiveFeed::default(),
            events,
            is_connected: false,
            first_frame: None,
            unsupported: None,
            problem: None,
            mismatches: false,
            _task: task,
        }
    }

    /// A connection begins.
    pub(super) fn begin(&mut self) {
        self.feed = LiveFeed::default();
        self.is_connected = true;
        self.first_frame = None;
        self.unsupported = None;
        self.problem = None;
        self.mismatches = false;
    }

    /// Takes a frame. Returns whether frames that were on air had to be dropped.
    pub(super) fn take(&mut self, frame: Result<Frame, Unsupported>, now: Duration) -> bool {
        self.first_frame.get_or_insert(now);
        match frame {
            Ok(frame) => self.feed.push(frame, now),
            Err(unsupported) => {
                self.unsupported = Some(unsupported);
                false
            }
        }
    }

    /// Whether the profile forbids that it goes on air, if that changed.
    pub(super) fn mismatch(&mut self, programme: &Programme, now: Duration) -> Option<bool> {
        let formats = &self.feed.headers().formats;
        let since = now.saturating_sub(self.first_frame?);
        let is_known = (formats.video.is_some() && formats.audio.is_some()) || since >= TRACKS;
        let problem = match self.unsupported {
            Some(Unsupported(codec)) => Some(format!("the encoder sends {codec}; set it to H.264 and AAC")),
            None if is_known => formats.mismatch(&programme.profile),
            None => None,
        };
        // Media of another codec is not even read.
        let refuses = programme.mismatch != Mismatch::Switch || self.unsupported.is_some();
        let mismatches = problem.is_some() && refuses;
        self.problem = problem;
        let has_changed = mismatches != self.mismatches;
        self.mismatches = mismatches;
        has_changed.then_some(mismatches)
    }

    pub(super) fn status(&mut self, state: InputState, now: Duration) -> InputStatus {
        if !self.is_connected {
            return absent();
        }
        let age = self.feed.meter.age(now);
        InputStatus {
            state,
            bitrate_kbps: self.feed.meter.bitrate_kbps(now),
            fps: self.feed.meter.fps(now),
            keyframe_interval_ms: self.feed.meter.keyframe_interval_ms(),
            codecs: self.feed.headers().formats.describe(),
            last_frame_ms: age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
            problem: self.problem.clone(),
        }
    }
}

/// Clips, or a second encoder.
pub(super) enum Backup {
    Clips(ClipBackup),
    Stream(Box<Input>, bool),
}

/// Clips and the task that reads them.
pub(super) struct ClipBackup {
    feed: ClipFeed,
    list: watch::Sender<Vec<Clip>>,
    _task: JoinSet<()>,
}

/// The built-in picture.
pub(super) struct Slate(
    pub(super) ClipFeed,
    #[expect(dead_code, reason = "it ends with the slate")] ClipTask,
);

type ClipTask = (watch::Sender<Vec<Clip>>, JoinSet<()>);

impl Slate {
    pub(super) fn start() -> Self {
        let ClipBackup { feed, list, _task } = ClipBackup::start(vec![Clip::Slate]);
        Self(feed, (list, _task))
    }
}

impl ClipBackup {
    /// Plays `clips` in place of others, which could be played or not.
    fn in_place_of(&self, clips: Vec<Clip>) -> Self {
        let mut next = Self::start(clips);
        next.feed.assume_available(self.feed.is_available());
        next
    }

    fn start(clips: Vec<Clip>) -> Self {
        let ((sender, events), (list, clips)) = (clips::events(), watch::channel(clips));
        let mut task = JoinSet::new();
        task.spawn(clips::play(clips, sender));
        Self { feed: ClipFeed::new(events), list, _task: task }
    }
}

impl Backup {
    pub(super) fn start(media: &BackupMedia, connector: &Connector) -> Self {
        match media {
            BackupMedia::Clips(clips) => Self::Clips(ClipBackup::start(files(clips))),
            BackupMedia::Stream(url) => Self::Stream(Box::new(Input::start(url, connector)), false),
        }
    }

    /// New media. While it is on air, a new list of clips counts from the end of the clip that plays, unless it is wanted at
    /// once. Returns whether the backup begins again.
    pub(super) fn apply(&mut self, new: &Programme, is_on_air: bool, connector: &Connector) -> bool {
        let media = &new.backup;
        match (&mut *self, media) {
            (Self::Clips(backup), BackupMedia::Clips(clips)) => {
                let clips = files(clips);
                if *backup.list.borrow() == clips {
                    return false;
                }
                if is_on_air && new.playlist_change == PlaylistChange::EndOfClip {
                    backup.list.send_replace(clips);
                    return false;
                }
                *backup = backup.in_place_of(clips);
                true
            }
            (Self::Stream(input, _), BackupMedia::Stream(url)) if input.url == *url => false,
            _ => {
                *self = Self::start(media, connector);
                true
            }
        }
    }

    /// Waits for something new. Nothing is lost if this is dropped.
    pub(super) async fn next(&mut self) -> Option<InputEvent> {
        match self {
            Self::Clips(backup) if backup.feed.needs_frames() => {
                backup.feed.fill().await;
                None
            }
            Self::Clips(_) => std::future::pending().await,
            Self::Stream(input, _) => match input.events.recv().await {
                None => std::future::pending().await,
                event => event,
            },
        }
    }

    pub(super) fn take(&mut self, event: Option<InputEvent>, now: Duration) {
        let (Self::Stream(input, is_on_air), Some(event)) = (self, event) else { return };
        match event {
            InputEvent::Connected => {
                input.begin();
                input.feed.set_on_air(*is_on_air);
            }
            InputEvent::Ended => {
                input.begin();
                input.is_connected = false;
            }
            InputEvent::Frame(frame) => {
                input.take(frame, now);
            }
        }
    }

    pub(super) fn pop(&mut self) -> Option<Item> {
        match self {
            Self::Clips(backup) => backup.feed.pop(),
            Self::Stream(input, _) => input.feed.pop(),
        }
    }

    pub(super) fn set_on_air(&mut self, on_air: bool) {
        match self {
            Self::Clips(backup) => backup.feed.set_on_air(on_air),
            Self::Stream(input, is_on_air) => {
                *is_on_air = on_air;
                input.feed.set_on_air(on_air);
            }
        }
    }

    /// Whether no frame waits.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Clips(backup) => backup.feed.needs_frames(),
            Self::Stream(input, _) => !input.feed.is_ready(),
        }
    }

    pub(super) fn is_available(&self, rules: &Failover, now: Duration) -> bool {
        match self {
            Self::Clips(backup) => backup.feed.is_available(),
            Self::Stream(input, is_on_air) => {
                let is_fresh = input.feed.meter.age(now).is_some_and(|age| age < rules.stall());
                input.is_connected && is_fresh && (*is_on_air || input.feed.is_ready())
            }
        }
    }

    pub(super) fn status(&mut self, is_on_air: bool, is_available: bool, now: Duration) -> InputStatus {
        let state = match (is_on_air, is_available) {
            (true, _) => InputState::OnAir,
            (false, true) => InputState::Ready,
            (false, false) => InputState::Unstable,
        };
        match self {
            Self::Stream(input, _) => input.status(state, now),
            Self::Clips(_) if !is_on_air && !is_available => absent(),
            Self::Clips(backup) => {
                InputStatus { state, codecs: backup.feed.headers().formats.describe(), ..absent() }
            }
        }
    }
}

fn files<T>(clips: &[(T, std::path::PathBuf)]) -> Vec<Clip> {
    clips.iter().map(|(_, path)| Clip::File(path.clone())).collect()
}

/// The status of an input that is not there.
pub(super) fn absent() -> InputStatus {
    InputStatus {
        state: InputState::Absent,
        bitrate_kbps: None,
        fps: None,
        keyframe_interval_ms: None,
        codecs: Vec::new(),
        last_frame_ms: None,
        problem: None,
    }
}
