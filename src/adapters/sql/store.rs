//! The store in a SQL database. Each slice implements its port for it in a file of its own.

use async_trait::async_trait;

use super::db::Db;
use super::dialect::Sql;
use super::migrate;
use crate::domain::Timestamp;
use crate::ports::{Result, Store};

/// How many rows one statement deletes. This keeps it below its time limit.
const PRUNE_BATCH: i64 = 5_000;

statements! {
    PROBE = ["UPDATE counters SET value = value + 1 WHERE name = 'probe'"];
}

/// The store in a SQL database.
#[derive(Clone, Debug)]
pub struct SqlStore {
    pub(super) db: Db,
}

impl SqlStore {
    /// A store in a database that has been [migrated](fn@super::migrate).
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// The database of this store.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Deletes what is older than `before`, in batches.
    pub(super) async fn prune(&self, batch: Sql, before: Timestamp) -> Result<u64> {
        let mut removed = 0;
        loop {
            let done = self.db.write::<()>(batch, args![before, PRUNE_BATCH]).await?;
            removed += done.affected;
            if done.affected < PRUNE_BATCH.unsigned_abs() {
                return Ok(removed);
            }
        }
    }
}

#[async_trait]
impl Store for SqlStore {
    async fn ping(&self) -> Result<()> {
        migrate::check(&self.db).await
    }

    async fn time(&self) -> Result<Timestamp> {
        migrate::database_time(&self.db).await
    }

    async fn check_writable(&self) -> Result<()> {
        self.db.write::<()>(PROBE, args![]).await.map(drop)
    }

    fn damage(&self) -> Option<String> {
        self.db.damage()
    }
}
