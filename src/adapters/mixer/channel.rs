//! One running channel: takes frames from its sources, and gives those of the source that is on air to its outputs.
//! `live.rs` has its live input.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::output::{self, Shared};
use super::piece::{Headers, Item, Piece};
use super::sources::{Backup, Input, Slate};
use crate::adapters::rtmp::{Connector, Frame};
use crate::adapters::system::SystemIds;
use crate::domain::channel::{
    Change, Choice, Decision, DecisionId, DecisionKind, Mode, Output, OutputId, Programme, ProgrammeStatus,
    Selector, Source, Splice, Timeline, Track,
};
use crate::ports::{Clock, IdGen as _, LeaseCheck, LiveTranscoder, ProgrammeReports};

mod live;

/// Frames are sent this much before they are due.
const SEND_AHEAD: Duration = Duration::from_millis(100);
/// How often the status is renewed.
const STATUS: Duration = Duration::from_millis(500);
/// A backup that is on air and gives nothing for this long cannot be played.
const STARVED: Duration = Duration::from_millis(1_500);
/// A decision waits this long for the hole that its cut makes.
const HOLE: Duration = Duration::from_secs(1);
/// Decisions that nobody takes are kept up to this number.
const MOST_DECISIONS: usize = 10_000;
/// How long the outputs have to end.
const END: Duration = Duration::from_secs(3);

/// A running channel.
pub(super) struct Mixer {
    updates: watch::Receiver<Programme>,
    reports: ProgrammeReports,
    connector: Connector,
    transcoder: Arc<dyn LiveTranscoder>,
    stop: CancellationToken,
    lease: LeaseCheck,
    clock: Arc<dyn Clock>,
    began: Instant,
    programme: Programme,
    selector: Selector,
    timeline: Timeline,
    live: Input,
    backup: Backup,
    backup_is_available: bool,
    slate: Slate,
    on_air: OnAir,
    outputs: BTreeMap<OutputId, Running>,
    /// Outputs that were stopped: cancelled when they have ended.
    ending: BTreeMap<OutputId, CancellationToken>,
    output_tasks: JoinSet<()>,
    /// A cut whose hole is not known yet, and when it was made.
    open_decision: Option<(Decision, Instant)>,
    decisions: VecDeque<Decision>,
    status_at: Instant,
    status: ProgrammeStatus,
}

/// What is on air.
struct OnAir {
    /// Whether the source's first frame is still to come.
    awaits_begin: bool,
    /// A frame that is not due yet.
    pending: Option<Piece>,
    /// The headers of the newest frame, as its source has them and as the outputs get them.
    headers: (Arc<Headers>, Arc<Headers>),
    last_emitted: Instant,
    /// Whether the backup gave nothing when it was on air.
    backup_starved: bool,
}

struct Running {
    output: Output,
    shared: Arc<Shared>,
    stop: CancellationToken,
    /// Cancelled when the output has ended.
    ended: CancellationToken,
}

impl Mixer {
    pub(super) fn new(
        mut updates: watch::Receiver<Programme>,
        reports: ProgrammeReports,
        (connector, transcoder, clock): (Connector, Arc<dyn LiveTranscoder>, Arc<dyn Clock>),
        (stop, lease): (CancellationToken, LeaseCheck),
    ) -> Self {
        let programme = updates.borrow_and_update().clone();
        let (began, now) = (Instant::now(), clock.now());
        let selector = Selector::new(programme.failover, programme.mode, false);
        let (live, backup) =
            (Input::start(&programme.live, &connector), Backup::start(&programme.backup, &connector));
        let status = ProgrammeStatus::new(now, Source::Slate);
        Self {
            selector,
            timeline: Timeline::new(programme.profile.audio.rate),
            live,
            backup,
            backup_is_available: false,
            slate: Slate::start(programme.slate.as_ref()),
            on_air: OnAir {
                awaits_begin: true,
                pending: None,
                headers: Default::default(),
                last_emitted: began,
                backup_starved: false,
            },
            outputs: BTreeMap::new(),
            ending: BTreeMap::new(),
            output_tasks: JoinSet::new(),
            open_decision: None,
            decisions: VecDeque::new(),
            status_at: began,
            status,
            updates,
            reports,
            connector,
            transcoder,
            stop,
            lease,
            clock,
            began,
            programme,
        }
    }

