//! The programs that the tests need: MediaMTX and ffmpeg.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use streamward::adapters::mediamtx::{Version, binary_version};
use streamward_test_support::mediamtx_from_image;
use streamward_test_support::process::output_within;
use tempfile::TempDir;

/// The programs, and a clip to publish.
pub(crate) struct Tools {
    /// The program under test; a copy, since a build may replace it meanwhile.
    pub(crate) streamward: PathBuf,
    pub(crate) mediamtx: PathBuf,
    pub(crate) version: String,
    /// Why there is no MediaMTX.
    pub(crate) missing: Option<String>,
    /// An SRS, or why there is none.
    pub(crate) srs: Result<PathBuf, String>,
    /// A MediaMTX that can send WHIP (since 1.20.1), or why there is none.
    pub(crate) whip: Result<PathBuf, String>,
    /// Ninety seconds of H264 and AAC, made once, since encoding is slow.
    pub(crate) clip: PathBuf,
    dir: TempDir,
}

impl Tools {
    /// Finds everything; a media server may be missing. The error names what is missing.
    pub(crate) async fn find() -> Result<Self> {
        let mut tools = Self::without_media_server()?;
        if let Err(why) = tools.find_media_server().await {
            tools.missing = Some(format!("{why:#}"));
        }
        encode(
            "-t 90 -f lavfi -i testsrc=size=320x180:rate=15 -t 90 -f lavfi -i sine=frequency=440:sample_rate=48000 -g 15 -b:v 300k",
            &tools.clip,
        )?;
        Ok(tools)
    }

    /// Finds everything but a MediaMTX. There is no clip yet.
    pub(crate) fn without_media_server() -> Result<Self> {
        for tool in ["ffmpeg", "ffprobe"] {
            let found = output_within(Command::new(tool).arg("-version"), Duration::from_secs(10));
            ensure!(found.is_ok_and(|output| output.status.success()), "{tool} is not on the PATH");
        }
        let dir = tempfile::tempdir()?;
        let streamward = dir.path().join("streamward");
        std::fs::copy(env!("CARGO_BIN_EXE_streamward"), &streamward)?;
        let (mediamtx, version, whip) =
            (PathBuf::new(), String::new(), Err("no MediaMTX was searched".to_owned()));
        let clip = dir.path().join("clip.mp4");
        Ok(Self { streamward, mediamtx, version, missing: None, srs: srs(), whip, clip, dir })
    }

    /// Finds a MediaMTX too. The error says where it was searched.
    pub(crate) async fn find_media_server(&mut self) -> Result<()> {
        (self.mediamtx, self.version) = mediamtx(self.dir.path()).await?;
        self.whip = whip(&self.mediamtx, &self.version).await;
        Ok(())
    }
}

async fn mediamtx(dir: &Path) -> Result<(PathBuf, String)> {
    if let Some(binary) = std::env::var_os("MEDIAMTX_BIN") {
        let binary = PathBuf::from(binary);
        let version = binary_version(&binary)
            .await
            .with_context(|| format!("MEDIAMTX_BIN is {}, which is no MediaMTX", binary.display()))?;
        return Ok((binary, version));
    }
    let paths = std::env::var_os("PATH").unwrap_or_default();
    for binary in std::env::split_paths(&paths).map(|dir| dir.join("mediamtx")) {
        if let Some(version) = binary_version(&binary).await {
            return Ok((binary, version));
        }
    }
    let binary = dir.join("mediamtx");
    mediamtx_from_image(&binary).await.map_err(|docker| {
        anyhow!(
            "no MediaMTX: MEDIAMTX_BIN is not set, there is no mediamtx on the PATH, and none in Docker ({docker})"
        )
    })?;
    std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o755))?;
    let version = binary_version(&binary).await.context("the mediamtx of the image does not run here")?;
    Ok((binary, version))
}

/// Whether an SRS was built with `part`: its options are in the program.
pub(crate) fn has(srs: &Path, part: &str) -> bool {
    let option = format!(" --{part}=on ");
    std::fs::read(srs).is_ok_and(|program| program.windows(option.len()).any(|one| one == option.as_bytes()))
}

fn srs() -> Result<PathBuf, String> {
    let Some(binary) = std::env::var_os("SRS_BIN").map(PathBuf::from) else {
        return Err("SRS_BIN is not set".to_owned());
    };
    if binary.is_file() {
        Ok(binary)
    } else {
        Err(format!("SRS_BIN is {}, which is no file", binary.display()))
    }
}

async fn whip(mediamtx: &Path, version: &str) -> Result<PathBuf, String> {
    let sends = |version: &str| Version::parse(version).is_some_and(|v| v >= Version::new(1, 20, 1));
    if let Some(binary) = std::env::var_os("MEDIAMTX_WHIP_BIN").map(PathBuf::from) {
        let version = binary_version(&binary).await.unwrap_or_default();
        return if sends(&version) {
            Ok(binary)
        } else {
            Err("MEDIAMTX_WHIP_BIN is no MediaMTX >= 1.20.1".into())
        };
    }
    if sends(version) {
        Ok(mediamtx.to_owned())
    } else {
        Err("WHIP is sent by a MediaMTX >= 1.20.1; set MEDIAMTX_WHIP_BIN".into())
    }
}

/// Encodes `input`, inputs and options of ffmpeg, with H264 and AAC.
pub(crate) fn encode(input: &str, clip: &Path) -> Result<()> {
    let output = "-c:v libx264 -preset ultrafast -tune zerolatency -pix_fmt yuv420p -c:a aac -b:a 64k";
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-hide_banner", "-nostdin", "-loglevel", "error"]);
    ffmpeg.args(input.split_whitespace()).args(output.split_whitespace());
    let made = output_within(ffmpeg.arg(clip), Duration::from_secs(120))?;
    let error = String::from_utf8_lossy(&made.stderr);
    ensure!(made.status.success(), "ffmpeg cannot encode H264 and AAC: {error}");
    Ok(())
}
