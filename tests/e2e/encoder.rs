//! Encoders and viewers: ffmpeg, and for WHIP a second MediaMTX.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, anyhow, bail, ensure};
use tokio::time::{Instant, timeout};

use crate::ports;
use crate::process::{Process, Signal, TICK, eventually};
use crate::tools::Tools;

/// How long a viewer may need to see a picture: ffmpeg reads several seconds of HLS and SRT first.
const PATIENCE: Duration = Duration::from_secs(20);

/// Publishes the clip at `url`, with the protocol of its scheme.
pub(crate) fn publish(tools: &Tools, dir: &Path, name: &str, url: &str) -> Result<Process> {
    publish_file(&tools.clip, dir, name, url)
}

/// Publishes a file again and again.
pub(crate) fn publish_file(file: &Path, dir: &Path, name: &str, url: &str) -> Result<Process> {
    let output: &[&str] = match url.split_once("://") {
        Some(("rtmp", _)) => &["-f", "flv"],
        Some(("srt", _)) => &["-f", "mpegts"],
        Some(("rtsp", _)) => &["-rtsp_transport", "tcp", "-f", "rtsp"],
        _ => bail!("{url}: no way to publish there"),
    };
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-nostdin", "-loglevel", "warning", "-re", "-stream_loop", "-1", "-i"]);
    command.arg(file).args(["-c", "copy"]).args(output).arg(url);
    Process::start(name, &mut command, dir)
}

/// An encoder that speaks WHIP: a MediaMTX that forwards what it gets from an ffmpeg of its own. It tries again every
/// five seconds.
pub(crate) struct WhipEncoder {
    forwarder: Process,
    _source: Process,
}

impl WhipEncoder {
    /// Publishes the clip's picture (WebRTC has no AAC) at the WHIP endpoint `url`, showing `token`.
    pub(crate) fn start(tools: &Tools, dir: &Path, name: &str, url: &str, token: &str) -> Result<Self> {
        Self::start_with(tools, dir, name, (url, token), &["-an", "-c", "copy"])
    }

    /// The same with sound, which SRS demands.
    pub(crate) fn with_sound(tools: &Tools, dir: &Path, name: &str, url: &str, token: &str) -> Result<Self> {
        Self::start_with(tools, dir, name, (url, token), &["-c:v", "copy", "-c:a", "libopus", "-ac", "2"])
    }

    fn start_with(
        tools: &Tools,
        dir: &Path,
        name: &str,
        (url, token): (&str, &str),
        codecs: &[&str],
    ) -> Result<Self> {
        let binary = tools.whip.as_ref().map_err(|why| anyhow!("{why}"))?;
        let rtsp = ports::free()?;
        let destination = url.replacen("http", "whip", 1);
        let yaml = format!(
            "rtmp: no\nhls: no\nwebrtc: no\nsrt: no\nmoq: no\nrtspTransports: [tcp]\nrtspAddress: 127.0.0.1:{rtsp}\n\
             paths:\n  in:\n    forward:\n    - dest: {destination}\n      whipBearerToken: {token}\n"
        );
        let file = format!("{name}.yml");
        fs::write(dir.join(&file), yaml)?;
        let forwarder = Process::start(name, Command::new(binary).arg(file), dir)?;
        // ffmpeg does not try twice by itself.
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", rtsp)).is_err() {
            ensure!(Instant::now() < deadline, "the forwarder does not listen:\n{}", forwarder.log());
            std::thread::sleep(TICK);
        }
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-hide_banner", "-nostdin", "-loglevel", "warning", "-re", "-stream_loop", "-1", "-i"]);
        ffmpeg.arg(&tools.clip).args(codecs).args(["-rtsp_transport", "tcp", "-f", "rtsp"]);
        ffmpeg.arg(format!("rtsp://127.0.0.1:{rtsp}/in"));
        let source = Process::start(&format!("{name}-source"), &mut ffmpeg, dir)?;
        Ok(Self { forwarder, _source: source })
    }

    /// Waits until it was refused.
    pub(crate) async fn refused(&self, limit: Duration) -> Result<()> {
        let refused = eventually("the WHIP encoder is refused", limit, async || {
            Ok(self.forwarder.log().contains("401").then_some(()))
        });
        refused.await.map(drop)
    }
}

impl Drop for WhipEncoder {
    /// Ends its session: if it just vanished, ICE would wait for half a minute.
    fn drop(&mut self) {
        let _ = self.forwarder.signal(Signal::TERM);
        for _ in 0..100 {
            if self.forwarder.exit_status().is_some() {
                break;
            }
            std::thread::sleep(TICK);
        }
    }
}

/// A MediaMTX that pulls by WHEP from `url` until it is dropped, and where it shows what it receives.
pub(crate) fn pull_by_whep(binary: &Path, dir: &Path, name: &str, url: &str) -> Result<(Process, String)> {
    let rtsp = ports::free()?;
    let source = url.replacen("http", "whep", 1);
    let yaml = format!(
        "rtmp: no\nhls: no\nwebrtc: no\nsrt: no\nrtspTransports: [tcp]\nrtspAddress: 127.0.0.1:{rtsp}\n\
         paths:\n  in:\n    source: {source}\n"
    );
    let file = format!("{name}.yml");
    fs::write(dir.join(&file), yaml)?;
    let mut command = Command::new(binary);
    let puller = Process::start(name, command.arg(file).env("MTX_MOQ", "no"), dir)?;
    Ok((puller, format!("rtsp://127.0.0.1:{rtsp}/in")))
}

/// Watches `url` until it is dropped or the stream ends.
pub(crate) fn watch(dir: &Path, name: &str, url: &str) -> Result<Process> {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-nostdin", "-loglevel", "warning"]);
    if url.starts_with("rtsp") {
        command.args(["-rtsp_transport", "tcp"]);
    }
    command.args(["-i", url, "-c", "copy", "-f", "null", "/dev/null"]);
    Process::start(name, &mut command, dir)
}

/// The codecs a viewer of `url` sees, for example `aac` and `h264`; an error if there is nothing to see.
pub(crate) async fn codecs(url: &str) -> Result<Vec<String>> {
    let mut command = tokio::process::Command::new("ffprobe");
    command.args(["-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0"]).kill_on_drop(true);
    if url.starts_with("rtsp") {
        command.args(["-rtsp_transport", "tcp"]);
    }
    let output = timeout(PATIENCE, command.arg(url).output()).await??;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{url} cannot be watched: {error}");
    let mut codecs: Vec<String> = String::from_utf8(output.stdout)?
        .lines()
        .map(|line| line.trim_end_matches(',').to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    codecs.sort();
    codecs.dedup();
    ensure!(!codecs.is_empty(), "{url} shows nothing: {error}");
    Ok(codecs)
}

/// Fails if `url` can be watched.
pub(crate) async fn cannot_be_watched(url: &str) -> Result<()> {
    match codecs(url).await {
        Ok(codecs) => bail!("a viewer received {codecs:?} from a path that nobody may read"),
        Err(_) => Ok(()),
    }
}
