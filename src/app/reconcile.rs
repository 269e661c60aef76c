//! The reconcile loop: looks at one media server, and repairs the difference to the records.
//!
//! What to do is decided in [`plan`]; this carries it out, records first. It does the
//! same work whether the timer, a hook or a revoked key woke it, and what fails is found again by the next look.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, StreamExt as _};
use tokio::time::sleep;
use tracing::{Instrument as _, Span};

use super::App;
use super::worker::{Tick, TickError, Worker};
use crate::domain::StreamId;
use crate::domain::Timestamp;
use crate::domain::media_server::{MediaServerName, Observation, ObservedPath, Relay};
use crate::domain::path::{IngestPath, StreamPath};
use crate::domain::reconcile::{Changes, Circumstances, Hint, Kick, Plan, Sighting, believe, plan};
use crate::domain::secret::SecretHash;
use crate::ports::{Applied, Lease, Look, MediaServer, Nudge, RelayRemoval, RemoteError, StoredHint};

/// How many calls to a media server are under way at once.
const CALLS: usize = 8;
/// How long one look spends on ending sessions; the next one goes on. A server that hangs must not keep it from the rest.
const KICKING: Duration = Duration::from_secs(3);

/// How often a media server that is away is looked for. Until it is seen again its old sessions hold their keys, and
/// encoders that come back are refused.
const LOOK_FOR: Duration = Duration::from_millis(250);

/// The spans of what last had media servers looked at, so that the look is part of its trace. Within this instance only.
#[derive(Debug, Default)]
pub(super) struct Causes(Mutex<HashMap<MediaServerName, Span>>);

impl App {
    /// What happens here and now is why `server` is about to be looked at.
    pub(super) fn note_cause_of_look(&self, server: &MediaServerName) {
        self.causes().insert(server.clone(), Span::current());
    }

    fn cause_of_look(&self, server: &MediaServerName) -> Option<Span> {
        self.causes().remove(server)
    }

    fn causes(&self) -> MutexGuard<'_, HashMap<MediaServerName, Span>> {
        self.causes.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reconciles one media server.
pub struct Reconciler {
    app: Arc<App>,
    server: MediaServerName,
    remote: Arc<dyn MediaServer>,
    interval: Duration,
    memory: Memory,
}

/// What is remembered between looks, only to save calls; all of it may be lost.
#[derive(Default)]
struct Memory {
    /// The run that was last seen. Unknown until it was read from the records.
    run: Option<String>,
    /// Relays that are known to be in place in this run.
    relays: HashMap<StreamPath, SecretHash>,
    /// Configured paths that are the operator's own.
    not_ours: HashSet<StreamPath>,
    /// Since when the media server is away, or its holds were last loosened.
    away_since: Option<Timestamp>,
    /// When the next of the keys in use expires, as the last look has shown it.
    expiry: Option<Timestamp>,
    /// The lease this memory was gathered under.
    epoch: Option<i64>,
}

impl Reconciler {
    /// A reconciler of `server` that looks every `interval`, or when nudged.
    pub fn new(
        app: Arc<App>,
        server: MediaServerName,
        remote: Arc<dyn MediaServer>,
        interval: Duration,
    ) -> Self {
        Self { app, server, remote, interval, memory: Memory::default() }
    }

    async fn look(&mut self, lease: &Lease, hints: &[StoredHint]) -> Result<Tick, TickError> {
        self.memory.expiry = None;
        let started = tokio::time::Instant::now();
        let looked = self.remote.observe().await;
        metrics::histogram!("streamward_media_server_call_seconds", "media_server" => self.server.to_string())
            .record(started.elapsed().as_secs_f64());
        metrics::gauge!("streamward_media_server_up", "media_server" => self.server.to_string())
            .set(if looked.is_ok() { 1.0 } else { 0.0 });
        match looked {
            Ok(observation) => self.repair(lease, observation, hints).await,
            Err(error) => {
                self.get_by_on_hints(lease, &error, hints).await?;
                Err(error.into())
            }
        }
    }

