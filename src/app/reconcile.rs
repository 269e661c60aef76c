//! The reconcile loop: polls one media server, and repairs the difference to the records.
//!
//! What to do is decided in [`plan`]; this carries it out, records first. It does the
//! same work whether the timer, a hook or a revoked key woke it, and the next poll finds again what failed.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt as _};
use serde_json::json;
use tokio::time::{Instant, sleep};
use tracing::Instrument as _;

use super::Core;
use super::disconnect_retries::DisconnectRetries;
use super::drift::{Announced, Drift};
use super::grace::{Grace, LiveSession};
use super::live_stats::LiveStats;
use super::media_server::ConfiguredServers;
use super::poll_requests::PollRequests;
use super::task::{OnLeaseDoubt, PeriodicTask, Placement, Task, TaskContext, TaskError, Tick};
use crate::domain::access::Scope;
use crate::domain::log_throttle::LogThrottle;
use crate::domain::media_server::{MediaServerName, ObservedPath, Relay, Snapshot};
use crate::domain::path::{IngestPath, StreamPath};
use crate::domain::reconcile::{
    Changes, Disconnect, DisconnectReason, HookEvent, Observation, Plan, PollContext, UnreadablePath,
    accept_hook_events, plan,
};
use crate::domain::secret::SecretHash;
use crate::domain::stream::EndReason;
use crate::domain::stream_key::{Holder, StreamKey};
use crate::domain::{StreamId, Timestamp};
use crate::ports::{
    Applied, Assignment, MediaServer, PollResult, RelayRemoval, RemoteError, StoreError, StoredHookEvent,
    WakeUp,
};

/// How many calls to a media server run at once.
const CALLS: usize = 8;
/// How long one poll spends on disconnecting sessions; the next one continues. A server that hangs must not block the
/// rest.
const DISCONNECT_TIME: Duration = Duration::from_secs(3);

/// How often an unreachable media server is polled. Until it answers again its old sessions hold their keys, and
/// encoders that come back are refused.
const UNREACHABLE_POLL_INTERVAL: Duration = Duration::from_millis(250);

/// How often a media server is polled that does not report when a path becomes live, while a publisher was let in and is
/// not live yet.
const AWAITING_POLL_INTERVAL: Duration = Duration::from_millis(250);

/// How long a poll may take, on top of its interval, before what the last one saw is too old to show.
const POLL_TIME: Duration = Duration::from_secs(10);

/// How often to poll, and how long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReconcileIntervals {
    /// The time between two regular polls.
    pub poll: Duration,
    /// How long a media server must be unreachable before its keys are released.
    pub claim_ttl: Duration,
}

/// Reconciles one media server.
pub struct Reconciler {
    core: Arc<Core>,
    servers: Arc<ConfiguredServers>,
    polls: Arc<PollRequests>,
    grace: Arc<Grace>,
    live: Arc<LiveStats>,
    server: MediaServerName,
    remote: Arc<dyn MediaServer>,
    intervals: ReconcileIntervals,
    memory: Memory,
    /// For what every poll may find again.
    throttle: LogThrottle<&'static str>,
}

/// State between polls. It only saves calls and may be lost.
#[derive(Default)]
struct Memory {
    /// The last known run. `None` until it is read from the records.
    run: Option<String>,
    /// Relays that are known to be in place in this run.
    relays: HashMap<StreamPath, SecretHash>,
    /// Relays that the media server lost, and that were not added again yet.
    lost_relays: HashSet<StreamPath>,
    /// Whether a poll under this assignment succeeded: from then on starts and stops are no surprise.
    has_polled: bool,
    /// Configured paths that are the operator's own.
    not_ours: HashSet<StreamPath>,
    /// Since when the media server is unreachable, or when its holders were last released.
    unreachable_since: Option<Timestamp>,
    /// When the next of the keys in use expires, as of the last poll.
    expiry: Option<Timestamp>,
    /// Whether a publisher was let in that is not live yet, and nothing will report when it is.
    awaits_publisher: bool,
    /// The sessions that were disconnected and are still there.
    retries: DisconnectRetries,
    /// The numbers to show to operators.
    shown: Shown,
    /// The assignment this memory was gathered under.
    epoch: Option<i64>,
}

