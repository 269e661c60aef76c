//! The stores on PostgreSQL and SQLite, with one set of statements and one implementation for both.
//!
//! Each file declares its statements and implements its port. The engines differ only in `dialect.rs` (SQL),
//! `postgres.rs` and `sqlite.rs` (connections).

#[macro_use]
mod dialect;
#[macro_use]
mod args;
#[macro_use]
mod rows;
#[macro_use]
mod streamer_rows;

mod access;
mod audit_log;
mod broadcasters;
mod db;
mod error;
mod events;
mod group_commit;
mod hook_events;
mod leases;
mod media_servers;
mod migrate;
mod postgres;
mod reconcile;
mod secret_store;
mod sqlite;
mod stream_keys;
mod streamer_reports;
mod streamers;
mod streams;
mod wake_ups;

use async_trait::async_trait;

use crate::ports::{Store, StoreError};

pub use db::{Db, SqlitePools};
pub use migrate::{Migrations, database_time, migrate, pending_migrations};
pub use postgres::{Pg, PgSettings, open_postgres};
pub use sqlite::{ServeLock, ServeLockError, open_sqlite};
pub use wake_ups::PgWakeUps;

/// The store in a SQL database.
#[derive(Clone, Debug)]
pub struct SqlStore {
    db: Db,
}

impl SqlStore {
    /// A store in a database that has been [migrated](migrate).
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// The database of this store.
    pub fn db(&self) -> &Db {
        &self.db
    }
}

#[async_trait]
impl Store for SqlStore {
    async fn ping(&self) -> Result<(), StoreError> {
        migrate::check(&self.db).await
    }
}

/// Every statement with its name and its text for PostgreSQL and for SQLite. A test prepares them all.
#[doc(hidden)]
pub fn statements() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    [
        access::ALL,
        audit_log::ALL,
        broadcasters::ALL,
        events::ALL,
        hook_events::ALL,
        leases::ALL,
        media_servers::ALL,
        migrate::ALL,
        reconcile::ALL,
        stream_keys::ALL,
        streamer_reports::ALL,
        streamers::ALL,
        streams::ALL,
        secret_store::ALL,
    ]
    .into_iter()
    .flatten()
    .map(|(name, sql)| (*name, sql.pg, sql.sqlite))
}
