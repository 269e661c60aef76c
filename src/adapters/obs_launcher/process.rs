//! OBS as a program that we start. It continues when we end, and the next run finds it by a file with its process id.
//!
//! What it prints goes to a file, not to a pipe: nobody reads a pipe while Streamward is not running.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use crate::adapters::child::{to_pid, without_our_settings};
use crate::domain::secret::{Secret, masked_line};
use crate::ports::{LaunchError, ObsLauncher, ProcessState};

/// How long it may take to quit in good order, and to disappear after it was killed.
const QUIT: Duration = Duration::from_secs(5);
/// The pause between two checks whether it is gone.
const CHECK: Duration = Duration::from_millis(20);
/// How many of the last lines it printed are shown, from how many bytes, and how long each may be.
const LINES: usize = 20;
const TAIL: u64 = 64 * 1024;
const LINE: usize = 300;
/// The size at which the file with what it printed is emptied.
const MOST_PRINTED: u64 = 16 * 1024 * 1024;

/// Which program, and where its files are.
#[derive(Clone, Debug)]
pub struct ProcessSettings {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// A folder for the files `<name>.pid` and `<name>.log`.
    pub folder: PathBuf,
    /// The name of the studio.
    pub name: String,
    /// What must not be shown of what it prints.
    pub secrets: Vec<Secret>,
}

/// Runs OBS as a program.
#[derive(Debug)]
pub struct ProcessLauncher {
    settings: ProcessSettings,
    /// The process, if this run started it. Locked while it is started or ended.
    child: Mutex<Option<Child>>,
}

/// A process: ids are used again, so the time of its start belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    pid: u32,
    /// Since the machine started, in clock ticks.
    started: u64,
}

impl Identity {
    /// The process with this id, unless it ended. One that nobody waited for has ended.
    fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name of the program may contain anything.
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let state = fields.next()?;
        // From the state on it is the twentieth field.
        let started = fields.nth(18)?.parse().ok()?;
        (!matches!(state, "Z" | "X")).then_some(Self { pid, started })
    }

    fn parse(text: &str) -> Option<Self> {
        let (pid, started) = text.trim().split_once(' ')?;
        Some(Self { pid: pid.parse().ok()?, started: started.parse().ok()? })
    }

    fn is_running(self) -> bool {
        Self::of(self.pid) == Some(self)
    }
}

impl ProcessLauncher {
    /// Starts nothing yet.
    pub fn new(settings: ProcessSettings) -> Self {
        Self { settings, child: Mutex::new(None) }
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.settings.folder.join(format!("{}.{ending}", self.settings.name))
    }

    /// The process that runs, whoever started it.
    fn running(&self, child: &mut Option<Child>) -> Option<Identity> {
        // Waits for it if it ended, so that it does not remain.
        if child.as_mut().is_some_and(|child| !matches!(child.try_wait(), Ok(None))) {
            *child = None;
        }
        let identity = Identity::parse(&fs::read_to_string(self.file("pid")).ok()?)?;
        identity.is_running().then_some(identity)
    }

    fn spawn(&self) -> io::Result<Child> {
        let printed = self.log()?;
        printed.set_len(0)?;
        let mut command = Command::new(&self.settings.program);
        without_our_settings(&mut command);
        command
            .args(&self.settings.arguments)
            .stdin(Stdio::null())
            .stdout(printed.try_clone()?)
            .stderr(printed);
        // A group of its own: a Ctrl-C at our terminal is not for it, and its children end with it.
        command.process_group(0).spawn()
    }

