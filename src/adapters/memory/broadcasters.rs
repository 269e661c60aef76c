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
        state.must_have_organization(broadcaster.organization_id)?;
        state.broadcasters.insert(broadcaster.id, broadcaster.clone());
        let event = EventBody::broadcaster(BroadcasterEventKind::Created, broadcaster);
        state.record(broadcaster.created_at, by.audit, broadcaster.organization_id, &event);
        Ok(())
    }

    async fn broadcaster(&self, scope: &Scope, id: BroadcasterId) -> Result<Option<Broadcaster>> {
        let state = self.state();
        Ok(state.broadcasters.get(&id).filter(|one| scope.includes(one.organization_id)).cloned())
    }

    async fn broadcasters(&self, scope: &Scope, page: &Page<Newest>) -> Result<Vec<Broadcaster>> {
        let state = self.state();
        let all = state.broadcasters.values().filter(|one| scope.includes(one.organization_id));
        Ok(newest_first(all, page))
    }

    async fn update_broadcaster(
        &self,
        id: BroadcasterId,
        patch: &BroadcasterPatch,
        by: Change<'_>,
    ) -> Result<Option<Broadcaster>> {
        let mut state = self.state();
        let found = state.broadcasters.get_mut(&id);
        let Some(broadcaster) = found.filter(|one| by.scope.includes(one.organization_id)) else {
            return Ok(None);
        };
        *broadcaster = broadcaster.clone().patched(patch, by.at());
        let broadcaster = broadcaster.clone();
        let event = EventBody::broadcaster(BroadcasterEventKind::Updated, &broadcaster);
        state.record(by.at(), by.audit, broadcaster.organization_id, &event);
        Ok(Some(broadcaster))
    }

    async fn delete_broadcaster(&self, id: BroadcasterId, by: Change<'_>) -> Result<Option<Vec<Stream>>> {
        let mut state = self.state();
        let found = state.broadcasters.get(&id).cloned();
        let Some(broadcaster) = found.filter(|one| by.scope.includes(one.organization_id)) else {
            return Ok(None);
        };
        state.broadcasters.remove(&id);
        state.keys.retain(|_, (_, key)| key.broadcaster_id != id);
        let ending = state.mark(EndReason::BroadcasterDeleted, |stream| stream.broadcaster_id == id);
        let event = EventBody::broadcaster(BroadcasterEventKind::Deleted, &broadcaster);
        state.record(by.at(), by.audit, broadcaster.organization_id, &event);
        Ok(Some(ending))
    }
}
