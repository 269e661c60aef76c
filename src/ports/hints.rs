//! The store of hooks that have arrived and were not acted upon yet.

use async_trait::async_trait;

use super::{Lease, StoreError};
use crate::domain::media_server::MediaServerName;
use crate::domain::reconcile::Hint;

/// A hint in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredHint {
    /// Its place: grows in the order of arrival.
    pub seq: i64,
    /// What was hinted.
    pub hint: Hint,
}

/// Hooks can arrive at any instance; the one that reconciles their media server finds them here.
#[async_trait]
pub trait Hints: Send + Sync {
    /// MUST keep the hint until it is dropped. A private path is kept as its hash only. May drop the oldest hints of a
    /// server beyond 10,000.
    async fn push_hint(&self, hint: &Hint) -> Result<(), StoreError>;

    /// MUST return the server's hints in the order of arrival.
    async fn hints(&self, server: &MediaServerName) -> Result<Vec<StoredHint>, StoreError>;

    /// MUST drop the server's hints up to and including `seq`, under the lease.
    async fn drop_hints(&self, lease: &Lease, server: &MediaServerName, seq: i64) -> Result<(), StoreError>;
}
