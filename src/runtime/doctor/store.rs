//! Checks of the database: does it answer, is its schema current, and does the master key open its secrets?

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;

use super::Findings;
use super::service::{clock, now};
use crate::adapters::sql::{
    Db, PgSettings, SqlStore, SqliteCheck, SqliteFile, check_sqlite, database_time, inspect_sqlite,
    open_postgres, open_sqlite, pending_migrations,
};
use crate::app::secrets;
use crate::domain::access::Scope;
use crate::domain::media_server::MediaServerStatus;
use crate::domain::page::Page;
use crate::domain::seal::Sealer;
use crate::domain::secret::{MasterKey, Secret};
use crate::domain::stream::Stream;
use crate::ports::{
    MediaServerStore as _, SecretStore as _, StatusFilter, StoreError, StreamFilter, StreamStore as _,
};
use crate::runtime::bootstrap::SET_UP;
use crate::runtime::config::{Config, DatabaseKind, MasterKeySource, find_master_key};

/// With less room than this on the disk, in bytes, writes may fail soon.
const LITTLE_ROOM: u64 = 64 << 20;
/// How long the check of a SQLite file may take.
const WHOLE_FILE: Duration = Duration::from_secs(30);

/// What the other checks need from the database.
pub(super) struct Records {
    pub(super) hook_secret: Option<Secret>,
    pub(super) servers: Vec<MediaServerStatus>,
    /// The stream that started last.
    pub(super) last_stream: Option<Stream>,
    pub(super) store: SqlStore,
    pub(super) sealer: Sealer,
}

impl Records {
    /// The stored secret of this name; empty if there is none that can be opened.
    pub(super) async fn secret(&self, name: &str) -> Secret {
        let found = secrets::find(&self.store, &self.sealer, name).await;
        found.ok().flatten().unwrap_or_else(|| Secret::new(""))
    }
}

/// Returns what the other checks need, if the database can be used.
pub(super) async fn examine(
    config: &Config,
    env: &[(OsString, OsString)],
    findings: &mut Findings,
) -> Option<Records> {
    let db = open(config, findings).await?;
    let usable = schema(&db, findings).await;
    if let Ok(time) = database_time(&db).await {
        clock("clock of the database", time, now(), findings);
    }
    if !usable {
        return None;
    }
    let store = SqlStore::new(db);
    let is_set_up = store.sealed(SET_UP).await.is_ok_and(|found| found.is_some());
    let sealer = Sealer::new(&master_key(config, env, is_set_up, findings)?);
    let sealed = secrets::find(&store, &sealer, "hooks.secret").await;
    match &sealed {
        Ok(Some(_)) => findings.good("master key", "opens the secrets in the database"),
        Ok(None) => findings.good("master key", "exists; no secret is stored yet"),
        Err(error) => {
            findings.failure("master key", error, "use the key file or variable of the first start");
        }
    }
    let hook_secret = config.hooks.first_secret().or_else(|| sealed.ok().flatten());
    let servers = store.media_servers(&Scope::system()).await.unwrap_or_default();
    let filter = StreamFilter { status: StatusFilter::All, ..StreamFilter::default() };
    let last = store.streams(&Scope::system(), &filter, &Page::first(1)).await;
    let last_stream = last.ok().and_then(|mut streams| streams.pop());
    Some(Records { hook_secret, servers, last_stream, store, sealer })
}

async fn open(config: &Config, findings: &mut Findings) -> Option<Db> {
    let (opened, place) = match config.database_kind() {
        DatabaseKind::Sqlite(file) => {
            if !is_whole(&file, findings).await {
                return None;
            }
            (open_sqlite(&file).await, format!("SQLite file {}", file.display()))
        }
        DatabaseKind::Postgres(url) => {
            let settings = PgSettings { pooled: config.database.pooled, ..PgSettings::new(2) };
            (open_postgres(url.expose(), &settings), "PostgreSQL".to_owned())
        }
    };
    match opened {
        Ok(db) => Some(db),
        Err(error) => {
            let advice = "check database.url (DATABASE_URL), and the permissions of the file or user";
            findings.failure("database", format!("{place}: {error}"), advice);
            None
        }
    }
}

