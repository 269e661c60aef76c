//! The tasks of channels: one for each enabled channel, each on one instance.

use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::metrics;
use super::mp4::Mp4Files;
use super::names::Names;
use super::programme::ProgrammeBuilder;
use super::rehearse::Rehearsing;
use super::renditions::{Files, Renditions};
use super::reports::ReportBuffer;
use crate::app::Core;
use crate::app::task::{
    AnyTask, LongRunningTask, OnLeaseDoubt, Placement, Task, TaskContext, TaskError, TaskSet,
};
use crate::domain::Timestamp;
use crate::domain::channel::{Backup, ChannelId, ClipId, Mode, Programme, ProgrammeStatus};
use crate::domain::media_server::UrlTemplates;
use crate::domain::secret::Secret;
use crate::ports::{ChannelEngine, ProgrammeReports, StoredProgramme, WakeUp};

/// How often a running channel checks its times: the end of a hold, of a rehearsal.
const CHECK: Duration = Duration::from_secs(1);
/// How often the stored channel is read without a wake-up.
const READ: Duration = Duration::from_secs(3);
/// How many decisions the engine may send before they are taken.
const DECISIONS: usize = 64;

/// What the tasks of channels need.
#[derive(Clone)]
pub struct Running {
    /// Stores, clock and wake-ups.
    pub core: Arc<Core>,
    /// What carries the media.
    pub engine: Arc<dyn ChannelEngine>,
    /// The prepared files of clips.
    pub renditions: Arc<dyn Renditions>,
    /// The addresses of the media server that carries the inputs and the programme.
    pub urls: UrlTemplates,
    /// With it, we may read what viewers need a token for.
    pub relay_secret: Secret,
    /// Where reports wait for the database.
    pub reports: Arc<ReportBuffer>,
    /// What a programme does while the database is unreachable.
    pub on_lease_doubt: OnLeaseDoubt,
}

/// One task for each enabled channel.
pub struct ChannelTasks {
    running: Running,
}

impl ChannelTasks {
    /// All run with the same engine.
    pub fn new(running: Running) -> Self {
        Self { running }
    }
}

impl Task for ChannelTasks {
    fn name(&self) -> String {
        "channels".into()
    }

    fn description(&self) -> &'static str {
        "Keeps one task running for each enabled channel."
    }
}

#[async_trait]
impl TaskSet for ChannelTasks {
    fn wakes_on(&self, wake_up: &WakeUp) -> bool {
        matches!(wake_up, WakeUp::Channels)
    }

    async fn desired(&mut self) -> Result<BTreeSet<String>, TaskError> {
        let enabled = self.running.core.worker_store.enabled_channels().await?;
        Ok(enabled.iter().map(ToString::to_string).collect())
    }

    fn task(&self, key: &str) -> Option<AnyTask> {
        let (id, running) = (key.parse().ok()?, self.running.clone());
        Some(AnyTask::long_running(ChannelTask { id, running }))
    }
}

/// Runs the programme of one channel.
struct ChannelTask {
    id: ChannelId,
    running: Running,
}

impl Task for ChannelTask {
    fn name(&self) -> String {
        format!("channel:{}", self.id)
    }

    fn description(&self) -> &'static str {
        "Runs the programme of one channel."
    }

    fn placement(&self) -> Placement {
        Placement::OneInstance(self.running.on_lease_doubt)
    }
}

