//! Normalises live media: an ffmpeg that reads an FLV stream from standard input and writes one to standard output, so
//! that no address is among its arguments.

use std::collections::VecDeque;
use std::path::Path;
use std::pin::pin;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::maybe_done;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::time::{Instant, interval, timeout};

use super::process::{Group, LINES, keep};
use super::{Ffmpeg, arguments, output};
use crate::domain::profile::Profile;
use crate::ports::{LiveTranscoder, TranscodeError};

/// A programme waits for it: only what answers requests comes first.
const NICE: i32 = 5;
/// How much of the output is read at once.
const PART: usize = 64 * 1024;
/// How long it may make no progress while it gets media.
const STALL: Duration = Duration::from_secs(5);
/// How often that is checked.
const CHECK: Duration = Duration::from_millis(500);
/// How long its last words may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

#[async_trait]
impl LiveTranscoder for Ffmpeg {
    async fn convert_live(
        &self,
        profile: &Profile,
        with_sound: bool,
        input: mpsc::Receiver<Vec<u8>>,
        output: mpsc::Sender<Vec<u8>>,
    ) -> TranscodeError {
        let mut command = Command::new("ffmpeg");
        command.args(arguments::live(profile, with_sound));
        run(command, input, output).await
    }
}

/// Runs ffmpeg until it ends, stalls, or the output is not wanted any more.
async fn run(
    mut command: Command,
    input: mpsc::Receiver<Vec<u8>>,
    output: mpsc::Sender<Vec<u8>>,
) -> TranscodeError {
    let mut group = match Group::start(command.stdin(Stdio::piped()), "ffmpeg") {
        Ok(group) => group,
        Err(error) => return TranscodeError::Unavailable(error),
    };
    group.lower_priority("ffmpeg", NICE);
    let child = &mut group.child;
    let (Some(to), Some(from), Some(errors)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return TranscodeError::Failed("it has no standard input or output".to_owned());
    };
    let (fed, reported) = (Mutex::new(Some(Instant::now())), Mutex::new(Reported::new()));
    let mut listening = pin!(maybe_done(listen(errors, &reported)));
    let mut reading = pin!(maybe_done(read(from, output)));
    tokio::select! {
        () = write(to, input, &fed) => {}
        () = &mut reading => {
            if reading.as_mut().output_mut() == Some(&mut false) {
                return TranscodeError::Stopped;
            }
        }
        () = &mut listening => {}
        () = stall(&fed, &reported) => return TranscodeError::Stalled(STALL.as_secs()),
    }
    // It has ended, or does so now. What it made last counts, and its last lines are the reason.
    let _ = timeout(LAST_WORDS, async { tokio::join!(&mut listening, &mut reading) }).await;
    let lines = std::mem::take(&mut reported.lock().unwrap_or_else(PoisonError::into_inner).lines);
    TranscodeError::Failed(output::words(&Vec::from(lines), Path::new("pipe:0")))
}

/// What ffmpeg reports.
struct Reported {
    /// Its last lines, without the progress.
    lines: VecDeque<String>,
    /// How far it is, and since when.
    position: Option<u64>,
    moved: Instant,
}

impl Reported {
    fn new() -> Self {
        Self { lines: VecDeque::new(), position: None, moved: Instant::now() }
    }

    fn take(&mut self, line: String) {
        if let Some(position) = output::position_ms(&line) {
            if self.position.is_none_or(|before| position > before) {
                (self.position, self.moved) = (Some(position), Instant::now());
            }
        } else if !output::is_progress(&line) {
            keep(&mut self.lines, line, LINES);
        }
    }
}

/// Writes until ffmpeg takes no more. `fed` is when it last took something; `None` while it takes nothing. If there is no more, ffmpeg ends after its last frame.
async fn write(
    mut to: impl AsyncWrite + Unpin,
    mut input: mpsc::Receiver<Vec<u8>>,
    fed: &Mutex<Option<Instant>>,
) {
    let mark = |at| *fed.lock().unwrap_or_else(PoisonError::into_inner) = at;
    while let Some(part) = input.recv().await {
        // While it takes nothing, it is being fed.
        mark(None);
        let written = to.write_all(&part).await;
        mark(Some(Instant::now()));
        if written.is_err() {
            return;
        }
    }
    drop(to);
    std::future::pending::<()>().await;
}

/// Reads until ffmpeg ends. Returns whether the output is still wanted.
async fn read(mut from: impl AsyncRead + Unpin, output: mpsc::Sender<Vec<u8>>) -> bool {
    let mut part = vec![0; PART];
    loop {
        match from.read(&mut part).await {
            Ok(0) | Err(_) => return true,
            Ok(count) => {
                let Some(read) = part.get(..count) else { return true };
                if output.send(read.to_vec()).await.is_err() {
                    return false;
                }
            }
        }
    }
}

async fn listen(errors: impl AsyncRead + Unpin, reported: &Mutex<Reported>) {
    let mut lines = BufReader::new(errors).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        reported.lock().unwrap_or_else(PoisonError::into_inner).take(line);
    }
}

/// Returns when ffmpeg makes no progress although it gets media.
async fn stall(fed: &Mutex<Option<Instant>>, reported: &Mutex<Reported>) {
    let mut checks = interval(CHECK);
    loop {
        checks.tick().await;
        let fed = *fed.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fed = fed.is_none_or(|at| at.elapsed() < CHECK * 2);
        let mut reported = reported.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_fed {
            // The live input is what stalls.
            reported.moved = Instant::now();
        } else if reported.moved.elapsed() >= STALL {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stands in for ffmpeg.
    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn media_goes_through_and_the_last_words_are_the_reason() {
        let ((to, input), (output, mut from)) = (mpsc::channel(8), mpsc::channel(8));
        to.send(b"hello\n".to_vec()).await.unwrap();
        let script = "read line; echo \"$line back\"; echo out_time_us=5000 >&2; echo progress=continue >&2; \
                      echo 'no more' >&2; exit 3";
        let ended = run(shell(script), input, output).await;
        assert_eq!(ended, TranscodeError::Failed("no more".to_owned()));
        assert_eq!(from.recv().await.unwrap(), b"hello back\n");
    }

    /// How a program ends that gets so many bytes ten times a second.
    async fn end_while_fed(script: &str, bytes: usize) -> TranscodeError {
        let ((to, input), (output, _from)) = (mpsc::channel(8), mpsc::channel(8));
        let feeding = async {
            loop {
                let _ = to.send(vec![0; bytes]).await;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::select! {
            ended = run(shell(script), input, output) => ended,
            never = feeding => never,
        }
    }

    #[tokio::test]
    async fn program_that_takes_media_and_makes_no_progress_is_ended() {
        assert_eq!(end_while_fed("cat > /dev/null", 100).await, TranscodeError::Stalled(5));
    }

    #[tokio::test]
    async fn program_that_takes_nothing_is_ended() {
        assert_eq!(end_while_fed("exec sleep 1000", 100_000).await, TranscodeError::Stalled(5));
    }

    #[tokio::test]
    async fn output_that_nobody_wants_ends_the_program() {
        let ((_to, input), (output, from)) = (mpsc::channel(8), mpsc::channel(8));
        drop(from);
        assert_eq!(run(shell("echo x; exec sleep 1000"), input, output).await, TranscodeError::Stopped);
    }
}
