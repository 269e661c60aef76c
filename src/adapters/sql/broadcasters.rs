//! Broadcasters.

use async_trait::async_trait;

use super::commit::commit;
use super::db::Tx;
use super::ending::end_of_broadcaster;
use super::row::{NewRow, rows};
use super::store::SqlStore;
use crate::domain::access::Scope;
use crate::domain::audit::AuditEntry;
use crate::domain::broadcaster::{Broadcaster, BroadcasterPatch};
use crate::domain::event::{BroadcasterEventKind, EventBody};
use crate::domain::stream::{EndReason, Stream};
use crate::domain::{BroadcasterId, Timestamp};
use crate::ports::{BroadcasterStore, Result};

statements! {
    INSERT = [[insert broadcasters]];
    GET = [[select broadcasters], " WHERE id = $1"];
    GET_LOCKED = [[select broadcasters], " WHERE id = $1", [lock]];
    LIST = [[select broadcasters], " ORDER BY created_at DESC, id DESC"];
    UPDATE = [[update broadcasters]];
    LOCK_KEYS = ["SELECT id FROM stream_keys WHERE broadcaster_id = $1 ORDER BY id", [lock]];
    DELETE_KEYS = ["DELETE FROM stream_keys WHERE broadcaster_id = $1"];
    DELETE = ["DELETE FROM broadcasters WHERE id = $1"];
}

async fn lock(tx: &mut Tx, id: BroadcasterId) -> Result<Option<Broadcaster>> {
    tx.row(GET_LOCKED, args![id]).await
}

#[async_trait]
impl BroadcasterStore for SqlStore {
    async fn create_broadcaster(
        &self,
        _: &Scope,
        broadcaster: &Broadcaster,
        audit: &AuditEntry,
    ) -> Result<()> {
        let mut tx = self.db.begin().await?;
        tx.run(INSERT, args![rows([NewRow::of(broadcaster)])]).await?;
        let event = EventBody::broadcaster(BroadcasterEventKind::Created, broadcaster);
        commit(tx, broadcaster.created_at, audit, &[event]).await
    }

    async fn broadcaster(&self, _: &Scope, id: BroadcasterId) -> Result<Option<Broadcaster>> {
        self.db.row(GET, args![id]).await
    }

    async fn broadcasters(&self, _: &Scope) -> Result<Vec<Broadcaster>> {
        self.db.rows(LIST, args![]).await
    }

    async fn update_broadcaster(
        &self,
        _: &Scope,
        id: BroadcasterId,
        patch: &BroadcasterPatch,
        now: Timestamp,
        audit: &AuditEntry,
    ) -> Result<Option<Broadcaster>> {
        let mut tx = self.db.begin().await?;
        let Some(broadcaster) = lock(&mut tx, id).await? else { return tx.rollback(None).await };
        let broadcaster = broadcaster.patched(patch, now);
        tx.run(UPDATE, args![rows([NewRow::of(&broadcaster)])]).await?;
        let event = EventBody::broadcaster(BroadcasterEventKind::Updated, &broadcaster);
        commit(tx, now, audit, &[event]).await?;
        Ok(Some(broadcaster))
    }

    async fn delete_broadcaster(
        &self,
        _: &Scope,
        id: BroadcasterId,
        now: Timestamp,
        audit: &AuditEntry,
    ) -> Result<Option<Vec<Stream>>> {
        let mut tx = self.db.begin().await?;
        let Some(broadcaster) = lock(&mut tx, id).await? else { return tx.rollback(None).await };
        // Lock keys before streams, as everywhere.
        tx.run(LOCK_KEYS, args![id]).await?;
        let ending = end_of_broadcaster(&mut tx, id, EndReason::BroadcasterDeleted).await?;
        tx.run(DELETE_KEYS, args![id]).await?;
        tx.run(DELETE, args![id]).await?;
        let event = EventBody::broadcaster(BroadcasterEventKind::Deleted, &broadcaster);
        commit(tx, now, audit, &[event]).await?;
        Ok(Some(ending))
    }
}
