//! A child that is run for as long as we run: started again when it ends, stopped when we stop.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::log_lines::pass_on;

/// How long to wait before it is started again: at first, and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));
/// Who ran this long has started well; the next wait is short again.
const SETTLED: Duration = Duration::from_secs(30);
/// How long it may take to stop; it waits for its hooks.
const STOP_LIMIT: Duration = Duration::from_secs(7);
/// How long what it said last is waited for.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// What to run.
pub(in crate::runtime) struct Supervised {
    pub(super) program: PathBuf,
    pub(super) config: PathBuf,
    /// Where its number is kept, to find it again if we are killed and it is not.
    pub(super) pid_file: PathBuf,
}

impl Supervised {
    /// Runs it until `stop`, and then stops it.
    pub(in crate::runtime) async fn run(self, stop: CancellationToken) {
        self.stop_the_last_one().await;
        let mut wait = BACKOFF.0;
        while !stop.is_cancelled() {
            let started = Instant::now();
            match self.spawn() {
                Ok(child) => {
                    if self.see_through(child, &stop).await {
                        break;
                    }
                }
                Err(error) => {
                    tracing::error!(program = %self.program.display(), %error, "MediaMTX cannot be run");
                }
            }
            wait = if started.elapsed() >= SETTLED { BACKOFF.0 } else { wait };
            tracing::warn!(again_in = ?wait, "MediaMTX is started again");
            stop.run_until_cancelled(sleep(wait)).await;
            wait = (wait * 2).min(BACKOFF.1);
        }
        let _ = std::fs::remove_file(&self.pid_file);
    }

    /// Follows the child to its end. Returns whether we ended it.
    async fn see_through(&self, mut child: Child, stop: &CancellationToken) -> bool {
        let pid = child.id();
        if let Some(pid) = pid {
            let _ = std::fs::write(&self.pid_file, pid.to_string());
        }
        tracing::info!(pid, program = %self.program.display(), config = %self.config.display(), "MediaMTX started");
        let mut said = std::pin::pin!(read_both(&mut child));
        let mut silent = false;
        let ended = loop {
            tokio::select! {
                ended = child.wait() => break Some(ended),
                () = &mut said, if !silent => silent = true,
                () = stop.cancelled() => break None,
            }
        };
        if ended.is_none() {
            if let Some(pid) = pid.and_then(to_pid) {
                let _ = kill_process(pid, Signal::TERM);
            }
            // Read on meanwhile: one that cannot write does not end.
            let stopping = async {
                tokio::select! {
                    _ = child.wait() => {}
                    () = async { if !silent { (&mut said).await; silent = true; } std::future::pending().await } => {}
                }
            };
            if timeout(STOP_LIMIT, stopping).await.is_err() {
                tracing::warn!("MediaMTX did not stop in time and is killed");
                let _ = child.kill().await;
            }
        }
        // Why it ended stands in what it said last. Its hooks may hold the other end for longer.
        if !silent {
            let _ = timeout(LAST_WORDS, said).await;
        }
        match ended {
            None => return true,
            Some(Ok(status)) => tracing::error!(%status, "MediaMTX ended"),
            Some(Err(error)) => tracing::error!(%error, "MediaMTX was lost"),
        }
        false
    }

    /// With nothing of ours in its environment: whatever it runs can read that.
    fn spawn(&self) -> std::io::Result<Child> {
        let mut command = Command::new(&self.program);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("STREAMWARD_") || text.starts_with("DATABASE_URL") {
                command.env_remove(&name);
            }
        }
        command
            .arg(&self.config)
            // Since 1.19 it listens on three more ports otherwise; older versions do not know the key in the file.
            .env("MTX_MOQ", "no")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A Ctrl-C at the terminal is for us: we stop it when its last hooks can still be heard.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }

    /// One that outlived us, because we were killed, holds the ports.
    async fn stop_the_last_one(&self) {
        let pid = std::fs::read_to_string(&self.pid_file).ok().and_then(|text| text.trim().parse().ok());
        let Some(pid) = pid.filter(|pid| runs_with(*pid, &self.config)).and_then(to_pid) else { return };
        tracing::warn!(
            pid = pid.as_raw_nonzero(),
            "the MediaMTX of an earlier run is still there: stopping it"
        );
        let _ = kill_process(pid, Signal::TERM);
        let asked = Instant::now();
        while test_kill_process(pid).is_ok() {
            if asked.elapsed() >= STOP_LIMIT {
                let _ = kill_process(pid, Signal::KILL);
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
}

fn to_pid(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// Whether the process of this number was started with this configuration file: numbers are used again.
fn runs_with(pid: u32, config: &Path) -> bool {
    let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let wanted = config.as_os_str().as_encoded_bytes();
    words.split(|byte| *byte == 0).any(|word| word == wanted)
}

/// Passes on what it says until both outputs are closed.
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
        pass_on(String::from_utf8_lossy(&line).trim_end());
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use tempfile::TempDir;

    use super::*;

    /// A program that writes its number beside itself and then does what `script` says.
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
    async fn it_is_started_again_when_it_ends_and_stopped_with_us() {
        let dir = TempDir::new().unwrap();
        let stop = CancellationToken::new();
        let child = program(&dir, "[ $(wc -l < $(dirname $0)/ran) -gt 1 ] || exit 3\nexec sleep 60");
        let stopping = stop.clone();
        let watch = async {
            while runs(&dir) < 2 {
                sleep(Duration::from_millis(20)).await;
            }
            sleep(Duration::from_millis(100)).await;
            stopping.cancel();
        };
        let asked = Instant::now();
        tokio::join!(child.run(stop), watch);
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
        assert_eq!(runs(&dir), 2);
        assert!(!dir.path().join("pid").exists());
    }

    #[tokio::test]
    async fn one_that_outlived_us_is_stopped_first() {
        let dir = TempDir::new().unwrap();
        let config = dir.path().join("x.yml");
        let mut left = Command::new("sh").args(["-c", "sleep 60 & wait", "x"]).arg(&config).spawn().unwrap();
        let pid = left.id().unwrap();
        std::fs::write(dir.path().join("pid"), pid.to_string()).unwrap();
        let child = program(&dir, "exit 0");
        // On a busy machine it has its number before it has its name.
        while !runs_with(pid, &config) {
            sleep(Duration::from_millis(10)).await;
        }
        let (_, status) = tokio::join!(child.stop_the_last_one(), left.wait());
        assert!(!status.unwrap().success());
    }
}
