//! The rules of the ports, tested on every store: memory, SQLite, PostgreSQL.
//!
//! Each MUST in a port's documentation has a test that names it. Each test is written once and runs on all stores
//! (`#[apply(every_store)]`).
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test reports by panicking")]
#![expect(clippy::print_stderr, reason = "a skipped test reports why")]

mod access;
mod audit_log;
mod auth_failures;
mod broadcasters;
mod channel_fixture;
mod channels;
mod claims;
mod clips;
mod destinations;
mod event_log;
mod fixture;
mod hook_events;
mod leases;
mod lists;
mod media;
mod media_servers;
mod media_suite;
mod notifications;
mod organizations;
mod pgbouncer;
mod postgres;
mod programmes;
mod reconciling;
mod same_as_memory;
mod same_streamers;
mod schema;
mod scopes;
mod secret_store;
mod sqlite;
mod status_reports;
mod stream_keys;
mod streamer_fixture;
mod streamers;
mod streamers_at_once;
mod streamers_by_sql;
mod streams;
mod studio_fixture;
mod studio_reports;
mod studios;
mod user_sessions;
mod users;
mod wake_ups;

use rstest_reuse::template;

/// Runs a test over every store.
#[template]
#[rstest::rstest]
#[case::memory(crate::fixture::Engine::Memory)]
#[case::sqlite(crate::fixture::Engine::Sqlite)]
#[case::postgres(crate::fixture::Engine::Postgres)]
pub(crate) fn every_store(#[case] engine: crate::fixture::Engine) {}
