//! Subscriptions to notifications, and their messages.

use async_trait::async_trait;

use super::args::newest;
use super::commit::record_audit;
use super::db::Tx;
use super::row::{NewRow, Record, Row, rows};
use super::scope::in_scope;
use super::store::SqlStore;
use crate::domain::Timestamp;
use crate::domain::access::Scope;
use crate::domain::notification::{
    Delivery, DeliveryId, DeliveryState, Filter, Kind, Notification, NotificationId, NotificationPatch,
};
use crate::domain::page::{Newest, Page};
use crate::ports::{Change, NotificationStore, Result, StoredDelivery, StoredNotification};

ids!(NotificationId, DeliveryId);
words!(Kind, DeliveryState);
as_json!(Filter);

table! {
    notifications: Notification {
        id uuid, organization_id uuid, name text, kind text, target text, filter text, enabled bool, problem text,
        created_at int, updated_at int,
    } extra { sealed text, cursor int }
}

table! {
    notification_deliveries: Delivery {
        id uuid, notification_id uuid, seq int, subject uuid, event text, created_at int, state text, attempts int,
        next_attempt_at int, give_up_at int, last_status int, last_words text, delivered_at int,
    } extra { payload text }
}

statements! {
    INSERT = [[insert notifications]];
    GET = ["SELECT sealed, cursor, ", [columns notifications], " FROM notifications WHERE id = $1 AND ", [in_scope "$2"]];
    GET_LOCKED = [
        "SELECT sealed, cursor, ", [columns notifications], " FROM notifications WHERE id = $1 AND ", [in_scope "$2"], [lock],
    ];
    PAGE = [
        [select notifications], " WHERE ", [in_scope "$4"], " AND (created_at, id) < ($1, $2) \
         ORDER BY created_at DESC, id DESC LIMIT $3",
    ];
    PAGE_OF_ORGANIZATION = [
        [select notifications], " WHERE organization_id = $4 AND (created_at, id) < ($1, $2) \
         ORDER BY created_at DESC, id DESC LIMIT $3",
    ];
    UPDATE = [[update notifications]];
    MOVE_TO = ["UPDATE notifications SET cursor = $2, sealed = $3 WHERE id = $1"];
    LAST_EVENT = ["SELECT value FROM counters WHERE name = 'events'"];
    DELETE_DELIVERIES = ["DELETE FROM notification_deliveries WHERE notification_id = $1"];
    DELETE = ["DELETE FROM notifications WHERE id = $1"];
    ENABLED = ["SELECT id FROM notifications WHERE enabled ORDER BY id"];
    DISABLE = ["UPDATE notifications SET enabled = false, problem = $2, updated_at = $3 WHERE id = $1"];
    MOVE = ["UPDATE notifications SET cursor = $3 WHERE id = $1 AND cursor = $2"];
    QUEUE = [[insert notification_deliveries]];
    DUE = [
        "SELECT payload, ", [columns notification_deliveries], " FROM notification_deliveries d WHERE notification_id = $1 \
         AND state = 'pending' AND next_attempt_at <= $2 AND NOT EXISTS (SELECT 1 FROM notification_deliveries e \
         WHERE e.notification_id = $1 AND e.state = 'pending' AND e.subject = d.subject AND e.seq < d.seq) \
         ORDER BY seq LIMIT $3",
    ];
    PENDING = ["SELECT count(*) FROM notification_deliveries WHERE notification_id = $1 AND state = 'pending'"];
    ATTEMPTED = [
        "UPDATE notification_deliveries SET state = $2, attempts = $3, next_attempt_at = $4, last_status = $5, \
         last_words = $6, delivered_at = $7 WHERE id = $1 AND state = 'pending'",
    ];
    DELIVERIES = [
        [select notification_deliveries], " WHERE notification_id = $4 AND ", [owner_in_scope notifications "$4" "$5"],
        " AND state IN ", [texts "$6"], " AND (created_at, id) < ($1, $2) ORDER BY created_at DESC, id DESC LIMIT $3",
    ];
    REPLAY_DEAD = [
        "UPDATE notification_deliveries SET state = 'pending', attempts = 0, next_attempt_at = $2, give_up_at = $3, \
         delivered_at = NULL WHERE notification_id = $1 AND state = 'dead'",
    ];
    REPLAY = [
        "UPDATE notification_deliveries SET state = 'pending', attempts = 0, next_attempt_at = $2, give_up_at = $3, \
         delivered_at = NULL WHERE notification_id = $1 AND id = $4",
    ];
    PRUNE = [
        "DELETE FROM notification_deliveries WHERE id IN (SELECT id FROM notification_deliveries \
         WHERE created_at < $1 AND state <> 'pending' ORDER BY created_at LIMIT $2)",
    ];
}

impl Record for StoredNotification {
    fn read(row: &Row<'_>) -> Result<Self, sqlx::Error> {
        Ok(Self { notification: row.record()?, sealed: row.get("sealed")?, cursor: row.get("cursor")? })
    }
}

impl Record for StoredDelivery {
    fn read(row: &Row<'_>) -> Result<Self, sqlx::Error> {
        Ok(Self { delivery: row.record()?, payload: row.get("payload")? })
    }
}

fn stored(stored: &StoredNotification) -> String {
    let row = NewRow::of(&stored.notification);
    rows([row.with("sealed", &stored.sealed).with("cursor", &stored.cursor)])
}

async fn last_event(tx: &mut Tx) -> Result<i64> {
    Ok(tx.row(LAST_EVENT, args![]).await?.unwrap_or_default())
}

