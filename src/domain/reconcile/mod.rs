//! Reconcile: what is the difference between what a media server carries and what is recorded, and how is it repaired?
//!
//! [`plan`] is the whole decision: a complete look at one media server and the records that concern it go in, a
//! [`Plan`] comes out. It is level-triggered: the same input gives the same plan, and a plan that was only half carried
//! out is made again by the next look. [`believe`] is its poor relation for when the media server cannot be asked.

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

/// How often bytes alone are worth a write.
pub const STATS_INTERVAL: Duration = Duration::from_secs(10);

/// An observed path; a private one with the hash of the key in it, since that is what is recorded.
#[derive(Clone, Debug)]
pub struct Observation {
    /// What was seen.
    pub seen: ObservedPath,
    /// The hash of the key in its path, if it is private.
    pub hash: Option<SecretHash>,
}

/// A stream that is recorded as active.
#[derive(Clone, Debug, PartialEq)]
pub struct ActiveStream {
    /// The stream.
    pub stream: Stream,
    /// When its numbers were last written.
    pub refreshed_at: Timestamp,
}

/// The records that concern one media server.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Its active streams.
    pub streams: Vec<ActiveStream>,
    /// Every key that is held on it, belongs to an active stream on it, or could be meant by something seen on it.
    pub keys: Vec<(SecretHash, StreamKey)>,
}

/// A stream to record as live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The key it is published with; the key's path is its path.
    pub key: StreamKeyId,
    /// The session, from now on the key's holder.
    pub connection: Connection,
    /// Other ids the session was known by, see [`ObservedSource::aliases`]: the claim may bear one of them.
    pub aliases: Vec<SourceId>,
    /// What kind of session.
    pub kind: Option<SourceKind>,
    /// How the encoder was let in.
    pub form: IngestForm,
    /// What it carries.
    pub stats: StreamStats,
}

/// New numbers of a live stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refresh {
    /// Which.
    pub stream: StreamId,
    /// What it carries now.
    pub stats: StreamStats,
    /// Whether people want to know (tracks or readers changed), as against a mere byte count.
    pub announce: bool,
}

impl Start {
    /// Whether `other` is this session, under whatever name.
    pub fn is(&self, other: &Connection) -> bool {
        self.connection.server == other.server
            && (self.connection.id == other.id || self.aliases.contains(&other.id))
    }
}

/// Changes of the records; applied in this order in few transactions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Streams that are gone, and why as far as it shows.
    pub ended: Vec<(StreamId, EndReason)>,
    /// Sessions that are live on a key: a stream of it that is not recorded yet appears; one that is regains its key.
    pub started: Vec<Start>,
    /// Streams whose numbers changed.
    pub refreshed: Vec<Refresh>,
}

impl Changes {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.ended.is_empty() && self.started.is_empty() && self.refreshed.is_empty()
    }
}

/// Why a session must go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DisconnectReason {
    /// Nobody has a key for it.
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

/// A session to end on the media server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disconnect {
    /// The session.
    pub source: ObservedSource,
    /// Where it publishes.
    pub path: IngestPath,
    /// Why.
    pub reason: DisconnectReason,
}

/// How to repair the difference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What to change in the records.
    pub changes: Changes,
    /// What to end on the media server.
    pub disconnects: Vec<Disconnect>,
    /// Every relay there must be, whether or not it is there already.
    pub relays: Vec<(SecretHash, Relay)>,
    /// Public paths with a configuration of their own that are not among `relays`: relays that are no longer wanted,
    /// or the operator's own paths.
    pub other_configured: Vec<StreamPath>,
}

/// What else decides, besides what was seen and what is recorded.
#[derive(Clone, Debug)]
pub struct PollContext {
    /// The media server that was looked at.
    pub server: MediaServerName,
    /// The time of the look.
    pub now: Timestamp,
    /// Whether the media server was restarted since the last look.
    pub restarted: bool,
}

/// Compares a complete look with the records.
pub fn plan(around: &PollContext, observations: &[Observation], view: View) -> Plan {
    let mut planner = Planner::new(around, view.keys);
    planner.count_viewers(observations);
    let rows = planner.end_the_gone(observations, view.streams);
    // The holders first: whoever else has the same key then meets an occupied one.
    let (holders, others): (Vec<_>, Vec<_>) = observations
        .iter()
        .enumerate()
        .filter_map(|(at, observation)| Some((at, observation, publisher(observation)?)))
        .partition(|(_, _, source)| planner.holds_a_key(source));
    for (at, observation, source) in holders.into_iter().chain(others) {
        planner.judge(observation, source, rows.get(&at));
    }
    planner.note_other_configured(observations);
    planner.plan
}

/// The source of a live path, if somebody from outside publishes there.
fn publisher(observation: &Observation) -> Option<&ObservedSource> {
    observation
        .seen
        .source
        .as_ref()
        .filter(|s| observation.seen.live && s.kind.is_publisher() && s.id.is_some())
}

struct Planner<'a> {
    around: &'a PollContext,
    keys: HashMap<StreamKeyId, StreamKey>,
    by_hash: HashMap<SecretHash, StreamKeyId>,
    by_path: HashMap<StreamPath, Vec<StreamKeyId>>,
    holding: HashSet<SourceId>,
    /// How many read from paths that are fed from elsewhere, relays among them.
    viewers: HashMap<StreamPath, u32>,
    plan: Plan,
}