/// What operators see of a reconciler; all but the streams since it was assigned.
#[derive(Default)]
struct Shown {
    streams: usize,
    unreadable: usize,
    repaired: u64,
    disconnected: usize,
}

impl Reconciler {
    /// A reconciler of `server`, one of `servers`.
    pub fn new(
        core: Arc<Core>,
        servers: Arc<ConfiguredServers>,
        (polls, grace, live): (Arc<PollRequests>, Arc<Grace>, Arc<LiveStats>),
        (server, remote): (MediaServerName, Arc<dyn MediaServer>),
        intervals: ReconcileIntervals,
    ) -> Self {
        Self {
            core,
            servers,
            polls,
            grace,
            live,
            server,
            remote,
            intervals,
            memory: Memory::default(),
            throttle: LogThrottle::default(),
        }
    }

    async fn poll(
        &mut self,
        assignment: &Assignment,
        hook_events: &[StoredHookEvent],
    ) -> Result<Tick, TaskError> {
        (self.memory.expiry, self.memory.awaits_publisher) = (None, false);
        let started = Instant::now();
        let polled = self.remote.snapshot().await;
        metrics::histogram!("streamward_media_server_call_seconds", "media_server" => self.server.to_string())
            .record(started.elapsed().as_secs_f64());
        metrics::gauge!("streamward_media_server_up", "media_server" => self.server.to_string())
            .set(if polled.is_ok() { 1.0 } else { 0.0 });
        match polled {
            Ok(snapshot) => self.repair(assignment, snapshot, hook_events).await,
            Err(error) => {
                self.live.forget(&self.server);
                self.accept_hook_events(assignment, &error, hook_events).await?;
                Err(error.into())
            }
        }
    }

    /// Repairs the difference between a complete snapshot and the records.
    async fn repair(
        &mut self,
        assignment: &Assignment,
        seen: Snapshot,
        hook_events: &[StoredHookEvent],
    ) -> Result<Tick, TaskError> {
        let restarted = self.note_run(&seen);
        let unreadable = self.unreadable(seen.unreadable);
        let observations: Vec<Observation> =
            seen.paths.into_iter().map(|path| self.observation(path)).collect();
        let store = Arc::clone(&self.core.worker_store);
        let view = store.reconcile_view(&self.server, &observations, &[]).await?;
        let now = self.core.now();
        self.memory.expiry =
            view.keys.iter().filter_map(|(_, key)| key.expires_at).filter(|at| *at > now).min();
        self.memory.awaits_publisher = !self.remote.capabilities().reports_live
            && view.keys.iter().any(|(_, key)| self.is_claimed(key, now));
        self.grace.note_sessions(&self.server, LiveSession::seen(&observations, &view.keys, now));
        let around = PollContext { server: self.server.clone(), now, restarted, unreadable };
        let active = view.streams.len();
        let announced = Announced::of(&view.keys);
        let plan = plan(&around, &observations, view);
        self.live.note(&self.server, &plan.carried, self.intervals.poll * 2 + POLL_TIME);
        let applied = self.apply(assignment, &plan.changes, now).await?;
        self.forget_lost_relays(&observations);
        let is_catching_up = restarted || !self.memory.has_polled || self.memory.unreachable_since.is_some();
        let drift = Drift {
            started: announced.unexpected(&plan.changes.started, &applied),
            ended: if is_catching_up { applied.ended.len() } else { 0 },
            relays: self.relay(&plan, is_catching_up).await,
            ..Drift::default()
        };
        let (disconnected, unknown) = self.disconnect(&plan.disconnects).await;
        let repaired = Drift { disconnected: unknown, ..drift }.count(&self.server);
        if let Some(last) = hook_events.last() {
            store.delete_hook_events(assignment, &self.server, last.seq).await?;
        }
        let result = PollResult::Succeeded { version: seen.version, run: seen.run, repaired };
        self.record(assignment, &result, now).await?;
        (self.memory.unreachable_since, self.memory.has_polled) = (None, true);
        let shown = &mut self.memory.shown;
        shown.streams = (active + applied.started.len()).saturating_sub(applied.ended.len());
        shown.repaired += repaired;
        shown.disconnected += disconnected;
        // A disconnected session takes a moment to end, and a postponed start waits for that.
        Ok(Tick { again: disconnected > 0 || applied.postponed > 0 })
    }

