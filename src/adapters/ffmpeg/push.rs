//! Pushes FLV to an SRT listener: `ffmpeg -c copy -f mpegts`, fed by a pipe and supervised.
//!
//! The stream id and the passphrase are in a file that only we may read, since everybody on the machine may see the arguments
//! of a program. ffmpeg reads it as a preset (`-fpre`, in every version). On Linux the file has no name, so nothing is left of
//! it however this program ends.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tempfile::{NamedTempFile, TempPath};
use thiserror::Error;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::output::words;
use super::process::{Group, Limits, Reader, keep, next, run};
use crate::domain::channel::{SrtAddress, SrtKey};
use crate::domain::secret::{Secret, masked_line};

/// What was given to ffmpeg must be sent on within this time.
const STALL: Duration = Duration::from_secs(10);
/// How long ffmpeg may take to end, and to say why it ended.
const END: Duration = Duration::from_secs(1);
/// How many of the last lines of standard error are kept.
const LINES: usize = 10;
/// The longest text of an error.
const MOST_WORDS: usize = 300;

/// Why a push cannot begin, or ended. Without secrets.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PushError {
    /// ffmpeg cannot be run here.
    #[error("{0}")]
    Unavailable(String),
    /// The listener refused.
    #[error("the listener refused the connection: check the stream id and the passphrase of the key")]
    Refused,
    /// Nobody answers.
    #[error("no SRT listener answers at {0}")]
    Unreachable(String),
    /// The listener is gone.
    #[error("the SRT connection to {0} was lost")]
    Lost(String),
    /// It ended.
    #[error("ffmpeg ended: {0}")]
    Ended(String),
    /// It takes or sends nothing.
    #[error("the listener took nothing for ten seconds")]
    Stalled,
}

/// A push that runs. When it is dropped, its programs are killed.
pub struct SrtPush {
    input: ChildStdin,
    program: Program,
}

/// What ffmpeg says.
struct Program {
    group: Group,
    progress: Option<Reader<ChildStdout>>,
    errors: Option<Reader<ChildStderr>>,
    /// Its last lines on standard error.
    last: VecDeque<String>,
    /// The secrets, until ffmpeg is connected.
    options: Option<Options>,
    /// Where they are or were.
    options_path: OsString,
    secrets: Vec<Secret>,
    /// Where it sends to.
    to: String,
    /// Bytes that it sent.
    sent: u64,
    /// Since when nothing was sent although there was something to send.
    waits_since: Option<Instant>,
}

/// Whether ffmpeg is there and can SRT.
pub async fn can_push_srt() -> Result<(), String> {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-loglevel", "error", "-protocols"]);
    let limits = Limits { stall: STALL, file: None, nice: 0 };
    let ended = run(command, "ffmpeg", limits, &mut |_| false, &CancellationToken::new()).await;
    let ended = ended.map_err(|error| error.to_string())?;
    let can =
        ended.output.lines().skip_while(|line| line.trim() != "Output:").any(|line| line.trim() == "srt");
    let rule = "ffmpeg on the machine of the service was built without SRT: install one with libsrt";
    if can { Ok(()) } else { Err(rule.to_owned()) }
}

