//! Opens the database, with separate connections for each kind of work.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::config::{Config, DatabaseKind};
use crate::adapters::local_wake_ups::LocalWakeUps;
use crate::adapters::sql::{
    Db, Migrations, Pg, PgSettings, PgWakeUps, SqliteFile, create_sqlite, inspect_sqlite, migrate,
    open_postgres, open_sqlite, pending_migrations,
};
use crate::ports::{StoreError, WakeUps};

/// How long the start waits for a database that is unreachable.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause between two attempts.
const PAUSE: Duration = Duration::from_secs(2);
/// Connections of the wake-ups: one listens (unless that has its own address), one sends and renews the lease of this
/// instance.
const WAKE_UP_CONNECTIONS: u32 = 2;

/// The database, with separate connections for each kind of work, so that slow work of one kind never blocks another.
/// On SQLite they are the same: there is one writer, and readers do not wait for it.
#[derive(Clone, Debug)]
pub(super) struct Databases {
    /// For `/auth`.
    pub(super) auth: Db,
    /// For the management API and hooks.
    pub(super) api: Db,
    /// For workers.
    pub(super) worker: Db,
    /// For wake-ups between instances; with PostgreSQL only.
    pub(super) wake_ups: Option<Pg>,
    /// Where this instance listens for them.
    listener: Option<Pg>,
}

/// Who opens the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The service.
    Serve,
    /// A command.
    Command,
}

/// A command found no database that it can use. Only `serve`, `up`, `migrate` and `restore` create or change one.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotPrepared {
    /// There is no file.
    #[error(
        "no Streamward database at {0}: run this command where `streamward serve` runs, or name its configuration (--config, --data-dir, DATABASE_URL)"
    )]
    NoFile(String),
    /// There are no tables.
    #[error("{0} has no Streamward tables: run `streamward migrate`, or correct database.url")]
    NoTables(String),
    /// Tables of an older version.
    #[error(
        "the schema of {place} is too old ({missing} missing): run `streamward migrate`, or start this version of the service"
    )]
    Old {
        /// The database.
        place: String,
        /// The migrations.
        missing: String,
    },
    /// The secrets of the database cannot be opened, or no secret is there yet.
    #[error("{0}")]
    NoMasterKey(String),
}

impl NotPrepared {
    /// There is no database at `file`.
    pub(super) fn no_file(file: &Path) -> Self {
        let place = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        Self::NoFile(place.display().to_string())
    }
}

impl Databases {
    /// Opens the database. PostgreSQL need not be reachable yet.
    pub(super) async fn open(config: &Config, purpose: Purpose, schema: Schema) -> anyhow::Result<Self> {
        match config.database_kind() {
            DatabaseKind::Sqlite(file) => {
                match (inspect_sqlite(&file).await?, schema) {
                    (SqliteFile::Streamward(_), _) => {}
                    (SqliteFile::Nothing, Schema::Expect) => {
                        return Err(NotPrepared::no_file(&file).into());
                    }
                    (SqliteFile::Nothing, Schema::Migrate) => {
                        if let Some(folder) = file.parent() {
                            // If this fails, creating the file fails too, with a better error.
                            let _ = std::fs::create_dir_all(folder);
                        }
                        create_sqlite(&file).await?;
                    }
                }
                let db = open_sqlite(&file).await?;
                Ok(Self { auth: db.clone(), api: db.clone(), worker: db, wake_ups: None, listener: None })
            }
            DatabaseKind::Postgres(url) => {
                let pooled = config.database.pooled;
                let settings = |connections| PgSettings { pooled, ..PgSettings::new(connections) };
                let pool = |connections| open_postgres(url.expose(), &settings(connections));
                let [auth, api, worker] = shares(config.database.max_connections);
                let wake_ups = Some(Pg::open(url.expose(), &settings(WAKE_UP_CONNECTIONS))?);
                let listener = match &config.database.listen_url {
                    Some(url) => Some(Pg::open(url.0.expose(), &PgSettings::new(1))?),
                    None => wake_ups.clone().filter(|_| !pooled),
                };
                if purpose == Purpose::Command {
                    let db = pool(2)?;
                    return Ok(Self { auth: db.clone(), api: db.clone(), worker: db, wake_ups, listener });
                }
                Ok(Self { auth: pool(auth)?, api: pool(api)?, worker: pool(worker)?, wake_ups, listener })
            }
        }
    }

    /// Names and connections, for metrics.
    pub(super) fn pools(&self) -> Vec<(&'static str, Db)> {
        match &self.wake_ups {
            None => vec![("sqlite", self.api.clone())],
            Some(_) => {
                vec![("auth", self.auth.clone()), ("api", self.api.clone()), ("worker", self.worker.clone())]
            }
        }
    }

    /// Where the lease of this instance is kept: everything stops when it is not renewed in time, so it never waits for a
    /// connection behind other work.
    pub(super) fn leases(&self) -> Db {
        self.wake_ups.clone().map_or_else(|| self.worker.clone(), Db::Pg)
    }

    /// Wake-ups between instances; with SQLite there is only one.
    pub(super) fn wake_ups(
        &self,
        instance: &str,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> Arc<dyn WakeUps> {
        match &self.wake_ups {
            Some(pg) => Arc::new(PgWakeUps::start(pg.clone(), self.listener.clone(), instance, tasks, stop)),
            None => Arc::new(LocalWakeUps::default()),
        }
    }

    /// Closes everything.
    pub(super) async fn close(&self) {
        self.auth.close().await;
        self.api.close().await;
        self.worker.close().await;
    }
}

/// Divides `all` connections: two fifths each to `/auth` and the API, one fifth to background tasks.
fn shares(all: u32) -> [u32; 3] {
    let rest = all.saturating_sub(WAKE_UP_CONNECTIONS);
    let worker = (rest / 5).max(2);
    let auth = (rest.saturating_sub(worker) / 2).max(1);
    [auth, rest.saturating_sub(worker + auth).max(1), worker]
}

/// How the schema is prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Schema {
    /// Migrate it. Waits for a PostgreSQL that is unreachable.
    Migrate,
    /// Change nothing. A service of another version may use the database, or it is not the right one.
    Expect,
}

/// Prepares the schema.
pub(super) async fn prepare(db: &Db, schema: Schema) -> anyhow::Result<()> {
    if schema == Schema::Expect {
        return Ok(expect(&db.place(), &pending_migrations(db).await?)?);
    }
    let started = Instant::now();
    loop {
        match migrate(db).await {
            Err(StoreError::Unavailable(why)) if matches!(db, Db::Pg(_)) && started.elapsed() < PATIENCE => {
                tracing::warn!(%why, pause = ?PAUSE, "the database is unreachable; trying again");
                sleep(PAUSE).await;
            }
            done => {
                let advice = "the database cannot be used: check database.url, and run `streamward doctor`";
                return done.context(advice);
            }
        }
    }
}

fn expect(place: &str, found: &Migrations) -> Result<(), NotPrepared> {
    let place = place.to_owned();
    match found.missing.first() {
        None => Ok(()),
        Some(_) if found.is_empty => Err(NotPrepared::NoTables(place)),
        Some(_) => Err(NotPrepared::Old { place, missing: found.missing.join(", ") }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_work_gets_a_connection() {
        assert_eq!(shares(20), [7, 8, 3]);
        for all in 6..200 {
            let shares = shares(all);
            assert!(shares.iter().all(|share| *share >= 1), "{all}: {shares:?}");
            assert_eq!(shares.iter().sum::<u32>() + WAKE_UP_CONNECTIONS, all);
        }
    }
}
