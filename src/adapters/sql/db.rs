//! A database of either engine, and how statements run on it.

use std::sync::Arc;

use sqlx::{Pool, SqlitePool};

use super::args::Args;
use super::damage::Damage;
use super::dialect::Sql;
use super::drain::Done;
use super::error::{classify, is_broken, is_taken};
use super::group_commit::Queue;
use super::postgres::{self, BEGIN, BEGIN_RELAXED, Begin, Pg, PgSettings, PooledConnection};
use super::row::Record;
use super::sqlite_pool::{BEGIN_IMMEDIATE, BEGIN_SNAPSHOT, COMMIT, PooledSqlite, ROLLBACK, Writer};
use crate::ports::Result;

/// A database with its connections. Clones share the connections.
#[derive(Clone, Debug)]
pub enum Db {
    /// PostgreSQL.
    Pg(Pg),
    /// SQLite.
    Sqlite(SqlitePools),
}

/// A SQLite file: one connection that writes, several that read.
#[derive(Clone, Debug)]
pub struct SqlitePools {
    pub(super) read: SqlitePool,
    pub(super) write: Writer,
    pub(super) claims: Arc<Queue>,
    pub(super) damage: Damage,
}

/// Creates a pool for `url` (`postgres://…`). It connects later, so the database may be down now. An error never quotes
/// the address, because it may contain a password.
pub fn open_postgres(url: &str, settings: &PgSettings) -> Result<Db> {
    Pg::open(url, settings).map(Db::Pg)
}

impl Db {
    /// The name of the engine, for people.
    pub fn engine(&self) -> &'static str {
        match self {
            Self::Pg(_) => "PostgreSQL",
            Self::Sqlite(_) => "SQLite",
        }
    }

    /// Where it is, for people. Without password.
    pub fn place(&self) -> String {
        match self {
            Self::Pg(pg) => pg.place(),
            Self::Sqlite(sqlite) => sqlite.write.pool.connect_options().get_filename().display().to_string(),
        }
    }

    /// Whether the database answers and does not let us in, which waiting does not change.
    pub async fn is_refused(&self) -> bool {
        match self {
            Self::Pg(pg) => pg.is_refused().await,
            Self::Sqlite(_) => false,
        }
    }

    /// Connections in use and connections open, for metrics. On SQLite those that read; see [`Db::writer`].
    pub fn connections(&self) -> (u32, u32) {
        match self {
            Self::Pg(pg) => pg.connections(),
            Self::Sqlite(sqlite) => used_of(&sqlite.read),
        }
    }

    /// The same of the connection that writes, on SQLite.
    pub fn writer(&self) -> Option<(u32, u32)> {
        match self {
            Self::Pg(_) => None,
            Self::Sqlite(sqlite) => Some(used_of(&sqlite.write.pool)),
        }
    }

    /// What was found damaged in the file of SQLite since it was opened.
    pub fn damage(&self) -> Option<String> {
        match self {
            Self::Pg(_) => None,
            Self::Sqlite(sqlite) => sqlite.damage.found(),
        }
    }

    /// Closes all connections. On SQLite this also folds the write-ahead log into the file.
    pub async fn close(&self) {
        match self {
            Self::Pg(pg) => pg.close().await,
            Self::Sqlite(sqlite) => {
                sqlite.read.close().await;
                sqlite.write.pool.close().await;
            }
        }
    }

    /// The claims that are made now.
    pub(super) fn claims(&self) -> &Arc<Queue> {
        match self {
            Self::Pg(pg) => &pg.claims,
            Self::Sqlite(sqlite) => &sqlite.claims,
        }
    }

    pub(super) async fn rows<R: Record>(&self, sql: Sql, args: Args) -> Result<Vec<R>> {
        match self {
            Self::Pg(pg) => pg.exec_twice(sql, args).await.map_err(classify).map(|done| done.rows),
            Self::Sqlite(sqlite) => {
                let connection = PooledSqlite::acquire(&sqlite.read, &sqlite.damage).await;
                Ok(exec_sqlite(connection, sql, args).await?.rows)
            }
        }
    }

    /// Reads at most one row.
    pub(super) async fn row<R: Record>(&self, sql: Sql, args: Args) -> Result<Option<R>> {
        Ok(self.rows(sql, args).await?.pop())
    }

    /// Writes with one statement, committed on return. If a connection breaks it may run twice, so running it twice
    /// must be harmless.
    pub(super) async fn write<R: Record>(&self, sql: Sql, args: Args) -> Result<Done<R>> {
        match self {
            Self::Pg(pg) => pg.exec_twice(sql, args).await.map_err(classify),
            Self::Sqlite(sqlite) => exec_sqlite(sqlite.write.acquire().await, sql, args).await,
        }
    }

    /// The same, ahead of other writes on SQLite. For what is rare and cannot wait.
    pub(super) async fn write_ahead<R: Record>(&self, sql: Sql, args: Args) -> Result<Done<R>> {
        match self {
            Self::Pg(_) => self.write(sql, args).await,
            Self::Sqlite(sqlite) => exec_sqlite(sqlite.write.acquire_ahead().await, sql, args).await,
        }
    }

    /// Begins a writing transaction.
    pub(super) async fn begin(&self) -> Result<Tx> {
        self.begin_with(BEGIN).await
    }

    /// Begins a transaction whose writes may be lost if the *database* crashes. So it does not wait for the disk while
    /// it holds a row lock. On SQLite it is an ordinary transaction.
    pub(super) async fn begin_relaxed(&self) -> Result<Tx> {
        self.begin_with(BEGIN_RELAXED).await
    }

    /// Begins a transaction that reads one consistent snapshot.
    pub(super) async fn snapshot(&self) -> Result<Tx> {
        match self {
            Self::Pg(_) => self.begin_with(postgres::BEGIN_SNAPSHOT).await,
            Self::Sqlite(sqlite) => {
                begin_sqlite(PooledSqlite::acquire(&sqlite.read, &sqlite.damage).await, BEGIN_SNAPSHOT).await
            }
        }
    }

    async fn begin_with(&self, pg_begin: Begin) -> Result<Tx> {
        match self {
            Self::Pg(pg) => {
                let begun = match pg.begin(pg_begin).await {
                    // Only BEGIN was sent, so it is safe to begin again.
                    Err(error) if is_broken(&error) => pg.begin(pg_begin).await,
                    begun => begun,
                };
                begun.map(Tx::Pg).map_err(classify)
            }
            // IMMEDIATE: a transaction that reads first and writes later fails if another one wrote in between.
            Self::Sqlite(sqlite) => begin_sqlite(sqlite.write.acquire().await, BEGIN_IMMEDIATE).await,
        }
    }
}

