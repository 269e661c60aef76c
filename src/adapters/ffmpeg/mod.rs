//! Examines and converts media files with ffmpeg, which does what no crate does, and normalises live media (`live.rs`).
//!
//! It also pushes programmes to SRT listeners (`push.rs`), which no crate does well.
//!
//! A file is untrusted input: only known containers are opened, and nothing that they name (`arguments.rs`). Each program
//! is a process group of its own with a low priority, and is killed when it stalls or is told to stop (`process.rs`).

mod arguments;
mod live;
mod made;
mod output;
mod process;
mod push;

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use tokio::process::Command;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::domain::clip::Probe;
use crate::domain::profile::Profile;
use crate::ports::{Conversion, TranscodeError, Transcoder};
use process::{Ended, Limits, NICE, STALL, run};
pub use push::{PushError, SrtPush, can_push_srt};

/// How long examining a file may take.
const PROBE_LIMIT: Duration = Duration::from_secs(60);

/// The programs `ffmpeg` and `ffprobe` of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ffmpeg;

#[async_trait]
impl Transcoder for Ffmpeg {
    async fn probe(&self, file: &Path) -> Result<Probe, TranscodeError> {
        let mut command = Command::new("ffprobe");
        command.args(arguments::probe(file));
        let limits = Limits { stall: PROBE_LIMIT, file: None, nice: NICE };
        let ended = run(command, "ffprobe", limits, &mut |_| false, &CancellationToken::new()).await?;
        let Ended { is_success: true, output, .. } = ended else {
            let words = output::words(&ended.errors, file);
            let is_other = words.contains("not on whitelist");
            let other = || "this format is not accepted: convert it to MP4 or Matroska first".to_owned();
            return Err(TranscodeError::NotMedia(if is_other { other() } else { words }));
        };
        output::probe(&output).map_err(TranscodeError::NotMedia)
    }

    async fn convert(
        &self,
        conversion: Conversion<'_>,
        progress: &watch::Sender<f32>,
        stop: &CancellationToken,
    ) -> Result<(), TranscodeError> {
        let mut command = Command::new("ffmpeg");
        command.args(arguments::convert(&conversion));
        let limits =
            Limits { stall: STALL, file: Some((conversion.target, conversion.max_bytes)), nice: NICE };
        let whole = conversion.probe.duration_ms;
        let mut latest = None;
        let mut read = |line: &str| {
            let Some(at) = output::position_ms(line) else { return false };
            let has_moved = latest.is_none_or(|latest| at > latest);
            if has_moved {
                latest = Some(at);
                progress.send_replace(share(at, whole));
            }
            has_moved
        };
        let ended = run(command, "ffmpeg", limits, &mut read, stop).await?;
        if ended.is_success {
            return Ok(());
        }
        let words = output::words(&ended.errors, conversion.source);
        Err(if words.contains("No space left on device") {
            TranscodeError::Full
        } else {
            TranscodeError::Failed(words)
        })
    }

    async fn slate(&self, profile: &Profile, folder: &Path) -> Result<PathBuf, TranscodeError> {
        let Profile { video, audio } = profile;
        let name =
            format!("{}x{}-{}-{}-{}.flv", video.width, video.height, video.fps, audio.rate, audio.channels);
        made::made_once(folder.join(name), |part| arguments::slate(profile, part)).await
    }

    async fn as_mp4(&self, rendition: &Path) -> Result<PathBuf, TranscodeError> {
        made::made_once(rendition.with_extension("mp4"), |part| arguments::as_mp4(rendition, part)).await
    }
}

/// How much is done; 0 if the length is unknown.
#[expect(clippy::cast_precision_loss, reason = "a share for people")]
fn share(at_ms: u64, whole_ms: Option<u64>) -> f32 {
    whole_ms.map_or(0.0, |whole| (at_ms as f32 / whole.max(1) as f32).min(1.0))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
