//! Leases: which instance does a piece of work.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::Result;
use crate::domain::Timestamp;

/// The right of an instance to do its work for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceLease {
    /// The instance.
    pub instance: String,
    /// Grows each time the lease is granted anew. Work assigned under an earlier epoch is free.
    pub epoch: i64,
    /// How many assignments it takes.
    pub capacity: u32,
    /// How long it lasts without renewal.
    pub ttl: Duration,
    /// Whether no other instance had a valid lease when this one was renewed.
    pub is_alone: bool,
}

/// The right of one instance to do a named piece of work, for as long as its lease lasts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The work, e.g. `reconcile:default`.
    pub key: String,
    /// The instance that has it.
    pub instance: String,
    /// Grows each time the work is assigned. Every write under the assignment is conditional on it and on the lease, so
    /// that an instance that was suspended past its lease cannot write.
    pub epoch: i64,
}

/// Whether work that one instance at a time may do may still be done here. It is checked immediately before each step that
/// others would notice, such as sending to a platform: a process that was suspended learns here that its lease is over, even
/// before it is told to stop. The default is always valid.
#[derive(Clone, Default)]
pub struct LeaseCheck(Option<Arc<dyn Fn() -> bool + Send + Sync>>);

impl LeaseCheck {
    /// Valid for as long as `is_valid` returns true.
    pub fn new(is_valid: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(is_valid)))
    }

    /// Whether the work may be done now.
    pub fn is_valid(&self) -> bool {
        self.0.as_ref().is_none_or(|is_valid| is_valid())
    }
}

impl fmt::Debug for LeaseCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LeaseCheck").field(&self.is_valid()).finish()
    }
}

/// Leases of instances, and the work that is assigned to them. A lease is a row with an epoch and an expiry in
/// **database time**, so that clocks of instances do not matter. All instances renew for the same time.
#[async_trait]
pub trait LeaseStore: Send + Sync {
    /// MUST extend the lease of an instance, with the same epoch. MUST grant a new one with a greater epoch if it has
    /// expired or was released. MUST say whether another instance has a valid lease; one that lies further in the future
    /// than a lease lasts does not count.
    async fn renew_instance(&self, instance: &str, capacity: u32, ttl: Duration) -> Result<InstanceLease>;

    /// MUST return who has each of `keys`. Before that, MUST assign each free key to exactly one of the instances that
    /// compete, with a greater epoch than before, until the instance has as many of `keys` as its capacity allows. A key
    /// is free if nobody has it, or an instance whose lease has expired or was released, or lies further in the future than
    /// a lease lasts: the clock was set back, and its holder has not renewed it since. MUST NOT assign work to an
    /// instance whose own lease is not valid.
    async fn take_assignments(&self, lease: &InstanceLease, keys: &[String]) -> Result<Vec<Assignment>>;

    /// MUST free those of these assignments that are still valid.
    async fn release_assignments(&self, assignments: &[Assignment]) -> Result<()>;

    /// MUST end the leases of all instances, which frees everything assigned. For a process that knows that it is the only
    /// one: a lease may lie far in the future if the clock was ahead when its process was killed.
    async fn end_all_leases(&self) -> Result<()>;

    /// MUST end the lease if it is still the same, which frees everything assigned under it.
    async fn release_instance(&self, lease: &InstanceLease) -> Result<()>;

    /// MUST forget instances whose lease expired before `before` and that have nothing assigned; returns how many.
    async fn prune_instances(&self, before: Timestamp) -> Result<u64>;
}
