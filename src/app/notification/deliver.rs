//! The tasks of notifications: one for each subscription, each on one instance. It reads the event log from its cursor, makes
//! messages, and sends those that are due.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use serde_json::json;

use super::Notifications;
use crate::app::task::{
    AnyTask, OnLeaseDoubt, PeriodicTask, Placement, Task, TaskContext, TaskError, TaskSet, Tick,
};
use crate::domain::Timestamp;
use crate::domain::access::Scope;
use crate::domain::event::StoredEvent;
use crate::domain::notification::{
    Delivery, DeliveryId, DeliveryState, Envelope, Notification, NotificationId,
};
use crate::ports::{StoredDelivery, StoredNotification, WakeUp};

/// How many events are read at once.
const PAGE: u32 = 200;
/// With so many messages to be sent, later events wait in the log.
const MOST_PENDING: i64 = 1_000;
/// How many messages of one subscription are sent at once, each about another subject.
const AT_ONCE: u32 = 4;
/// The time between two looks at messages that wait for their next attempt, and without any.
const WAITING: Duration = Duration::from_secs(1);
const IDLE: Duration = Duration::from_secs(5);

/// One task for each subscription that is turned on.
pub struct NotificationTasks(Arc<Notifications>);

impl NotificationTasks {
    /// Those of this service.
    pub fn new(notifications: Arc<Notifications>) -> Self {
        Self(notifications)
    }
}

impl Task for NotificationTasks {
    fn name(&self) -> String {
        "notifications".into()
    }

    fn description(&self) -> &'static str {
        "Keeps one task running for each notification that is turned on."
    }
}

#[async_trait]
impl TaskSet for NotificationTasks {
    fn wakes_on(&self, wake_up: &WakeUp) -> bool {
        matches!(wake_up, WakeUp::Notifications)
    }

    async fn desired(&mut self) -> Result<BTreeSet<String>, TaskError> {
        let enabled = self.0.core.worker_store.enabled_notifications().await?;
        Ok(enabled.iter().map(ToString::to_string).collect())
    }

    fn task(&self, key: &str) -> Option<AnyTask> {
        let (id, service) = (key.parse().ok()?, Arc::clone(&self.0));
        Some(AnyTask::periodic(NotificationTask { id, service, interval: WAITING }))
    }
}

/// Sends the messages of one subscription.
struct NotificationTask {
    id: NotificationId,
    service: Arc<Notifications>,
    interval: Duration,
}

impl Task for NotificationTask {
    fn name(&self) -> String {
        format!("notification:{}", self.id)
    }

    fn description(&self) -> &'static str {
        "Sends the messages of one notification."
    }

    /// Two instances at once would send a message twice, which the receiver recognises by its id.
    fn placement(&self) -> Placement {
        Placement::OneInstance(OnLeaseDoubt::Stop)
    }
}

#[async_trait]
impl PeriodicTask for NotificationTask {
    fn interval(&self) -> Duration {
        self.interval
    }

    /// A batch waits for the slowest receiver, and perhaps for a place.
    fn limit(&self) -> Duration {
        Duration::from_secs(120)
    }

    fn wakes_on(&self, wake_up: &WakeUp) -> bool {
        matches!(wake_up, WakeUp::Topic(_) | WakeUp::Notifications)
    }

    async fn tick(&mut self, context: &TaskContext) -> Result<Tick, TaskError> {
        let store = &self.service.core.worker_store;
        let found = store.notification(&Scope::system(), self.id).await?;
        let Some(stored) = found.filter(|one| one.notification.enabled) else {
            return Ok(Tick::default());
        };
        let has_more = self.queue(&stored).await?;
        let sent = self.send_due(&stored).await?;
        let pending = store.pending_deliveries(self.id).await?;
        self.interval = if pending > 0 { WAITING } else { IDLE };
        context.show(json!({ "pending": pending, "name": stored.notification.name }));
        Ok(Tick { again: has_more || sent > 0 })
    }
}