    pub(super) async fn run(mut self) {
        self.apply_outputs();
        self.await_backup().await;
        let mut has_updates = true;
        loop {
            self.tick();
            self.pump();
            let wake = self.next_wake();
            tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                changed = self.updates.changed(), if has_updates => match changed {
                    Ok(()) => self.apply(),
                    Err(_) => has_updates = false,
                },
                Some(event) = self.live.next() => self.take_live(event),
                event = self.backup.next() => {
                    let has_dropped = self.backup.take(event, self.began.elapsed());
                    self.begin_again_if(has_dropped);
                }
                () = self.slate.feed.fill(), if self.slate.feed.needs_frames() => {}
                () = sleep_until(wake) => {}
                Some(_) = self.output_tasks.join_next() => {}
            }
        }
        let ending = async { while self.output_tasks.join_next().await.is_some() {} };
        let _ = timeout(END, ending).await;
    }

    /// A programme begins with its backup, if that can be played within a moment.
    async fn await_backup(&mut self) {
        let first = async {
            while !self.backup.is_available(&self.programme, self.began.elapsed()) {
                let event = self.backup.next().await;
                self.backup.take(event, self.began.elapsed());
            }
        };
        let _ = timeout(Duration::from_millis(300), first).await;
    }

    fn next_wake(&self) -> Instant {
        let due = self
            .on_air
            .pending
            .as_ref()
            .map(|piece| Duration::from_millis(piece.at).saturating_sub(SEND_AHEAD));
        let now = self.began.elapsed();
        let starves = self.last_emitted() + STARVED;
        let backup = self.backup.stalls_at(&self.programme.failover).into_iter().chain([starves]);
        let backup = backup.filter(|at| *at > now && self.selector.on_air() == Some(Source::Backup));
        let deadline = due.into_iter().chain(self.selector.next_deadline()).chain(backup).min();
        deadline.map_or(self.status_at, |deadline| (self.began + deadline).min(self.status_at))
    }

    fn last_emitted(&self) -> Duration {
        self.on_air.last_emitted.saturating_duration_since(self.began)
    }

    /// Applies a new programme. What did not change continues.
    fn apply(&mut self) {
        let new = self.updates.borrow_and_update().clone();
        let old = std::mem::replace(&mut self.programme, new.clone());
        if old.live != new.live {
            self.live = Input::start(&new.live, &self.connector);
            self.change(Change::LiveEnded);
        }
        let is_on_air = self.selector.on_air() == Some(Source::Backup);
        if self.backup.apply(&new, is_on_air, &self.connector) && is_on_air {
            self.backup.set_on_air(true);
            self.on_air.awaits_begin = true;
            self.on_air.pending = None;
        }
        if old.slate != new.slate {
            self.restart_slate();
        }
        self.timeline.set_audio_rate(new.profile.audio.rate);
        if old.failover != new.failover {
            self.change(Change::Rules(new.failover));
        }
        if old.live_is_cut != new.live_is_cut {
            self.change(Change::Rehearsal(new.live_is_cut));
        }
        self.apply_mismatch();
        if old.mode != new.mode {
            let has_expired = new.hold_has_expired && new.mode == Mode::Auto;
            self.change(if has_expired { Change::HoldExpired } else { Change::Mode(new.mode) });
        }
        self.apply_outputs();
    }

    /// The picture begins again, from another file.
    fn restart_slate(&mut self) {
        self.slate = Slate::start(self.programme.slate.as_ref());
        if self.selector.on_air() == Some(Source::Slate) {
            self.slate.feed.set_on_air(true);
            self.on_air.awaits_begin = true;
        }
    }

    /// Ends outputs that are no longer wanted, and starts those that are new. One that changed begins again.
    fn apply_outputs(&mut self) {
        let wanted: BTreeMap<OutputId, Output> =
            self.programme.outputs.iter().map(|output| (output.id, output.clone())).collect();
        self.ending.retain(|_, ended| !ended.is_cancelled());
        self.outputs.retain(|id, running| {
            let stays = wanted.get(id) == Some(&running.output);
            if !stays {
                running.stop.cancel();
                self.ending.insert(*id, running.ended.clone());
            }
            stays
        });
        for (id, output) in wanted {
            if !self.outputs.contains_key(&id) {
                let after = self.ending.remove(&id);
                let running = self.start_output(output, after);
                self.outputs.insert(id, running);
            }
        }
    }

    /// Starts an output after the one before it has ended (within seconds), so that a platform never has two.
    fn start_output(&mut self, output: Output, after: Option<CancellationToken>) -> Running {
        let (shared, stop, ended) = (
            Arc::new(Shared::new(Arc::clone(&self.clock))),
            self.stop.child_token(),
            CancellationToken::new(),
        );
        let running = Running {
            output: output.clone(),
            shared: shared.clone(),
            stop: stop.clone(),
            ended: ended.clone(),
        };
        let (connector, lease) = (self.connector.clone(), self.lease.clone());
        let channel = self.programme.name.clone();
        self.output_tasks.spawn(async move {
            let _ended = ended.drop_guard();
            if let Some(after) = after {
                stop.run_until_cancelled(after.cancelled()).await;
            }
            output::run((channel, output), shared, connector, (stop, lease)).await;
        });
        running
    }

    /// What depends on time only.
    fn tick(&mut self) {
        let starves = self.selector.on_air() == Some(Source::Backup)
            && self.on_air.pending.is_none()
            && self.on_air.last_emitted.elapsed() > STARVED;
        self.on_air.backup_starved = starves || (self.on_air.backup_starved && self.backup.is_empty());
        let is_available =
            self.backup.is_available(&self.programme, self.began.elapsed()) && !self.on_air.backup_starved;
        if is_available != self.backup_is_available {
            self.backup_is_available = is_available;
            self.change(Change::BackupAvailable(is_available));
        }
        if self.slate.has_failed() {
            self.programme.slate = None;
            self.restart_slate();
        }
        self.apply_mismatch();
        self.change(Change::Tick);
        if self.open_decision.as_ref().is_some_and(|(_, at)| at.elapsed() > HOLE) {
            self.finish_decision(None);
        }
        self.send_decisions();
        if Instant::now() >= self.status_at {
            self.status_at = Instant::now() + STATUS;
            self.report_status();
        }
    }

    fn change(&mut self, change: Change) {
        let now = self.began.elapsed();
        if let Some(choice) = self.selector.handle(now, change) {
            self.decide(choice);
        }
    }

    fn decide(&mut self, choice: Choice) {
        let Choice { from, to, kind, reason, mut numbers } = choice;
        self.add_transcoding(&mut numbers);
        let at = self.clock.now();
        let (channel, id) = (self.programme.channel, DecisionId(SystemIds.uuid()));
        let decision = Decision { id, channel, at, from, to, kind, reason, numbers };
        let name = &self.programme.name;
        let before = from.as_ref().map(tracing::field::display);
        tracing::debug!(channel = %name, from = before, %to, %kind, %reason, "decided what is on air");
        self.finish_decision(None);
        if kind == DecisionKind::Refused {
            self.keep_decision(decision);
            return;
        }
        self.open_decision = Some((decision, Instant::now()));
        match from {
            Some(Source::Live) => self.live.feed.set_on_air(false),
            Some(Source::Backup) => self.backup.set_on_air(false),
            Some(Source::Slate) => self.slate.feed.set_on_air(false),
            None => {}
        }
        match to {
            Source::Live => self.live.feed.set_on_air(true),
            Source::Backup => self.backup.set_on_air(true),
            Source::Slate => self.slate.feed.set_on_air(true),
        }
        self.on_air.awaits_begin = true;
        self.on_air.pending = None;
        self.on_air.last_emitted = Instant::now();
        self.status.cuts += u64::from(from.is_some());
        (self.status.on_air, self.status.since, self.status.reason) = (to, at, reason);
        self.status_at = Instant::now();
    }

    /// Sends every frame that is due.
    fn pump(&mut self) {
        loop {
            let now = self.began.elapsed();
            let piece = match self.on_air.pending.take() {
                Some(piece) => piece,
                None => match self.next_piece(now) {
                    Some(piece) => piece,
                    None => return,
                },
            };
            if Duration::from_millis(piece.at) > now + SEND_AHEAD {
                self.on_air.pending = Some(piece);
                return;
            }
            self.emit(&piece);
        }
    }

    fn next_piece(&mut self, now: Duration) -> Option<Piece> {
        loop {
            let (frame, headers) = self.pop()?;
            if self.on_air.awaits_begin {
                if !frame.is_keyframe {
                    continue;
                }
                self.begin_source(&frame, &headers, now);
            } else if !Arc::ptr_eq(&headers, &self.on_air.headers.0) {
                self.on_air.headers = (headers.clone(), headers);
            }
            if frame.track == Track::Video
                && let Some(waits) = self.waits_ms()
            {
                self.timeline.note_backlog(waits);
            }
            if let Some(at) = self.timeline.place(frame.track, frame.timestamp, now) {
                return Some(Piece { frame, at, headers: self.on_air.headers.1.clone() });
            }
        }
    }

    /// How much of the source that is on air waits, if it is an encoder.
    fn waits_ms(&self) -> Option<u64> {
        match (self.selector.on_air()?, &self.backup) {
            (Source::Live, _) => Some(self.live.feed.waits_ms()),
            (Source::Backup, Backup::Stream(input, _)) => Some(input.feed.waits_ms()),
            _ => None,
        }
    }

    fn pop(&mut self) -> Option<Item> {
        match self.selector.on_air()? {
            Source::Live => self.live.feed.pop(),
            Source::Backup => self.backup.pop(),
            Source::Slate => self.slate.feed.pop(),
        }
    }

    /// The source that is on air begins with the keyframe `first`.
    fn begin_source(&mut self, first: &Frame, headers: &Arc<Headers>, now: Duration) {
        let Splice { silence, hole_ms, .. } = self.timeline.cut(now, first.timestamp);
        let quiet = silent_frame(&self.on_air.headers.1);
        for at in silence {
            let frame = Frame {
                track: Track::Audio,
                timestamp: 0,
                is_keyframe: false,
                is_header: false,
                payload: quiet.clone(),
            };
            self.emit(&Piece { frame, at, headers: self.on_air.headers.1.clone() });
        }
        self.on_air.awaits_begin = false;
        // Not the same as before, so that the outputs send the headers at every cut.
        self.on_air.headers = (headers.clone(), Arc::new((**headers).clone()));
        self.status.longest_hole_ms = self.status.longest_hole_ms.max(hole_ms);
        self.finish_decision(Some(hole_ms));
    }

    fn emit(&mut self, piece: &Piece) {
        self.on_air.last_emitted = Instant::now();
        for running in self.outputs.values() {
            running.shared.queue.push(piece.clone());
        }
    }

    fn finish_decision(&mut self, hole_ms: Option<u64>) {
        let Some((mut decision, _)) = self.open_decision.take() else { return };
        if let Some(hole_ms) = hole_ms {
            decision.numbers.insert("hole_ms".to_owned(), hole_ms.into());
        }
        self.keep_decision(decision);
    }

    fn keep_decision(&mut self, decision: Decision) {
        if self.decisions.len() < MOST_DECISIONS {
            self.decisions.push_back(decision);
        }
        self.send_decisions();
    }

    fn send_decisions(&mut self) {
        while let Some(decision) = self.decisions.pop_front() {
            if let Err(error) = self.reports.decisions.try_send(decision) {
                self.decisions.push_front(error.into_inner());
                return;
            }
        }
    }

    fn report_status(&mut self) {
        let now = self.began.elapsed();
        self.status.at = self.clock.now();
        self.status.live = self.live.status(self.selector.live_state(now), now);
        let is_on_air = self.selector.on_air() == Some(Source::Backup);
        self.status.backup = self.backup.status(is_on_air, self.backup_is_available, (&self.programme, now));
        let outputs = self.outputs.iter().map(|(id, running)| (*id, running.shared.status()));
        self.status.outputs = outputs.collect();
        self.reports.status.send_replace(Some(self.status.clone()));
    }
}

/// An AAC frame without sound, for the channels of `headers`.
fn silent_frame(headers: &Headers) -> Bytes {
    let is_mono = headers.formats.audio.is_some_and(|audio| audio.channels == 1);
    // The first two bytes are those of an FLV tag of AAC.
    Bytes::from_static(if is_mono {
        &[0xaf, 1, 0x01, 0x18, 0x20, 0x07]
    } else {
        &[0xaf, 1, 0x21, 0x10, 0x04, 0x60, 0x8c, 0x1c]
    })
}
