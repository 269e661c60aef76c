//! The stores on PostgreSQL and SQLite, with one set of statements and one implementation for both.
//!
//! Each file declares its statements and implements its port. The engines differ only in `dialect.rs` (SQL),
//! `postgres.rs` and `sqlite.rs` (connections). `tables.rs` has the columns of tables that several files use.

#[macro_use]
mod dialect;
#[macro_use]
mod args;
#[macro_use]
mod tables;
#[macro_use]
mod streamer_tables;

mod access;
mod audit_log;
mod broadcasters;
mod columns;
mod commit;
mod db;
mod drain;
mod ending;
mod error;
mod events;
mod group_commit;
mod hook_events;
mod leases;
mod media_servers;
mod migrate;
mod postgres;
mod reconcile;
mod row;
mod secret_store;
mod sqlite;
mod sqlite_pool;
mod statements;
mod store;
mod stream_keys;
mod streamer_reports;
mod streamers;
mod streams;
mod wake_ups;

pub use db::{Db, SqlitePools, open_postgres};
pub use migrate::{Migrations, database_time, migrate, pending_migrations};
pub use postgres::{Pg, PgSettings};
pub use sqlite::{ServeLock, ServeLockError, open_sqlite};
pub use statements::statements;
pub use store::SqlStore;
pub use wake_ups::PgWakeUps;
