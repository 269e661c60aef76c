//! The audit log and the event log, in memory.

use async_trait::async_trait;

use super::MemoryStore;
use crate::domain::Timestamp;
use crate::domain::access::Scope;
use crate::domain::audit::{AuditEntry, AuditFilter};
use crate::domain::event::{StoredEvent, Topic};
use crate::ports::{AuditStore, EventStore, StoreError};

fn passes(filter: &AuditFilter, entry: &AuditEntry) -> bool {
    let is = |wanted: &Option<String>, there: Option<&String>| wanted.is_none() || wanted.as_ref() == there;
    filter.from.is_none_or(|from| entry.timestamp >= from)
        && filter.to.is_none_or(|to| entry.timestamp <= to)
        && is(&filter.actor, entry.actor.as_ref())
        && is(&filter.action, Some(&entry.action))
        && is(&filter.resource_type, entry.resource_type.as_ref())
        && is(&filter.resource_id, entry.resource_id.as_ref())
}

#[async_trait]
impl AuditStore for MemoryStore {
    async fn record_audit(&self, entries: &[AuditEntry]) -> Result<(), StoreError> {
        self.state().audit.extend_from_slice(entries);
        Ok(())
    }

    async fn audit_entries(
        &self,
        _: &Scope,
        filter: &AuditFilter,
    ) -> Result<(Vec<AuditEntry>, u64), StoreError> {
        let state = self.state();
        let mut entries: Vec<&AuditEntry> =
            state.audit.iter().filter(|entry| passes(filter, entry)).collect();
        entries.sort_by_key(|entry| std::cmp::Reverse((entry.timestamp, entry.id)));
        let total = entries.len() as u64;
        let skip = usize::try_from(filter.offset).unwrap_or(usize::MAX);
        let page = entries.into_iter().skip(skip).take(filter.limit as usize);
        Ok((page.cloned().collect(), total))
    }

    async fn prune_audit(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut state = self.state();
        let there = state.audit.len();
        state.audit.retain(|entry| entry.timestamp >= before);
        Ok((there - state.audit.len()) as u64)
    }
}

#[async_trait]
impl EventStore for MemoryStore {
    async fn events_after(
        &self,
        topic: Option<Topic>,
        seq: i64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let state = self.state();
        let wanted =
            |event: &&StoredEvent| event.seq > seq && topic.is_none_or(|topic| event.topic == topic.as_str());
        Ok(state.events.iter().filter(wanted).take(limit as usize).cloned().collect())
    }

    async fn last_event(&self) -> Result<i64, StoreError> {
        Ok(self.state().last_event)
    }

    async fn first_event(&self) -> Result<Option<i64>, StoreError> {
        Ok(self.state().events.first().map(|event| event.seq))
    }

    async fn prune_events(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut state = self.state();
        let there = state.events.len();
        state.events.retain(|event| event.at >= before);
        Ok((there - state.events.len()) as u64)
    }
}
