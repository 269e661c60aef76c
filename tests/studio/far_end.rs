//! Whether a stream arrives at a MediaMTX. What arrives at an nginx is checked with the real OBS.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::{Completion, Failed, Trial};
use streamward::adapters::mediamtx::{MediaMtxProbe, Version, binary_version};
use streamward::domain::secret::Secret;
use streamward::ports::{ArrivalProbe as _, RemoteError};
use streamward_test_support::ports;
use streamward_test_support::process::{Process, eventually};
use url::Url;

use crate::{SOON, report, run};

const PATH: &str = "live/t0p-secret";

pub(crate) fn trials() -> Vec<Trial> {
    vec![Trial::ignorable_test("far_end::arrival_at_a_mediamtx_is_measured", || match mediamtx() {
        None => Ok(Completion::ignored_with("no MediaMTX: set MEDIAMTX_BIN, or put mediamtx on the PATH")),
        Some(binary) => {
            let measured = run(arrival_at_a_mediamtx_is_measured(binary));
            measured.map(|()| Completion::Completed).map_err(|error| Failed::from(format!("{error:#}")))
        }
    })]
}

fn mediamtx() -> Option<PathBuf> {
    let named = std::env::var_os("MEDIAMTX_BIN").map(PathBuf::from);
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = || std::env::split_paths(&paths).map(|dir| dir.join("mediamtx")).find(|file| file.exists());
    named.or_else(found)
}

async fn arrival_at_a_mediamtx_is_measured(binary: PathBuf) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (rtmp, api) = (ports::free()?, ports::free()?);
    let version = binary_version(&binary).await.context("this is no MediaMTX")?;
    // Without it, it would open three more ports.
    let has_moq = Version::parse(&version).is_some_and(|version| version >= Version::MOQ);
    let yaml = format!(
        "{}api: yes\napiAddress: 127.0.0.1:{api}\nrtmpAddress: 127.0.0.1:{rtmp}\nrtsp: no\nhls: no\nwebrtc: no\nsrt: no\n\
         paths:\n  all_others:\n",
        if has_moq { "moq: no\n" } else { "" }
    );
    fs::write(dir.path().join("mediamtx.yml"), yaml)?;
    let mut server = Process::start("mediamtx", Command::new(&binary).arg("mediamtx.yml"), dir.path())?;
    let listens = async || Ok(tokio::net::TcpStream::connect(("127.0.0.1", api)).await.ok());
    eventually("MediaMTX listens", SOON, listens).await?;

    let url = Url::parse(&format!("http://127.0.0.1:{api}"))?;
    let probe = MediaMtxProbe::new(&url, Secret::new(""), Secret::new(PATH))?;
    ensure!(probe.arrival().await?.is_none(), "nobody publishes yet");
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args([
        "-hide_banner",
        "-nostdin",
        "-loglevel",
        "error",
        "-re",
        "-f",
        "lavfi",
        "-i",
        "testsrc=size=320x180:rate=10",
    ]);
    ffmpeg.args(["-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-pix_fmt", "yuv420p", "-f", "flv"]);
    let mut publisher =
        Process::start("ffmpeg", ffmpeg.arg(format!("rtmp://127.0.0.1:{rtmp}/{PATH}")), dir.path())?;
    let is_measured = async || Ok(probe.arrival().await?.filter(|arrival| arrival.kbps > Some(0)));
    let (arrival, took) = eventually("it arrives", SOON, is_measured).await?;
    report(format!("MediaMTX {version} sees {arrival:?}"), took);
    publisher.kill();
    let is_over = async || Ok(probe.arrival().await?.is_none().then_some(()));
    eventually("it is over", SOON, is_over).await?;
    server.kill();
    let unknown = probe.arrival().await;
    ensure!(matches!(unknown, Err(RemoteError::Unreachable(_))), "no answer proves nothing: {unknown:?}");
    Ok(())
}
