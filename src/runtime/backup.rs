//! `streamward backup` and `streamward restore`: a checked copy of the SQLite database, and the way back.
//!
//! A backup is a SQLite file that needs no log. The master key, if it is wanted, is a second file beside it, so that the
//! two can be kept apart.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use chrono::Utc;
use tempfile::{Builder, NamedTempFile, TempDir};

use super::bootstrap::{Bootstrap, SET_UP};
use super::config::{
    Config, DatabaseKind, Loaded, MasterKeySource, find_master_key, master_key_file, read_master_key,
    save_master_key,
};
use super::databases::{NotPrepared, Purpose, Schema};
use crate::adapters::cli::{BackupArgs, Output, RestoreArgs};
use crate::adapters::sql::{
    ServeLock, SqlStore, SqliteCheck, SqliteFile, check_sqlite, compare_sqlite, copy_sqlite, fold_log,
    inspect_sqlite, open_sqlite,
};
use crate::adapters::system::SystemClock;
use crate::app::secrets;
use crate::domain::seal::Sealer;
use crate::domain::secret::MasterKey;
use crate::ports::Clock as _;

const BACK_UP_POSTGRES: &str = "the database is on PostgreSQL: back it up with `pg_dump --format=custom --file=FILE DATABASE_URL`, and the master key apart from it (docs/backup.md)";
const RESTORE_POSTGRES: &str = "the database is on PostgreSQL: stop all instances, and restore it with `pg_restore --clean --if-exists --no-owner --dbname=DATABASE_URL FILE` (docs/backup.md)";

/// Copies the database to a file.
pub(super) async fn backup(loaded: &Loaded, args: &BackupArgs, out: &mut Output) -> anyhow::Result<()> {
    let DatabaseKind::Sqlite(database) = loaded.config.database_kind() else { bail!(BACK_UP_POSTGRES) };
    if inspect_sqlite(&database).await? == SqliteFile::Nothing {
        return Err(NotPrepared::no_file(&database).into());
    }
    let file = std::path::absolute(&args.file)?;
    let key_file = key_beside(&file);
    if fs::canonicalize(&file).is_ok_and(|file| fs::canonicalize(&database).is_ok_and(|own| own == file)) {
        bail!("{} is the database itself: name another file", file.display());
    }
    let key = if args.with_master_key { Some(own_key(loaded).await?) } else { None };
    for taken in [Some(&file), key.as_ref().map(|_| &key_file)].into_iter().flatten() {
        if taken.exists() && !args.force {
            bail!("{} exists: name another file, or replace it with --force", taken.display());
        }
    }
    let fresh = FreshFile::beside(&file)?;
    copy_sqlite(&database, fresh.path()).await?;
    let versions = checked(fresh.path()).await.context("the copy is not usable")?;
    if let Some(key) = &key {
        let saved = save_master_key(&key_file, key);
        saved.with_context(|| format!("the master key cannot be written to {}", key_file.display()))?;
    }
    let bytes = fresh.put(&file)?;
    let key_file = key.map(|_| key_file.display().to_string());
    let made = serde_json::json!({
        "file": file, "bytes": bytes, "schema": versions.last(), "master_key_file": key_file,
    });
    out.thing(&made, || {
        let key = match key_file {
            Some(key_file) => format!("The master key is in {key_file}. Keep the two files apart."),
            None => "The master key is not in it: keep a copy of that too, in another place.".to_owned(),
        };
        format!("Wrote {} ({bytes} bytes, checked).\n{key}", file.display())
    })
}

