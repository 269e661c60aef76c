//! Runs MediaMTX as a child process: restarts it when it ends, and stops it when we stop.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Signal, kill_process, test_kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::log_lines::log_line;
use crate::adapters::child::{to_pid, without_our_settings};

/// The pause before a restart: the first one, and the longest one.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));
/// After it ran for this long, the next pause is the shortest one again.
const STABLE: Duration = Duration::from_secs(30);
/// How long MediaMTX may take to stop. It waits for its hooks.
const STOP_LIMIT: Duration = Duration::from_secs(7);
/// How long we wait for its last output.
const LAST_OUTPUT: Duration = Duration::from_millis(200);

/// The program to run.
pub(in crate::runtime) struct Supervised {
    pub(super) program: PathBuf,
    pub(super) config: PathBuf,
    /// The file with its process id. If we are killed and it is not, the next run finds it.
    pub(super) pid_file: PathBuf,
}

impl Supervised {
    /// Runs it until `stop`, then stops it.
    pub(in crate::runtime) async fn run(self, stop: CancellationToken) {
        self.stop_leftover().await;
        let mut wait = BACKOFF.0;
        while !stop.is_cancelled() {
            let started = Instant::now();
            match self.spawn() {
                Ok(child) => {
                    if self.supervise(child, &stop).await {
                        break;
                    }
                }
                Err(error) => {
                    tracing::error!(program = %self.program.display(), %error, "MediaMTX cannot be started");
                }
            }
            wait = if started.elapsed() >= STABLE { BACKOFF.0 } else { wait };
            tracing::warn!(pause = ?wait, "MediaMTX will be started again");
            stop.run_until_cancelled(sleep(wait)).await;
            wait = (wait * 2).min(BACKOFF.1);
        }
        let _ = std::fs::remove_file(&self.pid_file);
    }

    /// Waits for the end of the child. Returns whether we ended it.
    async fn supervise(&self, mut child: Child, stop: &CancellationToken) -> bool {
        let pid = child.id();
        if let Some(pid) = pid {
            let _ = std::fs::write(&self.pid_file, pid.to_string());
        }
        tracing::info!(pid, program = %self.program.display(), config = %self.config.display(), "MediaMTX started");
        let mut output = JoinSet::new();
        // Also while it stops: a process that cannot write does not end.
        output.spawn(read_both(&mut child));
        let ended = stop.run_until_cancelled(child.wait()).await;
        if ended.is_none() {
            if let Some(pid) = pid.and_then(to_pid) {
                let _ = kill_process(pid, Signal::TERM);
            }
            if timeout(STOP_LIMIT, child.wait()).await.is_err() {
                tracing::warn!(limit = ?STOP_LIMIT, "MediaMTX did not stop in time; killing it");
                let _ = child.kill().await;
            }
        }
        // Its last output has the reason of its end. Its hooks may keep the pipe open for longer.
        let _ = timeout(LAST_OUTPUT, output.join_next()).await;
        match ended {
            None => return true,
            Some(Ok(status)) => tracing::error!(%status, "MediaMTX ended"),
            Some(Err(error)) => tracing::error!(%error, "the state of MediaMTX is unknown"),
        }
        false
    }

    /// Without our variables in its environment: the programs it runs can read that.
    fn spawn(&self) -> std::io::Result<Child> {
        let mut command = Command::new(&self.program);
        without_our_settings(&mut command);
        command
            .arg(&self.config)
            // MoQ would open three more ports. In the file, versions before 1.19 do not know the key.
            .env("MTX_MOQ", "no")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C at the terminal is for us only: we stop the child while we can still receive its last hooks.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }

    /// Stops the child of an earlier run that was killed. It would hold the ports.
    async fn stop_leftover(&self) {
        let pid = std::fs::read_to_string(&self.pid_file).ok().and_then(|text| text.trim().parse().ok());
        let Some(pid) = pid.filter(|pid| runs_with(*pid, &self.config)).and_then(to_pid) else { return };
        tracing::warn!(
            pid = pid.as_raw_nonzero(),
            "the MediaMTX of an earlier run is still running; stopping it"
        );
        let _ = kill_process(pid, Signal::TERM);
        let started = Instant::now();
        while test_kill_process(pid).is_ok() {
            if started.elapsed() >= STOP_LIMIT {
                let _ = kill_process(pid, Signal::KILL);
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Whether the process with this id was started with this configuration file. Ids are used again.
fn runs_with(pid: u32, config: &Path) -> bool {
    let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let wanted = config.as_os_str().as_encoded_bytes();
    words.split(|byte| *byte == 0).any(|word| word == wanted)
}

/// Logs both outputs until they are closed.
fn read_both(child: &mut Child) -> impl Future<Output = ()> + use<> {
    let (out, err) = (child.stdout.take(), child.stderr.take());
    async move {
        tokio::join!(read_lines(out), read_lines(err));
    }
}

async fn read_lines(from: Option<impl AsyncRead + Unpin>) {
    let Some(from) = from else { return };
    let mut lines = BufReader::new(from).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        log_line(String::from_utf8_lossy(&line).trim_end());
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use streamward_test_support::TimeLimit;
    use tempfile::TempDir;

    use super::*;

    /// A program that writes its process id to a file and then runs `script`.
    fn program(dir: &TempDir, script: &str) -> Supervised {
        let program = dir.path().join("fake-mediamtx");
        std::fs::write(&program, format!("#!/bin/sh\necho $$ >> {}/ran\n{script}\n", dir.path().display()))
            .unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        Supervised { program, config: dir.path().join("x.yml"), pid_file: dir.path().join("pid") }
    }

    fn runs(dir: &TempDir) -> usize {
        std::fs::read_to_string(dir.path().join("ran")).unwrap_or_default().lines().count()
    }

    #[tokio::test]
    async fn child_is_restarted_when_it_ends_and_stopped_with_us() {
        let dir = TempDir::new().unwrap();
        let stop = CancellationToken::new();
        let _limit = TimeLimit::start();
        let child = program(&dir, "[ $(wc -l < $(dirname $0)/ran) -gt 1 ] || exit 3\nexec sleep 60");
        let stopping = stop.clone();
        let watch = async {
            while runs(&dir) < 2 {
                sleep(Duration::from_millis(20)).await;
            }
            sleep(Duration::from_millis(100)).await;
            stopping.cancel();
        };
        let started = Instant::now();
        tokio::join!(child.run(stop), watch);
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        assert_eq!(runs(&dir), 2);
        assert!(!dir.path().join("pid").exists());
    }

    #[tokio::test]
    async fn child_of_a_killed_run_is_stopped_first() {
        let dir = TempDir::new().unwrap();
        let config = dir.path().join("x.yml");
        let _limit = TimeLimit::start();
        let mut left = Command::new("sh").args(["-c", "sleep 60 & wait", "x"]).arg(&config).spawn().unwrap();
        let pid = left.id().unwrap();
        std::fs::write(dir.path().join("pid"), pid.to_string()).unwrap();
        let child = program(&dir, "exit 0");
        // On a busy machine the process has its id before its command line.
        while !runs_with(pid, &config) {
            sleep(Duration::from_millis(10)).await;
        }
        let (_, status) = tokio::join!(child.stop_leftover(), left.wait());
        assert!(!status.unwrap().success());
    }
}
