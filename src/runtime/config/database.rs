//! The section `[database]`: which database, and how many connections.

use std::path::PathBuf;

use url::Url;

use super::section::section;
use super::values::{SecretValue, if_set, require, within};
use crate::domain::secret::Secret;

section! {
    pub struct Database {
        /// `sqlite://<file>` or `postgres://…`. May hold a password.
        url: Option<SecretValue>, check if_set(sqlite_or_postgres), unset "not set: streamward.db in data_dir";
        /// PostgreSQL connections of this instance. `/auth`, the API, its lists and the background tasks share them.
        max_connections: u32 = 30, check within(6, 1_000);
        /// Whether a connection pooler in transaction mode, such as PgBouncer, is in front of PostgreSQL.
        pooled: bool = false;
        /// PostgreSQL itself, for listening to wake-ups of other instances past the pooler. May hold a password.
        listen_url: Option<SecretValue>, check if_set(postgres), unset "not set: database.url; behind a pooler, polling";
    }
}

/// Which database it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseKind {
    /// A file.
    Sqlite(PathBuf),
    /// A server. The URL may hold a password.
    Postgres(Secret),
}

/// The file that a URL of SQLite names.
pub(super) fn sqlite_file(url: &str) -> Option<&str> {
    ["sqlite://", "sqlite:"].into_iter().find_map(|scheme| url.strip_prefix(scheme))
}

fn sqlite_or_postgres(SecretValue(url): &mut SecretValue) -> Result<(), String> {
    let url = url.expose();
    let is_valid = match sqlite_file(url) {
        // Each command would open a database of its own in memory.
        Some(file) => {
            !(file.is_empty()
                || file.starts_with(['?'])
                || file.starts_with(":memory:")
                || file.contains("mode=memory"))
        }
        None => is_postgres(url),
    };
    require(is_valid, || "must be sqlite://<file> or postgres://<user>@<host>/<database>".to_owned())
}

fn postgres(SecretValue(url): &mut SecretValue) -> Result<(), String> {
    require(is_postgres(url.expose()), || "must be postgres://<user>@<host>/<database>".to_owned())
}

fn is_postgres(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "postgres" | "postgresql"))
}