    /// The media server is unreachable: only its own hooks end sessions.
    async fn accept_hook_events(
        &mut self,
        assignment: &Assignment,
        error: &RemoteError,
        hook_events: &[StoredHookEvent],
    ) -> Result<(), TaskError> {
        let store = &self.core.worker_store;
        let now = self.core.now();
        self.record(assignment, &PollResult::Failed(error.to_string()), now).await?;
        if !hook_events.is_empty() {
            let events: Vec<HookEvent> = hook_events.iter().map(|stored| stored.hook_event.clone()).collect();
            let view = store.reconcile_view(&self.server, &[], &events).await?;
            // The hook events stay until the media server answers again. Accepting one twice has no effect.
            self.apply(assignment, &accept_hook_events(now, &events, &view), now).await?;
        }
        let unreachable_since = *self.memory.unreachable_since.get_or_insert(now);
        if now.since(unreachable_since) >= self.intervals.claim_ttl {
            // Its encoders have lost it too and may have moved to another media server, which must not refuse them.
            // Repeated, since a hook may have made a stream live meanwhile.
            store.release_holders(assignment, &self.server, now).await?;
            self.memory.unreachable_since = Some(now);
        }
        Ok(())
    }

    /// Records the poll. Readers of events hear of it if the server is away, or back.
    async fn record(
        &self,
        assignment: &Assignment,
        result: &PollResult,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if self.core.worker_store.record_poll(assignment, &self.server, result, now).await? {
            self.core.wake_ups.send(WakeUp::Events);
        }
        Ok(())
    }

    /// Whether a publisher here has the key and is not live yet.
    fn is_claimed(&self, key: &StreamKey, now: Timestamp) -> bool {
        matches!(&key.holder, Holder::Claimed { by, until } if by.server == self.server && *until > now)
    }

    fn observation(&self, seen: ObservedPath) -> Observation {
        Observation { hash: self.key_hash(&seen.path), seen }
    }

    fn key_hash(&self, path: &IngestPath) -> Option<SecretHash> {
        match path {
            IngestPath::Private(private) => Some(self.core.hasher.key(private.secret())),
            IngestPath::Public(_) | IngestPath::Other(_) => None,
        }
    }

    /// Counts and logs the paths that could not be read.
    fn unreadable(&mut self, paths: Vec<Option<IngestPath>>) -> Vec<UnreadablePath> {
        self.memory.shown.unreadable = paths.len();
        metrics::gauge!("streamward_unreadable_paths", "media_server" => self.server.to_string())
            .set(u32::try_from(paths.len()).unwrap_or(u32::MAX));
        if !paths.is_empty()
            && let Some(suppressed) = self.throttle.allow("unreadable", self.core.now())
        {
            let path = paths.iter().flatten().find_map(IngestPath::public);
            tracing::warn!(server = %self.server, paths = paths.len(), path, suppressed,
                "the media server lists paths that this version of Streamward cannot read: they are left as they are");
        }
        let hash = |path: &Option<IngestPath>| path.as_ref().and_then(|path| self.key_hash(path));
        paths.into_iter().map(|path| UnreadablePath { hash: hash(&path), path }).collect()
    }

    /// Notes which process answered. A new one has lost the relays.
    fn note_run(&mut self, seen: &Snapshot) -> bool {
        let restarted = seen.run.is_some() && self.memory.run.is_some() && self.memory.run != seen.run;
        if restarted {
            tracing::warn!(server = %self.server, "the media server was restarted");
            let lost = self.memory.relays.drain().map(|(path, _)| path);
            self.memory.lost_relays.extend(lost);
            self.memory.not_ours.clear();
        }
        self.memory.run.clone_from(&seen.run);
        restarted
    }

