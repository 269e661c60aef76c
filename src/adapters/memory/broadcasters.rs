//! Broadcasters, in memory.

use async_trait::async_trait;

use super::MemoryStore;
use crate::domain::access::Scope;
use crate::domain::audit::AuditEntry;
use crate::domain::broadcaster::{Broadcaster, BroadcasterPatch};
use crate::domain::event::{BroadcasterEventKind, EventBody};
use crate::domain::stream::{EndReason, Stream};
use crate::domain::{BroadcasterId, Timestamp};
use crate::ports::{BroadcasterStore, StoreError};

#[async_trait]
impl BroadcasterStore for MemoryStore {
    async fn create_broadcaster(
        &self,
        _: &Scope,
        broadcaster: &Broadcaster,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let mut state = self.state();
        state.broadcasters.insert(broadcaster.id, broadcaster.clone());
        state.audit.push(audit.clone());
        let event = EventBody::broadcaster(BroadcasterEventKind::Created, broadcaster);
        state.append_event(broadcaster.created_at, &event);
        Ok(())
    }

    async fn broadcaster(&self, _: &Scope, id: BroadcasterId) -> Result<Option<Broadcaster>, StoreError> {
        Ok(self.state().broadcasters.get(&id).cloned())
    }

    async fn broadcasters(&self, _: &Scope) -> Result<Vec<Broadcaster>, StoreError> {
        let mut all: Vec<Broadcaster> = self.state().broadcasters.values().cloned().collect();
        all.sort_by_key(|broadcaster| std::cmp::Reverse((broadcaster.created_at, broadcaster.id)));
        Ok(all)
    }

    async fn update_broadcaster(
        &self,
        _: &Scope,
        id: BroadcasterId,
        patch: &BroadcasterPatch,
        now: Timestamp,
        audit: &AuditEntry,
    ) -> Result<Option<Broadcaster>, StoreError> {
        let mut state = self.state();
        let Some(broadcaster) = state.broadcasters.get_mut(&id) else { return Ok(None) };
        *broadcaster = broadcaster.clone().patched(patch, now);
        let broadcaster = broadcaster.clone();
        state.audit.push(audit.clone());
        state.append_event(now, &EventBody::broadcaster(BroadcasterEventKind::Updated, &broadcaster));
        Ok(Some(broadcaster))
    }

    async fn delete_broadcaster(
        &self,
        _: &Scope,
        id: BroadcasterId,
        now: Timestamp,
        audit: &AuditEntry,
    ) -> Result<Option<Vec<Stream>>, StoreError> {
        let mut state = self.state();
        let Some(broadcaster) = state.broadcasters.remove(&id) else { return Ok(None) };
        state.keys.retain(|_, (_, key)| key.broadcaster_id != id);
        let ending = state.mark(EndReason::BroadcasterDeleted, |stream| stream.broadcaster_id == id);
        state.audit.push(audit.clone());
        state.append_event(now, &EventBody::broadcaster(BroadcasterEventKind::Deleted, &broadcaster));
        Ok(Some(ending))
    }
}
