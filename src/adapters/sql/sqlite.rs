//! Opens a SQLite file and makes sure that only one process serves it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, SqlitePool};
use tokio::time::{Instant, sleep};

use super::damage::Damage;
use super::db::{Db, SqlitePools};
use super::error::{classify, corrupt, is_busy};
use super::group_commit::Queue;
use super::sqlite_pool::{WRITER_LIMIT, Writer};
use crate::ports::{Result, StoreError};

/// Older releases can corrupt the file in a rare race between two connections on the write-ahead log.
const OLDEST: (u32, u32, u32) = (3, 51, 3);
/// How long to retry opening a file that others open too, and the pause between tries.
const OPEN_LIMIT: Duration = Duration::from_secs(5);
const OPEN_PAUSE: Duration = Duration::from_millis(20);
/// How many connections read, unless [`SqlitePools::with_readers`] says otherwise, and how long to wait for one.
const READERS: u32 = 8;
const READER_WAIT: Duration = Duration::from_millis(500);

/// Opens the database at `path`. Creates it if it does not exist; only its owner can read it.
pub async fn open_sqlite(path: &Path) -> Result<Db> {
    create_private(path)
        .map_err(|error| StoreError::Unavailable(format!("{} cannot be opened: {error}", path.display())))?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        // An acknowledged write must survive a power failure. NORMAL could lose the last transactions.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        // Only other processes (the command line) can hold the lock. This process has a single writer.
        .busy_timeout(Duration::from_secs(2))
        .pragma("journal_size_limit", "67108864")
        .log_statements(log::LevelFilter::Off)
        .log_slow_statements(log::LevelFilter::Warn, Duration::from_millis(500));
    let writer = pool().max_connections(1).acquire_timeout(WRITER_LIMIT);
    let started = Instant::now();
    let write = loop {
        match writer.clone().connect_with(options.clone()).await {
            // A process that turns a new file into a WAL file locks it for a moment. SQLite does not wait for that.
            Err(error) if is_busy(&error) && started.elapsed() < OPEN_LIMIT => sleep(OPEN_PAUSE).await,
            opened => break opened.map_err(classify)?,
        }
    };
    let version: String =
        sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&write).await.map_err(classify)?;
    if !is_recent(&version) {
        let (major, minor, patch) = OLDEST;
        return Err(corrupt(format!("SQLite {version} is older than {major}.{minor}.{patch}")));
    }
    let options = options.create_if_missing(false).read_only(true);
    let read = readers(READERS, READER_WAIT).connect_lazy_with(options);
    let damage = Damage::default();
    let write = Writer::new(write, damage.clone());
    Ok(Db::Sqlite(SqlitePools { read, write, claims: Queue::new(1), damage }))
}

/// Connections never expire: each time the last one closes, it folds the log into the file.
fn pool() -> SqlitePoolOptions {
    SqlitePoolOptions::new().idle_timeout(None).max_lifetime(None).test_before_acquire(false)
}

fn readers(count: u32, wait: Duration) -> SqlitePoolOptions {
    pool().max_connections(count).acquire_timeout(wait)
}

impl SqlitePools {
    /// The connections that read, for tests that keep them busy.
    #[doc(hidden)]
    pub fn readers(&self) -> &SqlitePool {
        &self.read
    }

    /// The same file and writer with `count` readers of its own, for one kind of work. A statement waits for one of them
    /// for up to `wait`.
    #[must_use]
    pub fn with_readers(&self, count: u32, wait: Duration) -> Self {
        let options = (*self.read.connect_options()).clone();
        let read = readers(count, wait).connect_lazy_with(options);
        let (claims, damage) = (Arc::clone(&self.claims), self.damage.clone());
        Self { read, write: self.write.clone(), claims, damage }
    }
}

fn create_private(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

fn is_recent(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next()) >= OLDEST
}

/// The right to serve a SQLite file. It ends when dropped or when the process ends. Short commands do not need it:
/// SQLite lets them write beside the serving process.
#[derive(Debug)]
pub struct ServeLock {
    _file: File,
}

/// Why a SQLite file cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeLockError {
    /// Another process serves it.
    #[error(
        "{path} is already served by another Streamward{by}. Stop that one, or use PostgreSQL (DATABASE_URL) to run several.",
        path = path.display(), by = process.as_ref().map(|id| format!(" (process {id})")).unwrap_or_default()
    )]
    Served {
        /// The database.
        path: PathBuf,
        /// The process, if it wrote its number.
        process: Option<u32>,
    },
    /// The lock file cannot be used.
    #[error("the lock file beside {path} cannot be used: {error}", path = path.display())]
    Io {
        /// The database.
        path: PathBuf,
        /// The reason.
        error: io::Error,
    },
}

impl ServeLock {
    /// Takes the right to serve the database at `path`, with an exclusive lock on `<path>.lock`.
    pub fn take(path: &Path) -> Result<Self, ServeLockError> {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let failed = |error| ServeLockError::Io { path: path.to_owned(), error };
        let mut file = OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .open(&name)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let process = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
                return Err(ServeLockError::Served { path: path.to_owned(), process });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        // Only for the message above. The lock itself decides.
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(failed)?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        assert!(is_recent("3.51.3") && is_recent("3.52.0") && is_recent("4.0"));
        assert!(!is_recent("3.51.2") && !is_recent("3.9.10") && !is_recent("nonsense"));
    }
}
