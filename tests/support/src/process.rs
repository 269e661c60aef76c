//! Programs run for a test: their output goes to a file, none outlives the test, and every wait has a limit.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::Pid;
pub use rustix::process::Signal;

/// The pause between two polls.
pub const TICK: Duration = Duration::from_millis(20);

/// Sends `signal` to the process with this id.
pub fn send_signal(pid: u32, signal: Signal) -> io::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "this is no process id"))?;
    Ok(rustix::process::kill_process(pid, signal)?)
}

/// Waits until `child` has ended; kills it if it does not.
pub fn wait_for_exit(child: &mut Child, limit: Duration) -> Result<ExitStatus> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if started.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            bail!("process {} had not ended after {limit:?} and was killed", child.id());
        }
        thread::sleep(TICK);
    }
}

/// Runs `command` to its end and collects what it prints; kills it if it does not end.
pub fn output_within(command: &mut Command, limit: Duration) -> Result<Output> {
    fn collect(from: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
        thread::spawn(move || {
            let mut all = Vec::new();
            let _ = from.map(|mut from| from.read_to_end(&mut all));
            all
        })
    }
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
    let status = wait_for_exit(&mut child, limit).with_context(|| format!("{command:?}"))?;
    Ok(Output { status, stdout: stdout.join().unwrap_or_default(), stderr: stderr.join().unwrap_or_default() })
}

/// A running program. Killed by its id when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` in `dir`; what it prints is appended to `<dir>/<name>.log`.
    pub fn start(name: &str, command: &mut Command, dir: &Path) -> Result<Self> {
        let log = dir.join(format!("{name}.log"));
        let out = File::options().create(true).append(true).open(&log)?;
        command.current_dir(dir).stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        let child = command.spawn().with_context(|| format!("{name} cannot be started: {command:?}"))?;
        Ok(Self { child, log })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits for its end.
    pub async fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let started = tokio::time::Instant::now();
        loop {
            if let Some(status) = self.exit_status() {
                return Ok(status);
            }
            if started.elapsed() > limit {
                bail!("still runs after {limit:?}; its log:\n{}", self.log());
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// Kills it at once.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends SIGTERM and waits for its end.
    pub async fn terminate(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.wait(limit).await
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        send_signal(self.child.id(), signal).with_context(|| format!("{signal:?} cannot be sent"))
    }

    /// Everything in its log, also what earlier runs in the same place wrote.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Calls `poll` until it returns something; returns that and how long it took.
pub async fn eventually<T>(
    what: impl Display,
    limit: Duration,
    poll: impl AsyncFn() -> Result<Option<T>>,
) -> Result<(T, Duration)> {
    let started = tokio::time::Instant::now();
    let mut last = None;
    loop {
        match poll().await {
            Ok(Some(found)) => return Ok((found, started.elapsed())),
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