    /// The media server answered in full: make the records and it agree.
    async fn repair(
        &mut self,
        lease: &Lease,
        seen: Observation,
        hints: &[StoredHint],
    ) -> Result<Tick, TickError> {
        let restarted = self.note_run(&seen);
        let sightings: Vec<Sighting> = seen.paths.into_iter().map(|path| self.sighting(path)).collect();
        let store = Arc::clone(&self.app.parts.worker_store);
        let view = store.reconcile_view(&self.server, &sightings, &[]).await?;
        let now = self.app.now();
        self.memory.expiry =
            view.keys.iter().filter_map(|(_, key)| key.expires_at).filter(|at| *at > now).min();
        let around = Circumstances { server: self.server.clone(), now, restarted };
        let plan = plan(&around, &sightings, view);
        let applied = self.apply(lease, &plan.changes, now).await?;
        self.forget_lost_relays(&sightings);
        let relayed = self.relay(&plan).await;
        let kicked = self.kick(&plan.kicks).await;
        if let Some(last) = hints.last() {
            store.drop_hints(lease, &self.server, last.seq).await?;
        }
        let repaired = (applied.started.len() + applied.ended.len() + kicked + relayed) as u64;
        let look = Look::Seen { version: seen.version, run: seen.run, repaired };
        store.record_look(lease, &self.server, &look, now).await?;
        self.memory.away_since = None;
        // A kicked session takes a moment to go, and a postponed start waits for that.
        Ok(Tick { again: !plan.kicks.is_empty() || applied.postponed > 0 })
    }

    /// The media server cannot be asked: nothing ends, except what its own hooks say of sessions we know.
    async fn get_by_on_hints(
        &mut self,
        lease: &Lease,
        error: &RemoteError,
        hints: &[StoredHint],
    ) -> Result<(), TickError> {
        let store = &self.app.parts.worker_store;
        let now = self.app.now();
        store.record_look(lease, &self.server, &Look::Failed(error.to_string()), now).await?;
        if !hints.is_empty() {
            let told: Vec<Hint> = hints.iter().map(|stored| stored.hint.clone()).collect();
            let view = store.reconcile_view(&self.server, &[], &told).await?;
            // The hints stay: when the media server answers again it is looked at anyway, and believing twice is
            // believing once.
            self.apply(lease, &believe(now, &told, &view), now).await?;
        }
        let away_since = *self.memory.away_since.get_or_insert(now);
        if now.since(away_since) >= self.app.settings().claim_ttl {
            // Its encoders have lost it too and may have moved to another media server: let them in there. Again and
            // again, since by its hooks a stream may have come live meanwhile.
            store.loosen_holds(lease, &self.server, now).await?;
            self.memory.away_since = Some(now);
        }
        Ok(())
    }

    fn sighting(&self, seen: ObservedPath) -> Sighting {
        let hash = match &seen.path {
            IngestPath::Private(private) => Some(self.app.parts.hasher.key(private.secret())),
            IngestPath::Public(_) | IngestPath::Other(_) => None,
        };
        Sighting { seen, hash }
    }

    /// Notes which process answered; a new one has forgotten the relays it was given.
    fn note_run(&mut self, seen: &Observation) -> bool {
        let restarted = seen.run.is_some() && self.memory.run.is_some() && self.memory.run != seen.run;
        if restarted {
            tracing::warn!(server = %self.server, "the media server was restarted");
            self.memory.relays.clear();
            self.memory.not_ours.clear();
        }
        self.memory.run.clone_from(&seen.run);
        restarted
    }

    async fn apply(&self, lease: &Lease, changes: &Changes, now: Timestamp) -> Result<Applied, TickError> {
        if changes.is_empty() {
            return Ok(Applied::default());
        }
        let new_id = || StreamId(self.app.parts.ids.uuid());
        let store = &self.app.parts.worker_store;
        let applied = store
            .apply_changes(lease, &self.server, changes, now, &new_id)
            .instrument(tracing::info_span!("store.apply_changes"))
            .await?;
        for (kind, streams) in [("stream_started", &applied.started), ("stream_ended", &applied.ended)] {
            self.count(kind, streams.len());
            for stream in streams {
                tracing::info!(server = %self.server, stream_id = %stream.id, key_id = %stream.stream_key_id,
                    path = %stream.path, state = ?stream.state, "{kind}");
            }
        }
        self.app.parts.nudges.send(Nudge::Events);
        if !applied.ended.is_empty() {
            // Another media server may wait for the key of one of these.
            for other in self.app.settings().media_servers.keys().filter(|name| **name != self.server) {
                self.app.parts.nudges.send(Nudge::Reconcile(other.clone()));
            }
        }
        Ok(applied)
    }

    async fn kick(&self, kicks: &[Kick]) -> usize {
        let calls: Vec<_> = kicks.iter().map(|kick| self.kick_one(kick)).collect();
        let told = stream::iter(calls).buffer_unordered(CALLS).take_until(sleep(KICKING));
        let told = told.filter(|told| std::future::ready(*told)).count().await;
        self.count("session_kicked", told);
        told
    }

    async fn kick_one(&self, kick: &Kick) -> bool {
        let source = kick.source.id.as_ref().map(tracing::field::display);
        match self.remote.kick(&kick.source).await {
            Ok(()) => {
                let (path, reason) = (kick.path.public(), kick.reason.as_str());
                tracing::info!(server = %self.server, source, path, reason, "session told to end");
                true
            }
            Err(error) => {
                tracing::warn!(server = %self.server, source, %error, "a session could not be told to end");
                false
            }
        }
    }

