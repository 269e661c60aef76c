//! Reconcile: compare the state of a media server with the records, and plan the repair.
//!
//! [`plan`] takes a complete snapshot of one media server and the records that concern it, and returns a [`Plan`].
//! It is level-triggered: the same input gives the same plan, and the next poll repeats steps that failed.
//! [`accept_hook_events`] is the substitute while the media server is unreachable.

mod apply;
mod hook_event;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

pub use apply::{Records, Writes, apply};
pub use hook_event::{HookEvent, HookKind, accept_hook_events};

use super::media_server::{
    Connection, MediaServerName, ObservedPath, ObservedSource, Relay, SourceId, SourceKind, StreamStats,
};
use super::path::{IngestPath, StreamPath};
use super::secret::SecretHash;
use super::stream::{EndReason, IngestForm, Stream};
use super::stream_key::{Holder, KeyStatus, StreamKey};
use super::{StreamId, StreamKeyId, Timestamp};

/// A changed byte count alone is written at most this often.
pub const STATS_INTERVAL: Duration = Duration::from_secs(10);

/// A path as the media server reported it, with the hash of the key in it if it is private.
#[derive(Clone, Debug)]
pub struct Observation {
    /// The reported path.
    pub seen: ObservedPath,
    /// The hash of the key in the path, if the path is private.
    pub hash: Option<SecretHash>,
}

/// A path of which a poll could read the name at most. Whatever is there is left as it is.
#[derive(Clone, Debug, Default)]
pub struct UnreadablePath {
    /// Its name, if it could be read.
    pub path: Option<IngestPath>,
    /// The hash of the key in the path, if the path is private.
    pub hash: Option<SecretHash>,
}

/// A stream that is recorded as active.
#[derive(Clone, Debug, PartialEq)]
pub struct ActiveStream {
    /// The stream.
    pub stream: Stream,
    /// When its statistics were last written.
    pub refreshed_at: Timestamp,
}

/// The records that concern one media server.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Its active streams.
    pub streams: Vec<ActiveStream>,
    /// Every key that is held on it, belongs to an active stream on it, or matches an observed path.
    pub keys: Vec<(SecretHash, StreamKey)>,
}

/// Why a session with this key ends at `now`; `None` if the key can be used.
fn end_by_key(key: &StreamKey, now: Timestamp) -> Option<EndReason> {
    match key.status(now) {
        KeyStatus::Revoked => Some(EndReason::KeyRevoked),
        KeyStatus::Expired => Some(EndReason::KeyExpired),
        KeyStatus::Active => None,
    }
}

/// A stream to record as live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The key it is published with. The stream's path is the key's path.
    pub key: StreamKeyId,
    /// The session. It becomes the key's holder.
    pub connection: Connection,
    /// Other ids of the session, see [`ObservedSource::aliases`]. The claim may name one of them.
    pub aliases: Vec<SourceId>,
    /// The kind of session.
    pub kind: Option<SourceKind>,
    /// How the encoder authenticated.
    pub form: IngestForm,
    /// What it carries.
    pub stats: StreamStats,
}

/// New statistics of a live stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refresh {
    /// Which.
    pub stream: StreamId,
    /// What it carries now.
    pub stats: StreamStats,
    /// Whether tracks or readers changed, so that an event is written.
    pub announce: bool,
}

impl Start {
    /// Whether `other` is this session, by its id or an alias.
    pub fn is(&self, other: &Connection) -> bool {
        self.connection.server == other.server
            && (self.connection.id == other.id || self.aliases.contains(&other.id))
    }
}

/// Changes of the records. They are applied in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Streams that are gone, with the best known reason.
    pub ended: Vec<(StreamId, EndReason)>,
    /// Sessions that are live on a key. An unrecorded one becomes a stream; a recorded one becomes the holder again.
    pub started: Vec<Start>,
    /// Streams whose statistics changed.
    pub refreshed: Vec<Refresh>,
}

impl Changes {
    /// Whether the plan is empty.
    pub fn is_empty(&self) -> bool {
        self.ended.is_empty() && self.started.is_empty() && self.refreshed.is_empty()
    }
}

/// Why a session is disconnected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DisconnectReason {
    /// No key matches it.
    UnknownKey,
    /// Its stream must end.
    Ending(EndReason),
}

