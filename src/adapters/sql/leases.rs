//! Leases of instances and assignments, in the database's own time.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use sqlx::FromRow;

use super::SqlStore;
use super::args::text_list;
use super::db::Tx;
use super::rows::{Number, signed};
use crate::domain::Timestamp;
use crate::ports::{Assignment, InstanceLease, LeaseStore, StoreError};

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
         expires_at = excluded.expires_at, capacity = excluded.capacity RETURNING epoch",
    ];
    WHO = [
        "SELECT key, instance, epoch, ", (valid!()), [now], ") AS is_held \
         FROM assignments WHERE key IN ", [texts "$1"],
    ];
    MAKE = [
        "INSERT INTO assignments (key, instance, instance_epoch, epoch) SELECT value, '', 0, 0 FROM ", [texts "$1"],
        " AS keys WHERE true ON CONFLICT (key) DO NOTHING",
    ];
    // Matches the epochs that were read: if several take the same key, only one finds them unchanged. Keys that a
    // transaction of the holder still uses are left for later.
    TAKE = [
        "WITH free AS MATERIALIZED (SELECT a.key FROM assignments AS a JOIN ", [rows "$1" key text, epoch int],
        " ON a.key = r.key AND a.epoch = r.epoch", [skip_locked "a"], ") \
         UPDATE assignments SET instance = $2, instance_epoch = $3, epoch = epoch + 1 \
         WHERE key IN (SELECT key FROM free) \
         AND EXISTS (SELECT 1 FROM instances WHERE id = $2 AND instances.epoch = $3 AND expires_at > ", [now], ") \
         RETURNING key, instance, epoch, true AS is_held",
    ];
    RELEASE = [
        "UPDATE assignments SET instance = '', instance_epoch = 0 FROM ",
        [rows "$1" key text, instance text, epoch int],
        " WHERE assignments.key = r.key AND assignments.instance = r.instance AND assignments.epoch = r.epoch",
    ];
    // The row stays, so that the epoch keeps growing.
    END = ["UPDATE instances SET expires_at = 0 WHERE id = $1 AND epoch = $2"];
    PRUNE = ["DELETE FROM instances WHERE expires_at < $1 AND id NOT IN (SELECT instance FROM assignments)"];
    HELD = [
        "SELECT epoch FROM assignments WHERE key = $1 AND instance = $2 AND epoch = $3 AND ", (valid!()),
        [now], ")", [share],
    ];
}

/// Checks that the assignment and its lease are valid, and keeps others from taking the assignment until the
/// transaction ends. The lease is not locked, so a renewal never waits for a transaction.
pub(super) async fn guard(tx: &mut Tx, assignment: &Assignment) -> Result<(), StoreError> {
    let Assignment { key, instance, epoch } = assignment;
    let held: Option<Number> = tx.row(HELD, args![key.as_str(), instance.as_str(), *epoch]).await?;
    held.map(drop).ok_or_else(|| StoreError::Fenced(key.clone()))
}

#[derive(FromRow)]
struct AssignmentRow {
    key: String,
    instance: String,
    epoch: i64,
    is_held: bool,
}

impl From<AssignmentRow> for Assignment {
    fn from(AssignmentRow { key, instance, epoch, .. }: AssignmentRow) -> Self {
        Self { key, instance, epoch }
    }
}

fn micros(duration: Duration) -> i64 {
    signed(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}

#[async_trait]
impl LeaseStore for SqlStore {
    async fn renew_instance(
        &self,
        instance: &str,
        capacity: u32,
        ttl: Duration,
    ) -> Result<InstanceLease, StoreError> {
        let values = args![instance, i64::from(capacity), micros(ttl)];
        let done = self.db.write::<Number>(RENEW, values).await?;
        let epoch = done.rows.first().map_or(0, |Number(epoch)| *epoch);
        Ok(InstanceLease { instance: instance.to_owned(), epoch, capacity })
    }

    async fn take_assignments(
        &self,
        lease: &InstanceLease,
        keys: &[String],
    ) -> Result<Vec<Assignment>, StoreError> {
        let wanted = || args![text_list(keys.iter().map(String::as_str))];
        let rows: Vec<AssignmentRow> = self.db.rows(WHO, wanted()).await?;
        if rows.len() < keys.len() {
            self.db.write::<()>(MAKE, wanted()).await?;
        }
        let known: HashMap<&str, &AssignmentRow> = rows.iter().map(|row| (row.key.as_str(), row)).collect();
        let ours = rows.iter().filter(|row| row.is_held && row.instance == lease.instance).count();
        let room = usize::try_from(lease.capacity).unwrap_or(usize::MAX).saturating_sub(ours);
        let free = keys.iter().filter_map(|key| match known.get(key.as_str()) {
            Some(row) => (!row.is_held).then(|| json!({"key": key, "epoch": row.epoch})),
            None => Some(json!({"key": key, "epoch": 0})),
        });
        let free: Vec<serde_json::Value> = free.take(room).collect();
        let mut taken = Vec::new();
        if !free.is_empty() {
            let values = args![json!(free).to_string(), lease.instance.as_str(), lease.epoch];
            taken = self.db.write::<AssignmentRow>(TAKE, values).await?.rows;
        }
        Ok(rows.into_iter().filter(|row| row.is_held).chain(taken).map(Assignment::from).collect())
    }

    async fn release_assignments(&self, assignments: &[Assignment]) -> Result<(), StoreError> {
        let row = |one: &Assignment| json!({"key": one.key, "instance": one.instance, "epoch": one.epoch});
        let rows = serde_json::Value::from_iter(assignments.iter().map(row));
        self.db.write::<()>(RELEASE, args![rows.to_string()]).await.map(drop)
    }

    async fn release_instance(&self, lease: &InstanceLease) -> Result<(), StoreError> {
        self.db.write::<()>(END, args![lease.instance.as_str(), lease.epoch]).await.map(drop)
    }

    async fn prune_instances(&self, before: Timestamp) -> Result<u64, StoreError> {
        Ok(self.db.write::<()>(PRUNE, args![before]).await?.affected)
    }
}
