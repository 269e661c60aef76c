//! Faults of the SQLite file.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use async_trait::async_trait;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, Executor as _, SqliteConnection};
use streamward_test_support::process::output_within;

use crate::fault::{Facts, Fault};
use crate::lights::Ready;
use crate::load::Load;
use crate::world::{SOON, World};

const PROMISED: &str = "publishers with a key that was valid at the last contact are let in (`auth.grace`), unknown and \
    revoked keys are not; writes are refused with 503, none is half done; `/readyz` says so";

/// Another program, such as a shell of SQLite, holds the write lock.
#[derive(Default)]
pub(crate) struct WriteLockHeld(Option<SqliteConnection>);

#[async_trait(?Send)]
impl Fault for WriteLockHeld {
    fn facts(&self) -> Facts {
        Facts {
            injected: "another program holds the write lock of the file for 6 s (BEGIN IMMEDIATE)".to_owned(),
            promised: PROMISED,
            ready: Ready::IsLost,
            failing_task: Some("database-probe"),
            ..Facts::default()
        }
    }

    async fn inject(&mut self, world: &mut World, _: &Load) -> Result<()> {
        let options = SqliteConnectOptions::new().filename(world.file()).busy_timeout(SOON);
        let mut other = SqliteConnection::connect_with(&options).await?;
        other.execute("BEGIN IMMEDIATE").await?;
        self.0 = Some(other);
        Ok(())
    }

    async fn heal(&mut self, _: &mut World, _: &Load) -> Result<()> {
        if let Some(mut other) = self.0.take() {
            other.execute("ROLLBACK").await?;
            other.close().await?;
        }
        Ok(())
    }
}

/// The file cannot be written any more, as on a file system that was remounted after an error.
#[derive(Default)]
pub(crate) struct ReadOnly(Option<Immutable>);

#[async_trait(?Send)]
impl Fault for ReadOnly {
    fn facts(&self) -> Facts {
        Facts {
            injected: "for 6 s the file system refuses to write the file of the database (`chattr +i`)"
                .to_owned(),
            promised: PROMISED,
            ready: Ready::IsLost,
            failing_task: Some("database-probe"),
            ..Facts::default()
        }
    }

    fn is_impossible(&self) -> Option<String> {
        let tried = || -> Result<()> {
            let dir = tempfile::tempdir()?;
            let file = dir.path().join("streamward.db");
            std::fs::write(&file, "")?;
            let _immutable = Immutable::make(dir.path())?;
            ensure!(std::fs::write(&file, "x").is_err(), "it can be written all the same");
            Ok(())
        };
        tried().err().map(|error| format!("a file cannot be made immutable here: {error:#}"))
    }

    async fn inject(&mut self, world: &mut World, _: &Load) -> Result<()> {
        self.0 = Some(Immutable::make(world.dir.path())?);
        Ok(())
    }

    async fn heal(&mut self, _: &mut World, _: &Load) -> Result<()> {
        self.0 = None;
        Ok(())
    }
}

/// The files of the database in a directory, immutable until this is dropped.
struct Immutable(Vec<std::path::PathBuf>);

impl Immutable {
    fn make(dir: &Path) -> Result<Self> {
        // Not the shared memory: that is no file on a disk, and a process that writes to it would get SIGBUS.
        let files = ["streamward.db", "streamward.db-wal"].map(|name| dir.join(name));
        let immutable = Self(files.into_iter().filter(|file| file.exists()).collect());
        immutable.chattr("+i")?;
        Ok(immutable)
    }

    fn chattr(&self, change: &str) -> Result<()> {
        let changed = output_within(Command::new("chattr").arg(change).args(&self.0), SOON)?;
        ensure!(changed.status.success(), "{}", String::from_utf8_lossy(&changed.stderr));
        Ok(())
    }
}

impl Drop for Immutable {
    fn drop(&mut self) {
        // If this fails, the next write of the test does.
        let _ = self.chattr("-i");
    }
}