impl DisconnectReason {
    /// The word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnknownKey => "unknown_key",
            Self::Ending(reason) => reason.as_str(),
        }
    }
}

/// A session to disconnect on the media server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disconnect {
    /// The session.
    pub source: ObservedSource,
    /// The path it publishes to.
    pub path: IngestPath,
    /// The reason.
    pub reason: DisconnectReason,
}

/// A session that is live with a key, and what it carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// The public path.
    pub path: StreamPath,
    /// The session.
    pub session: SourceId,
    /// How many read it.
    pub readers: u32,
    /// Bytes received since it started.
    pub inbound_bytes: u64,
}

/// How to repair the difference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What to change in the records.
    pub changes: Changes,
    /// Sessions to disconnect on the media server.
    pub disconnects: Vec<Disconnect>,
    /// Every relay that must exist, including those that exist already.
    pub relays: Vec<(SecretHash, Relay)>,
    /// Configured public paths that are not in `relays`: old relays, or the operator's own paths.
    pub other_configured: Vec<StreamPath>,
    /// The sessions that stay.
    pub carried: Vec<Carried>,
}

/// The circumstances of a poll.
#[derive(Clone, Debug)]
pub struct PollContext {
    /// The polled media server.
    pub server: MediaServerName,
    /// The time of the poll.
    pub now: Timestamp,
    /// Whether the media server was restarted since the last poll.
    pub restarted: bool,
    /// The paths that are left as they are.
    pub unreadable: Vec<UnreadablePath>,
}

/// Compares a complete snapshot with the records.
pub fn plan(context: &PollContext, observations: &[Observation], view: View) -> Plan {
    let mut planner = Planner::new(context, view.keys);
    planner.count_viewers(observations);
    let recorded = planner.end_missing(observations, view.streams);
    // Holders first, so that another session with the same key finds the key in use.
    let (holders, others): (Vec<_>, Vec<_>) = observations
        .iter()
        .enumerate()
        .filter_map(|(at, observation)| Some((at, observation, publisher(observation)?)))
        .partition(|(_, _, source)| planner.holds_a_key(source));
    for (at, observation, source) in holders.into_iter().chain(others) {
        planner.decide(observation, source, recorded.get(&at));
    }
    planner.note_other_configured(observations);
    planner.plan
}

/// The source of a live path, if a client publishes there.
fn publisher(observation: &Observation) -> Option<&ObservedSource> {
    observation.seen.source.as_ref().filter(|s| observation.seen.live && s.publishes && s.id.is_some())
}

struct Planner<'a> {
    context: &'a PollContext,
    keys: HashMap<StreamKeyId, StreamKey>,
    by_hash: HashMap<SecretHash, StreamKeyId>,
    by_path: HashMap<StreamPath, Vec<StreamKeyId>>,
    holding: HashSet<SourceId>,
    /// Readers of paths whose source is configured, such as relays.
    viewers: HashMap<StreamPath, u32>,
    plan: Plan,
}

impl<'a> Planner<'a> {
    fn new(context: &'a PollContext, keys: Vec<(SecretHash, StreamKey)>) -> Self {
        let mut by_path: HashMap<StreamPath, Vec<StreamKeyId>> = HashMap::new();
        let mut holding = HashSet::new();
        for (_, key) in &keys {
            by_path.entry(key.path.clone()).or_default().push(key.id);
            holding
                .extend(key.holder.connection().filter(|c| c.server == context.server).map(|c| c.id.clone()));
        }
        let by_hash = keys.iter().map(|(hash, key)| (*hash, key.id)).collect();
        let keys = keys.into_iter().map(|(_, key)| (key.id, key)).collect();
        Self { context, keys, by_hash, by_path, holding, viewers: HashMap::new(), plan: Plan::default() }
    }

    fn count_viewers(&mut self, observations: &[Observation]) {
        let fed = observations.iter().filter(|s| s.seen.configured && publisher(s).is_none());
        self.viewers = fed
            .filter_map(|s| match &s.seen.path {
                IngestPath::Public(path) => Some((path.clone(), s.seen.stats.readers)),
                _ => None,
            })
            .collect();
    }