/// Whether the disk has room for more.
fn room(file: &Path, findings: &mut Findings) {
    let folder = file.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
    let Ok(disk) = rustix::fs::statvfs(folder) else { return };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free < LITTLE_ROOM {
        let found = format!("{} MiB are free in {}", free / (1 << 20), folder.display());
        findings.failure("disk", found, "make room: nothing can be written to a full disk");
    }
}

/// Whether it is a Streamward database. One that is damaged is still examined further.
async fn is_whole(file: &Path, findings: &mut Findings) -> bool {
    let check = "database file";
    match inspect_sqlite(file).await {
        Ok(SqliteFile::Nothing) => {
            let found = format!("the file {} does not exist yet", file.display());
            findings.warning(
                "database",
                found,
                "run this where Streamward runs, or start it once: it creates the file",
            );
            return false;
        }
        Ok(SqliteFile::Streamward(_)) => room(file, findings),
        Err(error) => {
            let advice = "restore a backup with `streamward restore`, or correct database.url (DATABASE_URL)";
            findings.failure("database", error, advice);
            return false;
        }
    }
    let place = file.display();
    match timeout(WHOLE_FILE, check_sqlite(file, SqliteCheck::PagesAndIndexes)).await {
        Ok(Ok(())) => findings.good(check, "is not damaged"),
        Ok(Err(StoreError::Damaged(found))) => {
            let advice = "stop the service, and restore a backup with `streamward restore`";
            findings.failure(check, format!("{place} is damaged: {found}"), advice);
        }
        Ok(Err(error)) => findings.failure(check, error, "check the permissions of the file and its folder"),
        Err(_) => {
            let found = format!("{place} was not checked for damage: that takes over {WHOLE_FILE:?}");
            findings.warning(
                check,
                found,
                "check a backup instead: `streamward backup` checks what it writes",
            );
        }
    }
    true
}

async fn schema(db: &Db, findings: &mut Findings) -> bool {
    let state = match pending_migrations(db).await {
        Ok(state) => state,
        Err(error) => {
            let advice = match &error {
                StoreError::Unavailable(_) => {
                    "start the database, create role and database, or correct host, port, user and password in database.url (DATABASE_URL)"
                }
                StoreError::Damaged(_) => "stop the service, and restore a backup with `streamward restore`",
                StoreError::OwnerGone | StoreError::Fenced(_) | StoreError::Corrupt(_) => {
                    "check that database.url names Streamward's own database"
                }
            };
            findings.failure("database", error, advice);
            return false;
        }
    };
    findings.good("database", format!("{} answers", db.engine()));
    if !state.missing.is_empty() {
        let found = format!("migrations are behind: {} not applied", state.missing.join(", "));
        findings.failure("schema", found, "run `streamward migrate`, or restart the service");
        return false;
    }
    if state.unknown.is_empty() {
        findings.good("schema", "is up to date");
    } else {
        let advice = "a newer Streamward has changed it: upgrade this one";
        findings.warning("schema", "is newer than this program", advice);
    }
    true
}

fn master_key(
    config: &Config,
    env: &[(OsString, OsString)],
    is_set_up: bool,
    findings: &mut Findings,
) -> Option<MasterKey> {
    match find_master_key(config, env) {
        Ok(MasterKeySource::Found(key)) => Some(key),
        Ok(MasterKeySource::Absent(file)) => {
            let found = format!("there is none: neither STREAMWARD_MASTER_KEY nor {} exists", file.display());
            if is_set_up {
                let advice = "the database was created with one, and nothing starts without it: restore the key file from a backup, \
                              or set STREAMWARD_MASTER_KEY_FILE";
                findings.failure("master key", found, advice);
            } else {
                let advice = "start Streamward once: it creates the key";
                findings.warning("master key", found, advice);
            }
            None
        }
        Err(error) => {
            findings.failure("master key", error, "correct it, or remove the variable");
            None
        }
    }
}
