//! Leases and hook_events, in memory.

use std::time::Duration;

use async_trait::async_trait;

use super::MemoryStore;
use crate::domain::Timestamp;
use crate::domain::media_server::MediaServerName;
use crate::domain::reconcile::HookEvent;
use crate::ports::{HookEventStore, Lease, LeaseStore, StoreError, StoredHookEvent};

#[async_trait]
impl LeaseStore for MemoryStore {
    async fn acquire_lease(
        &self,
        name: &str,
        owner: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        let now = self.clock.now();
        let mut state = self.state();
        let epoch = match state.leases.get(name) {
            Some((held, until)) if *until > now && held.owner != owner => return Ok(None),
            Some((held, until)) if *until > now => held.epoch,
            Some((held, _)) => held.epoch + 1,
            None => 1,
        };
        let lease = Lease { name: name.to_owned(), owner: owner.to_owned(), epoch };
        state.leases.insert(name.to_owned(), (lease.clone(), now.plus(ttl)));
        Ok(Some(lease))
    }

    async fn renew_lease(&self, lease: &Lease, ttl: Duration) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let mut state = self.state();
        if self.guard(&state, lease).is_err() {
            return Ok(false);
        }
        state.leases.insert(lease.name.clone(), (lease.clone(), now.plus(ttl)));
        Ok(true)
    }

    async fn release_lease(&self, lease: &Lease) -> Result<(), StoreError> {
        let mut state = self.state();
        if let Some((held, until)) = state.leases.get_mut(&lease.name)
            && held == lease
        {
            *until = Timestamp::from_micros(0);
        }
        Ok(())
    }
}

#[async_trait]
impl HookEventStore for MemoryStore {
    async fn record_hook_event(&self, hook_event: &HookEvent) -> Result<(), StoreError> {
        let mut state = self.state();
        state.last_hint += 1;
        let seq = state.last_hint;
        state.hook_events.push(StoredHookEvent { seq, hook_event: hook_event.clone() });
        Ok(())
    }

    async fn hook_events(&self, server: &MediaServerName) -> Result<Vec<StoredHookEvent>, StoreError> {
        Ok(self
            .state()
            .hook_events
            .iter()
            .filter(|stored| stored.hook_event.server == *server)
            .cloned()
            .collect())
    }

    async fn delete_hook_events(
        &self,
        lease: &Lease,
        server: &MediaServerName,
        seq: i64,
    ) -> Result<(), StoreError> {
        let mut state = self.state();
        self.guard(&state, lease)?;
        state.hook_events.retain(|stored| stored.hook_event.server != *server || stored.seq > seq);
        Ok(())
    }
}
