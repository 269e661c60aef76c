//! Leases, in the database's own time.

use std::time::Duration;

use async_trait::async_trait;

use super::SqlStore;
use super::db::Tx;
use super::rows::{Number, signed};
use crate::ports::{Lease, LeaseStore, StoreError};

statements! {
    ACQUIRE = [
        "INSERT INTO leases (name, owner, epoch, expires_at) VALUES ($1, $2, 1, ", [now], " + $3) \
         ON CONFLICT (name) DO UPDATE SET \
         epoch = CASE WHEN leases.owner = excluded.owner AND leases.expires_at > ", [now],
        " THEN leases.epoch ELSE leases.epoch + 1 END, owner = excluded.owner, expires_at = excluded.expires_at \
         WHERE leases.owner = excluded.owner OR leases.expires_at <= ", [now], " RETURNING epoch",
    ];
    RENEW = [
        "UPDATE leases SET expires_at = ", [now], " + $4 \
         WHERE name = $1 AND owner = $2 AND epoch = $3 AND expires_at > ", [now],
    ];
    // The row stays, so that the epoch goes on growing.
    RELEASE = ["UPDATE leases SET expires_at = 0 WHERE name = $1 AND owner = $2 AND epoch = $3"];
    HELD = [
        "SELECT epoch FROM leases WHERE name = $1 AND owner = $2 AND epoch = $3 AND expires_at > ", [now], [share],
    ];
}

/// Makes sure that the lease is held, and that nobody else gets it before the transaction ends.
pub(super) async fn guard(tx: &mut Tx, lease: &Lease) -> Result<(), StoreError> {
    let held: Option<Number> =
        tx.row(HELD, args![lease.name.as_str(), lease.owner.as_str(), lease.epoch]).await?;
    held.map(drop).ok_or_else(|| StoreError::Fenced(lease.name.clone()))
}

fn micros(ttl: Duration) -> i64 {
    signed(u64::try_from(ttl.as_micros()).unwrap_or(u64::MAX))
}

#[async_trait]
impl LeaseStore for SqlStore {
    async fn acquire_lease(
        &self,
        name: &str,
        owner: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        let done = self.db.write::<Number>(ACQUIRE, args![name, owner, micros(ttl)]).await?;
        let lease = |Number(epoch)| Lease { name: name.to_owned(), owner: owner.to_owned(), epoch };
        Ok(done.rows.into_iter().next().map(lease))
    }

    async fn renew_lease(&self, lease: &Lease, ttl: Duration) -> Result<bool, StoreError> {
        let values = args![lease.name.as_str(), lease.owner.as_str(), lease.epoch, micros(ttl)];
        Ok(self.db.write::<()>(RENEW, values).await?.affected == 1)
    }

    async fn release_lease(&self, lease: &Lease) -> Result<(), StoreError> {
        let values = args![lease.name.as_str(), lease.owner.as_str(), lease.epoch];
        self.db.write::<()>(RELEASE, values).await.map(drop)
    }
}
