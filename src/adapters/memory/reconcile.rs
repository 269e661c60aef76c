//! The reconcile loop's reads and writes, in memory.

use std::collections::HashSet;

use async_trait::async_trait;

use super::{MemoryStore, State};
use crate::domain::media_server::MediaServerName;
use crate::domain::reconcile::{ActiveStream, Changes, HookEvent, Observation, Records, View, Writes, apply};
use crate::domain::stream_key::Holder;
use crate::domain::{StreamId, StreamKeyId, Timestamp};
use crate::ports::{Applied, Assignment, ReconcileStore, Result, named_hashes, named_paths};

#[async_trait]
impl ReconcileStore for MemoryStore {
    async fn reconcile_view(
        &self,
        server: &MediaServerName,
        observations: &[Observation],
        hook_events: &[HookEvent],
    ) -> Result<View> {
        let state = self.state();
        let streams: Vec<ActiveStream> = state
            .streams
            .values()
            .filter(|active| active.stream.is_active() && active.stream.media_server == *server)
            .cloned()
            .collect();
        let used: HashSet<StreamKeyId> = streams.iter().map(|active| active.stream.stream_key_id).collect();
        let paths: HashSet<_> = named_paths(observations, hook_events).collect();
        let hashes: HashSet<_> = named_hashes(observations, hook_events).collect();
        let keys = state.keys.values().filter(|(hash, key)| {
            key.holder.connection().is_some_and(|by| by.server == *server)
                || used.contains(&key.id)
                || (key.revoked_at.is_none() && paths.contains(&key.path))
                || hashes.contains(hash)
        });
        Ok(View { streams, keys: keys.cloned().collect() })
    }

    async fn apply_changes(
        &self,
        assignment: &Assignment,
        server: &MediaServerName,
        changes: &Changes,
        now: Timestamp,
        new_id: &(dyn Fn() -> StreamId + Send + Sync),
    ) -> Result<Applied> {
        let mut state = self.state();
        self.guard(&state, assignment)?;
        let writes = apply(server, changes, state.records(), now, new_id);
        state.write(&writes, now);
        let mut applied = Applied::default();
        applied.add(writes);
        Ok(applied)
    }

    async fn release_holders(
        &self,
        assignment: &Assignment,
        server: &MediaServerName,
        now: Timestamp,
    ) -> Result<u64> {
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
            unreachable: {
                let down = self.media_servers.values().filter(|status| !status.reachable);
                down.map(|status| status.name.clone()).collect()
            },
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
        for (owner, event) in &writes.events {
            self.append_event(now, *owner, event);
        }
    }
}
