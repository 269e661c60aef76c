//! Runs a program to its end, unless it stalls, writes too much, or is told to stop.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, setpriority_process};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader, Lines};
use tokio::process::{Child, Command};
use tokio::time::{Instant, interval, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::adapters::child::to_pid;
use crate::ports::TranscodeError;

/// How many of the last lines of standard error are kept.
pub(super) const LINES: usize = 20;
/// How many bytes of standard output are kept, for the answer of ffprobe.
const OUTPUT: usize = 1024 * 1024;
/// How often the size of the new file is checked.
const CHECK: Duration = Duration::from_secs(1);
/// How long a conversion may make no progress.
pub(super) const STALL: Duration = Duration::from_secs(60);
/// For what can wait: everything else on the machine comes first.
pub(super) const NICE: i32 = 10;

/// When a program is ended early.
#[derive(Clone, Copy)]
pub(super) struct Limits<'a> {
    /// The longest time without progress.
    pub(super) stall: Duration,
    /// The file that it writes, and its largest size.
    pub(super) file: Option<(&'a Path, u64)>,
    /// How much less important than this program it is.
    pub(super) nice: i32,
}

/// Reads what a program prints, line by line.
pub(super) type Reader<R> = Lines<BufReader<R>>;

/// How a program ended by itself.
pub(super) struct Ended {
    pub(super) is_success: bool,
    pub(super) output: String,
    /// Its last lines on standard error.
    pub(super) errors: Vec<String>,
}

/// Runs a program. `read` gets each line of its output, and says whether that shows progress.
pub(super) async fn run(
    mut command: Command,
    name: &str,
    limits: Limits<'_>,
    read: &mut (dyn FnMut(&str) -> bool + Send),
    stop: &CancellationToken,
) -> Result<Ended, TranscodeError> {
    command.stdin(Stdio::null());
    let mut group = Group::start(&mut command, name).map_err(TranscodeError::Unavailable)?;
    group.lower_priority(name, limits.nice);
    let (mut output, mut errors) =
        (group.lines(|child| child.stdout.take()), group.lines(|child| child.stderr.take()));
    let (mut kept, mut last) = (String::new(), VecDeque::new());
    let (mut progress, mut check) = (Instant::now(), interval(CHECK));
    while output.is_some() || errors.is_some() {
        tokio::select! {
            line = next(&mut output) => if let Some(line) = line {
                if read(&line) {
                    progress = Instant::now();
                }
                if kept.len() + line.len() < OUTPUT {
                    kept.push_str(&line);
                    kept.push('\n');
                }
            },
            line = next(&mut errors) => if let Some(line) = line {
                keep(&mut last, line, LINES);
            },
            () = stop.cancelled() => return Err(TranscodeError::Stopped),
            () = sleep_until(progress + limits.stall) => return Err(TranscodeError::Stalled(limits.stall.as_secs())),
            _ = check.tick() => if is_too_large(limits).await {
                return Err(TranscodeError::Full);
            },
        }
    }
    let status = tokio::select! {
        status = group.child.wait() => status,
        () = stop.cancelled() => return Err(TranscodeError::Stopped),
    };
    let is_success = status.map_err(|error| TranscodeError::Failed(error.to_string()))?.success();
    // It may have ended before the next check.
    if is_success && is_too_large(limits).await {
        return Err(TranscodeError::Full);
    }
    Ok(Ended { is_success, output: kept, errors: last.into() })
}

/// Keeps a line as one of the last `most`.
pub(super) fn keep(last: &mut VecDeque<String>, line: String, most: usize) {
    if last.len() == most {
        last.pop_front();
    }
    last.push_back(line);
}

async fn is_too_large(limits: Limits<'_>) -> bool {
    let Some((file, most)) = limits.file else { return false };
    tokio::fs::metadata(file).await.is_ok_and(|found| found.len() > most)
}

/// A program in a process group of its own. When it is dropped, the group is killed.
pub(super) struct Group {
    pub(super) child: Child,
    id: Option<Pid>,
}

impl Group {
    /// Starts it with a standard input as `command` has it. The error says why it cannot be started.
    pub(super) fn start(command: &mut Command, name: &str) -> Result<Self, String> {
        // Without our environment, which has secrets.
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.process_group(0).kill_on_drop(true).spawn();
        let child = child.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                format!("{name} is not installed: install ffmpeg on the machine of the service")
            }
            _ => format!("{name} cannot be started: {error}"),
        })?;
        let id = child.id().and_then(to_pid);
        Ok(Self { child, id })
    }

    /// Makes it `nice` less important than this program.
    pub(super) fn lower_priority(&self, name: &str, nice: i32) {
        if let Some(Err(error)) = self.id.map(|id| setpriority_process(Some(id), nice)) {
            tracing::debug!(%error, name, "the priority of a program cannot be lowered");
        }
    }

    pub(super) fn lines<R: AsyncRead + Unpin>(
        &mut self,
        pipe: impl FnOnce(&mut Child) -> Option<R>,
    ) -> Option<Reader<R>> {
        pipe(&mut self.child).map(|pipe| BufReader::new(pipe).lines())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Only while it was not waited for: afterwards the id may be another program's.
        if self.child.id().is_some()
            && let Some(id) = self.id
        {
            let _ = kill_process_group(id, Signal::KILL);
        }
    }
}

