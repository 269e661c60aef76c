//! The audit log and the event log, in memory.

use async_trait::async_trait;

use super::{MemoryStore, newest_first, prune};
use crate::domain::Timestamp;
use crate::domain::access::Scope;
use crate::domain::audit::{AuditEntry, AuditFilter};
use crate::domain::event::{StoredEvent, Topic};
use crate::domain::page::Page;
use crate::ports::{AuditStore, EventFilter, EventStore, Result};

fn passes(filter: &AuditFilter, entry: &AuditEntry) -> bool {
    let is = |wanted: &Option<String>, there: Option<&String>| wanted.is_none() || wanted.as_ref() == there;
    filter.from.is_none_or(|from| entry.timestamp >= from)
        && filter.to.is_none_or(|to| entry.timestamp <= to)
        && is(&filter.actor, entry.actor.as_ref())
        && is(&filter.action, Some(&entry.action))
        && is(&filter.resource_type, entry.resource_type.as_ref())
        && is(&filter.resource_id, entry.resource_id.as_ref())
        && filter.outcome.is_none_or(|outcome| entry.outcome == outcome)
}

#[async_trait]
impl AuditStore for MemoryStore {
    async fn record_audit(&self, entries: &[AuditEntry]) -> Result<()> {
        self.state().audit.extend_from_slice(entries);
        Ok(())
    }

    async fn audit_entries(&self, scope: &Scope, filter: &AuditFilter) -> Result<(Vec<AuditEntry>, u64)> {
        let state = self.state();
        let is_in = |entry: &AuditEntry| match entry.organization_id {
            Some(organization) => scope.includes(organization),
            None => scope.organizations().is_none(),
        };
        let entries = || state.audit.iter().filter(|entry| is_in(entry) && passes(filter, entry));
        let mut page = newest_first(entries(), &Page { limit: None, after: filter.after });
        page.drain(..page.len().min(usize::try_from(filter.offset).unwrap_or(usize::MAX)));
        page.truncate(filter.limit as usize);
        Ok((page, entries().count() as u64))
    }

    async fn prune_audit(&self, before: Timestamp) -> Result<u64> {
        Ok(prune(&mut self.state().audit, |entry| entry.timestamp >= before))
    }
}

#[async_trait]
impl EventStore for MemoryStore {
    async fn events_after(
        &self,
        scope: &Scope,
        topic: Option<Topic>,
        seq: i64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>> {
        let state = self.state();
        let wanted = |event: &&StoredEvent| {
            event.seq > seq
                && topic.is_none_or(|topic| event.topic == topic.as_str())
                && scope.includes(event.organization_id)
        };
        Ok(state.events.iter().filter(wanted).take(limit as usize).cloned().collect())
    }

    async fn events_before(
        &self,
        scope: &Scope,
        filter: &EventFilter,
        seq: i64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>> {
        let state = self.state();
        let wanted = |event: &&StoredEvent| {
            event.seq < seq
                && filter.topic.is_none_or(|topic| event.topic == topic.as_str())
                && filter.subject.is_none_or(|subject| event.subject == subject)
                && scope.includes(event.organization_id)
        };
        Ok(state.events.iter().rev().filter(wanted).take(limit as usize).cloned().collect())
    }

    async fn last_event(&self) -> Result<i64> {
        Ok(self.state().last_event)
    }

    async fn first_event(&self) -> Result<Option<i64>> {
        Ok(self.state().events.first().map(|event| event.seq))
    }

    async fn prune_events(&self, before: Timestamp) -> Result<u64> {
        Ok(prune(&mut self.state().events, |event| event.at >= before))
    }
}
