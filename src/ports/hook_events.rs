//! The store of hooks that have arrived and were not acted upon yet.

use async_trait::async_trait;

use super::{Assignment, StoreError};
use crate::domain::media_server::MediaServerName;
use crate::domain::reconcile::HookEvent;

/// A hook_event in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredHookEvent {
    /// Its place: grows in the order of arrival.
    pub seq: i64,
    /// What was hinted.
    pub hook_event: HookEvent,
}

/// Hooks can arrive at any instance; the one that reconciles their media server finds them here.
#[async_trait]
pub trait HookEventStore: Send + Sync {
    /// MUST keep the hook_event until it is dropped. A private path is kept as its hash only. May drop the oldest hook_events of a
    /// server beyond 10,000.
    async fn record_hook_event(&self, hook_event: &HookEvent) -> Result<(), StoreError>;

    /// MUST return the server's hook_events in the order of arrival.
    async fn hook_events(&self, server: &MediaServerName) -> Result<Vec<StoredHookEvent>, StoreError>;

    /// MUST drop the server's hook_events up to and including `seq`, under the assignment.
    async fn delete_hook_events(
        &self,
        assignment: &Assignment,
        server: &MediaServerName,
        seq: i64,
    ) -> Result<(), StoreError>;
}
