//! The audit log.

use async_trait::async_trait;

use super::Result;
use crate::domain::Timestamp;
use crate::domain::access::Scope;
use crate::domain::audit::{AuditEntry, AuditFilter};

/// The audit log. Each store method records its own success; this is for refusals, reports of others, and reading.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// MUST store all entries or none.
    async fn record_audit(&self, entries: &[AuditEntry]) -> Result<()>;

    /// MUST return the page of entries that pass the filter, newest first, ties by id, and how many pass in all: also
    /// before the place [`AuditFilter::after`].
    async fn audit_entries(&self, scope: &Scope, filter: &AuditFilter) -> Result<(Vec<AuditEntry>, u64)>;

    /// MUST remove entries older than `before`; returns how many.
    async fn prune_audit(&self, before: Timestamp) -> Result<u64>;
}
