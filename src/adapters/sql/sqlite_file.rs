//! A SQLite database as a file: what it is, whether it is whole, and a copy of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::{Builder, NamedTempFile};

use super::db::Db;
use super::error::{classify, corrupt, is_damage};
use super::migrate::migrate;
use super::sqlite::open_sqlite;
use crate::ports::{Result, StoreError};

/// How long to wait for a process that has the file locked for a moment.
const LOCKED: Duration = Duration::from_secs(2);

/// What is at the place of a SQLite database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SqliteFile {
    /// No file, or an empty one.
    Nothing,
    /// A Streamward database with these migrations.
    Streamward(Vec<i64>),
}

/// Why a file is no Streamward database.
#[derive(Debug, thiserror::Error)]
pub enum SqliteFileError {
    /// Another kind of file, or pages are missing or overwritten.
    #[error("{path} is damaged, incomplete, or not a SQLite database ({error}): restore a backup with `streamward restore`", path = .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        error: String,
    },
    /// The tables are not there.
    #[error(
        "{path} has no Streamward tables: it is the database of another program, or a copy that `cp` made while it was in use (make copies with `streamward backup`)",
        path = .0.display()
    )]
    Foreign(PathBuf),
    /// The log is there without its database.
    #[error("{path} is missing or empty, but its write-ahead log {path}-wal is there: put the file back, or restore a backup", path = .0.display())]
    OnlyLog(PathBuf),
    /// It cannot be read.
    #[error("{path} cannot be read: {error}", path = .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: String,
    },
}

/// Finds out what is at `path`, without a change.
pub async fn inspect_sqlite(path: &Path) -> Result<SqliteFile, SqliteFileError> {
    let unreadable = |error: String| SqliteFileError::Unreadable { path: path.to_owned(), error };
    let length = match fs::metadata(path) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(unreadable(error.to_string())),
    };
    if length == 0 {
        let has_log = fs::metadata(log_of(path)).is_ok_and(|log| log.len() > 0);
        return if has_log {
            Err(SqliteFileError::OnlyLog(path.to_owned()))
        } else {
            Ok(SqliteFile::Nothing)
        };
    }
    let found = async {
        let mut connection = read_only(path).await?;
        let tables = "SELECT count(*) FROM sqlite_master WHERE name = '_sqlx_migrations'";
        let tables: i64 = sqlx::query_scalar(tables).fetch_one(&mut connection).await?;
        let versions = "SELECT version FROM _sqlx_migrations WHERE success ORDER BY version";
        let versions: Option<Vec<i64>> = match tables {
            0 => None,
            _ => Some(sqlx::query_scalar(versions).fetch_all(&mut connection).await?),
        };
        connection.close().await?;
        Ok(versions)
    };
    match found.await {
        Ok(Some(versions)) if !versions.is_empty() => Ok(SqliteFile::Streamward(versions)),
        Ok(_) => Err(SqliteFileError::Foreign(path.to_owned())),
        Err(error) if is_damage(&error) => {
            Err(SqliteFileError::Damaged { path: path.to_owned(), error: error.to_string() })
        }
        Err(error) => Err(unreadable(error.to_string())),
    }
}

/// Creates a Streamward database at `path`, whole or not at all, so that a kill leaves no file without tables. Leaves a
/// file alone that is there by then.
pub async fn create_sqlite(path: &Path) -> Result<()> {
    let failed =
        |error: io::Error| StoreError::Unavailable(format!("{} cannot be created: {error}", path.display()));
    // In a folder of its own, since SQLite puts files beside it.
    let folder = Builder::new().prefix(".streamward-").tempdir_in(folder_of(path)).map_err(failed)?;
    let fresh = NamedTempFile::new_in(&folder).map_err(failed)?;
    let db = open_sqlite(fresh.path()).await?;
    migrate(&db).await?;
    db.close().await;
    fresh.as_file().sync_all().map_err(failed)?;
    match fresh.persist_noclobber(path) {
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(failed(error.error)),
        _ => Ok(()),
    }
}

/// How much of a file is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SqliteCheck {
    /// All pages.
    Pages,
    /// All pages, and that indexes and tables agree. Takes several times as long.
    PagesAndIndexes,
}

/// Reads the whole file, on a connection of its own. [`StoreError::Damaged`] says what is wrong with it.
pub async fn check_sqlite(path: &Path, check: SqliteCheck) -> Result<()> {
    let check = match check {
        SqliteCheck::Pages => "PRAGMA quick_check(1)",
        SqliteCheck::PagesAndIndexes => "PRAGMA integrity_check(1)",
    };
    let mut connection = read_only(path).await.map_err(classify)?;
    let found: Vec<String> = sqlx::query_scalar(check).fetch_all(&mut connection).await.map_err(classify)?;
    let _ = connection.close().await;
    match found.first().map(String::as_str) {
        Some("ok") => Ok(()),
        found => Err(StoreError::Damaged(found.unwrap_or("no answer").replace('\n', " "))),
    }
}

/// Reads all pages of a SQLite database, on a connection of its own, and notes damage. PostgreSQL checks its pages itself.
pub async fn check_pages(db: &Db) -> Result<()> {
    let Db::Sqlite(sqlite) = db else { return Ok(()) };
    let checked = check_sqlite(sqlite.write.pool.connect_options().get_filename(), SqliteCheck::Pages).await;
    if let Err(StoreError::Damaged(found)) = &checked {
        sqlite.damage.set(found);
    }
    checked
}

/// Copies the database at `from`, also while it is written, into the empty file `to`. The copy needs no log.
pub async fn copy_sqlite(from: &Path, to: &Path) -> Result<()> {
    let target = to.to_str().ok_or_else(|| corrupt(format!("{} is not UTF-8", to.display())))?;
    let mut connection = read_only(from).await.map_err(classify)?;
    sqlx::query("VACUUM INTO $1").bind(target).execute(&mut connection).await.map_err(classify)?;
    let _ = connection.close().await;
    Ok(())
}

/// Writes the log of the database at `path`, which nobody uses, into its file.
pub async fn fold_log(path: &Path) -> Result<()> {
    let options = SqliteConnectOptions::new().filename(path).busy_timeout(LOCKED);
    let mut connection = options.connect().await.map_err(classify)?;
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await.map_err(classify)?;
    // Closing the last connection removes the log.
    connection.close().await.map_err(classify)
}

async fn read_only(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(LOCKED);
    options
        .log_statements(log::LevelFilter::Off)
        .log_slow_statements(log::LevelFilter::Off, LOCKED)
        .connect()
        .await
}

fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."))
}
