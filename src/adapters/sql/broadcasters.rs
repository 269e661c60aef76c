//! Broadcasters.

use async_trait::async_trait;

use super::SqlStore;
use super::db::Tx;
use super::rows::{BroadcasterRow, all};
use super::{audit_log, events, stream_keys, streams};
use crate::domain::access::Scope;
use crate::domain::audit::AuditEntry;
use crate::domain::broadcaster::{Broadcaster, BroadcasterPatch};
use crate::domain::event::{BroadcasterEventKind, EventBody};
use crate::domain::stream::{EndReason, Stream};
use crate::domain::{BroadcasterId, Timestamp};
use crate::ports::{BroadcasterStore, StoreError};

statements! {
    INSERT = [
        "INSERT INTO broadcasters (", (broadcaster_columns!()), ") VALUES ($1, $2, $3, $4, $5)",
    ];
    GET = ["SELECT ", (broadcaster_columns!()), " FROM broadcasters WHERE id = $1"];
    GET_LOCKED = ["SELECT ", (broadcaster_columns!()), " FROM broadcasters WHERE id = $1", [lock]];
    GET_SHARED = ["SELECT ", (broadcaster_columns!()), " FROM broadcasters WHERE id = $1", [share]];
    LIST = ["SELECT ", (broadcaster_columns!()), " FROM broadcasters ORDER BY created_at DESC, id DESC"];
    UPDATE = ["UPDATE broadcasters SET display_name = $2, metadata = $3, updated_at = $4 WHERE id = $1"];
    DELETE = ["DELETE FROM broadcasters WHERE id = $1"];
}

/// Whether the broadcaster exists. Locks it against deletion until the transaction ends.
pub(super) async fn hold(tx: &mut Tx, id: BroadcasterId) -> Result<bool, StoreError> {
    Ok(tx.row::<BroadcasterRow>(GET_SHARED, args![id]).await?.is_some())
}

async fn lock(tx: &mut Tx, id: BroadcasterId) -> Result<Option<Broadcaster>, StoreError> {
    tx.row::<BroadcasterRow>(GET_LOCKED, args![id]).await?.map(Broadcaster::try_from).transpose()
}

#[async_trait]
impl BroadcasterStore for SqlStore {
    async fn create_broadcaster(
        &self,
        _: &Scope,
        broadcaster: &Broadcaster,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let values = args![
            broadcaster.id,
            broadcaster.display_name.as_str(),
            broadcaster.metadata.to_json(),
            broadcaster.created_at,
            broadcaster.updated_at,
        ];
        tx.run(INSERT, values).await?;
        audit_log::record(&mut tx, std::slice::from_ref(audit)).await?;
        let event = EventBody::broadcaster(BroadcasterEventKind::Created, broadcaster);
        events::append(&mut tx, broadcaster.created_at, &[event]).await?;
        tx.commit().await
    }

    async fn broadcaster(&self, _: &Scope, id: BroadcasterId) -> Result<Option<Broadcaster>, StoreError> {
        self.db.row::<BroadcasterRow>(GET, args![id]).await?.map(Broadcaster::try_from).transpose()
    }

    async fn broadcasters(&self, _: &Scope) -> Result<Vec<Broadcaster>, StoreError> {
        all(self.db.rows::<BroadcasterRow>(LIST, args![]).await?)
    }

    async fn update_broadcaster(
        &self,
        _: &Scope,
        id: BroadcasterId,
        patch: &BroadcasterPatch,
        now: Timestamp,
        audit: &AuditEntry,
    ) -> Result<Option<Broadcaster>, StoreError> {
        let mut tx = self.db.begin().await?;
        let Some(broadcaster) = lock(&mut tx, id).await? else {
            tx.rollback().await?;
            return Ok(None);
        };
        let broadcaster = broadcaster.patched(patch, now);
        let values = args![id, broadcaster.display_name.as_str(), broadcaster.metadata.to_json(), now];
        tx.run(UPDATE, values).await?;
        audit_log::record(&mut tx, std::slice::from_ref(audit)).await?;
        let event = EventBody::broadcaster(BroadcasterEventKind::Updated, &broadcaster);
        events::append(&mut tx, now, &[event]).await?;
        tx.commit().await?;
        Ok(Some(broadcaster))
    }

    async fn delete_broadcaster(
        &self,
        _: &Scope,
        id: BroadcasterId,
        now: Timestamp,
        audit: &AuditEntry,
    ) -> Result<Option<Vec<Stream>>, StoreError> {
        let mut tx = self.db.begin().await?;
        let Some(broadcaster) = lock(&mut tx, id).await? else {
            tx.rollback().await?;
            return Ok(None);
        };
        // Lock keys before streams, as everywhere.
        stream_keys::lock_of_broadcaster(&mut tx, id).await?;
        let ending = streams::end_of_broadcaster(&mut tx, id, EndReason::BroadcasterDeleted).await?;
        stream_keys::delete_of_broadcaster(&mut tx, id).await?;
        tx.run(DELETE, args![id]).await?;
        audit_log::record(&mut tx, std::slice::from_ref(audit)).await?;
        let event = EventBody::broadcaster(BroadcasterEventKind::Deleted, &broadcaster);
        events::append(&mut tx, now, &[event]).await?;
        tx.commit().await?;
        Ok(Some(ending))
    }
}
