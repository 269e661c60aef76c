//! Subscriptions to notifications, and their messages, in memory.

use async_trait::async_trait;

use super::{MemoryStore, State, newest_first};
use crate::domain::Timestamp;
use crate::domain::access::Scope;
use crate::domain::notification::{
    Delivery, DeliveryId, DeliveryState, Notification, NotificationId, NotificationPatch,
};
use crate::domain::page::{Newest, Page};
use crate::ports::{Change, NotificationStore, Result, StoredDelivery, StoredNotification};

fn is_seen(scope: &Scope, of: &Notification) -> bool {
    of.organization_id.map_or(scope.organizations().is_none(), |owner| scope.includes(owner))
}

impl State {
    fn audit_notification(&mut self, of: &Notification, by: Change<'_>) {
        let entry = by.audit.clone();
        self.audit.push(match of.organization_id {
            Some(owner) => entry.owned_by(owner),
            None => entry,
        });
    }

    fn pending(&self, id: NotificationId) -> impl Iterator<Item = &StoredDelivery> {
        let all = self.deliveries.values();
        all.filter(move |one| {
            one.delivery.notification_id == id && one.delivery.state == DeliveryState::Pending
        })
    }
}

#[async_trait]
impl NotificationStore for MemoryStore {
    async fn create_notification(
        &self,
        notification: &Notification,
        sealed: &str,
        by: Change<'_>,
    ) -> Result<()> {
        let mut state = self.state();
        if let Some(owner) = notification.organization_id {
            state.must_have_organization(owner)?;
        }
        let cursor = state.last_event;
        let row =
            StoredNotification { notification: notification.clone(), sealed: sealed.to_owned(), cursor };
        state.notifications.insert(notification.id, row);
        state.audit_notification(notification, by);
        Ok(())
    }

    async fn notification(&self, scope: &Scope, id: NotificationId) -> Result<Option<StoredNotification>> {
        let state = self.state();
        Ok(state.notifications.get(&id).filter(|one| is_seen(scope, &one.notification)).cloned())
    }

    async fn notifications(&self, scope: &Scope, page: &Page<Newest>) -> Result<Vec<Notification>> {
        let state = self.state();
        let all = state.notifications.values().map(|one| &one.notification);
        Ok(newest_first(all.filter(|one| is_seen(scope, one)), page))
    }

    async fn update_notification(
        &self,
        id: NotificationId,
        patch: &NotificationPatch,
        by: Change<'_>,
    ) -> Result<Option<Notification>> {
        let mut state = self.state();
        let last = state.last_event;
        let found = state.notifications.get_mut(&id).filter(|one| is_seen(by.scope, &one.notification));
        let found = found.and_then(|row| Some((patch.resealed(&row.sealed)?, row)));
        let Some((sealed, row)) = found else { return Ok(None) };
        if !row.notification.enabled && patch.enabled == Some(true) {
            row.cursor = last;
        }
        row.notification = row.notification.clone().patched(patch, by.at());
        row.sealed = sealed;
        let notification = row.notification.clone();
        state.audit_notification(&notification, by);
        Ok(Some(notification))
    }

    async fn delete_notification(&self, id: NotificationId, by: Change<'_>) -> Result<bool> {
        let mut state = self.state();
        let found = state.notifications.get(&id).filter(|one| is_seen(by.scope, &one.notification));
        let Some(row) = found.cloned() else { return Ok(false) };
        state.notifications.remove(&id);
        state.deliveries.retain(|_, one| one.delivery.notification_id != id);
        state.audit_notification(&row.notification, by);
        Ok(true)
    }

    async fn enabled_notifications(&self) -> Result<Vec<NotificationId>> {
        let state = self.state();
        let enabled = state.notifications.values().filter(|one| one.notification.enabled);
        Ok(enabled.map(|one| one.notification.id).collect())
    }

