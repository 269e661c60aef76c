//! The store of subscriptions to notifications and of their messages, and the port that sends a message.

use async_trait::async_trait;
use serde_json::Value;

use super::{Change, RemoteError, Result};
use crate::domain::Timestamp;
use crate::domain::access::Scope;
use crate::domain::notification::{
    Delivery, DeliveryId, DeliveryState, HttpMessage, Notification, NotificationId, NotificationPatch, Reply,
};
use crate::domain::page::{Newest, Page};

/// A subscription with what is stored beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredNotification {
    /// The subscription.
    pub notification: Notification,
    /// Its target and secrets, sealed.
    pub sealed: String,
    /// The number of the last event of which messages were made.
    pub cursor: i64,
}

/// A message with what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDelivery {
    /// The message.
    pub delivery: Delivery,
    /// What it says.
    pub payload: Value,
}

/// Subscriptions and their messages. A subscription of the installation is only in the scope of everybody's rows.
#[async_trait]
pub trait NotificationStore: Send + Sync {
    /// MUST store the subscription and the audit entry, or none. It hears of events after this moment.
    async fn create_notification(
        &self,
        notification: &Notification,
        sealed: &str,
        by: Change<'_>,
    ) -> Result<()>;

    /// MUST return the subscription as it was last stored, or `None`.
    async fn notification(&self, scope: &Scope, id: NotificationId) -> Result<Option<StoredNotification>>;

    /// MUST return the page of all subscriptions, newest first, ties by id.
    async fn notifications(&self, scope: &Scope, page: &Page<Newest>) -> Result<Vec<Notification>>;

    /// MUST change what the patch names and nothing else, with the audit entry. One that is turned on again MUST hear only of
    /// events after this moment. MUST return `None` and write nothing if there is no such subscription, or
    /// another than the patch says is sealed of it.
    async fn update_notification(
        &self,
        id: NotificationId,
        patch: &NotificationPatch,
        by: Change<'_>,
    ) -> Result<Option<Notification>>;

    /// MUST remove the subscription and its messages, with the audit entry. MUST return `false` and write nothing if there is
    /// no such subscription.
    async fn delete_notification(&self, id: NotificationId, by: Change<'_>) -> Result<bool>;

    /// MUST return the subscriptions that are turned on.
    async fn enabled_notifications(&self) -> Result<Vec<NotificationId>>;

    /// MUST turn the subscription off and say why.
    async fn disable_notification(&self, id: NotificationId, problem: &str, at: Timestamp) -> Result<()>;

    /// MUST store the messages and move the cursor from `from` to `to`, or none. MUST return `false` and write nothing if the
    /// cursor is not at `from`: another instance was faster.
    async fn queue_deliveries(
        &self,
        id: NotificationId,
        from: i64,
        to: i64,
        made: &[StoredDelivery],
    ) -> Result<bool>;

    /// MUST return up to `limit` messages that are to be sent at `now`. Of those about one subject, it MUST return only the
    /// first that was not sent yet, by the number of the event.
    async fn due_deliveries(
        &self,
        id: NotificationId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<StoredDelivery>>;

    /// MUST return how many messages are still to be sent.
    async fn pending_deliveries(&self, id: NotificationId) -> Result<i64>;

    /// MUST store what became of a message after an attempt, if it is still to be sent.
    async fn record_attempt(&self, delivery: &Delivery) -> Result<()>;

    /// MUST return the page of the messages of a subscription, newest first, ties by id; with `state`, only those.
    async fn deliveries(
        &self,
        scope: &Scope,
        id: NotificationId,
        state: Option<DeliveryState>,
        page: &Page<Newest>,
    ) -> Result<Vec<Delivery>>;

    /// MUST make one message, or all that are dead, pending again, without attempts and until `give_up_at`, with the audit
    /// entry. MUST return how many, or `None` (nothing written) if there is no such subscription or message.
    async fn replay_deliveries(
        &self,
        id: NotificationId,
        one: Option<DeliveryId>,
        give_up_at: Timestamp,
        by: Change<'_>,
    ) -> Result<Option<u64>>;

    /// MUST remove messages older than `before` that are not to be sent any more; returns how many.
    async fn prune_deliveries(&self, before: Timestamp) -> Result<u64>;
}

/// Sends messages over HTTP.
#[async_trait]
pub trait NotificationSender: Send + Sync {
    /// MUST send the message once, follow no redirect, and connect only to addresses that are allowed, checked when it
    /// connects. MUST return the answer whatever its status, or why there was none.
    async fn send(&self, message: &HttpMessage) -> Result<Reply, RemoteError>;
}