#[async_trait]
impl LongRunningTask for ChannelTask {
    async fn run(&mut self, context: &TaskContext) -> Result<(), TaskError> {
        // Listen first, so that no change between reading and listening is missed.
        let wake_ups = self.running.core.wake_ups.listen();
        let Some(stored) = self.running.core.worker_store.programme(self.id).await? else {
            // Deleted meanwhile: this task is stopped soon.
            context.stop.cancelled().await;
            return Ok(());
        };
        let (decisions_sent, decisions) = mpsc::channel(DECISIONS);
        let (status_sent, status) = watch::channel(None);
        let mut builder = ProgrammeBuilder {
            core: Arc::clone(&self.running.core),
            urls: self.running.urls.clone(),
            relay_secret: self.running.relay_secret.clone(),
            renditions: Arc::clone(&self.running.renditions),
            failed: BTreeSet::new(),
            mp4: Mp4Files::default(),
        };
        let (mut files, now) = (Files::new(), self.running.core.now());
        let programme = builder.build(&stored, false, now, &mut files).await?;
        let scheduled = scheduled(&stored, now);
        tracing::info!(channel = %stored.channel.name, "a channel starts");
        let (programme, to_run) = watch::channel(programme);
        let reports = ProgrammeReports { decisions: decisions_sent, status: status_sent };
        let (stop, lease) = (context.stop.clone(), context.lease.clone());
        // Beside everything else: what the database takes long for does not hold up the media.
        let (engine, mut running) = (Arc::clone(&self.running.engine), JoinSet::new());
        running.spawn(async move { engine.run(to_run, reports, stop, lease).await });
        let _gone = Gone { reports: &self.running.reports, channel: self.id };
        let rehearsing = Rehearsing::default();
        let names = Names::of(&stored, now);
        let mut run = Run {
            task: self,
            builder,
            stored,
            files,
            scheduled,
            names,
            programme,
            status,
            rehearsing,
            hold_has_expired: false,
            read_at: None,
        };
        let ended = run.until(&mut running, decisions, wake_ups, context).await;
        run.close().await;
        ended
    }
}

/// When the task ends, also without a last word, the channel does not run here any more.
struct Gone<'a> {
    reports: &'a ReportBuffer,
    channel: ChannelId,
}

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.reports.stopped(self.channel);
    }
}

/// One run of a programme.
struct Run<'a> {
    task: &'a ChannelTask,
    builder: ProgrammeBuilder,
    stored: StoredProgramme,
    /// The files of its clips.
    files: Files,
    /// What the schedule of the playlist wanted at the last check.
    scheduled: Vec<ClipId>,
    names: Names,
    programme: watch::Sender<Programme>,
    status: watch::Receiver<Option<ProgrammeStatus>>,
    rehearsing: Rehearsing,
    /// Whether the mode is `auto` because a hold has expired.
    hold_has_expired: bool,
    /// When the store was last read; `None` to read it at the next check.
    read_at: Option<Instant>,
}

