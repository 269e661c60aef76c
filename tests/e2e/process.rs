//! Programs run for a test: their output goes to a file, and none outlives the test.

use std::fmt::Display;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::time::Instant;

/// How often something that is waited for is looked at.
pub(crate) const TICK: Duration = Duration::from_millis(20);

/// A running program. Killed by its id when dropped.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` in `dir`; what it says goes to `<dir>/<name>.log`, after what is there already.
    pub(crate) fn start(name: &str, command: &mut Command, dir: &Path) -> Result<Self> {
        let log = dir.join(format!("{name}.log"));
        let out = File::options().create(true).append(true).open(&log)?;
        command.current_dir(dir).stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        let child = command.spawn().with_context(|| format!("{name} cannot be started: {command:?}"))?;
        Ok(Self { child, log })
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits for its end.
    pub(crate) async fn end_within(&mut self, limit: Duration) -> Result<ExitStatus> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return Ok(status);
            }
            if started.elapsed() > limit {
                bail!("still runs after {limit:?}; it says:\n{}", self.said());
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// SIGTERM, and how it ended within `limit`.
    pub(crate) async fn terminate(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.tell("TERM")?;
        self.end_within(limit).await
    }

    /// Sends it a signal.
    pub(crate) fn tell(&self, signal: &str) -> Result<()> {
        let told =
            Command::new("sh").arg("-c").arg(format!("kill -{signal} {}", self.child.id())).status()?;
        ensure!(told.success(), "no signal could be sent");
        Ok(())
    }

    /// Everything it said, its earlier runs in the same place included.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Asks again and again until there is an answer, and says how long that took.
pub(crate) async fn eventually<T>(
    what: impl Display,
    limit: Duration,
    ask: impl AsyncFn() -> Result<Option<T>>,
) -> Result<(T, Duration)> {
    let started = Instant::now();
    let mut last = None;
    loop {
        match ask().await {
            Ok(Some(answer)) => return Ok((answer, started.elapsed())),
            Ok(None) => {}
            Err(error) => last = Some(error),
        }
        if started.elapsed() > limit {
            let error = last.map(|error| format!("; last error: {error:#}")).unwrap_or_default();
            bail!("{what}: not within {limit:?}{error}");
        }
        tokio::time::sleep(TICK).await;
    }
}
