//! Leases: which instance does a piece of work.

use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;

/// The right to do a named piece of work for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The work, e.g. `reconcile:default`.
    pub name: String,
    /// The instance that has it.
    pub owner: String,
    /// Grows each time the lease changes hands. Every write made under the lease is conditional on it, so that an
    /// instance that was asleep when its lease ran out writes nothing.
    pub epoch: i64,
}

/// Leases are rows with an epoch and an expiry in **database time**, so that clocks of instances do not matter.
#[async_trait]
pub trait LeaseStore: Send + Sync {
    /// MUST give the lease to exactly one of several owners that ask while it is free or has expired, with a greater
    /// epoch than before. MUST give it to its present owner again, with the same epoch, and extend it.
    async fn acquire_lease(
        &self,
        name: &str,
        owner: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, StoreError>;

    /// MUST extend a lease that is held and return `true`; MUST return `false` once it has expired or changed hands.
    async fn renew_lease(&self, lease: &Lease, ttl: Duration) -> Result<bool, StoreError>;

    /// MUST free the lease if it is still ours, so that another instance need not wait for it to expire.
    async fn release_lease(&self, lease: &Lease) -> Result<(), StoreError>;
}