    async fn apply(
        &self,
        assignment: &Assignment,
        changes: &Changes,
        now: Timestamp,
    ) -> Result<Applied, TaskError> {
        if changes.is_empty() {
            return Ok(Applied::default());
        }
        let new_id = || StreamId(self.core.id());
        let store = &self.core.worker_store;
        let applied = store
            .apply_changes(assignment, &self.server, changes, now, &new_id)
            .instrument(tracing::info_span!("store.apply_changes"))
            .await?;
        for (kind, streams) in [("stream_started", &applied.started), ("stream_ended", &applied.ended)] {
            for stream in streams {
                tracing::info!(server = %self.server, stream_id = %stream.id, key_id = %stream.stream_key_id,
                    path = %stream.path, reason = stream.end_reason().map(EndReason::as_str), "{kind}");
            }
        }
        self.core.wake_ups.send(WakeUp::Events);
        if !applied.ended.is_empty() {
            // Another media server may wait for the key of one of these.
            for other in self.servers.names().filter(|name| **name != self.server) {
                self.core.wake_ups.send(WakeUp::Reconcile(other.clone()));
            }
        }
        Ok(applied)
    }

    /// How many sessions were disconnected, and how many of them because no key allows them.
    async fn disconnect(&mut self, wanted: &[Disconnect]) -> (usize, usize) {
        let due = self.memory.retries.due(wanted, Instant::now());
        let tried = Mutex::new(Vec::with_capacity(due.len()));
        let calls = due.iter().map(|disconnect| {
            let (remote, tried) = (&self.remote, &tried);
            async move {
                tried.lock().unwrap_or_else(PoisonError::into_inner).push(*disconnect);
                (*disconnect, remote.disconnect(&disconnect.source).await)
            }
        });
        let calls: Vec<_> = calls.collect();
        let results = stream::iter(calls).buffer_unordered(CALLS).take_until(sleep(DISCONNECT_TIME));
        let results: Vec<_> = results.collect().await;
        self.memory
            .retries
            .tried(&tried.into_inner().unwrap_or_else(PoisonError::into_inner), Instant::now());
        let done = results.iter().filter(|(disconnect, result)| self.log_disconnect(disconnect, result));
        let done: Vec<DisconnectReason> = done.map(|(disconnect, _)| disconnect.reason).collect();
        (done.len(), done.iter().filter(|reason| **reason == DisconnectReason::UnknownKey).count())
    }

    /// Whether the media server accepted it. Failures are logged once a minute.
    fn log_disconnect(&self, disconnect: &Disconnect, result: &Result<(), RemoteError>) -> bool {
        let (server, source) = (&self.server, disconnect.source.id.as_ref().map(tracing::field::display));
        match result {
            Ok(()) => {
                let (path, reason) = (disconnect.path.public(), disconnect.reason.as_str());
                tracing::info!(%server, source, path, reason, "session disconnected");
            }
            Err(error) => {
                if let Some(suppressed) = self.throttle.allow("disconnect", self.core.now()) {
                    tracing::warn!(%server, source, %error, suppressed, "a session could not be disconnected; it is tried again, after 30 s at most");
                }
            }
        }
        result.is_ok()
    }

    /// Adds the wanted relays and removes the others. Returns how many were lost or left over: those of streams that start and
    /// end are not.
    async fn relay(&mut self, plan: &Plan, is_catching_up: bool) -> usize {
        if !self.remote.capabilities().relay {
            return 0;
        }
        let mut repaired = 0;
        for (hash, relay) in &plan.relays {
            repaired += usize::from(self.put_relay(*hash, relay).await);
        }
        // Forget relays that are not wanted, so that they are added again when they are.
        let wanted: HashSet<&StreamPath> = plan.relays.iter().map(|(_, relay)| &relay.public).collect();
        self.memory.relays.retain(|path, _| wanted.contains(path));
        self.memory.lost_relays.retain(|path| wanted.contains(path));
        for path in &plan.other_configured {
            if self.memory.not_ours.contains(path) {
                continue;
            }
            match self.remote.remove_relay(path).await {
                Ok(RelayRemoval::Gone) => {
                    repaired += usize::from(is_catching_up);
                }
                Ok(RelayRemoval::NotOurs) => {
                    self.memory.not_ours.insert(path.clone());
                }
                Err(error) => {
                    tracing::warn!(server = %self.server, %path, %error, "a relay could not be removed; the next poll tries again");
                }
            }
        }
        repaired
    }

