//! The ordered log of what changed.

use async_trait::async_trait;
use uuid::Uuid;

use super::Result;
use crate::domain::Timestamp;
use crate::domain::access::Scope;
use crate::domain::event::{StoredEvent, Topic};

/// Which events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Only those of this topic.
    pub topic: Option<Topic>,
    /// Only those about what has this id.
    pub subject: Option<Uuid>,
}

/// The event log. Other stores write to it, in the transaction of the change.
///
/// Numbers grow by one in the order of commits, so a reader that has read up to a number has missed no earlier event.
#[async_trait]
pub trait EventStore: Send + Sync {
    /// MUST return up to `limit` events of `topic`, or of all topics, with a number above `seq`, in order, without a gap
    /// that a later commit fills. MUST also return events that this version of the program cannot read.
    async fn events_after(
        &self,
        scope: &Scope,
        topic: Option<Topic>,
        seq: i64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>>;

    /// MUST return up to `limit` events that pass the filter, with a number below `seq`, the last one first.
    async fn events_before(
        &self,
        scope: &Scope,
        filter: &EventFilter,
        seq: i64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>>;

    /// MUST return the number of the last event, 0 if there never was one. Keeps its value when events are pruned.
    async fn last_event(&self) -> Result<i64>;

    /// MUST return the number of the oldest event that is still there, or `None`.
    async fn first_event(&self) -> Result<Option<i64>>;

    /// MUST remove events older than `before`; returns how many. Numbers are never used again.
    async fn prune_events(&self, before: Timestamp) -> Result<u64>;
}
