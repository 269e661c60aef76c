//! What every background worker looks like to the driver that runs it.

use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::ports::{Lease, RemoteError, StoreError, WakeUp};

/// Why a tick did not do its work. The next tick is the retry.
#[derive(Debug, thiserror::Error)]
pub enum TickError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A media server.
    #[error("the media server {0}")]
    Remote(#[from] RemoteError),
}

/// Work that has no ticks: it goes on from when its lease is taken until another instance has it. That the database is
/// away, and with it the lease, does not end it: what it has heard meanwhile would be lost. So it must do no harm if two
/// instances do it for a moment.
#[async_trait]
pub trait Job: Send {
    /// Its name in logs, metrics and `/health`, and that of its lease.
    fn name(&self) -> String;

    /// Works until `leave`, then brings to an end what it has begun and returns; if that takes too long it is dropped.
    /// If it returns before, or panics, it is begun again after a pause.
    async fn run(&mut self, leave: CancellationToken) -> Result<(), TickError>;
}

/// What a tick leaves behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tick {
    /// Something is under way: look again soon, as after a wake_up.
    pub again: bool,
}

/// Work that is done over and over: activated by timer or wake_up, idempotent, the same amount each time.
#[async_trait]
pub trait Worker: Send {
    /// Its name in logs, metrics and `/health`.
    fn name(&self) -> String;

    /// How long from the start of one tick to the start of the next, without being woken. Asked after every tick.
    fn interval(&self) -> Duration;

    /// The lease without which it does not run, if several instances must not run it at once.
    fn lease(&self) -> Option<String> {
        None
    }

    /// Whether this wake_up concerns it. [`WakeUp::Everything`] always does.
    fn hears(&self, wake_up: &WakeUp) -> bool;

    /// Does the work once. `lease` is held if [`Worker::lease`] asked for one.
    async fn tick(&mut self, lease: Option<&Lease>) -> Result<Tick, TickError>;
}