    /// What it prints. Only for us: OBS may print addresses.
    fn log(&self) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).read(true).mode(0o600).open(self.file("log"))
    }

    /// Remembers the process for a later run. A file that is written halfway would hide it.
    fn remember(&self, identity: Identity) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.settings.folder)?;
        write!(file, "{} {}", identity.pid, identity.started)?;
        file.persist(self.file("pid")).map(drop).map_err(|error| error.error)
    }

    /// The last lines that it printed, without secrets.
    fn last_lines(&self) -> io::Result<Vec<String>> {
        let mut file = self.log()?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut tail = Vec::new();
        file.take(TAIL).read_to_end(&mut tail)?;
        let text = String::from_utf8_lossy(&tail);
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        Ok(lines.iter().skip(lines.len().saturating_sub(LINES)).map(|line| self.masked(line)).collect())
    }

    fn masked(&self, line: &str) -> String {
        let shown = self.settings.secrets.iter().filter(|secret| !secret.is_empty());
        let line = shown.fold(line.to_owned(), |line, secret| line.replace(secret.expose(), "***"));
        masked_line(&line, LINE)
    }

    /// Sends a signal to the whole group, and waits until the process is gone. Returns whether it is.
    async fn end(&self, child: &mut Option<Child>, signals: &[Signal]) -> bool {
        let Some(identity) = self.running(child) else { return true };
        let Some(group) = to_pid(identity.pid) else { return true };
        for signal in signals {
            // It may end at any moment.
            let _ = kill_process_group(group, *signal);
        }
        let started = Instant::now();
        while self.running(child).is_some() {
            if started.elapsed() >= QUIT {
                return false;
            }
            sleep(CHECK).await;
        }
        true
    }

    /// Kills what is left of the group, and forgets the process.
    async fn kill_group(&self, child: &mut Option<Child>, group: Option<Pid>) -> Result<(), LaunchError> {
        if !self.end(child, &[Signal::KILL]).await {
            return Err(LaunchError::Failed("OBS was killed, and its process is still there".to_owned()));
        }
        // Its children, which hold on to the camera. Without them there is no such group.
        let _ = group.map(|group| kill_process_group(group, Signal::KILL));
        let _ = fs::remove_file(self.file("pid"));
        Ok(())
    }
}

#[async_trait]
impl ObsLauncher for ProcessLauncher {
    async fn state(&self) -> Result<ProcessState, LaunchError> {
        let mut child = self.child.lock().await;
        if let Some(identity) = self.running(&mut child) {
            let printed = self.log().and_then(|log| Ok((log.metadata()?.len(), log)));
            if let Ok((MOST_PRINTED.., log)) = printed {
                let _ = log.set_len(0);
            }
            return Ok(ProcessState::Running { pid: identity.pid });
        }
        Ok(ProcessState::Ended { last_words: self.last_lines().unwrap_or_default() })
    }

    async fn start(&self) -> Result<(), LaunchError> {
        let mut child = self.child.lock().await;
        if self.running(&mut child).is_some() {
            return Ok(());
        }
        let program = self.settings.program.display();
        let started = self.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                let folder = self.settings.folder.display();
                LaunchError::Unavailable(format!("there is no program {program}, or no folder {folder}"))
            }
            _ => LaunchError::Unavailable(format!("{program} cannot be started: {error}")),
        })?;
        let identity = started.id().and_then(Identity::of);
        *child = Some(started);
        // If it ended at once, `state` says what it printed.
        let Some(identity) = identity else { return Ok(()) };
        if let Err(error) = self.remember(identity) {
            let file = self.file("pid");
            self.end_unremembered(&mut child, identity).await;
            return Err(LaunchError::Unavailable(format!("{} cannot be written: {error}", file.display())));
        }
        tracing::info!(studio = self.settings.name, pid = identity.pid, %program, "OBS started");
        Ok(())
    }

    async fn stop(&self) -> Result<(), LaunchError> {
        let mut child = self.child.lock().await;
        let group = self.running(&mut child).and_then(|identity| to_pid(identity.pid));
        // One that was stopped by a signal cannot quit before it continues.
        if !self.end(&mut child, &[Signal::INT, Signal::CONT]).await {
            tracing::warn!(studio = self.settings.name, limit = ?QUIT, "OBS did not quit in time; killing it");
        }
        self.kill_group(&mut child, group).await
    }

    async fn freeze(&self) -> Result<(), LaunchError> {
        let mut child = self.child.lock().await;
        let group = self.running(&mut child).and_then(|identity| to_pid(identity.pid));
        let stopped = group.map(|group| kill_process_group(group, Signal::STOP));
        match stopped {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(LaunchError::Failed(format!("OBS cannot be stopped: {error}"))),
            None => Err(LaunchError::Failed("OBS does not run".to_owned())),
        }
    }

    async fn kill(&self) -> Result<(), LaunchError> {
        let mut child = self.child.lock().await;
        let group = self.running(&mut child).and_then(|identity| to_pid(identity.pid));
        self.kill_group(&mut child, group).await
    }
}

impl ProcessLauncher {
    /// Ends a process that no later run would find.
    async fn end_unremembered(&self, child: &mut Option<Child>, identity: Identity) {
        let _ = to_pid(identity.pid).map(|group| kill_process_group(group, Signal::KILL));
        if let Some(mut child) = child.take() {
            let _ = child.wait().await;
        }
    }
}

#[cfg(test)]
#[path = "process_tests.rs"]
mod tests;
