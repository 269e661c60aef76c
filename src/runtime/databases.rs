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
    Db, Migrations, Pg, PgSettings, PgWakeUps, SqliteFile, SqlitePools, create_sqlite, inspect_sqlite,
    migrate, open_postgres, open_sqlite, pending_migrations,
};
use crate::app::list::PAGES_AT_ONCE;
use crate::ports::{StoreError, WakeUps};

/// How long a command waits for a database that is unreachable. The service waits until it is there.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause between two attempts.
const PAUSE: Duration = Duration::from_secs(2);
/// SQLite's readers: for `/auth`, for the API, and for background tasks.
const SQLITE_READERS: [u32; 3] = [4, 4, 4];
/// How long a statement waits for one of them, and how long a list does: it may have to wait for the long statement of a
/// list whose client has left.
const SQLITE_WAIT: Duration = Duration::from_millis(500);
const SQLITE_LIST_WAIT: Duration = Duration::from_secs(5);
/// Connections of the wake-ups: one listens (unless that has its own address), one sends and renews the lease of this
/// instance.
const WAKE_UP_CONNECTIONS: u32 = 2;

/// The database, with separate connections for each kind of work, so that slow work of one kind never blocks another.
/// On SQLite these connections read. There is one writer for all, and readers do not wait for it.
#[derive(Clone, Debug)]
pub(super) struct Databases {
    /// For `/auth`.
    pub(super) auth: Db,
    /// For the management API and hooks.
    pub(super) api: Db,
    /// For lists of the management API.
    pub(super) lists: Db,
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
                match &db {
                    Db::Sqlite(pools) if purpose == Purpose::Serve => Ok(Self::apart(pools)),
                    _ => Ok(Self::shared(&db)),
                }
            }
            DatabaseKind::Postgres(url) => {
                let pooled = config.database.pooled;
                let settings = |connections| PgSettings { pooled, ..PgSettings::new(connections) };
                let open = |settings: PgSettings| open_postgres(url.expose(), &settings);
                let pool = |connections| open(settings(connections));
                let wake_ups = Some(Pg::open(url.expose(), &settings(WAKE_UP_CONNECTIONS))?);
                let listener = match &config.database.listen_url {
                    Some(url) => Some(Pg::open(url.0.expose(), &PgSettings::new(1))?),
                    None => wake_ups.clone().filter(|_| !pooled),
                };
                if purpose == Purpose::Command {
                    return Ok(Self { wake_ups, listener, ..Self::shared(&pool(2)?) });
                }
                let [auth, api, lists, worker] = shares(config.database.max_connections);
                let lists = open(PgSettings { for_lists: true, ..settings(lists) })?;
                let [auth, api, worker] = [pool(auth)?, pool(api)?, pool(worker)?];
                Ok(Self { auth, api, lists, worker, wake_ups, listener })
            }
        }
    }

    /// A SQLite file with readers for each kind of work.
    fn apart(file: &SqlitePools) -> Self {
        let readers = |count| Db::Sqlite(file.with_readers(count, SQLITE_WAIT));
        let [auth, api, worker] = SQLITE_READERS.map(readers);
        let lists = Db::Sqlite(file.with_readers(PAGES_AT_ONCE, SQLITE_LIST_WAIT));
        Self { auth, api, lists, worker, wake_ups: None, listener: None }
    }

    /// The same connections for all work.
    fn shared(db: &Db) -> Self {
        let [auth, api, lists, worker] = [(); 4].map(|()| db.clone());
        Self { auth, api, lists, worker, wake_ups: None, listener: None }
    }

    /// Names of pools, with connections in use and connections open, for metrics.
    pub(super) fn connections(&self) -> impl Iterator<Item = (&'static str, (u32, u32))> {
        let pools =
            [("auth", &self.auth), ("api", &self.api), ("lists", &self.lists), ("worker", &self.worker)];
        let writer = self.api.writer().map(|writer| ("writer", writer));
        pools.map(|(name, db)| (name, db.connections())).into_iter().chain(writer)
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
        self.lists.close().await;
        self.worker.close().await;
    }
}

/// Divides `all` connections: one fifth to background tasks, one or two to lists, and the rest to `/auth` and the API.
fn shares(all: u32) -> [u32; 4] {
    let rest = all.saturating_sub(WAKE_UP_CONNECTIONS);
    let worker = (rest / 5).max(2).min(rest.saturating_sub(3)).max(1);
    let lists = (rest.saturating_sub(worker) / 3).clamp(1, PAGES_AT_ONCE);
    let auth = (rest.saturating_sub(worker + lists) / 2).max(1);
    [auth, rest.saturating_sub(worker + lists + auth).max(1), lists, worker]
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
pub(super) async fn prepare(db: &Db, purpose: Purpose, schema: Schema) -> anyhow::Result<()> {
    if schema == Schema::Expect {
        return Ok(expect(&db.place(), &pending_migrations(db).await?)?);
    }
    let started = Instant::now();
    loop {
        match migrate(db).await {
            Err(StoreError::Unavailable(why))
                if matches!(db, Db::Pg(_))
                    && (purpose == Purpose::Serve || started.elapsed() < PATIENCE)
                    && !db.is_refused().await =>
            {
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
    use futures_util::future::join_all;
    use tokio::time::timeout;

    use super::*;
    use crate::adapters::sql::SqlStore;
    use crate::domain::access::Scope;
    use crate::domain::audit::AuditFilter;
    use crate::ports::{AuditStore as _, Store as _};

    #[test]
    fn every_kind_of_work_gets_a_connection() {
        assert_eq!(shares(20), [6, 7, 2, 3]);
        for all in 6..200 {
            let shares = shares(all);
            assert!(shares.iter().all(|share| *share >= 1), "{all}: {shares:?}");
            assert_eq!(shares.iter().sum::<u32>() + WAKE_UP_CONNECTIONS, all);
        }
    }

    #[tokio::test]
    async fn on_sqlite_busy_readers_of_one_kind_of_work_hold_up_no_other_kind() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config { data_dir: folder.path().to_owned(), ..Config::default() };
        let databases = Databases::open(&config, Purpose::Serve, Schema::Migrate).await.unwrap();
        prepare(&databases.api, Purpose::Serve, Schema::Migrate).await.unwrap();
        let kinds = [&databases.auth, &databases.api, &databases.lists, &databases.worker];
        let stores = kinds.map(|db| SqlStore::new(db.clone()));
        let (scope, filter) = (Scope::system(), AuditFilter { limit: 1, ..AuditFilter::default() });
        for (number, db) in kinds.into_iter().enumerate() {
            let Db::Sqlite(file) = db else { panic!("SQLite") };
            let readers = file.readers();
            let busy =
                join_all((0..readers.options().get_max_connections()).map(|_| readers.acquire())).await;
            assert!(busy.iter().all(Result::is_ok));
            for (other, store) in stores.iter().enumerate() {
                let read = store.audit_entries(&scope, &filter);
                if other == number {
                    let read = timeout(Duration::from_millis(100), read).await;
                    assert!(!matches!(read, Ok(Ok(_))), "{number} has free readers");
                } else {
                    read.await.unwrap();
                    store.check_writable().await.unwrap();
                }
            }
        }
    }
}