impl SrtPush {
    /// Starts ffmpeg. It connects when it got the first frames.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(address: &SrtAddress, key: &SrtKey) -> Result<Self, PushError> {
        let unwritable =
            |error| PushError::Unavailable(format!("the file with the key cannot be written: {error}"));
        let options = options(key).map_err(unwritable)?;
        let mut command = Command::new("ffmpeg");
        command.args(arguments(address, &options.path));
        command.stdin(Stdio::piped());
        let mut group = Group::start(&mut command, "ffmpeg").map_err(PushError::Unavailable)?;
        let input = group.child.stdin.take();
        let input = input.ok_or_else(|| PushError::Unavailable("ffmpeg has no standard input".to_owned()))?;
        let progress = group.lines(|child| child.stdout.take());
        let errors = group.lines(|child| child.stderr.take());
        let options_path = options.path.clone();
        let program = Program {
            group,
            progress,
            errors,
            last: VecDeque::new(),
            options: Some(options),
            options_path,
            secrets: key.parts().cloned().collect(),
            to: format!("{}:{}", address.host, address.port),
            sent: 0,
            waits_since: None,
        };
        Ok(Self { input, program })
    }

    /// Gives it bytes of an FLV stream.
    ///
    /// # Errors
    /// If ffmpeg ends, or takes nothing for ten seconds.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), PushError> {
        let Self { input, program } = self;
        program.waits_since.get_or_insert_with(Instant::now);
        let writing = timeout(STALL, input.write_all(bytes));
        tokio::pin!(writing);
        loop {
            tokio::select! {
                biased;
                written = &mut writing => return match written {
                    Ok(Ok(())) => Ok(()),
                    Ok(Err(_)) => Err(program.end().await),
                    Err(_) => Err(PushError::Stalled),
                },
                heard = program.listen() => heard?,
            }
        }
    }

    /// Waits until more was sent. Nothing is lost if this is dropped.
    ///
    /// # Errors
    /// If ffmpeg ends, or sends nothing for ten seconds although it was given something.
    pub async fn listen(&mut self) -> Result<(), PushError> {
        self.program.listen().await
    }

    /// How many bytes were sent.
    pub fn sent(&self) -> u64 {
        self.program.sent
    }

    /// Ends the stream.
    pub async fn close(self) {
        let Self { input, mut program } = self;
        drop(input);
        let _ = timeout(END, program.group.child.wait()).await;
    }
}

impl Program {
    async fn listen(&mut self) -> Result<(), PushError> {
        loop {
            let stalled = self.waits_since.map(|since| since + STALL);
            tokio::select! {
                line = next(&mut self.progress) => {
                    if line.is_some_and(|line| self.takes(&line)) {
                        return Ok(());
                    }
                }
                line = next(&mut self.errors) => self.keep(line),
                _ = self.group.child.wait() => return Err(self.end().await),
                () = sleep_until(stalled.unwrap_or_else(Instant::now)), if stalled.is_some() => {
                    return Err(PushError::Stalled);
                }
            }
        }
    }

    /// Takes a line of `-progress`. Returns whether more was sent.
    fn takes(&mut self, line: &str) -> bool {
        let sent = line.strip_prefix("total_size=").and_then(|size| size.trim().parse().ok());
        let Some(sent) = sent.filter(|sent| *sent > self.sent) else { return false };
        self.sent = sent;
        self.waits_since = None;
        self.options = None;
        true
    }

    fn keep(&mut self, line: Option<String>) {
        if let Some(line) = line {
            keep(&mut self.last, line, LINES);
        }
    }

    /// Why it ended: its last words.
    async fn end(&mut self) -> PushError {
        let reading = async {
            while self.errors.is_some() {
                let line = next(&mut self.errors).await;
                self.keep(line);
            }
        };
        let _ = timeout(END, reading).await;
        let lines: Vec<String> = self.last.iter().cloned().collect();
        let says = |what: &str| lines.iter().any(|line| line.contains(what));
        if says("Peer rejected connection") {
            return PushError::Refused;
        }
        if self.sent == 0 && says("Connection to srt://") {
            return PushError::Unreachable(self.to.clone());
        }
        if self.sent > 0 && says("Input/output error") {
            return PushError::Lost(self.to.clone());
        }
        let mut text = words(&lines, Path::new(&self.options_path));
        for secret in &self.secrets {
            text = text.replace(secret.expose(), "***");
        }
        PushError::Ended(masked_line(&text, MOST_WORDS))
    }
}

/// A file with the options that are secret. Only its owner may read it.
struct Options {
    /// Open until ffmpeg has read it.
    _file: File,
    /// Deletes it, if it has a name.
    _name: Option<TempPath>,
    path: OsString,
}