    /// A session's statistics. The only reader of a private path is our relay, so its readers are those of the public path.
    fn stats(&self, observation: &Observation, key: StreamKeyId) -> StreamStats {
        let mut stats = observation.seen.stats.clone();
        if observation.hash.is_some() {
            let public = self.keys.get(&key).map(|key| &key.path);
            stats.readers = public.and_then(|path| self.viewers.get(path)).copied().unwrap_or(0);
        }
        stats
    }

    /// Ends every recorded stream whose session is missing. Returns the others by the index of their observation.
    fn end_missing(
        &mut self,
        observations: &[Observation],
        streams: Vec<ActiveStream>,
    ) -> HashMap<usize, ActiveStream> {
        let mut by_source = HashMap::new();
        for (at, observation) in observations.iter().enumerate() {
            for id in observation.seen.source.iter().flat_map(|s| s.id.iter().chain(&s.aliases)) {
                by_source.insert(id, at);
            }
        }
        let mut present = HashMap::new();
        for active in streams {
            // An attached session keeps its stream, even while no media arrives.
            match active.stream.source_id.as_ref().and_then(|id| by_source.get(id)) {
                Some(at) => {
                    present.insert(*at, active);
                }
                None if self.may_be_unreadable(&active.stream) => {}
                None => self.end(&active.stream),
            }
        }
        present
    }

    /// Whether the session of this stream may be on a path that could not be read.
    fn may_be_unreadable(&self, stream: &Stream) -> bool {
        self.context.unreadable.iter().any(|unreadable| match (&unreadable.path, &unreadable.hash) {
            (None, _) => true,
            (_, Some(hash)) => self.by_hash.get(hash) == Some(&stream.stream_key_id),
            (Some(path), None) => path.public() == Some(stream.path.as_str()),
        })
    }

    fn end(&mut self, stream: &Stream) {
        let mut reason =
            if self.context.restarted { EndReason::MediaServerRestarted } else { EndReason::PublisherLeft };
        if let Some(key) = self.keys.get_mut(&stream.stream_key_id) {
            let holder = key.holder.connection();
            let holds = holder
                .is_some_and(|c| Some(&c.id) == stream.source_id.as_ref() && c.server == stream.media_server);
            match end_by_key(key, self.context.now) {
                Some(by_key) => reason = by_key,
                None if !holds && key.in_use(self.context.now) => reason = EndReason::Takeover,
                None => {}
            }
            if holds && matches!(key.holder, Holder::Live { .. }) {
                key.holder = Holder::Free;
            }
        }
        self.plan.changes.ended.push((stream.id, reason));
    }

    fn holds_a_key(&self, source: &ObservedSource) -> bool {
        source.id.iter().chain(&source.aliases).any(|id| self.holding.contains(id))
    }

    fn held_by(&self, key: &StreamKey, source: &ObservedSource) -> bool {
        key.holder.connection().is_some_and(|c| c.server == self.context.server && source.is(&c.id))
    }

    /// The key a session publishes with: that of its stream, of its private path, or the one its connection holds. A
    /// named path without a holder falls back to the usable key of that path, because the claim may have lapsed.
    fn key_of(
        &self,
        observation: &Observation,
        source: &ObservedSource,
        row: Option<&ActiveStream>,
    ) -> Option<StreamKeyId> {
        if let Some(active) = row {
            return self
                .keys
                .contains_key(&active.stream.stream_key_id)
                .then_some(active.stream.stream_key_id);
        }
        match (&observation.seen.path, observation.hash) {
            (IngestPath::Private(_), Some(hash)) => self.by_hash.get(&hash).copied(),
            (IngestPath::Public(path), _) => {
                let mut keys: Vec<&StreamKey> =
                    self.by_path.get(path)?.iter().filter_map(|id| self.keys.get(id)).collect();
                keys.sort_by_key(|key| {
                    (!self.held_by(key, source), !key.is_usable(self.context.now), key.id)
                });
                keys.first().map(|key| key.id)
            }
            _ => None,
        }
    }

