//! Notifications, and their messages.

use serde::Serialize;
use serde_with::skip_serializing_none;
use utoipa::ToSchema;
use uuid::Uuid;

use super::DateTime;
use super::list::list;
use crate::app::notification::NotificationWithSecret;
use crate::domain::notification::{Delivery, DeliveryState, Kind, Notification, Reply, Severity};

list! {
    /// All notifications.
    NotificationList { notifications: NotificationView }
}

list! {
    /// The messages of a notification.
    DeliveryList { deliveries: DeliveryView }
}

/// Who hears of which events. Never its secrets.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = Notification)]
pub(crate) struct NotificationView {
    id: Uuid,
    /// Whose events it hears. Absent: those of the whole installation.
    organization_id: Option<Uuid>,
    #[schema(example = "Night shift")]
    name: String,
    kind: Kind,
    /// The host of the address, or the e-mail address.
    #[schema(example = "hooks.example.org")]
    target: String,
    /// Only events of these topics; empty for all.
    topics: Vec<String>,
    /// Only events about these paths, exact or `prefix/*`; empty for all.
    paths: Vec<String>,
    severity: Severity,
    /// Whether it hears anything.
    enabled: bool,
    /// Why it was turned off, if nobody did it.
    problem: Option<String>,
    created_at: DateTime,
    updated_at: DateTime,
}

impl From<Notification> for NotificationView {
    fn from(one: Notification) -> Self {
        Self {
            id: one.id.0,
            organization_id: one.organization_id.map(|owner| owner.0),
            name: one.name,
            kind: one.kind,
            target: one.target,
            topics: one.filter.topics,
            paths: one.filter.paths.into_iter().map(String::from).collect(),
            severity: one.filter.severity,
            enabled: one.enabled,
            problem: one.problem,
            created_at: one.created_at,
            updated_at: one.updated_at,
        }
    }
}

/// A notification that was just created, or whose secret was rotated.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
pub(crate) struct NewNotification {
    #[serde(flatten)]
    notification: NotificationView,
    /// The signing secret of a webhook. It is shown only once.
    #[schema(pattern = "^whsec_[A-Za-z0-9+/]+=*$")]
    secret: Option<String>,
    /// Until when messages are signed with the old secret too.
    old_secret_until: Option<DateTime>,
}

impl From<NotificationWithSecret> for NewNotification {
    fn from(made: NotificationWithSecret) -> Self {
        Self {
            notification: made.notification.into(),
            secret: made.secret.map(|secret| secret.expose().to_owned()),
            old_secret_until: made.old_secret_until,
        }
    }
}

/// A message about an event.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = NotificationDelivery)]
pub(crate) struct DeliveryView {
    /// The `webhook-id`. It stays the same when the message is sent again.
    id: Uuid,
    /// The name of the event.
    #[schema(example = "stream.ended")]
    event: String,
    /// The number of the event.
    seq: i64,
    /// The id of what the event is about. Messages about the same are sent in order.
    subject: Uuid,
    state: DeliveryState,
    /// How often it was tried, since the last replay.
    attempts: u32,
    /// The receiver's last HTTP status.
    last_status: Option<u32>,
    /// The receiver's last words, or why it was not reached.
    last_words: Option<String>,
    next_attempt_at: Option<DateTime>,
    delivered_at: Option<DateTime>,
    created_at: DateTime,
}

impl From<Delivery> for DeliveryView {
    fn from(one: Delivery) -> Self {
        Self {
            id: one.id.0,
            event: one.event,
            seq: one.seq,
            subject: one.subject,
            state: one.state,
            attempts: one.attempts,
            last_status: one.last_status,
            last_words: one.last_words,
            next_attempt_at: one.next_attempt_at,
            delivered_at: one.delivered_at,
            created_at: one.created_at,
        }
    }
}

/// What became of a test message.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = NotificationTest)]
pub(crate) struct NotificationTestView {
    /// Whether the receiver took it.
    is_delivered: bool,
    /// Its HTTP status.
    status: Option<u32>,
    /// Its words, or why it was not reached.
    words: String,
}

impl From<Reply> for NotificationTestView {
    fn from(Reply { status, words, is_taken }: Reply) -> Self {
        Self { is_delivered: is_taken, status, words }
    }
}

/// How many messages are sent again.
#[derive(Serialize, ToSchema)]
#[schema(as = NotificationReplay)]
pub(crate) struct ReplayView {
    count: u64,
}

impl From<u64> for ReplayView {
    fn from(count: u64) -> Self {
        Self { count }
    }
}
