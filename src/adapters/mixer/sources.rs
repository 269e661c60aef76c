//! The sources of a channel, with the tasks that read them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::clips::{self, Clip};
use super::feed::{ClipFeed, LiveFeed};
use super::input::{self, InputEvent};
use super::piece::{Headers, Item};
use super::transcode::{TranscodeEvent, Transcoding};
use crate::adapters::rtmp::{Connector, Frame, Unsupported};
use crate::domain::channel::{
    BackupMedia, Change, Failover, InputState, InputStatus, Mismatch, PlaylistChange, Profile, Programme,
    Track,
};
use crate::domain::secret::Secret;
use crate::ports::LiveTranscoder;

/// How many events of an input wait for the mixer.
const EVENTS: usize = 256;
/// Both tracks of an input should be known after this time.
const TRACKS: Duration = Duration::from_secs(1);

/// An RTMP input.
pub(super) struct Input {
    url: Secret,
    pub(super) feed: LiveFeed,
    events: mpsc::Receiver<InputEvent>,
    pub(super) is_connected: bool,
    /// When its first frame came.
    first_frame: Option<Duration>,
    unsupported: Option<Unsupported>,
    /// What differs from the profile.
    problem: Option<String>,
    /// What the rules were told about that.
    mismatches: bool,
    /// Whether it may have to be transcoded, which is not known yet.
    is_undecided: bool,
    transcoding: Option<Transcoding>,
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
            is_undecided: false,
            transcoding: None,
            _task: task,
        }
    }

    /// Waits for something new. Nothing is lost if this is dropped.
    pub(super) async fn next(&mut self) -> Option<InputEvent> {
        let Some(transcoding) = &mut self.transcoding else { return self.events.recv().await };
        tokio::select! {
            event = self.events.recv() => event,
            event = transcoding.events.recv() => Some(match event {
                Some(TranscodeEvent::Frame(frame)) => InputEvent::Normalised(frame),
                Some(TranscodeEvent::Failed(why)) => InputEvent::NotNormalised(why),
                None => {
                    self.transcoding = None;
                    InputEvent::NotNormalised("it failed unexpectedly".to_owned())
                }
            }),
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
        self.transcoding = None;
    }

    /// Takes a frame of the encoder. Returns whether frames that were on air had to be dropped.
    pub(super) fn take(&mut self, frame: Result<Frame, Unsupported>, now: Duration) -> bool {
        self.first_frame.get_or_insert(now);
        match (frame, &mut self.transcoding) {
            (Ok(frame), Some(transcoding)) => {
                transcoding.take(frame, now);
                false
            }
            (Ok(frame), None) => self.feed.push(frame, now),
            (Err(unsupported), _) => {
                self.unsupported = Some(unsupported);
                false
            }
        }
    }

    /// Takes a normalised frame. Returns whether frames that were on air had to be dropped, and how many bytes the
    /// encoder sent since the last one.
    pub(super) fn take_normalised(&mut self, frame: Frame, now: Duration) -> (bool, u32) {
        let is_picture = frame.track == Track::Video && !frame.is_header;
        let bytes = self.transcoding.as_mut().filter(|_| is_picture).map_or(0, Transcoding::made);
        (self.feed.push(frame, now), bytes)
    }

    /// Nothing is normalised for a while.
    pub(super) fn fail_transcoding(&mut self, why: String) {
        if let Some(transcoding) = &mut self.transcoding {
            transcoding.failure = Some(why);
        }
    }

    /// Compares it with the profile, and has it transcoded if that is needed and wanted. Returns what the rules have to
    /// know.
    pub(super) fn compare(
        &mut self,
        programme: &Programme,
        transcoder: &Arc<dyn LiveTranscoder>,
        now: Duration,
    ) -> Vec<Change> {
        let Some((is_known, problem)) = self.difference(&programme.profile, now) else { return Vec::new() };
        // Media of another codec is not even read.
        let may_differ = programme.mismatch != Mismatch::Refuse && self.unsupported.is_none();
        let may_be_transcoded = programme.mismatch == Mismatch::Transcode && may_differ;
        self.is_undecided = may_be_transcoded && !is_known;
        let mut changes = Vec::new();
        let is_wanted = may_be_transcoded && problem.is_some();
        let is_right =
            self.transcoding.as_ref().is_none_or(|running| is_wanted && running.profile == programme.profile);
        if !is_right {
            self.end_transcoding();
        }
        let starts = is_wanted && self.transcoding.is_none();
        if starts {
            self.start_transcoding(programme.profile, transcoder);
        }
        if starts || !is_right {
            // For the rules it is another input, of which they know no mismatch.
            changes.extend([Change::LiveEnded, Change::LiveConnected]);
            self.mismatches = false;
        }
        let has_failed = self.transcoding.as_ref().is_some_and(|running| running.failure.is_some());
        let mismatches = problem.is_some() && (!may_differ || has_failed);
        self.problem = problem;
        if mismatches != self.mismatches {
            self.mismatches = mismatches;
            changes.push(Change::LiveMismatch(mismatches));
        }
        changes
    }

    /// Whether its tracks are known, and what differs from `profile`. `None` before its first frame.
    fn difference(&self, profile: &Profile, now: Duration) -> Option<(bool, Option<String>)> {
        let first = self.first_frame?;
        let formats = &self.sent().formats;
        let is_known =
            (formats.video.is_some() && formats.audio.is_some()) || now.saturating_sub(first) >= TRACKS;
        let problem = match self.unsupported {
            Some(Unsupported(codec)) => Some(format!("the encoder sends {codec}; set it to H.264 and AAC")),
            None if is_known => formats.mismatch(profile),
            None => None,
        };
        Some((is_known, problem))
    }

    /// The present group of pictures goes through the transcoder, and all that follows.
    fn start_transcoding(&mut self, profile: Profile, transcoder: &Arc<dyn LiveTranscoder>) {
        let (frames, headers, meter) = std::mem::take(&mut self.feed).into_parts();
        let mut transcoding = Transcoding::start(Arc::clone(transcoder), profile, headers, meter);
        frames.into_iter().for_each(|(frame, _)| transcoding.resend(frame));
        self.transcoding = Some(transcoding);
    }

    fn end_transcoding(&mut self) {
        if let Some(Transcoding { headers, meter, .. }) = self.transcoding.take() {
            self.feed = LiveFeed::with_headers(headers, meter);
        }
    }

    /// Whether its frames go on air as they are.
    pub(super) fn is_direct(&self) -> bool {
        self.transcoding.is_none() && !self.is_undecided
    }

    /// Whether it is transcoded: if so, whether that works.
    pub(super) fn transcoding(&self) -> Option<bool> {
        self.transcoding.as_ref().map(|running| running.failure.is_none())
    }

    /// The headers of what the encoder sends.
    fn sent(&self) -> &Headers {
        self.transcoding.as_ref().map_or_else(|| self.feed.headers(), |running| &running.headers)
    }

    pub(super) fn status(&mut self, state: InputState, now: Duration) -> InputStatus {
        if !self.is_connected {
            return InputStatus::new(InputState::Absent);
        }
        let codecs = self.sent().formats.describe();
        let failure = self.transcoding.as_ref().map(|running| running.failure.clone());
        let problem = self.problem.as_ref().map(|problem| match failure {
            None => problem.clone(),
            Some(None) => format!("transcoded: {problem}"),
            Some(Some(why)) => format!("{problem}. It cannot be transcoded now: {why}"),
        });
        let meter = self.transcoding.as_mut().map_or(&mut self.feed.meter, |running| &mut running.meter);
        let age = meter.age(now);
        InputStatus {
            state,
            bitrate_kbps: meter.bitrate_kbps(now),
            fps: meter.fps(now),
            keyframe_interval_ms: meter.keyframe_interval_ms(),
            codecs,
            last_frame_ms: age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
            problem,
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
pub(super) struct Slate {
    pub(super) feed: ClipFeed,
    is_file: bool,
    #[expect(dead_code, reason = "it ends with the slate")]
    task: (watch::Sender<Vec<Clip>>, JoinSet<()>),
}

impl Slate {
    /// From a file of the channel's profile, or the one that every program has.
    pub(super) fn start(file: Option<&PathBuf>) -> Self {
        let clip = file.map_or(Clip::Slate, |file| Clip::File(file.clone()));
        let ClipBackup { feed, list, _task } = ClipBackup::start(vec![clip]);
        Self { feed, is_file: file.is_some(), task: (list, _task) }
    }

    /// Whether its file cannot be played.
    pub(super) fn has_failed(&self) -> bool {
        self.is_file && self.feed.has_failed()
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

    /// Returns whether frames that were on air had to be dropped.
    pub(super) fn take(&mut self, event: Option<InputEvent>, now: Duration) -> bool {
        let (Self::Stream(input, is_on_air), Some(event)) = (self, event) else { return false };
        match event {
            InputEvent::Connected => {
                input.begin();
                input.feed.set_on_air(*is_on_air);
            }
            InputEvent::Ended => {
                input.begin();
                input.is_connected = false;
            }
            InputEvent::Frame(frame) => return input.take(frame, now),
            // Only the live input is normalised.
            InputEvent::Normalised(_) | InputEvent::NotNormalised(_) => {}
        }
        false
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

    /// When a second encoder that sends nothing more counts as stalled.
    pub(super) fn stalls_at(&self, rules: &Failover) -> Option<Duration> {
        match self {
            Self::Clips(_) => None,
            Self::Stream(input, _) => Some(input.feed.meter.last_video()? + rules.stall()),
        }
    }

    pub(super) fn is_available(&self, programme: &Programme, now: Duration) -> bool {
        match self {
            Self::Clips(backup) => backup.feed.is_available(),
            Self::Stream(input, is_on_air) => {
                let stall = programme.failover.stall();
                let is_fresh = input.feed.meter.age(now).is_some_and(|age| age < stall);
                let is_ready = *is_on_air || input.feed.is_ready();
                input.is_connected && is_fresh && is_ready && Self::refusal(input, programme, now).is_none()
            }
        }
    }

    /// Why a second encoder does not go on air: its tracks are not known yet, or not those of the profile. It is never
    /// transcoded.
    fn refusal(input: &Input, programme: &Programme, now: Duration) -> Option<String> {
        let Some((is_known, problem)) = input.difference(&programme.profile, now) else {
            return Some(String::new());
        };
        let is_allowed = programme.mismatch == Mismatch::Switch && input.unsupported.is_none();
        if is_known { problem.filter(|_| !is_allowed) } else { Some(problem.unwrap_or_default()) }
    }

    pub(super) fn status(
        &mut self,
        is_on_air: bool,
        is_available: bool,
        (programme, now): (&Programme, Duration),
    ) -> InputStatus {
        let mut state = match (is_on_air, is_available) {
            (true, _) => InputState::OnAir,
            (false, true) => InputState::Ready,
            (false, false) => InputState::Unstable,
        };
        match self {
            Self::Stream(input, _) => {
                input.problem = Self::refusal(input, programme, now).filter(|why| !why.is_empty());
                if input.problem.is_some() && !is_on_air {
                    state = InputState::Mismatch;
                }
                input.status(state, now)
            }
            Self::Clips(_) if !is_on_air && !is_available => InputStatus::new(InputState::Absent),
            Self::Clips(backup) => InputStatus {
                state,
                codecs: backup.feed.headers().formats.describe(),
                ..InputStatus::new(InputState::Absent)
            },
        }
    }
}

fn files<T>(clips: &[(T, PathBuf)]) -> Vec<Clip> {
    clips.iter().map(|(_, path)| Clip::File(path.clone())).collect()
}