impl NotificationTask {
    /// Makes messages of new events; returns whether there are more.
    async fn queue(&self, stored: &StoredNotification) -> Result<bool, TaskError> {
        let store = &self.service.core.worker_store;
        let from = stored.cursor;
        if store.pending_deliveries(self.id).await? >= MOST_PENDING {
            return Ok(false);
        }
        // In this order: what is committed between the two is in the page.
        let last = store.last_event().await?;
        let page = store.events_after(&Scope::system(), None, from, PAGE).await?;
        let now = self.service.core.now();
        // Numbers have no gaps, so what is missing was removed.
        let first = page.first().map_or(last.max(from) + 1, |event| event.seq);
        let mut made = Vec::new();
        if first > from + 1 {
            made.push(self.missed(from + 1, first - 1, now));
        }
        made.extend(page.iter().filter_map(|event| self.message(&stored.notification, event, now)));
        let to = page.last().map_or(first - 1, |event| event.seq);
        if to > from {
            store.queue_deliveries(self.id, from, to, &made).await?;
        }
        Ok(page.len() == PAGE as usize)
    }

    fn message(&self, of: &Notification, stored: &StoredEvent, now: Timestamp) -> Option<StoredDelivery> {
        if of.organization_id.is_some_and(|owner| owner != stored.organization_id) {
            return None;
        }
        // What another version wrote cannot be read; the event log counts and logs it.
        let event = stored.decode().ok()?;
        if !of.filter.hears(&event) {
            return None;
        }
        let delivery = Delivery {
            subject: stored.subject,
            event: stored.kind.clone(),
            ..self.delivery(stored.seq, now)
        };
        Some(StoredDelivery { delivery, payload: Envelope::of(stored, &event).0 })
    }

    /// The message about events that were removed from the log before they were read.
    fn missed(&self, first: i64, last: i64, now: Timestamp) -> StoredDelivery {
        tracing::warn!(notification = %self.id, first, last, "events were removed before their notification was sent: keep them longer with events.retention");
        StoredDelivery {
            delivery: self.delivery(last, now),
            payload: Envelope::of_missed(first, last, now).0,
        }
    }

    fn delivery(&self, seq: i64, now: Timestamp) -> Delivery {
        Delivery {
            id: DeliveryId(self.service.core.id()),
            notification_id: self.id,
            seq,
            subject: self.id.0,
            event: "notification.missed".into(),
            created_at: now,
            state: DeliveryState::Pending,
            attempts: 0,
            next_attempt_at: Some(now),
            give_up_at: now.plus(self.service.settings.give_up_after),
            last_status: None,
            last_words: None,
            delivered_at: None,
        }
    }

    /// Sends what is due; returns how many.
    async fn send_due(&self, stored: &StoredNotification) -> Result<usize, TaskError> {
        let core = &self.service.core;
        let due = core.worker_store.due_deliveries(self.id, core.now(), AT_ONCE).await?;
        let sent = join_all(due.iter().map(|one| self.send(stored, one))).await;
        sent.into_iter().collect::<Result<Vec<()>, _>>()?;
        Ok(due.len())
    }

    async fn send(&self, stored: &StoredNotification, one: &StoredDelivery) -> Result<(), TaskError> {
        let StoredDelivery { delivery, payload } = one;
        let (core, settings) = (&self.service.core, &self.service.settings);
        let envelope = Envelope(payload.clone());
        let reply = self.service.send(stored, delivery.id, delivery.subject, &envelope).await;
        let now = core.now();
        let jitter = core.ids.random32()[0];
        let after = delivery.clone().attempted(&reply, now, settings.retry_after, jitter);
        core.worker_store.record_attempt(&after).await?;
        let kind: &'static str = stored.notification.kind.into();
        let outcome = match after.state {
            DeliveryState::Pending => "failed",
            DeliveryState::Delivered => "delivered",
            DeliveryState::Dead => "dead",
        };
        metrics::counter!("streamward_notifications_total", "kind" => kind, "outcome" => outcome)
            .increment(1);
        if after.state == DeliveryState::Delivered {
            let lag = now.since(delivery.created_at).as_secs_f64();
            metrics::histogram!("streamward_notification_lag_seconds", "kind" => kind).record(lag);
        } else {
            tracing::warn!(
                notification = %self.id, delivery = %delivery.id, attempts = after.attempts, status = reply.status,
                words = (!reply.words.is_empty()).then_some(reply.words.as_str()), "a notification was not taken"
            );
        }
        if reply.is_gone() {
            let problem = "the receiver answered 410: it wants no more messages. Turn the notification on again if it does";
            core.worker_store.disable_notification(self.id, problem, now).await?;
            core.wake_ups.send(WakeUp::Notifications);
        }
        Ok(())
    }
}
