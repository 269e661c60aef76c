//! Connections to a SQLite file: who gets the one that writes, and when they are replaced.
//!
//! SQLite ends a transaction by itself when the disk is full or fails, and the driver does not notice. A connection with an
//! error is therefore never used again: there is one writer, and a broken one would end all writing until a restart.

use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, SqlitePool};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::timeout;

use super::args::Args;
use super::damage::Damage;
use super::dialect::Sql;
use super::drain::{Done, drain_sqlite};
use super::error::is_constraint;
use super::row::Record;

pub(super) const BEGIN_SNAPSHOT: Sql = Sql { pg: "", sqlite: "BEGIN" };
pub(super) const BEGIN_IMMEDIATE: Sql = Sql { pg: "", sqlite: "BEGIN IMMEDIATE" };
pub(super) const COMMIT: Sql = Sql { pg: "", sqlite: "COMMIT" };
pub(super) const ROLLBACK: Sql = Sql { pg: "", sqlite: "ROLLBACK" };

/// How long a write waits for the writer. They queue at the speed of the disk: a hundred in the queue is not a failure.
pub(super) const WRITER_LIMIT: Duration = Duration::from_secs(2);

/// The only connection that writes.
///
/// Those that wait for it get it in the order of their arrival. Of the ordinary writes only the first waits for it; the
/// others wait behind that one. So whoever goes ahead (`/auth`, the renewal of the lease) waits for the transaction that
/// is running and for at most one other write, and an ordinary write waits for those ahead that came before it.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    pub(super) pool: SqlitePool,
    ordinary: Arc<Mutex<()>>,
    damage: Damage,
}

impl Writer {
    /// `pool` has one connection.
    pub(super) fn new(pool: SqlitePool, damage: Damage) -> Self {
        Self { pool, ordinary: Arc::default(), damage }
    }

    /// The writer, for an ordinary write.
    pub(super) async fn acquire(&self) -> Result<PooledSqlite, sqlx::Error> {
        let acquired = timeout(WRITER_LIMIT, async {
            let first = Arc::clone(&self.ordinary).lock_owned().await;
            PooledSqlite::open(&self.pool, &self.damage, Some(first)).await
        });
        acquired.await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
    }

    /// The writer, ahead of the ordinary writes.
    pub(super) async fn acquire_ahead(&self) -> Result<PooledSqlite, sqlx::Error> {
        PooledSqlite::acquire(&self.pool, &self.damage).await
    }
}

/// A connection from a pool. It returns to the pool only if it is clean: without an error, and outside a transaction.
pub(super) struct PooledSqlite {
    connection: Option<PoolConnection<Sqlite>>,
    /// It must be closed. Closing it rolls its transaction back.
    spoilt: bool,
    damage: Damage,
    /// The first of the ordinary writes. Dropped after the connection, so that those ahead get that first.
    _first: Option<OwnedMutexGuard<()>>,
}

impl PooledSqlite {
    pub(super) async fn acquire(pool: &SqlitePool, damage: &Damage) -> Result<Self, sqlx::Error> {
        Self::open(pool, damage, None).await
    }

    async fn open(
        pool: &SqlitePool,
        damage: &Damage,
        first: Option<OwnedMutexGuard<()>>,
    ) -> Result<Self, sqlx::Error> {
        let connection = pool.acquire().await.inspect_err(|error| damage.note(error))?;
        Ok(Self { connection: Some(connection), spoilt: false, damage: damage.clone(), _first: first })
    }

    /// Begins a transaction with `statement`.
    pub(super) async fn begin(mut self, statement: Sql) -> Result<Self, sqlx::Error> {
        // Before the statement: the caller may give up while it runs.
        self.spoilt = true;
        self.exec::<()>(statement, Args::new()).await?;
        Ok(self)
    }

    pub(super) async fn exec<R: Record>(&mut self, sql: Sql, args: Args) -> Result<Done<R>, sqlx::Error> {
        let Some(connection) = self.connection.as_mut() else { return Err(sqlx::Error::WorkerCrashed) };
        let done = drain_sqlite(connection, sql, args).await;
        if let Err(error) = &done {
            self.spoilt |= !is_constraint(error);
            self.damage.note(error);
        }
        done
    }

    /// Ends the transaction with `statement`.
    pub(super) async fn finish(mut self, statement: Sql) -> Result<(), sqlx::Error> {
        self.exec::<()>(statement, Args::new()).await?;
        self.spoilt = false;
        Ok(())
    }
}

impl Drop for PooledSqlite {
    fn drop(&mut self) {
        if self.spoilt
            && let Some(connection) = self.connection.take()
        {
            drop(connection.detach());
        }
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Executor as _;

    use super::super::db::Db;
    use super::super::sqlite::open_sqlite;
    use super::*;

    const FILL: Sql = Sql { pg: "", sqlite: "INSERT INTO t SELECT randomblob(100000)" };

    #[tokio::test]
    async fn writing_works_again_when_a_full_disk_has_room() {
        let folder = tempfile::tempdir().unwrap();
        let db = open_sqlite(&folder.path().join("test.db")).await.unwrap();
        let Db::Sqlite(pools) = &db else { panic!("SQLite") };
        pools.write.pool.execute("CREATE TABLE t (x BLOB) STRICT").await.unwrap();
        for in_a_transaction in [true, false] {
            // The writer now finds the disk full; a new one does not.
            pools.write.pool.execute("PRAGMA max_page_count = 10").await.unwrap();
            let full = if in_a_transaction {
                let mut tx = db.begin().await.unwrap();
                let full = tx.run(FILL, vec![]).await;
                drop(tx);
                full.map(drop)
            } else {
                db.write::<()>(FILL, vec![]).await.map(drop)
            };
            assert!(full.unwrap_err().to_string().contains("full"));
            let mut tx = db.begin().await.unwrap();
            tx.run(FILL, vec![]).await.unwrap();
            tx.commit().await.unwrap();
        }
        let rows: Option<i64> =
            db.row(Sql { pg: "", sqlite: "SELECT count(*) FROM t" }, vec![]).await.unwrap();
        assert_eq!(rows, Some(2));
    }

    #[tokio::test]
    async fn refused_row_keeps_the_connection_and_a_dropped_transaction_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let db = open_sqlite(&folder.path().join("test.db")).await.unwrap();
        let Db::Sqlite(pools) = &db else { panic!("SQLite") };
        pools.write.pool.execute("CREATE TABLE t (x INTEGER UNIQUE) STRICT").await.unwrap();
        pools.write.pool.execute("PRAGMA application_id = 7; CREATE TEMP TABLE mark (x)").await.unwrap();
        let insert = Sql { pg: "", sqlite: "INSERT INTO t VALUES (1)" };
        db.write::<()>(insert, vec![]).await.unwrap();
        db.write::<()>(insert, vec![]).await.map(drop).unwrap_err();
        let tx = db.begin().await.unwrap();
        tx.rollback(()).await.unwrap();
        pools.write.pool.execute("SELECT * FROM mark").await.expect("it is the same connection");
        let mut tx = db.begin().await.unwrap();
        tx.run(Sql { pg: "", sqlite: "DELETE FROM t" }, vec![]).await.unwrap();
        drop(tx);
        db.write::<()>(insert, vec![]).await.map(drop).unwrap_err();
        pools.write.pool.execute("SELECT * FROM mark").await.expect_err("it is another connection");
    }
}