/// The next line. At the end, or at a line that is no text, there is nothing more to read.
pub(super) async fn next<R: AsyncRead + Unpin>(lines: &mut Option<Reader<R>>) -> Option<String> {
    let Some(open) = lines else { return std::future::pending().await };
    if let Ok(Some(line)) = open.next_line().await {
        return Some(line);
    }
    *lines = None;
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(stall: Duration) -> Limits<'static> {
        Limits { stall, file: None, nice: NICE }
    }

    /// Stands in for ffmpeg.
    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn output_is_read_line_by_line_and_the_last_errors_are_kept() {
        let mut lines = Vec::new();
        let mut read = |line: &str| {
            lines.push(line.to_owned());
            true
        };
        let script = "echo a; echo b; for i in $(seq 30); do echo e$i >&2; done; exit 3";
        let ended =
            run(shell(script), "sh", limits(Duration::from_secs(60)), &mut read, &CancellationToken::new())
                .await;
        let ended = ended.unwrap();
        assert!(!ended.is_success);
        assert_eq!((ended.output.as_str(), lines), ("a\nb\n", vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!((ended.errors.len(), ended.errors[LINES - 1].as_str()), (LINES, "e30"));
    }

    #[tokio::test]
    async fn program_without_progress_is_killed_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let script = format!(
            "sleep 1000 & echo $! > {}.new; mv {0}.new {0}; while :; do echo frame=1; sleep 0.05; done",
            pid.display()
        );
        let never = CancellationToken::new();
        let mut has_child = |_: &str| !pid.exists();
        let ended =
            run(shell(&script), "sh", limits(Duration::from_millis(300)), &mut has_child, &never).await;
        assert_eq!(ended.err(), Some(TranscodeError::Stalled(0)));
        let child: i32 = std::fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
        let is_gone = || {
            rustix::process::test_kill_process(Pid::from_raw(child).unwrap()).is_err()
                || std::fs::read_to_string(format!("/proc/{child}/stat"))
                    .is_ok_and(|stat| stat.contains(") Z "))
        };
        while !is_gone() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn program_is_ended_by_a_stop_and_by_a_file_that_is_too_large() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("large");
        std::fs::write(&file, [0; 100]).unwrap();
        let stopped = CancellationToken::new();
        stopped.cancel();
        for (stop, most, expected) in
            [(stopped, 100, TranscodeError::Stopped), (CancellationToken::new(), 99, TranscodeError::Full)]
        {
            let limits = Limits { stall: Duration::from_secs(60), file: Some((&file, most)), nice: NICE };
            let ended = run(shell("sleep 1000"), "sh", limits, &mut |_| true, &stop).await;
            assert_eq!(ended.err(), Some(expected));
        }
    }

    #[tokio::test]
    async fn absent_program_is_named() {
        let absent = Command::new("no-such-ffmpeg");
        let ended = run(absent, "ffmpeg", limits(CHECK), &mut |_| true, &CancellationToken::new()).await;
        assert!(ended.err().unwrap().to_string().starts_with("ffmpeg is not installed: "));
    }
}
