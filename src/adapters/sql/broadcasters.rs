//! Broadcasters.

use async_trait::async_trait;

use super::args::newest;
use super::commit::commit;
use super::db::Tx;
use super::ending::end_of_broadcaster;
use super::row::{NewRow, rows};
use super::scope::in_scope;
use super::store::SqlStore;
use crate::domain::BroadcasterId;
use crate::domain::access::Scope;
use crate::domain::broadcaster::{Broadcaster, BroadcasterPatch};
use crate::domain::event::{BroadcasterEventKind, EventBody};
use crate::domain::page::{Newest, Page};
use crate::domain::stream::{EndReason, Stream};
use crate::ports::{BroadcasterStore, Change, Result};

statements! {
    INSERT = [[insert broadcasters]];
    GET = [[select broadcasters], " WHERE id = $1 AND ", [in_scope "$2"]];
    GET_LOCKED = [[select broadcasters], " WHERE id = $1 AND ", [in_scope "$2"], [lock]];
    PAGE = [
        [select broadcasters], " WHERE ", [in_scope "$4"], " AND (created_at, id) < ($1, $2) \
         ORDER BY created_at DESC, id DESC LIMIT $3",
    ];
    PAGE_OF_ORGANIZATION = [
        [select broadcasters], " WHERE organization_id = $4 AND (created_at, id) < ($1, $2) \
         ORDER BY created_at DESC, id DESC LIMIT $3",
    ];
    UPDATE = [[update broadcasters]];
    LOCK_KEYS = ["SELECT id FROM stream_keys WHERE broadcaster_id = $1 ORDER BY id", [lock]];
    DELETE_KEYS = ["DELETE FROM stream_keys WHERE broadcaster_id = $1"];
    DELETE = ["DELETE FROM broadcasters WHERE id = $1"];
}

pub(super) async fn insert_broadcaster(tx: &mut Tx, broadcaster: &Broadcaster) -> Result<()> {
    tx.run(INSERT, args![rows([NewRow::of(broadcaster)])]).await.map(drop)
}

/// Removes a broadcaster and its keys, and marks its streams as ending. Returns it and these streams.
pub(super) async fn remove_broadcaster(
    tx: &mut Tx,
    scope: &Scope,
    id: BroadcasterId,
    why: EndReason,
) -> Result<Option<(Broadcaster, Vec<Stream>)>> {
    let Some(broadcaster) = tx.row::<Broadcaster>(GET_LOCKED, args![id, scope]).await? else {
        return Ok(None);
    };
    // Lock keys before streams, as everywhere.
    tx.run(LOCK_KEYS, args![id]).await?;
    let ending = end_of_broadcaster(tx, id, why).await?;
    tx.run(DELETE_KEYS, args![id]).await?;
    tx.run(DELETE, args![id]).await?;
    Ok(Some((broadcaster, ending)))
}

#[async_trait]
impl BroadcasterStore for SqlStore {
    async fn create_broadcaster(&self, broadcaster: &Broadcaster, by: Change<'_>) -> Result<()> {
        let mut tx = self.db.begin().await?;
        insert_broadcaster(&mut tx, broadcaster).await?;
        let event = EventBody::broadcaster(BroadcasterEventKind::Created, broadcaster);
        commit(tx, broadcaster.created_at, by.audit, broadcaster.organization_id, &[event]).await
    }

    async fn broadcaster(&self, scope: &Scope, id: BroadcasterId) -> Result<Option<Broadcaster>> {
        self.db.row(GET, args![id, scope]).await
    }

    async fn broadcasters(&self, scope: &Scope, page: &Page<Newest>) -> Result<Vec<Broadcaster>> {
        let (statement, scope) = in_scope(scope, PAGE, PAGE_OF_ORGANIZATION);
        self.db.rows(statement, [newest(page), vec![scope]].concat()).await
    }

    async fn update_broadcaster(
        &self,
        id: BroadcasterId,
        patch: &BroadcasterPatch,
        by: Change<'_>,
    ) -> Result<Option<Broadcaster>> {
        let mut tx = self.db.begin().await?;
        let Some(broadcaster) = tx.row::<Broadcaster>(GET_LOCKED, args![id, by.scope]).await? else {
            return tx.rollback(None).await;
        };
        let broadcaster = broadcaster.patched(patch, by.at());
        tx.run(UPDATE, args![rows([NewRow::of(&broadcaster)])]).await?;
        let event = EventBody::broadcaster(BroadcasterEventKind::Updated, &broadcaster);
        commit(tx, by.at(), by.audit, broadcaster.organization_id, &[event]).await?;
        Ok(Some(broadcaster))
    }

    async fn delete_broadcaster(&self, id: BroadcasterId, by: Change<'_>) -> Result<Option<Vec<Stream>>> {
        let mut tx = self.db.begin().await?;
        let removed = remove_broadcaster(&mut tx, by.scope, id, EndReason::BroadcasterDeleted).await?;
        let Some((broadcaster, ending)) = removed else { return tx.rollback(None).await };
        let event = EventBody::broadcaster(BroadcasterEventKind::Deleted, &broadcaster);
        commit(tx, by.at(), by.audit, broadcaster.organization_id, &[event]).await?;
        Ok(Some(ending))
    }
}