    fn decide(&mut self, observation: &Observation, source: &ObservedSource, row: Option<&ActiveStream>) {
        let Some(id) = source.id.clone() else { return };
        match self.may_stay(observation, source, row) {
            Err(reason) => self.plan.disconnects.push(Disconnect {
                source: source.clone(),
                path: observation.seen.path.clone(),
                reason,
            }),
            Ok(key_id) => {
                let connection = Connection { server: self.context.server.clone(), id };
                self.want_relay(observation, key_id);
                let holder = Holder::Live { by: connection.clone() };
                let holds = self.keys.get(&key_id).is_some_and(|key| key.holder == holder);
                let stats = self.stats(observation, key_id);
                if let Some(key) = self.keys.get(&key_id) {
                    let (path, session) = (key.path.clone(), connection.id.clone());
                    let StreamStats { readers, inbound_bytes, .. } = stats;
                    self.plan.carried.push(Carried { path, session, readers, inbound_bytes });
                }
                if let Some(active) = row {
                    self.refresh(active, &stats);
                }
                // A recorded session may have lost its key to a takeover that never went live, or while its media
                // server was unreachable. It becomes the holder again.
                if row.is_none() || !holds {
                    self.plan.changes.started.push(Start {
                        key: key_id,
                        connection,
                        aliases: source.aliases.clone(),
                        kind: Some(source.kind.clone()),
                        form: if observation.hash.is_some() {
                            IngestForm::SecretPath
                        } else {
                            IngestForm::NamedPath
                        },
                        stats,
                    });
                }
                if let Some(key) = self.keys.get_mut(&key_id) {
                    key.holder = holder;
                }
            }
        }
    }

    /// Whether the session may stay. These are the rules of the publish decision.
    fn may_stay(
        &self,
        observation: &Observation,
        source: &ObservedSource,
        row: Option<&ActiveStream>,
    ) -> Result<StreamKeyId, DisconnectReason> {
        if let Some(reason) = row.and_then(|active| active.stream.ending()) {
            return Err(DisconnectReason::Ending(reason));
        }
        let key_id = self.key_of(observation, source, row).ok_or(DisconnectReason::UnknownKey)?;
        let key = self.keys.get(&key_id).ok_or(DisconnectReason::UnknownKey)?;
        if let Some(by_key) = end_by_key(key, self.context.now) {
            return Err(DisconnectReason::Ending(by_key));
        }
        // The secret was rotated and the new one is not used yet, so this session used the old one.
        if row.is_none() && matches!(key.holder, Holder::Evicted { .. }) {
            return Err(DisconnectReason::Ending(EndReason::KeyRotated));
        }
        if self.held_by(key, source) {
            return Ok(key_id);
        }
        if key.in_use(self.context.now) {
            Err(DisconnectReason::Ending(EndReason::Takeover))
        } else {
            Ok(key_id)
        }
    }

    fn want_relay(&mut self, observation: &Observation, key_id: StreamKeyId) {
        let (IngestPath::Private(private), Some(hash)) = (&observation.seen.path, observation.hash) else {
            return;
        };
        if let Some(key) = self.keys.get(&key_id) {
            self.plan.relays.push((hash, Relay { public: key.path.clone(), private: private.clone() }));
        }
    }

    fn refresh(&mut self, active: &ActiveStream, stats: &StreamStats) {
        let old = &active.stream.stats;
        let announce = old.readers != stats.readers || old.tracks != stats.tracks;
        let due = self.context.now.since(active.refreshed_at) >= STATS_INTERVAL;
        if announce || (due && old.inbound_bytes != stats.inbound_bytes) {
            self.plan.changes.refreshed.push(Refresh {
                stream: active.stream.id,
                stats: stats.clone(),
                announce,
            });
        }
    }

    fn note_other_configured(&mut self, observations: &[Observation]) {
        if self.context.unreadable.iter().any(|one| one.path.is_none() || one.hash.is_some()) {
            // One of these paths may be the private one of a relay.
            return;
        }
        let wanted: HashSet<&StreamPath> = self.plan.relays.iter().map(|(_, relay)| &relay.public).collect();
        let others = observations.iter().filter(|s| s.seen.configured).filter_map(|s| match &s.seen.path {
            IngestPath::Public(path) if !wanted.contains(path) => Some(path.clone()),
            _ => None,
        });
        self.plan.other_configured = others.collect();
    }
}
