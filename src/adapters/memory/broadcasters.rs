//! Broadcasters, in memory.

use async_trait::async_trait;

use super::{MemoryStore, newest_first};
use crate::domain::BroadcasterId;
use crate::domain::access::Scope;
use crate::domain::broadcaster::{Broadcaster, BroadcasterPatch};
use crate::domain::event::{BroadcasterEventKind, EventBody};
use crate::domain::page::{Newest, Page};
use crate::domain::stream::{EndReason, Stream};
use crate::ports::{BroadcasterStore, Change, Result};

#[async_trait]
impl BroadcasterStore for MemoryStore {
    async fn create_broadcaster(&self, broadcaster: &Broadcaster, by: Change<'_>) -> Result<()> {
        let mut state = self.state();
        state.broadcasters.insert(broadcaster.id, broadcaster.clone());
        let event = EventBody::broadcaster(BroadcasterEventKind::Created, broadcaster);
        state.record(broadcaster.created_at, by.audit, &event);
        Ok(())
    }

    async fn broadcaster(&self, _: &Scope, id: BroadcasterId) -> Result<Option<Broadcaster>> {
        Ok(self.state().broadcasters.get(&id).cloned())
    }

    async fn broadcasters(&self, _: &Scope, page: &Page<Newest>) -> Result<Vec<Broadcaster>> {
        Ok(newest_first(self.state().broadcasters.values(), page))
    }

    async fn update_broadcaster(
        &self,
        id: BroadcasterId,
        patch: &BroadcasterPatch,
        by: Change<'_>,
    ) -> Result<Option<Broadcaster>> {
        let mut state = self.state();
        let Some(broadcaster) = state.broadcasters.get_mut(&id) else { return Ok(None) };
        *broadcaster = broadcaster.clone().patched(patch, by.at());
        let broadcaster = broadcaster.clone();
        state.record(by.at(), by.audit, &EventBody::broadcaster(BroadcasterEventKind::Updated, &broadcaster));
        Ok(Some(broadcaster))
    }

    async fn delete_broadcaster(&self, id: BroadcasterId, by: Change<'_>) -> Result<Option<Vec<Stream>>> {
        let mut state = self.state();
        let Some(broadcaster) = state.broadcasters.remove(&id) else { return Ok(None) };
        state.keys.retain(|_, (_, key)| key.broadcaster_id != id);
        let ending = state.mark(EndReason::BroadcasterDeleted, |stream| stream.broadcaster_id == id);
        state.record(by.at(), by.audit, &EventBody::broadcaster(BroadcasterEventKind::Deleted, &broadcaster));
        Ok(Some(ending))
    }
}