impl Run<'_> {
    /// Passes changes to the engine and reports to the store until the engine ends.
    async fn until(
        &mut self,
        engine: &mut JoinSet<()>,
        mut decisions: mpsc::Receiver<crate::domain::channel::Decision>,
        mut wake_ups: broadcast::Receiver<WakeUp>,
        context: &TaskContext,
    ) -> Result<(), TaskError> {
        let mut status = self.status.clone();
        let mut checks = interval(CHECK);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                ended = engine.join_next() => {
                    if let Some(Err(error)) = ended && error.is_panic() {
                        resume_unwind(error.into_panic());
                    }
                    break;
                }
                Some(decision) = decisions.recv() => self.decided(decision),
                Ok(()) = status.changed() => self.reported(context),
                woken = wake_ups.recv() => match woken {
                    Ok(WakeUp::Channels | WakeUp::Clips | WakeUp::Everything) | Err(RecvError::Lagged(_)) => {
                        self.read_at = None;
                        self.check().await;
                    }
                    Ok(_) => {}
                    // There are no wake-ups any more: the program stops.
                    Err(RecvError::Closed) => {
                        checks.tick().await;
                    }
                },
                _ = checks.tick() => self.check().await,
            }
        }
        while let Ok(decision) = decisions.try_recv() {
            self.decided(decision);
        }
        if context.stop.is_cancelled() {
            return Ok(());
        }
        Err(TaskError::Setup("the engine ended by itself".to_owned()))
    }

    fn decided(&mut self, decision: crate::domain::channel::Decision) {
        tracing::info!(
            channel = %self.names.channel, kind = %decision.kind, to = %decision.to, reason = %decision.reason,
            numbers = %serde_json::Value::Object(decision.numbers.clone()), "a channel decided"
        );
        metrics::decided(&self.names.channel, &decision);
        self.rehearsing.decided(&decision);
        self.task.running.reports.decided(decision);
    }

    fn reported(&mut self, context: &TaskContext) {
        let Some(status) = self.status.borrow().clone() else { return };
        context.show(json!({
            "channel": self.names.channel, "on_air": status.on_air, "since": status.since, "reason": status.reason,
        }));
        self.task.running.reports.reported(&self.names, status);
    }

    /// Reads the channel if it may have changed, and passes on what is due. If the store fails, the programme continues as
    /// it is.
    async fn check(&mut self) {
        let core = Arc::clone(&self.task.running.core);
        let status = self.status.borrow().clone();
        let mut is_changed = self.rehearsing.advance(status.as_ref(), core.now());
        is_changed |= self.end_hold().await;
        if self.read_at.is_none_or(|at| at.elapsed() >= READ) {
            match core.worker_store.programme(self.task.id).await {
                Ok(Some(stored)) => {
                    self.stored = stored;
                    self.read_at = Some(Instant::now());
                    is_changed = true;
                }
                // Deleted: this task is stopped soon.
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(channel = %self.names.channel, %error, "a channel cannot be read; it runs on");
                }
            }
        }
        is_changed |= self.rehearse(status.as_ref()).await;
        let scheduled = scheduled(&self.stored, core.now());
        if self.scheduled != scheduled {
            tracing::info!(channel = %self.names.channel, clips = scheduled.len(), "the schedule of the playlist changes the clips");
            (self.scheduled, is_changed) = (scheduled, true);
        }
        self.names = Names::of(&self.stored, core.now());
        if is_changed {
            self.apply().await;
        }
    }

    /// Replaces an expired hold in the store. The programme follows the clock, also if that fails. Returns whether it has
    /// expired.
    async fn end_hold(&mut self) -> bool {
        let core = &self.task.running.core;
        let now = core.now();
        if self.stored.channel.hold.expires_at.is_none_or(|at| at > now) {
            return false;
        }
        self.hold_has_expired = true;
        match core.worker_store.expire_hold(self.task.id, now).await {
            Ok(Some(channel)) => {
                tracing::info!(channel = %channel.name, "a hold has expired: the mode is auto again");
                self.stored.channel = channel;
                core.wake_ups.send(WakeUp::Events);
            }
            // An operator changed it meanwhile.
            Ok(None) => self.read_at = None,
            Err(error) => tracing::debug!(%error, "an expired hold cannot be stored; it is tried again"),
        }
        true
    }

    /// Begins a requested rehearsal, and stores one that ended. Returns whether one begins.
    async fn rehearse(&mut self, status: Option<&ProgrammeStatus>) -> bool {
        let was_cut = self.rehearsing.is_cut();
        let core = &self.task.running.core;
        if let Some(open) = &self.stored.rehearsal
            && let Some(begun) =
                self.rehearsing.take((open, &self.stored.channel.failover), status, core.now())
            && begun.is_open()
        {
            // If this is lost, the end is stored all the same.
            let saved = core.worker_store.save_rehearsal(&begun).await;
            tracing::info!(
                channel = %self.names.channel, seconds = begun.cut_live_for_seconds, is_stored = saved.is_ok(),
                "a rehearsal begins: the live input is treated as lost"
            );
        }
        if let Some(ended) = &self.rehearsing.ended
            && core.worker_store.save_rehearsal(ended).await.is_ok()
        {
            self.rehearsing.ended = None;
            self.stored.rehearsal = None;
        }
        !was_cut && self.rehearsing.is_cut()
    }

    /// Gives the engine the programme as it is now, if that changed.
    async fn apply(&mut self) {
        let now = self.task.running.core.now();
        match self.builder.build(&self.stored, self.rehearsing.is_cut(), now, &mut self.files).await {
            Ok(mut programme) => {
                self.hold_has_expired &= programme.mode == Mode::Auto;
                programme.hold_has_expired = self.hold_has_expired;
                self.programme.send_if_modified(|present| {
                    let is_new = *present != programme;
                    if is_new {
                        *present = programme;
                    }
                    is_new
                });
            }
            Err(error) => {
                tracing::error!(channel = %self.names.channel, %error, "a changed channel cannot be applied; it runs on");
            }
        }
    }

    /// The programme has ended.
    async fn close(&mut self) {
        let Running { core, reports, .. } = &self.task.running;
        self.rehearsing.stop(core.now());
        if let Some(ended) = &self.rehearsing.ended {
            // If it fails, the next run says that this one stopped.
            let _ = core.worker_store.save_rehearsal(ended).await;
        }
        // If it fails, the next time stores it.
        let _ = reports.store().await;
        tracing::info!(channel = %self.names.channel, "a channel stopped");
    }
}

/// What the schedule of the playlist wants at `now`.
fn scheduled(stored: &StoredProgramme, now: Timestamp) -> Vec<ClipId> {
    match &stored.channel.inputs.backup {
        Backup::Playlist(playlist) => playlist.scheduled(now),
        Backup::Stream(_) => Vec::new(),
    }
}
