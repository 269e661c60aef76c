//! Leases and hints, in memory.

use std::time::Duration;

use async_trait::async_trait;

use super::MemoryStore;
use crate::domain::Timestamp;
use crate::domain::media_server::MediaServerName;
use crate::domain::reconcile::Hint;
use crate::ports::{Hints, Lease, Leases, StoreError, StoredHint};

#[async_trait]
impl Leases for MemoryStore {
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
impl Hints for MemoryStore {
    async fn push_hint(&self, hint: &Hint) -> Result<(), StoreError> {
        let mut state = self.state();
        state.last_hint += 1;
        let seq = state.last_hint;
        state.hints.push(StoredHint { seq, hint: hint.clone() });
        Ok(())
    }

    async fn hints(&self, server: &MediaServerName) -> Result<Vec<StoredHint>, StoreError> {
        Ok(self.state().hints.iter().filter(|stored| stored.hint.server == *server).cloned().collect())
    }

    async fn drop_hints(&self, lease: &Lease, server: &MediaServerName, seq: i64) -> Result<(), StoreError> {
        let mut state = self.state();
        self.guard(&state, lease)?;
        state.hints.retain(|stored| stored.hint.server != *server || stored.seq > seq);
        Ok(())
    }
}