    /// A media server that reloads its configuration file loses its relays without a restart. Configured paths are always
    /// listed, so a relay that is not listed is lost.
    fn forget_lost_relays(&mut self, observations: &[Observation]) {
        let configured =
            observations.iter().filter(|s| s.seen.configured).filter_map(|s| s.seen.path.public());
        let configured: HashSet<&str> = configured.collect();
        let lost = self.memory.relays.extract_if(|path, _| !configured.contains(path.as_str()));
        let lost: Vec<StreamPath> = lost.map(|(path, _)| path).collect();
        self.memory.lost_relays.extend(lost);
    }

    /// Adds a relay that is not there. Returns whether the media server had lost it.
    async fn put_relay(&mut self, hash: SecretHash, relay: &Relay) -> bool {
        if self.memory.relays.get(&relay.public) == Some(&hash) {
            return false;
        }
        let Some(settings) = self.servers.get(&self.server) else { return false };
        match self.remote.ensure_relay(relay, &settings.relay_secret).await {
            Ok(()) => {
                self.memory.relays.insert(relay.public.clone(), hash);
                self.memory.not_ours.remove(&relay.public);
                self.memory.lost_relays.remove(&relay.public)
            }
            Err(error) => {
                tracing::warn!(server = %self.server, path = %relay.public, %error, "a relay could not be added; the next poll tries again");
                false
            }
        }
    }

    /// Forgets everything under a new assignment, because another instance may have acted in between.
    async fn start_over_under(&mut self, assignment: &Assignment) -> Result<(), TaskError> {
        if self.memory.epoch != Some(assignment.epoch) {
            let known = self.core.worker_store.media_servers(&Scope::system()).await?;
            let run =
                known.into_iter().find(|status| status.name == self.server).and_then(|status| status.run);
            self.memory = Memory { run, epoch: Some(assignment.epoch), ..Memory::default() };
        }
        Ok(())
    }
}

impl Task for Reconciler {
    fn name(&self) -> String {
        format!("reconcile:{}", self.server)
    }

    fn description(&self) -> &'static str {
        "Compares one media server with the records, and repairs the difference."
    }

    fn placement(&self) -> Placement {
        Placement::OneInstance(OnLeaseDoubt::Stop)
    }
}

#[async_trait]
impl PeriodicTask for Reconciler {
    fn interval(&self) -> Duration {
        let expiry = self.memory.expiry.map(|at| at.since(self.core.now()));
        let unreachable = self.memory.unreachable_since.map(|_| UNREACHABLE_POLL_INTERVAL);
        let awaiting = self.memory.awaits_publisher.then_some(AWAITING_POLL_INTERVAL);
        [expiry, unreachable, awaiting].into_iter().flatten().fold(self.intervals.poll, Duration::min)
    }

    fn wakes_on(&self, wake_up: &WakeUp) -> bool {
        matches!(wake_up, WakeUp::Reconcile(server) if *server == self.server)
    }

    async fn tick(&mut self, context: &TaskContext) -> Result<Tick, TaskError> {
        let Some(assignment) = context.assignment() else { return Ok(Tick::default()) };
        self.start_over_under(&assignment).await?;
        // Read before the poll: the next poll handles what arrives during this one.
        let hook_events = self.core.worker_store.hook_events(&self.server).await?;
        let started = Instant::now();
        // Part of the trace of the cause: a hook, a takeover, a revoked key.
        let span = match self.polls.take_cause(&self.server) {
            Some(cause) => tracing::info_span!(parent: &cause, "reconcile", server = %self.server),
            None => tracing::debug_span!("reconcile", server = %self.server),
        };
        let tick = self.poll(&assignment, &hook_events).instrument(span).await;
        metrics::histogram!("streamward_reconcile_duration_seconds", "media_server" => self.server.to_string())
            .record(started.elapsed().as_secs_f64());
        let Memory { unreachable_since, relays, shown, .. } = &self.memory;
        context.show(json!({
            "last_poll_at": self.core.now(),
            "reachable": unreachable_since.is_none(),
            "streams": shown.streams,
            "unreadable": shown.unreadable,
            "relays": relays.len(),
            "repaired": shown.repaired,
            "disconnected": shown.disconnected,
        }));
        tick
    }
}