async fn exec_sqlite<R: Record>(
    connection: Result<PooledSqlite, sqlx::Error>,
    sql: Sql,
    args: Args,
) -> Result<Done<R>> {
    connection.map_err(classify)?.exec(sql, args).await.map_err(classify)
}

async fn begin_sqlite(connection: Result<PooledSqlite, sqlx::Error>, statement: Sql) -> Result<Tx> {
    connection.map_err(classify)?.begin(statement).await.map(Tx::Sqlite).map_err(classify)
}

fn used_of<DB: sqlx::Database>(pool: &Pool<DB>) -> (u32, u32) {
    let (open, idle) = (pool.size(), u32::try_from(pool.num_idle()).unwrap_or(u32::MAX));
    (open.saturating_sub(idle), open)
}

/// A transaction. Dropped without [`Tx::commit`], it is rolled back.
pub(super) enum Tx {
    Pg(PooledConnection),
    Sqlite(PooledSqlite),
}

impl Tx {
    async fn try_exec<R: Record>(&mut self, sql: Sql, args: Args) -> Result<Done<R>, sqlx::Error> {
        match self {
            Self::Pg(pooled) => pooled.exec(sql, args).await,
            Self::Sqlite(pooled) => pooled.exec(sql, args).await,
        }
    }

    async fn exec<R: Record>(&mut self, sql: Sql, args: Args) -> Result<Done<R>> {
        self.try_exec(sql, args).await.map_err(classify)
    }

    pub(super) async fn rows<R: Record>(&mut self, sql: Sql, args: Args) -> Result<Vec<R>> {
        Ok(self.exec(sql, args).await?.rows)
    }

    pub(super) async fn row<R: Record>(&mut self, sql: Sql, args: Args) -> Result<Option<R>> {
        Ok(self.rows(sql, args).await?.pop())
    }

    /// Runs a statement. Returns how many rows it changed.
    pub(super) async fn run(&mut self, sql: Sql, args: Args) -> Result<u64> {
        Ok(self.exec::<()>(sql, args).await?.affected)
    }

    /// Runs a statement. Returns false if a unique index forbids it; the transaction is then unusable and must end with
    /// [`Tx::rollback`].
    pub(super) async fn run_if_free(&mut self, sql: Sql, args: Args) -> Result<bool> {
        match self.try_exec::<()>(sql, args).await {
            Ok(_) => Ok(true),
            Err(error) if is_taken(&error) => Ok(false),
            Err(error) => Err(classify(error)),
        }
    }

    pub(super) async fn commit(self) -> Result<()> {
        match self {
            Self::Pg(pooled) => pooled.finish("COMMIT").await,
            Self::Sqlite(pooled) => pooled.finish(COMMIT).await,
        }
        .map_err(classify)
    }

    /// Rolls back, keeps the connection, and returns `answer`. After a failure, dropping is enough.
    pub(super) async fn rollback<T>(self, answer: T) -> Result<T> {
        match self {
            Self::Pg(pooled) => pooled.finish("ROLLBACK").await,
            Self::Sqlite(pooled) => pooled.finish(ROLLBACK).await,
        }
        .map_err(classify)?;
        Ok(answer)
    }
}