    async fn disable_notification(&self, id: NotificationId, problem: &str, at: Timestamp) -> Result<()> {
        if let Some(row) = self.state().notifications.get_mut(&id) {
            let one = &mut row.notification;
            (one.enabled, one.problem, one.updated_at) = (false, Some(problem.to_owned()), at);
        }
        Ok(())
    }

    async fn queue_deliveries(
        &self,
        id: NotificationId,
        from: i64,
        to: i64,
        made: &[StoredDelivery],
    ) -> Result<bool> {
        let mut state = self.state();
        let Some(row) = state.notifications.get_mut(&id).filter(|one| one.cursor == from) else {
            return Ok(false);
        };
        row.cursor = to;
        state.deliveries.extend(made.iter().map(|one| (one.delivery.id, one.clone())));
        Ok(true)
    }

    async fn due_deliveries(
        &self,
        id: NotificationId,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<StoredDelivery>> {
        let state = self.state();
        let is_first = |one: &Delivery| {
            !state
                .pending(id)
                .any(|other| other.delivery.subject == one.subject && other.delivery.seq < one.seq)
        };
        let due = |one: &Delivery| one.next_attempt_at.is_some_and(|at| at <= now) && is_first(one);
        let mut all: Vec<_> = state.pending(id).filter(|one| due(&one.delivery)).cloned().collect();
        all.sort_by_key(|one| one.delivery.seq);
        all.truncate(limit as usize);
        Ok(all)
    }

    async fn pending_deliveries(&self, id: NotificationId) -> Result<i64> {
        Ok(i64::try_from(self.state().pending(id).count()).unwrap_or(i64::MAX))
    }

    async fn record_attempt(&self, delivery: &Delivery) -> Result<()> {
        if let Some(row) = self.state().deliveries.get_mut(&delivery.id)
            && row.delivery.state == DeliveryState::Pending
        {
            row.delivery = delivery.clone();
        }
        Ok(())
    }

    async fn deliveries(
        &self,
        scope: &Scope,
        id: NotificationId,
        state: Option<DeliveryState>,
        page: &Page<Newest>,
    ) -> Result<Vec<Delivery>> {
        let stored = self.state();
        if !stored.notifications.get(&id).is_some_and(|one| is_seen(scope, &one.notification)) {
            return Ok(Vec::new());
        }
        let all = stored.deliveries.values().map(|one| &one.delivery);
        let all = all.filter(|one| one.notification_id == id && state.is_none_or(|state| one.state == state));
        Ok(newest_first(all, page))
    }

    async fn replay_deliveries(
        &self,
        id: NotificationId,
        one: Option<DeliveryId>,
        give_up_at: Timestamp,
        by: Change<'_>,
    ) -> Result<Option<u64>> {
        let mut state = self.state();
        let found = state.notifications.get(&id).filter(|one| is_seen(by.scope, &one.notification));
        let Some(row) = found.cloned() else { return Ok(None) };
        let mut count = 0;
        for StoredDelivery { delivery, .. } in state.deliveries.values_mut() {
            let is_meant = one.map_or(delivery.state == DeliveryState::Dead, |one| delivery.id == one);
            if delivery.notification_id == id && is_meant {
                (delivery.state, delivery.attempts) = (DeliveryState::Pending, 0);
                (delivery.next_attempt_at, delivery.delivered_at) = (Some(by.at()), None);
                delivery.give_up_at = give_up_at;
                count += 1;
            }
        }
        if one.is_some() && count == 0 {
            return Ok(None);
        }
        state.audit_notification(&row.notification, by);
        Ok(Some(count))
    }

    async fn prune_deliveries(&self, before: Timestamp) -> Result<u64> {
        let mut state = self.state();
        let count = state.deliveries.len();
        state.deliveries.retain(|_, one| {
            one.delivery.created_at >= before || one.delivery.state == DeliveryState::Pending
        });
        Ok((count - state.deliveries.len()) as u64)
    }
}
