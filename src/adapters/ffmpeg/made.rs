//! Small files that are made once: they get their name when they are complete.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tokio::fs;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use super::output;
use super::process::{Limits, STALL, run};
use crate::adapters::system::SystemIds;
use crate::ports::{IdGen as _, TranscodeError};

/// The file at `path`. If it is not there, ffmpeg makes it with these arguments.
pub(super) async fn made_once(
    path: PathBuf,
    arguments: impl Fn(&Path) -> Vec<OsString>,
) -> Result<PathBuf, TranscodeError> {
    let failed = |error: std::io::Error| TranscodeError::Failed(error.kind().to_string());
    if fs::try_exists(&path).await.map_err(failed)? {
        return Ok(path);
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).await.map_err(failed)?;
    }
    // Others may make it at the same time.
    let part = Part(path.with_extension(format!("{}.part", SystemIds.uuid())));
    let mut command = Command::new("ffmpeg");
    command.args(arguments(&part.0));
    // A channel waits for it, and it is small.
    let limits = Limits { stall: STALL, file: None, nice: 0 };
    let ended = run(command, "ffmpeg", limits, &mut |_| true, &CancellationToken::new()).await?;
    if !ended.is_success {
        return Err(TranscodeError::Failed(output::words(&ended.errors, &part.0)));
    }
    fs::File::open(&part.0).await.map_err(failed)?.sync_all().await.map_err(failed)?;
    fs::rename(&part.0, &path).await.map_err(failed)?;
    Ok(path)
}

/// An unfinished file, which is removed when this is dropped.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        // After it got its name, there is none.
        let _ = std::fs::remove_file(&self.0);
    }
}