/// Writes the audit entry with the owner of the subscription, and commits.
async fn commit(mut tx: Tx, of: &Notification, by: Change<'_>) -> Result<()> {
    let entry = match of.organization_id {
        Some(owner) => by.audit.clone().owned_by(owner),
        None => by.audit.clone(),
    };
    record_audit(&mut tx, &[entry]).await?;
    tx.commit().await
}

#[async_trait]
impl NotificationStore for SqlStore {
    async fn create_notification(
        &self,
        notification: &Notification,
        sealed: &str,
        by: Change<'_>,
    ) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let cursor = last_event(&mut tx).await?;
        let row =
            StoredNotification { notification: notification.clone(), sealed: sealed.to_owned(), cursor };
        tx.run(INSERT, args![stored(&row)]).await?;
        commit(tx, notification, by).await
    }

    async fn notification(&self, scope: &Scope, id: NotificationId) -> Result<Option<StoredNotification>> {
        self.db.row(GET, args![id, scope]).await
    }

    async fn notifications(&self, scope: &Scope, page: &Page<Newest>) -> Result<Vec<Notification>> {
        let (statement, scope) = in_scope(scope, PAGE, PAGE_OF_ORGANIZATION);
        self.db.rows(statement, [newest(page), vec![scope]].concat()).await
    }

    async fn update_notification(
        &self,
        id: NotificationId,
        patch: &NotificationPatch,
        by: Change<'_>,
    ) -> Result<Option<Notification>> {
        let mut tx = self.db.begin().await?;
        let found = tx.row::<StoredNotification>(GET_LOCKED, args![id, by.scope]).await?;
        let found = found.and_then(|row| Some((patch.resealed(&row.sealed)?, row)));
        let Some((sealed, mut row)) = found else { return tx.rollback(None).await };
        if !row.notification.enabled && patch.enabled == Some(true) {
            row.cursor = last_event(&mut tx).await?;
        }
        row.notification = row.notification.patched(patch, by.at());
        row.sealed = sealed;
        tx.run(UPDATE, args![rows([NewRow::of(&row.notification)])]).await?;
        tx.run(MOVE_TO, args![id, row.cursor, row.sealed]).await?;
        commit(tx, &row.notification, by).await?;
        Ok(Some(row.notification))
    }

    async fn delete_notification(&self, id: NotificationId, by: Change<'_>) -> Result<bool> {
        let mut tx = self.db.begin().await?;
        let found = tx.row::<StoredNotification>(GET_LOCKED, args![id, by.scope]).await?;
        let Some(row) = found else { return tx.rollback(false).await };
        tx.run(DELETE_DELIVERIES, args![id]).await?;
        tx.run(DELETE, args![id]).await?;
        commit(tx, &row.notification, by).await?;
        Ok(true)
    }

    async fn enabled_notifications(&self) -> Result<Vec<NotificationId>> {
        self.db.rows(ENABLED, args![]).await
    }

    async fn disable_notification(&self, id: NotificationId, problem: &str, at: Timestamp) -> Result<()> {
        self.db.write::<()>(DISABLE, args![id, problem, at]).await.map(drop)
    }

    async fn queue_deliveries(
        &self,
        id: NotificationId,
        from: i64,
        to: i64,
        made: &[StoredDelivery],
    ) -> Result<bool> {
        let mut tx = self.db.begin().await?;
        if tx.run(MOVE, args![id, from, to]).await? == 0 {
            return tx.rollback(false).await;
        }
        if !made.is_empty() {
            let new = made.iter().map(|one| NewRow::of(&one.delivery).with("payload", &one.payload));
            tx.run(QUEUE, args![rows(new)]).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    async fn due_deliveries(
        &self,
        id: NotificationId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<StoredDelivery>> {
        self.db.rows(DUE, args![id, now, limit]).await
    }

    async fn pending_deliveries(&self, id: NotificationId) -> Result<i64> {
        Ok(self.db.row(PENDING, args![id]).await?.unwrap_or_default())
    }

    async fn record_attempt(&self, delivery: &Delivery) -> Result<()> {
        let Delivery { id, state, attempts, next_attempt_at, last_status, last_words, delivered_at, .. } =
            delivery;
        let args = args![id, state, attempts, next_attempt_at, last_status, last_words, delivered_at];
        self.db.write::<()>(ATTEMPTED, args).await.map(drop)
    }

    async fn deliveries(
        &self,
        scope: &Scope,
        id: NotificationId,
        state: Option<DeliveryState>,
        page: &Page<Newest>,
    ) -> Result<Vec<Delivery>> {
        let every = [DeliveryState::Pending, DeliveryState::Delivered, DeliveryState::Dead];
        let states =
            super::args::list(every.into_iter().filter(|one| state.is_none_or(|state| state == *one)));
        self.db.rows(DELIVERIES, [newest(page), args![id, scope, states]].concat()).await
    }

    async fn replay_deliveries(
        &self,
        id: NotificationId,
        one: Option<DeliveryId>,
        give_up_at: Timestamp,
        by: Change<'_>,
    ) -> Result<Option<u64>> {
        let mut tx = self.db.begin().await?;
        let found = tx.row::<StoredNotification>(GET_LOCKED, args![id, by.scope]).await?;
        let Some(row) = found else { return tx.rollback(None).await };
        let count = match one {
            Some(one) => tx.run(REPLAY, args![id, by.at(), give_up_at, one]).await?,
            None => tx.run(REPLAY_DEAD, args![id, by.at(), give_up_at]).await?,
        };
        if one.is_some() && count == 0 {
            return tx.rollback(None).await;
        }
        commit(tx, &row.notification, by).await?;
        Ok(Some(count))
    }

    async fn prune_deliveries(&self, before: Timestamp) -> Result<u64> {
        self.prune(PRUNE, before).await
    }
}
