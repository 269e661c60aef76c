//! Refused attempts, in memory.

use std::cmp::Reverse;

use async_trait::async_trait;

use super::{MemoryStore, State, newest_first};
use crate::domain::Timestamp;
use crate::domain::access::Scope;
use crate::domain::auth_failure::{AuthFailure, AuthFailureId};
use crate::domain::page::{Newest, Page, Placed as _};
use crate::ports::{AuthFailureStore, Result};

impl State {
    fn add_auth_failure(&mut self, failure: &AuthFailure) {
        match self.auth_failures.get_mut(&failure.id) {
            Some(known) => {
                known.count += failure.count;
                known.first_at = known.first_at.min(failure.first_at);
                known.last_at = known.last_at.max(failure.last_at);
            }
            None => drop(self.auth_failures.insert(failure.id, failure.clone())),
        }
    }
}

#[async_trait]
impl AuthFailureStore for MemoryStore {
    async fn record_auth_failures(&self, failures: &[AuthFailure], most: u32) -> Result<()> {
        let mut state = self.state();
        failures.iter().for_each(|failure| state.add_auth_failure(failure));
        let mut removed = Vec::new();
        for of_known in [true, false] {
            let rows = state.auth_failures.values();
            let mut rows: Vec<&AuthFailure> = rows
                .filter(|row| row.attempt.organization_id.is_some() == of_known)
                .filter(|row| row.id != AuthFailureId::of_removed())
                .collect();
            rows.sort_by_key(|row| Reverse(row.place()));
            let older: Vec<AuthFailure> = rows.into_iter().skip(most as usize).cloned().collect();
            for row in older {
                state.auth_failures.remove(&row.id);
                removed.push((row.first_at, row.last_at, row.count));
            }
        }
        if let Some(sum) = AuthFailure::removed(&removed) {
            state.add_auth_failure(&sum);
        }
        Ok(())
    }

    async fn auth_failures(&self, scope: &Scope, page: &Page<Newest>) -> Result<Vec<AuthFailure>> {
        let state = self.state();
        let is_in = |row: &&AuthFailure| match row.attempt.organization_id {
            Some(organization) => scope.includes(organization),
            None => scope.organizations().is_none(),
        };
        Ok(newest_first(state.auth_failures.values().filter(is_in), page))
    }

    async fn prune_auth_failures(&self, before: Timestamp) -> Result<u64> {
        let mut state = self.state();
        let count = state.auth_failures.len();
        state.auth_failures.retain(|_, row| row.last_at >= before);
        Ok((count - state.auth_failures.len()) as u64)
    }
}