/// Puts a backup in the place of the database.
pub(super) async fn restore(loaded: &Loaded, args: &RestoreArgs, out: &mut Output) -> anyhow::Result<()> {
    let DatabaseKind::Sqlite(database) = loaded.config.database_kind() else { bail!(RESTORE_POSTGRES) };
    let database = std::path::absolute(database)?;
    let file = &args.file;
    ensure!(file.exists(), "the backup {} does not exist", file.display());
    if with_ending(file, "-wal").metadata().is_ok_and(|log| log.len() > 0) {
        bail!(
            "{file} is no backup: its log {file}-wal is beside it, so it is a database in use or a plain copy of one. Make backups with `streamward backup`",
            file = file.display()
        );
    }
    let folder = database.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder).with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    let _lock = ServeLock::take(&database).context("the database cannot be replaced")?;
    let is_there = [database.clone(), with_ending(&database, "-wal")];
    let is_there = is_there.iter().any(|file| file.metadata().is_ok_and(|found| found.len() > 0));
    if is_there && !args.force {
        bail!("there is a database at {}: --force keeps it aside under another name", database.display());
    }
    let mut fresh = FreshFile::beside(&database)?;
    fresh.fill(file).with_context(|| format!("{} cannot be copied", file.display()))?;
    let versions =
        checked(fresh.path()).await.with_context(|| format!("{} is not usable", file.display()))?;
    let is_copy = is_plain_copy(file)?;
    let key = KeyOfBackup::find(loaded, file, fresh.path(), args.force).await?;
    let missing = compare_sqlite(&versions).missing;
    let mut kept = if is_there { set_aside(&database).await? } else { Vec::new() };
    let key_state = key.install(&mut kept)?;
    fresh.put(&database)?;
    let done = serde_json::json!({
        "database": database, "master_key": key_state, "kept": kept, "migrations_missing": missing,
        "plain_copy": is_copy,
    });
    out.thing(&done, || {
        let mut lines = text(&database, &kept, key_state, &loaded.config);
        if is_copy {
            lines.push_str(
                "\nThe file is a plain copy, not made by `streamward backup`: if Streamward was running when it was made, the last \
                 writes may be missing from it.",
            );
        }
        lines
    })
}

/// Whether a file is a copy of a database as the service keeps it, with a write-ahead log. `streamward backup` makes files
/// that have none (bytes 18 and 19 of the header, SQLite's "File Format").
fn is_plain_copy(file: &Path) -> anyhow::Result<bool> {
    let mut header = [0; 20];
    File::open(file)
        .and_then(|mut file| file.read_exact(&mut header))
        .with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(header[18..] == [2, 2])
}

fn text(database: &Path, kept: &[PathBuf], key: &str, config: &Config) -> String {
    let mut lines = vec![format!("Restored {}.", database.display())];
    lines.extend(kept.iter().map(|file| format!("What was there is now {}.", file.display())));
    lines.push(match key {
        "missing" => format!(
            "The master key is missing: put it into {} or STREAMWARD_MASTER_KEY before the start.",
            master_key_file(config).display()
        ),
        "restored" => "The master key is restored too.".to_owned(),
        _ => "The master key here opens its secrets.".to_owned(),
    });
    lines.push(
        "Keys and tokens are as they were at the backup: revoke again what was revoked since.".to_owned(),
    );
    lines.join("\n")
}

/// Checks a copy, and returns its migrations. A newer schema is refused.
async fn checked(copy: &Path) -> anyhow::Result<Vec<i64>> {
    let SqliteFile::Streamward(versions) = inspect_sqlite(copy).await? else { bail!("the file is empty") };
    check_sqlite(copy, SqliteCheck::PagesAndIndexes).await?;
    let unknown = compare_sqlite(&versions).unknown;
    if !unknown.is_empty() {
        bail!("a newer Streamward made it (migrations {unknown:?}): use that version or a newer one");
    }
    Ok(versions)
}

/// The master key for a backup that is being restored.
enum KeyOfBackup {
    /// The one that is configured or there opens the backup.
    Present,
    /// It is neither there nor in the backup.
    Missing,
    /// It is in the backup, and belongs into this file.
    Restore(MasterKey, PathBuf),
}

impl KeyOfBackup {
    async fn find(loaded: &Loaded, file: &Path, copy: &Path, force: bool) -> anyhow::Result<Self> {
        let beside = key_beside(file);
        let saved = if beside.exists() {
            let read = read_master_key(&beside).map_err(anyhow::Error::msg);
            Some(read.context("the master key of the backup")?)
        } else {
            None
        };
        let found = find_master_key(&loaded.config, &loaded.env)?;
        let db = open_sqlite(copy).await?;
        let store = SqlStore::new(db.clone());
        let opens = async |key: &MasterKey| secrets::find(&store, &Sealer::new(key), SET_UP).await.map(drop);
        let own_file = master_key_file(&loaded.config);
        let key = match (found, saved) {
            (MasterKeySource::Found(own), saved) => match (opens(&own).await, saved) {
                (Ok(()), _) => Ok(Self::Present),
                // One that is configured would win over the file.
                (Err(_), Some(saved))
                    if force && read_master_key(&own_file).is_ok_and(|key| key.expose() == own.expose()) =>
                {
                    opens(&saved).await.map(|()| Self::Restore(saved, own_file))
                }
                (Err(error), _) => Err(error),
            },
            (MasterKeySource::Absent(_), Some(saved)) => {
                opens(&saved).await.map(|()| Self::Restore(saved, own_file))
            }
            (MasterKeySource::Absent(_), None) => Ok(Self::Missing),
        };
        // Folds its log in.
        db.close().await;
        key.context("the master key does not belong to this backup: remove it, or use the one that does")
    }

