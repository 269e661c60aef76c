//! The stores on PostgreSQL and SQLite, with one set of statements and one implementation for both.
//!
//! Each file declares its statements and implements its port. The engines differ only in `dialect.rs` (SQL),
//! `postgres.rs` and `sqlite.rs` (connections). `tables.rs` has the columns of tables that several files use.

#[macro_use]
mod dialect;
#[macro_use]
mod args;
#[macro_use]
mod columns;
#[macro_use]
mod tables;
#[macro_use]
mod streamer_tables;
#[macro_use]
mod channel_tables;
#[macro_use]
mod studio_tables;
#[macro_use]
mod group_commit;

mod access;
mod audit_log;
mod auth_failures;
mod broadcasters;
mod channel_destinations;
mod channels;
mod claims;
mod clips;
mod commit;
mod damage;
mod db;
mod drain;
mod ending;
mod error;
mod events;
mod hook_events;
mod leases;
mod media_servers;
mod migrate;
mod notifications;
mod organizations;
mod playback;
mod playlists;
mod postgres;
mod programmes;
mod reconcile;
mod row;
mod scope;
mod secret_store;
mod sqlite;
mod sqlite_file;
mod sqlite_pool;
mod store;
mod stream_keys;
mod stream_samples;
mod streamer_reports;
mod streamers;
mod streams;
mod studio_reports;
mod studios;
mod user_attempts;
mod user_sessions;
mod users;
mod wake_ups;

pub use db::{Db, SqlitePools, open_postgres};
pub use migrate::{Migrations, compare_sqlite, database_time, migrate, pending_migrations};
pub use postgres::{Pg, PgSettings};
pub use sqlite::{ServeLock, ServeLockError, open_sqlite};
pub use sqlite_file::{
    SqliteCheck, SqliteFile, SqliteFileError, check_pages, check_sqlite, copy_sqlite, create_sqlite,
    fold_log, inspect_sqlite,
};
pub use store::SqlStore;
pub use wake_ups::PgWakeUps;

/// Every statement with its name and its text for PostgreSQL and for SQLite, for the test that prepares them all.
#[doc(hidden)]
pub fn statements() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    [
        access::ALL,
        audit_log::ALL,
        auth_failures::ALL,
        broadcasters::ALL,
        channel_destinations::ALL,
        channels::ALL,
        claims::ALL,
        clips::ALL,
        commit::ALL,
        ending::ALL,
        events::ALL,
        hook_events::ALL,
        leases::ALL,
        media_servers::ALL,
        migrate::ALL,
        notifications::ALL,
        organizations::ALL,
        playback::ALL,
        playlists::ALL,
        programmes::ALL,
        reconcile::ALL,
        secret_store::ALL,
        store::ALL,
        stream_keys::ALL,
        stream_samples::ALL,
        streamer_reports::ALL,
        streamers::ALL,
        streams::ALL,
        studio_reports::ALL,
        studios::ALL,
        user_attempts::ALL,
        user_sessions::ALL,
        users::ALL,
    ]
    .into_iter()
    .flatten()
    .map(|(name, sql)| (*name, sql.pg, sql.sqlite))
}