impl<'a> Planner<'a> {
    fn new(around: &'a PollContext, keys: Vec<(SecretHash, StreamKey)>) -> Self {
        let mut by_path: HashMap<StreamPath, Vec<StreamKeyId>> = HashMap::new();
        let mut holding = HashSet::new();
        for (_, key) in &keys {
            by_path.entry(key.path.clone()).or_default().push(key.id);
            holding
                .extend(key.holder.connection().filter(|c| c.server == around.server).map(|c| c.id.clone()));
        }
        let by_hash = keys.iter().map(|(hash, key)| (*hash, key.id)).collect();
        let keys = keys.into_iter().map(|(_, key)| (key.id, key)).collect();
        Self { around, keys, by_hash, by_path, holding, viewers: HashMap::new(), plan: Plan::default() }
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

    /// What a session carries. The one reader of a private path is our relay; its viewers read the public path.
    fn stats(&self, observation: &Observation, key: StreamKeyId) -> StreamStats {
        let mut stats = observation.seen.stats.clone();
        if observation.hash.is_some() {
            let public = self.keys.get(&key).map(|key| &key.path);
            stats.readers = public.and_then(|path| self.viewers.get(path)).copied().unwrap_or(0);
        }
        stats
    }

    /// Ends every recorded stream whose session is not there. What remains is returned by the index of its observation.
    fn end_the_gone(
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
        let mut there = HashMap::new();
        for active in streams {
            // Still attached is still there, even if no media comes in at this moment.
            match active.stream.source_id.as_ref().and_then(|id| by_source.get(id)) {
                Some(at) => {
                    there.insert(*at, active);
                }
                None => self.end(&active.stream),
            }
        }
        there
    }

    fn end(&mut self, stream: &Stream) {
        let mut reason =
            if self.around.restarted { EndReason::MediaServerRestarted } else { EndReason::PublisherLeft };
        if let Some(key) = self.keys.get_mut(&stream.stream_key_id) {
            let holder = key.holder.connection();
            let holds = holder
                .is_some_and(|c| Some(&c.id) == stream.source_id.as_ref() && c.server == stream.media_server);
            match key.status(self.around.now) {
                KeyStatus::Revoked => reason = EndReason::KeyRevoked,
                KeyStatus::Expired => reason = EndReason::KeyExpired,
                KeyStatus::Active if !holds && key.in_use(self.around.now) => reason = EndReason::Takeover,
                KeyStatus::Active => {}
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
        key.holder.connection().is_some_and(|c| c.server == self.around.server && source.is(&c.id))
    }

    /// The key a session publishes with: its stream's, its path's, or the one its connection holds. For a named path
    /// nobody holds, the one usable key of that path: the claim may be older than our memory of it.
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
                keys.sort_by_key(|key| (!self.held_by(key, source), !key.is_usable(self.around.now), key.id));
                keys.first().map(|key| key.id)
            }
            _ => None,
        }
    }

    fn judge(&mut self, observation: &Observation, source: &ObservedSource, row: Option<&ActiveStream>) {
        let Some(id) = source.id.clone() else { return };
        match self.verdict(observation, source, row) {
            Err(reason) => self.plan.disconnects.push(Disconnect {
                source: source.clone(),
                path: observation.seen.path.clone(),
                reason,
            }),
            Ok(key_id) => {
                let connection = Connection { server: self.around.server.clone(), id };
                self.want_relay(observation, key_id);
                let holder = Holder::Live { by: connection.clone() };
                let holds = self.keys.get(&key_id).is_some_and(|key| key.holder == holder);
                let stats = self.stats(observation, key_id);
                if let Some(active) = row {
                    self.refresh(active, &stats);
                }
                // Also for a recorded stream whose session lost its hold: to a takeover that never came live, or
                // while its media server was away.
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

    /// May this session stay? The rules are those of the publish decision, seen from the other side.
    fn verdict(
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
        match key.status(self.around.now) {
            KeyStatus::Revoked => return Err(DisconnectReason::Ending(EndReason::KeyRevoked)),
            KeyStatus::Expired => return Err(DisconnectReason::Ending(EndReason::KeyExpired)),
            KeyStatus::Active => {}
        }
        // The secret was replaced and nobody has come with the new one: whoever shows up was let in with the old one,
        // also if it is not the last one that was.
        if row.is_none() && matches!(key.holder, Holder::Evicted { .. }) {
            return Err(DisconnectReason::Ending(EndReason::KeyRotated));
        }
        if self.held_by(key, source) {
            return Ok(key_id);
        }
        if key.in_use(self.around.now) {
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
        let due = self.around.now.since(active.refreshed_at) >= STATS_INTERVAL;
        if announce || (due && old.inbound_bytes != stats.inbound_bytes) {
            self.plan.changes.refreshed.push(Refresh {
                stream: active.stream.id,
                stats: stats.clone(),
                announce,
            });
        }
    }

    fn note_other_configured(&mut self, observations: &[Observation]) {
        let wanted: HashSet<&StreamPath> = self.plan.relays.iter().map(|(_, relay)| &relay.public).collect();
        let others = observations.iter().filter(|s| s.seen.configured).filter_map(|s| match &s.seen.path {
            IngestPath::Public(path) if !wanted.contains(path) => Some(path.clone()),
            _ => None,
        });
        self.plan.other_configured = others.collect();
    }
}