    /// Writes the key; says what became of it.
    fn install(self, kept: &mut Vec<PathBuf>) -> anyhow::Result<&'static str> {
        match self {
            Self::Present => Ok("present"),
            Self::Missing => Ok("missing"),
            Self::Restore(key, file) => {
                if file.exists() {
                    let kept_aside = aside(&file);
                    rename(&file, &kept_aside)?;
                    kept.push(kept_aside);
                }
                let saved = save_master_key(&file, &key);
                saved.with_context(|| format!("the master key cannot be written to {}", file.display()))?;
                Ok("restored")
            }
        }
    }
}

/// The master key that opens the secrets of this database.
async fn own_key(loaded: &Loaded) -> anyhow::Result<MasterKey> {
    let base = Bootstrap::open(loaded.clone(), Purpose::Command, Schema::Expect).await?;
    base.databases.close().await;
    Ok(base.master)
}

/// Keeps the database under another name. Returns the names of its files.
async fn set_aside(database: &Path) -> anyhow::Result<Vec<PathBuf>> {
    // A database that is damaged or no database keeps its log.
    let _ = fold_log(database).await;
    let aside = aside(database);
    let mut kept = Vec::new();
    for ending in ["", "-wal"] {
        let (file, aside) = (with_ending(database, ending), with_ending(&aside, ending));
        if file.exists() {
            rename(&file, &aside)?;
            kept.push(aside);
        }
    }
    let _ = fs::remove_file(with_ending(database, "-shm"));
    Ok(kept)
}

/// The name for a file that is kept, with the time.
fn aside(file: &Path) -> PathBuf {
    let time = SystemClock.now().micros();
    let time = chrono::DateTime::<Utc>::from_timestamp_micros(time).unwrap_or_default();
    with_ending(file, &format!(".before-restore-{}", time.format("%Y%m%dT%H%M%S%3fZ")))
}

fn rename(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::rename(from, to).with_context(|| format!("{} cannot be renamed", from.display()))
}

/// A file that only its owner can read, in a folder of its own: SQLite may put files beside it.
struct FreshFile {
    file: NamedTempFile,
    _folder: TempDir,
}

impl FreshFile {
    /// An empty file on the file system of `file`.
    fn beside(file: &Path) -> anyhow::Result<Self> {
        let parent = file.parent().unwrap_or(Path::new("/"));
        let make = || -> io::Result<Self> {
            let folder = Builder::new().prefix(".streamward-").tempdir_in(parent)?;
            Ok(Self { file: NamedTempFile::new_in(&folder)?, _folder: folder })
        };
        make().with_context(|| format!("nothing can be written in {}", parent.display()))
    }

    fn path(&self) -> &Path {
        self.file.path()
    }

    /// Copies the bytes of `from`, not its permissions.
    fn fill(&mut self, from: &Path) -> io::Result<()> {
        io::copy(&mut File::open(from)?, &mut self.file).map(drop)
    }

    /// Puts the complete file at its place, and waits until the disk has it. Returns its size.
    fn put(self, place: &Path) -> anyhow::Result<u64> {
        let put = || -> io::Result<u64> {
            let bytes = self.path().metadata()?.len();
            self.file.as_file().sync_all()?;
            self.file.persist(place)?;
            File::open(place.parent().unwrap_or(Path::new("/")))?.sync_all()?;
            Ok(bytes)
        };
        put().with_context(|| format!("{} cannot be written", place.display()))
    }
}

/// The file for the master key of a backup.
fn key_beside(backup: &Path) -> PathBuf {
    with_ending(backup, ".key")
}

fn with_ending(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}
