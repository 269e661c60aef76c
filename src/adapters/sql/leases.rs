//! Leases of instances and assignments, in the database's own time.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;

use super::args::list;
use super::columns::signed;
use super::db::Tx;
use super::row::{NewRow, Record, Row, rows};
use super::store::SqlStore;
use crate::domain::Timestamp;
use crate::ports::{Assignment, InstanceLease, LeaseStore, Result, StoreError};

table! {
    assignments: Assignment { key text, instance text, epoch int }
}

/// The start of a condition: the instance still has the lease under which the assignment was made.
macro_rules! valid {
    () => {
        "EXISTS (SELECT 1 FROM instances WHERE id = assignments.instance \
         AND instances.epoch = assignments.instance_epoch AND expires_at > "
    };
}

statements! {
    RENEW = [
        "INSERT INTO instances (id, epoch, expires_at, capacity) VALUES ($1, 1, ", [now], " + $3, $2) \
         ON CONFLICT (id) DO UPDATE SET \
         epoch = CASE WHEN instances.expires_at > ", [now], " THEN instances.epoch ELSE instances.epoch + 1 END, \
         expires_at = excluded.expires_at, capacity = excluded.capacity RETURNING epoch, \
         NOT EXISTS (SELECT 1 FROM instances AS other WHERE other.id <> $1 AND other.expires_at > ", [now], " \
         AND other.expires_at <= ", [now], " + $3) AS is_alone",
    ];
    WHO = [
        "SELECT ", [columns assignments], ", ", (valid!()), [now], " AND expires_at <= ", [now], " + $2) AS is_held \
         FROM assignments WHERE key IN ", [texts "$1"],
    ];
    MAKE = [
        "INSERT INTO assignments (key, instance, instance_epoch, epoch) SELECT value, '', 0, 0 FROM ", [texts "$1"],
        " AS keys WHERE true ON CONFLICT (key) DO NOTHING",
    ];
    // Matches the epochs that were read: if several take the same key, only one finds them unchanged. Keys that a
    // transaction of the holder still uses are left for later.
    TAKE = [
        "WITH free AS MATERIALIZED (SELECT a.key FROM assignments AS a JOIN ", [rows assignments key epoch],
        " ON a.key = r.key AND a.epoch = r.epoch", [skip_locked "a"], ") \
         UPDATE assignments SET instance = $2, instance_epoch = $3, epoch = epoch + 1 \
         WHERE key IN (SELECT key FROM free) \
         AND EXISTS (SELECT 1 FROM instances WHERE id = $2 AND instances.epoch = $3 AND expires_at > ", [now], ") \
         RETURNING ", [columns assignments], ", true AS is_held",
    ];
    RELEASE = [
        "UPDATE assignments SET instance = '', instance_epoch = 0 FROM ",
        [rows assignments], " WHERE assignments.key = r.key AND assignments.instance = r.instance AND assignments.epoch = r.epoch",
    ];
    // The row stays, so that the epoch keeps growing.
    END = ["UPDATE instances SET expires_at = 0 WHERE id = $1 AND epoch = $2"];
    END_ALL = ["UPDATE instances SET expires_at = 0"];
    PRUNE = ["DELETE FROM instances WHERE expires_at < $1 AND id NOT IN (SELECT instance FROM assignments)"];
    HELD = [
        "SELECT epoch FROM assignments WHERE key = $1 AND instance = $2 AND epoch = $3 AND ", (valid!()),
        [now], ")", [share],
    ];
}

/// Checks that the assignment and its lease are valid, and keeps others from taking the assignment until the
/// transaction ends. The lease is not locked, so a renewal never waits for a transaction.
pub(super) async fn guard(tx: &mut Tx, assignment: &Assignment) -> Result<()> {
    let Assignment { key, instance, epoch } = assignment;
    let held: Option<i64> = tx.row(HELD, args![key, instance, epoch]).await?;
    held.map(drop).ok_or_else(|| StoreError::Fenced(key.clone()))
}

/// A renewed lease: its epoch, and whether no other instance has one.
impl Record for (i64, bool) {
    fn read(row: &Row<'_>) -> Result<Self, sqlx::Error> {
        Ok((row.get("epoch")?, row.get("is_alone")?))
    }
}

/// An assignment, and whether it is valid.
impl Record for (Assignment, bool) {
    fn read(row: &Row<'_>) -> Result<Self, sqlx::Error> {
        Ok((row.record()?, row.get("is_held")?))
    }
}

fn micros(duration: Duration) -> i64 {
    signed(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}

#[async_trait]
impl LeaseStore for SqlStore {
    async fn renew_instance(&self, instance: &str, capacity: u32, ttl: Duration) -> Result<InstanceLease> {
        let done = self.db.write_ahead(RENEW, args![instance, capacity, micros(ttl)]).await?;
        let (epoch, is_alone) = done.rows.first().copied().unwrap_or_default();
        Ok(InstanceLease { instance: instance.to_owned(), epoch, capacity, ttl, is_alone })
    }

    async fn take_assignments(&self, lease: &InstanceLease, keys: &[String]) -> Result<Vec<Assignment>> {
        let wanted = args![list(keys)];
        let known: Vec<(Assignment, bool)> = self.db.rows(WHO, args![list(keys), micros(lease.ttl)]).await?;
        if known.len() < keys.len() {
            self.db.write::<()>(MAKE, wanted).await?;
        }
        let by_key: HashMap<&String, _> =
            known.iter().map(|(one, is_held)| (&one.key, (one, is_held))).collect();
        let ours = known.iter().filter(|(one, is_held)| *is_held && one.instance == lease.instance).count();
        let room = usize::try_from(lease.capacity).unwrap_or(usize::MAX).saturating_sub(ours);
        let free = keys.iter().filter_map(|key| match by_key.get(key) {
            Some((_, true)) => None,
            Some((one, false)) => Some((key, one.epoch)),
            None => Some((key, 0)),
        });
        let free =
            free.map(|(key, epoch)| NewRow::default().with("key", key).with("epoch", &epoch)).take(room);
        let free: Vec<NewRow> = free.collect();
        let mut taken = Vec::new();
        if !free.is_empty() {
            taken = self.db.write(TAKE, args![rows(free), lease.instance, lease.epoch]).await?.rows;
        }
        let held = known.into_iter().chain(taken).filter(|(_, is_held)| *is_held);
        Ok(held.map(|(assignment, _)| assignment).collect())
    }

    async fn release_assignments(&self, assignments: &[Assignment]) -> Result<()> {
        let released = args![rows(assignments.iter().map(NewRow::of))];
        self.db.write::<()>(RELEASE, released).await.map(drop)
    }

    async fn release_instance(&self, lease: &InstanceLease) -> Result<()> {
        self.db.write::<()>(END, args![lease.instance, lease.epoch]).await.map(drop)
    }

    async fn end_all_leases(&self) -> Result<()> {
        self.db.write::<()>(END_ALL, args![]).await.map(drop)
    }

    async fn prune_instances(&self, before: Timestamp) -> Result<u64> {
        Ok(self.db.write::<()>(PRUNE, args![before]).await?.affected)
    }
}
