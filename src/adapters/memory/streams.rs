//! Streams, in memory.

use std::collections::HashSet;

use async_trait::async_trait;

use super::{MemoryStore, State};
use crate::domain::access::Scope;
use crate::domain::audit::AuditEntry;
use crate::domain::media_server::MediaServerName;
use crate::domain::path::{IngestPath, StreamPath};
use crate::domain::reconcile::{ActiveStream, Changes, HookEvent, Observation, Records, View, Writes, apply};
use crate::domain::secret::SecretHash;
use crate::domain::stream::{EndReason, Stream};
use crate::domain::stream_key::Holder;
use crate::domain::{StreamId, StreamKeyId, Timestamp};
use crate::ports::{Applied, Assignment, StatusFilter, StoreError, StreamFilter, StreamStore};

fn passes(filter: &StreamFilter, stream: &Stream) -> bool {
    let state = match filter.status {
        StatusFilter::Active => stream.is_active(),
        StatusFilter::Ended => !stream.is_active(),
        StatusFilter::All => true,
    };
    state
        && filter.broadcaster_id.is_none_or(|id| stream.broadcaster_id == id)
        && filter.path.as_ref().is_none_or(|path| stream.path == *path)
        && filter.media_server.as_ref().is_none_or(|server| stream.media_server == *server)
        && filter.after.is_none_or(|after| (stream.started_at, stream.id) < (after.started_at, after.id))
}

#[async_trait]
impl StreamStore for MemoryStore {
    async fn streams(&self, _: &Scope, filter: &StreamFilter) -> Result<Vec<Stream>, StoreError> {
        let state = self.state();
        let all = state.streams.values().map(|active| &active.stream);
        let mut streams: Vec<Stream> = all.filter(|stream| passes(filter, stream)).cloned().collect();
        streams.sort_by_key(|stream| std::cmp::Reverse((stream.started_at, stream.id)));
        streams.truncate(filter.limit.map_or(usize::MAX, |limit| limit as usize));
        Ok(streams)
    }

    async fn stream(&self, _: &Scope, id: StreamId) -> Result<Option<Stream>, StoreError> {
        Ok(self.state().streams.get(&id).map(|active| active.stream.clone()))
    }

    async fn request_end(
        &self,
        _: &Scope,
        id: StreamId,
        reason: EndReason,
        audit: &AuditEntry,
    ) -> Result<Option<Stream>, StoreError> {
        let mut state = self.state();
        let Some(active) = state.streams.get_mut(&id) else { return Ok(None) };
        if let Ok(ending) = active.stream.clone().end_requested(reason) {
            active.stream = ending;
        }
        let stream = active.stream.clone();
        state.audit.push(audit.clone());
        Ok(Some(stream))
    }

    async fn reconcile_view(
        &self,
        server: &MediaServerName,
        observations: &[Observation],
        hook_events: &[HookEvent],
    ) -> Result<View, StoreError> {
        let state = self.state();
        let streams: Vec<ActiveStream> = state
            .streams
            .values()
            .filter(|active| active.stream.is_active() && active.stream.media_server == *server)
            .cloned()
            .collect();
        let used: HashSet<StreamKeyId> = streams.iter().map(|active| active.stream.stream_key_id).collect();
        let seen = observations.iter().filter_map(|observation| match &observation.seen.path {
            IngestPath::Public(path) => Some(path),
            IngestPath::Private(_) | IngestPath::Other(_) => None,
        });
        let paths: HashSet<&StreamPath> =
            seen.chain(hook_events.iter().filter_map(|hook_event| hook_event.path.as_ref())).collect();
        let hashes: HashSet<SecretHash> = observations
            .iter()
            .filter_map(|s| s.hash)
            .chain(hook_events.iter().filter_map(|h| h.hash))
            .collect();
        let keys = state.keys.values().filter(|(hash, key)| {
            key.holder.connection().is_some_and(|by| by.server == *server)
                || used.contains(&key.id)
                || (key.revoked_at.is_none() && paths.contains(&key.path))
                || hashes.contains(hash)
        });
        let keys = keys.cloned().collect();
        Ok(View { streams, keys })
    }

    async fn apply_changes(
        &self,
        assignment: &Assignment,
        server: &MediaServerName,
        changes: &Changes,
        now: Timestamp,
        new_id: &(dyn Fn() -> StreamId + Send + Sync),
    ) -> Result<Applied, StoreError> {
        let mut state = self.state();
        self.guard(&state, assignment)?;
        let writes = apply(server, changes, state.records(), now, new_id);
        state.write(&writes, now);
        Ok(Applied {
            started: writes.started,
            ended: writes.ended,
            refreshed: writes.refreshed.len(),
            postponed: writes.postponed,
        })
    }

    async fn release_holders(
        &self,
        assignment: &Assignment,
        server: &MediaServerName,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut state = self.state();
        self.guard(&state, assignment)?;
        let mut released = 0;
        for (_, key) in state.keys.values_mut() {
            if let Holder::Live { by } = &key.holder
                && by.server == *server
            {
                key.holder = Holder::Claimed { by: by.clone(), until: now };
                released += 1;
            }
        }
        Ok(released)
    }
}

impl State {
    fn records(&self) -> Records {
        Records {
            keys: self.keys.iter().map(|(id, (_, key))| (*id, key.clone())).collect(),
            broadcasters: self.broadcasters.iter().map(|(id, one)| (*id, one.clone())).collect(),
            active: self.streams.values().map(|active| active.stream.clone()).collect(),
            unreachable: self.unreachable().into_iter().cloned().collect(),
        }
    }

    fn write(&mut self, writes: &Writes, now: Timestamp) {
        for stream in writes.ended.iter().chain(&writes.started).chain(&writes.refreshed) {
            let carries = stream.is_active();
            let active = self
                .streams
                .entry(stream.id)
                .or_insert_with(|| ActiveStream { stream: stream.clone(), refreshed_at: now });
            active.stream = stream.clone();
            if carries {
                active.refreshed_at = now;
            }
        }
        for (id, holder) in &writes.holders {
            if let Some((_, key)) = self.keys.get_mut(id) {
                key.holder = holder.clone();
            }
        }
        for event in &writes.events {
            self.append_event(now, event);
        }
    }
}
