//! The list of all statements, for the test that prepares them.

use super::{
    access, audit_log, broadcasters, commit, ending, events, hook_events, leases, media_servers, migrate,
    reconcile, secret_store, store, stream_keys, streamer_reports, streamers, streams,
};

/// Every statement with its name and its text for PostgreSQL and for SQLite. A test prepares them all.
#[doc(hidden)]
pub fn statements() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    [
        access::ALL,
        audit_log::ALL,
        broadcasters::ALL,
        commit::ALL,
        ending::ALL,
        events::ALL,
        hook_events::ALL,
        leases::ALL,
        media_servers::ALL,
        migrate::ALL,
        reconcile::ALL,
        secret_store::ALL,
        store::ALL,
        stream_keys::ALL,
        streamer_reports::ALL,
        streamers::ALL,
        streams::ALL,
    ]
    .into_iter()
    .flatten()
    .map(|(name, sql)| (*name, sql.pg, sql.sqlite))
}
