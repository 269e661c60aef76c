//! Apply: decide which planned changes are still right for the locked records.
//!
//! A plan is made from records that were read earlier. The store reads the affected records again, locked, and calls
//! [`apply`] to learn what to write. Two rules are enforced here: a revoked, expired or occupied key gets no stream,
//! and no key has two active streams.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Changes, Refresh, Start};
use crate::domain::broadcaster::Broadcaster;
use crate::domain::event::{EventBody, StreamEventKind};
use crate::domain::media_server::{Connection, MediaServerName};
use crate::domain::stream::{EndReason, Stream, StreamState};
use crate::domain::stream_key::{Holder, StreamKey};
use crate::domain::{BroadcasterId, OrganizationId, StreamId, StreamKeyId, Timestamp};

/// The records affected by the changes, read under lock.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// The keys of the starts, and of the streams to end.
    pub keys: HashMap<StreamKeyId, StreamKey>,
    /// The broadcasters of those keys.
    pub broadcasters: HashMap<BroadcasterId, Broadcaster>,
    /// The active streams to end or refresh, and the active streams of the keys to start.
    pub active: Vec<Stream>,
    /// Media servers whose last poll failed.
    pub unreachable: HashSet<MediaServerName>,
}

/// What to write.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Writes {
    /// Streams that have ended.
    pub ended: Vec<Stream>,
    /// Streams that are new.
    pub started: Vec<Stream>,
    /// Streams with new statistics.
    pub refreshed: Vec<Stream>,
    /// Keys with another holder.
    pub holders: Vec<(StreamKeyId, Holder)>,
    /// Events to write, in this order, each with the owner of its stream.
    pub events: Vec<(OrganizationId, EventBody)>,
    /// Starts that must wait for the next poll.
    pub postponed: usize,
}

impl Writes {
    fn announce(&mut self, kind: StreamEventKind, stream: &Stream) {
        self.events.push((stream.organization_id, EventBody::stream(kind, stream)));
    }
}

/// Decides which of the `changes` observed on `server` are written.
pub fn apply(
    server: &MediaServerName,
    changes: &Changes,
    records: Records,
    now: Timestamp,
    new_id: &(dyn Fn() -> StreamId + Send + Sync),
) -> Writes {
    let Records { keys, broadcasters, active, unreachable } = records;
    let active = active.into_iter().filter(Stream::is_active).map(|stream| (stream.id, stream)).collect();
    let mut applier = Applier { now, keys, active, held: HashSet::new(), writes: Writes::default() };
    for (id, reason) in &changes.ended {
        if applier.active.get(id).is_some_and(|stream| stream.media_server == *server) {
            applier.end(*id, *reason);
        }
    }
    for start in &changes.started {
        if applier.start(start, &broadcasters, &unreachable, new_id).is_none() {
            applier.writes.postponed += 1;
        }
    }
    for refresh in &changes.refreshed {
        applier.refresh(server, refresh);
    }
    applier.finish()
}

struct Applier {
    now: Timestamp,
    keys: HashMap<StreamKeyId, StreamKey>,
    active: BTreeMap<StreamId, Stream>,
    /// Keys whose holder has changed.
    held: HashSet<StreamKeyId>,
    writes: Writes,
}

impl Applier {
    fn end(&mut self, id: StreamId, reason: EndReason) {
        let Some(stream) = self.active.remove(&id) else { return };
        let session = stream
            .source_id
            .clone()
            .map(|id| Holder::Live { by: Connection { server: stream.media_server.clone(), id } });
        if let Some(key) = self.keys.get_mut(&stream.stream_key_id)
            && Some(&key.holder) == session.as_ref()
        {
            key.holder = Holder::Free;
            self.held.insert(key.id);
        }
        if let Ok(stream) = stream.gone(self.now, reason) {
            self.writes.announce(StreamEventKind::Ended, &stream);
            self.writes.ended.push(stream);
        }
    }

    /// `None` if it has to wait.
    fn start(
        &mut self,
        start: &Start,
        broadcasters: &HashMap<BroadcasterId, Broadcaster>,
        unreachable: &HashSet<MediaServerName>,
        new_id: &(dyn Fn() -> StreamId + Send + Sync),
    ) -> Option<()> {
        let key = self.keys.get(&start.key).filter(|key| may_start(key, start, self.now))?.clone();
        let broadcaster = broadcasters.get(&key.broadcaster_id)?;
        let before = self.active.values().find(|stream| stream.stream_key_id == key.id);
        if let Some(before) = before {
            if carries(before, start) {
                self.hold(start);
                return Some(());
            }
            if !unreachable.contains(&before.media_server) {
                return None;
            }
            // The encoder is here, so it has left the unreachable media server.
            self.end(before.id, EndReason::Takeover);
        }
        let stream = Stream {
            id: new_id(),
            organization_id: key.organization_id,
            stream_key_id: key.id,
            broadcaster_id: key.broadcaster_id,
            broadcaster_name: broadcaster.display_name.clone(),
            path: key.path,
            media_server: start.connection.server.clone(),
            started_at: self.now,
            state: StreamState::Active { ending: None },
            source_kind: start.kind.clone(),
            source_id: Some(start.connection.id.clone()),
            ingest: start.form,
            stats: start.stats.clone(),
            metadata: broadcaster.metadata.clone(),
            recording_ref: None,
        };
        self.hold(start);
        self.writes.announce(StreamEventKind::Started, &stream);
        self.active.insert(stream.id, stream.clone());
        self.writes.started.push(stream);
        Some(())
    }

    fn hold(&mut self, start: &Start) {
        if let Some(key) = self.keys.get_mut(&start.key) {
            key.holder = Holder::Live { by: start.connection.clone() };
            self.held.insert(key.id);
        }
    }

    fn refresh(&mut self, server: &MediaServerName, refresh: &Refresh) {
        let Some(stream) = self.active.get_mut(&refresh.stream).filter(|s| s.media_server == *server) else {
            return;
        };
        stream.stats = refresh.stats.clone();
        if refresh.announce {
            self.writes.announce(StreamEventKind::Updated, stream);
        }
        self.writes.refreshed.push(stream.clone());
    }

    fn finish(mut self) -> Writes {
        let holders = self.held.iter().filter_map(|id| Some((*id, self.keys.get(id)?.holder.clone())));
        self.writes.holders = holders.collect();
        self.writes.holders.sort_by_key(|(id, _)| *id);
        self.writes
    }
}

/// Whether `stream` is the record of this very session.
fn carries(stream: &Stream, start: &Start) -> bool {
    let id = stream.source_id.clone();
    id.is_some_and(|id| start.is(&Connection { server: stream.media_server.clone(), id }))
}

/// Whether the key is usable by this session: not held by another one and not rotated.
fn may_start(key: &StreamKey, start: &Start, now: Timestamp) -> bool {
    let free = key.holder.active_holder(now).is_none_or(|by| start.is(by));
    key.is_usable(now) && free && !matches!(key.holder, Holder::Evicted { .. })
}
