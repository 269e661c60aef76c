//! Holding a lease: getting it, renewing it in time, and knowing at once when it can no longer be relied on.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::ports::{Lease, LeaseStore};

/// How long an attempt to get or to give back a lease may take.
const CALL_LIMIT: Duration = Duration::from_secs(1);

/// Whose lease, for how long.
#[derive(Clone)]
pub struct LeaseTerms {
    /// Where leases are kept.
    pub leases: Arc<dyn LeaseStore>,
    /// This instance.
    pub owner: String,
    /// How long a lease lasts without renewal: the longest time nobody works after a crash. It is renewed every third
    /// of that, and given up by its holder after two thirds without success.
    pub ttl: Duration,
    /// How often an instance that does not hold the lease asks for it.
    pub retry: Duration,
}

impl LeaseTerms {
    /// A lease of three seconds, asked for every second.
    #[must_use]
    pub fn new(leases: Arc<dyn LeaseStore>, owner: impl Into<String>) -> Self {
        Self { leases, owner: owner.into(), ttl: Duration::from_secs(3), retry: Duration::from_secs(1) }
    }
}

/// The lease of one worker, over time.
pub(super) struct LeaseGuard {
    name: String,
    terms: LeaseTerms,
    held: watch::Sender<Option<Lease>>,
    /// Whether another instance was found to have it.
    taken: watch::Sender<bool>,
}

impl LeaseGuard {
    /// Nothing is held yet; [`LeaseGuard::keep`] changes that.
    pub(super) fn new(name: String, terms: LeaseTerms) -> Self {
        Self { name, terms, held: watch::Sender::new(None), taken: watch::Sender::new(false) }
    }

    /// Gets the lease and renews it, again and again, for as long as it is polled.
    pub(super) async fn keep(&self) -> ! {
        loop {
            let asked = Instant::now();
            let acquire = self.terms.leases.acquire_lease(&self.name, &self.terms.owner, self.terms.ttl);
            match timeout(CALL_LIMIT, acquire).await {
                Ok(Ok(Some(lease))) => {
                    self.taken.send_replace(false);
                    self.hold(lease, asked).await;
                }
                Ok(Ok(None)) => drop(self.taken.send_replace(true)),
                Ok(Err(error)) => tracing::debug!(lease = self.name, %error, "cannot ask for the lease"),
                Err(_) => tracing::debug!(lease = self.name, "no answer about the lease"),
            }
            sleep(self.terms.retry).await;
        }
    }

    /// Renews `lease`, last confirmed by a call made at `confirmed`, until it is lost.
    ///
    /// Time counts from before the call: when its answer comes the lease has aged by as much as the call took.
    async fn hold(&self, lease: Lease, mut confirmed: Instant) {
        let third = self.terms.ttl / 3;
        if confirmed.elapsed() >= 2 * third {
            return;
        }
        tracing::info!(lease = lease.name, epoch = lease.epoch, "lease taken");
        metrics::gauge!("streamward_worker_lease_held", "worker" => lease.name.clone()).set(1);
        self.held.send_replace(Some(lease.clone()));
        let reason = loop {
            let due = confirmed + third;
            tokio::select! {
                () = self.lost(&lease) => break "a write was refused",
                () = tokio::time::sleep_until(due.max(Instant::now() + third / 4)) => {}
            }
            let asked = Instant::now();
            match timeout_at(confirmed + 2 * third, self.terms.leases.renew_lease(&lease, self.terms.ttl))
                .await
            {
                Ok(Ok(true)) => confirmed = asked,
                Ok(Ok(false)) => break "another instance has it, or it expired",
                Ok(Err(error)) => tracing::debug!(lease = lease.name, %error, "lease not renewed"),
                Err(_) => break "it could not be renewed in time",
            }
        };
        tracing::warn!(lease = lease.name, epoch = lease.epoch, reason, "lease lost");
        metrics::gauge!("streamward_worker_lease_held", "worker" => lease.name).set(0);
        self.lose();
    }

    /// The lease, once there is one.
    pub(super) async fn held(&self) -> Lease {
        let mut held = self.held.subscribe();
        loop {
            if let Some(lease) = held.borrow_and_update().clone() {
                return lease;
            }
            if held.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Returns when `lease` is no longer the one that is held.
    pub(super) async fn lost(&self, lease: &Lease) {
        let mut held = self.held.subscribe();
        // An error would mean that the sender is gone, which is `self`.
        let _ = held.wait_for(|now| now.as_ref() != Some(lease)).await;
    }

    /// Returns when another instance is found to have it. That nobody can tell, because the database is away, is no
    /// reason to.
    pub(super) async fn taken(&self) {
        let mut taken = self.taken.subscribe();
        // An error would mean that the sender is gone, which is `self`.
        let _ = taken.wait_for(|taken| *taken).await;
    }

    /// Holds nothing from now on, until the lease is acquired anew.
    pub(super) fn lose(&self) {
        self.held.send_replace(None);
    }

    /// Gives the lease back, if it is held, so that another instance need not wait for its expiry.
    pub(super) async fn end(&self) {
        let Some(lease) = self.held.send_replace(None) else { return };
        match timeout(CALL_LIMIT, self.terms.leases.release_lease(&lease)).await {
            Ok(Ok(())) => tracing::info!(lease = lease.name, epoch = lease.epoch, "lease given back"),
            _ => tracing::warn!(lease = lease.name, epoch = lease.epoch, "lease left to expire"),
        }
        metrics::gauge!("streamward_worker_lease_held", "worker" => lease.name).set(0);
    }
}
