//! The store of hook events that were not handled yet.

use async_trait::async_trait;

use super::{Assignment, Result};
use crate::domain::media_server::MediaServerName;
use crate::domain::reconcile::HookEvent;

/// A stored hook event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredHookEvent {
    /// Grows in the order of arrival.
    pub seq: i64,
    /// The event.
    pub hook_event: HookEvent,
}

/// Hooks arrive at any instance. The one that reconciles their media server reads them here.
#[async_trait]
pub trait HookEventStore: Send + Sync {
    /// MUST keep the hook event until it is deleted, and only the hash of a private path. May drop the oldest of a server
    /// beyond 10,000.
    async fn record_hook_event(&self, hook_event: &HookEvent) -> Result<()>;

    /// MUST return the server's hook events in the order of arrival.
    async fn hook_events(&self, server: &MediaServerName) -> Result<Vec<StoredHookEvent>>;

    /// MUST delete the server's hook events up to and including `seq`, under the assignment.
    async fn delete_hook_events(
        &self,
        assignment: &Assignment,
        server: &MediaServerName,
        seq: i64,
    ) -> Result<()>;
}