    /// Puts the wanted relays in place and removes the others.
    async fn relay(&mut self, plan: &Plan) -> usize {
        let mut changed = 0;
        for (hash, relay) in &plan.relays {
            changed += usize::from(self.put_relay(*hash, relay).await);
        }
        // Forget what is not wanted, so that it is put in place again when it is.
        let wanted: HashSet<&StreamPath> = plan.relays.iter().map(|(_, relay)| &relay.public).collect();
        self.memory.relays.retain(|path, _| wanted.contains(path));
        for path in &plan.other_configured {
            if self.memory.not_ours.contains(path) {
                continue;
            }
            match self.remote.remove_relay(path).await {
                Ok(RelayRemoval::Gone) => {
                    self.count("relay_removed", 1);
                    changed += 1;
                }
                Ok(RelayRemoval::NotOurs) => {
                    self.memory.not_ours.insert(path.clone());
                }
                Err(error) => {
                    tracing::warn!(server = %self.server, %path, %error, "a relay could not be removed");
                }
            }
        }
        changed
    }

    /// A change of its configuration file makes a media server forget what it was given, without a restart. Paths with
    /// a configuration of their own are always listed, so what is not listed is lost.
    fn forget_lost_relays(&mut self, sightings: &[Sighting]) {
        let configured = sightings.iter().filter(|s| s.seen.configured).filter_map(|s| s.seen.path.public());
        let configured: HashSet<&str> = configured.collect();
        self.memory.relays.retain(|path, _| configured.contains(path.as_str()));
    }

    async fn put_relay(&mut self, hash: SecretHash, relay: &Relay) -> bool {
        if self.memory.relays.get(&relay.public) == Some(&hash) {
            return false;
        }
        let Some(settings) = self.app.settings().media_servers.get(&self.server) else { return false };
        match self.remote.ensure_relay(relay, &settings.relay_secret).await {
            Ok(()) => {
                self.memory.relays.insert(relay.public.clone(), hash);
                self.memory.not_ours.remove(&relay.public);
                self.count("relay_added", 1);
                true
            }
            Err(error) => {
                tracing::warn!(server = %self.server, path = %relay.public, %error, "a relay could not be put in place");
                false
            }
        }
    }

    fn count(&self, kind: &'static str, times: usize) {
        if times > 0 {
            metrics::counter!("streamward_drift_repaired_total", "media_server" => self.server.to_string(), "kind" => kind)
                .increment(times as u64);
        }
    }

    /// After a change of hands somebody else may have acted in between: what is remembered is worth nothing.
    async fn start_over_under(&mut self, lease: &Lease) -> Result<(), TickError> {
        if self.memory.epoch != Some(lease.epoch) {
            let known = self.app.parts.worker_store.media_servers().await?;
            let run =
                known.into_iter().find(|status| status.name == self.server).and_then(|status| status.run);
            self.memory = Memory { run, epoch: Some(lease.epoch), ..Memory::default() };
        }
        Ok(())
    }
}

#[async_trait]
impl Worker for Reconciler {
    fn name(&self) -> String {
        format!("reconcile:{}", self.server)
    }

    fn interval(&self) -> Duration {
        let expiry = self.memory.expiry.map(|at| at.since(self.app.now()));
        let away = self.memory.away_since.map(|_| LOOK_FOR);
        [expiry, away].into_iter().flatten().fold(self.interval, Duration::min)
    }

    fn lease(&self) -> Option<String> {
        Some(self.name())
    }

    fn hears(&self, nudge: &Nudge) -> bool {
        matches!(nudge, Nudge::Reconcile(server) if *server == self.server)
    }

    async fn tick(&mut self, lease: Option<&Lease>) -> Result<Tick, TickError> {
        let Some(lease) = lease else { return Ok(Tick::default()) };
        self.start_over_under(lease).await?;
        // Read before the look: what arrives during the look is looked into by the next one.
        let hints = self.app.parts.worker_store.hints(&self.server).await?;
        let started = tokio::time::Instant::now();
        // Part of the trace of whoever had us look: a hook, a takeover, a revoked key.
        let span = match self.app.cause_of_look(&self.server) {
            Some(cause) => tracing::info_span!(parent: &cause, "reconcile", server = %self.server),
            None => tracing::debug_span!("reconcile", server = %self.server),
        };
        let tick = self.look(lease, &hints).instrument(span).await;
        metrics::histogram!("streamward_reconcile_duration_seconds", "media_server" => self.server.to_string())
            .record(started.elapsed().as_secs_f64());
        tick
    }
}