fn options(key: &SrtKey) -> std::io::Result<Options> {
    let mut file = NamedTempFile::with_prefix("streamward-")?;
    for (name, value) in [("streamid", &key.stream_id), ("passphrase", &key.passphrase)] {
        if let Some(value) = value {
            writeln!(file, "{name}={}", value.expose())?;
        }
    }
    file.flush()?;
    let (file, name) = file.into_parts();
    if !cfg!(target_os = "linux") {
        let path = name.as_os_str().to_owned();
        return Ok(Options { _file: file, _name: Some(name), path });
    }
    name.close()?;
    let path = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()).into();
    Ok(Options { _file: file, _name: None, path })
}

fn arguments(address: &SrtAddress, options: &OsStr) -> Vec<OsString> {
    let SrtAddress { host, port, latency_ms, key_length } = address;
    let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    let mut url = format!("srt://{host}:{port}?mode=caller&transtype=live&pkt_size=1316");
    if let Some(ms) = latency_ms {
        // ffmpeg counts in microseconds.
        url.push_str(&format!("&latency={}", u64::from(*ms) * 1_000));
    }
    if let Some(length) = key_length {
        url.push_str(&format!("&pbkeylen={length}"));
    }
    let mut arguments: Vec<OsString> =
        ["-nostats", "-hide_banner", "-loglevel", "error"].map(OsString::from).into();
    arguments.extend(["-progress", "pipe:1", "-stats_period", "0.5"].map(OsString::from));
    // The headers come first: nothing has to be found out.
    arguments.extend(
        ["-probesize", "65536", "-analyzeduration", "500000", "-fpsprobesize", "0"].map(OsString::from),
    );
    arguments.extend(["-f", "flv", "-i", "pipe:0", "-map", "0", "-c", "copy"].map(OsString::from));
    arguments.extend(
        ["-muxdelay", "0", "-muxpreload", "0", "-flush_packets", "1", "-f", "mpegts"].map(OsString::from),
    );
    arguments.extend(["-fpre".into(), options.to_owned(), url.into()]);
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SrtKey {
        SrtKey::parse(&Secret::new("streamid=publish:live/x:user:secret-word&passphrase=secret-phrase"))
            .unwrap()
    }

    #[test]
    fn secrets_are_in_a_file_of_our_own_and_not_among_the_arguments() {
        use std::os::unix::fs::PermissionsExt as _;
        let file = options(&key()).unwrap();
        let mode = std::fs::metadata(&file.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let has_name =
            !std::fs::read_link(&file.path).is_ok_and(|to| to.to_string_lossy().ends_with("(deleted)"));
        assert_eq!(has_name, !cfg!(target_os = "linux"));
        let text = std::fs::read_to_string(&file.path).unwrap();
        assert_eq!(text, "streamid=publish:live/x:user:secret-word\npassphrase=secret-phrase\n");
        let address = SrtAddress::parse("srt://[::1]:9000?latency=200&pbkeylen=16").unwrap();
        let arguments = arguments(&address, &file.path);
        let url = "srt://[::1]:9000?mode=caller&transtype=live&pkt_size=1316&latency=200000&pbkeylen=16";
        assert_eq!(arguments.last().unwrap(), url);
        assert!(arguments.iter().all(|one| !one.to_string_lossy().contains("secret")));
    }

    #[tokio::test]
    async fn ffmpeg_of_this_machine_can_srt() {
        assert_eq!(can_push_srt().await, Ok(()));
    }

    #[tokio::test]
    async fn end_of_ffmpeg_has_its_words_without_secrets() {
        let address = SrtAddress::parse("srt://127.0.0.1:9").unwrap();
        let mut push = SrtPush::start(&address, &key()).unwrap();
        let error = match push.write(b"no media at all").await {
            Ok(()) => {
                let SrtPush { input, mut program } = push;
                drop(input);
                let error = program.listen().await.unwrap_err();
                drop(program);
                error
            }
            Err(error) => {
                drop(push);
                error
            }
        };
        let PushError::Ended(words) = error else { panic!("{error}") };
        assert!(words.contains("pipe:0"), "{words}");
        assert!(!["secret", "streamward-", "/proc/"].iter().any(|word| words.contains(word)), "{words}");
    }
}
