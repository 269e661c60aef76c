//! The section `[database]`: which database, and how many connections.

use std::path::{Path, PathBuf};

use url::Url;

use super::Config;
use super::section::section;
use super::values::{SecretValue, if_set, require, within};
use crate::domain::secret::Secret;

section! {
    pub struct Database {
        /// `sqlite://<file>` or `postgres://…`. May hold a password.
        url: Option<SecretValue>, check if_set(sqlite_or_postgres), unset "not set: streamward.db in data_dir";
        /// PostgreSQL connections of this instance. `/auth`, the API and the background tasks share them.
        max_connections: u32 = 30, check within(6, 1_000);
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

fn sqlite_file(url: &str) -> Option<&str> {
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
        None => Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "postgres" | "postgresql")),
    };
    require(is_valid, || "must be sqlite://<file> or postgres://<user>@<host>/<database>".to_owned())
}

impl Config {
    /// Which database it is, and where.
    pub fn database_kind(&self) -> DatabaseKind {
        let Some(SecretValue(url)) = &self.database.url else {
            return DatabaseKind::Sqlite(self.data_dir.join("streamward.db"));
        };
        match sqlite_file(url.expose()) {
            Some(file) => DatabaseKind::Sqlite(PathBuf::from(file.split('?').next().unwrap_or(file))),
            None => DatabaseKind::Postgres(url.clone()),
        }
    }

    /// The folder for files that belong to the database: that of a SQLite file, otherwise `data_dir`.
    pub fn beside_database(&self) -> PathBuf {
        match self.database_kind() {
            DatabaseKind::Sqlite(file) => match file.parent() {
                Some(parent) if parent != Path::new("") => parent.to_owned(),
                _ => PathBuf::from("."),
            },
            DatabaseKind::Postgres(_) => self.data_dir.clone(),
        }
    }
}
