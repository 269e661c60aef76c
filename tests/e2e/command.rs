//! The ways to run MediaMTX: `up`, and a MediaMTX of your own with `mediamtx-config`.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::Bench;
use crate::encoder;
use crate::media_server::{Ports, Server};
use crate::process::{Signal, eventually, send_signal};
use crate::program::{Key, Streamward};

/// Creates a broadcaster and a key by commands.
fn first_key(streamward: &Streamward) -> Result<Key> {
    streamward.output_of(&["broadcaster", "create", "Alice"])?;
    let words = ["--json", "key", "create", "--broadcaster", "Alice", "--path", "live/alice"];
    Key::from(&serde_json::from_str::<Value>(&streamward.output_of(&words)?)?)
}

/// Fails with the findings of the doctor.
fn is_healthy(streamward: &Streamward) -> Result<()> {
    let found = streamward.output_of(&["doctor"])?;
    ensure!(!found.lines().any(|line| line.starts_with("FAIL") || line.starts_with("warn")), "{found}");
    Ok(())
}

pub(crate) async fn up_runs_everything(bench: &Bench) -> Result<()> {
    let ports = Ports::free()?;
    let _leftover = Leftover(bench.path());
    let mut streamward = Streamward::up(bench, &ports).await?;
    let mode = fs::metadata(bench.path().join("mediamtx.yml"))?.permissions().mode() & 0o777;
    ensure!(mode == 0o600, "it contains a secret, and has the mode {mode:o}");
    let key = first_key(&streamward)?;
    for (n, form) in ["rtmp", "rtmp_secret_path"].into_iter().enumerate() {
        let name = format!("encoder-{n}");
        let encoder = encoder::publish(&bench.tools, bench.path(), &name, &key.url(form)?)?;
        let stream = streamward.on_air("live/alice").await?;
        let watched = stream["urls"]["rtsp"].as_str().context("an address")?;
        ensure!(encoder::codecs(watched).await? == ["aac", "h264"], "{form}");
        is_healthy(&streamward)?;
        drop(encoder);
        streamward.ended(&stream, "publisher_left", Duration::from_millis(2_500)).await?;
    }
    ensure!(!streamward.log().contains(&key.secret), "the key is logged:\n{}", streamward.log());

    kill_media_server(bench.path())?;
    let again = eventually("MediaMTX runs again", Duration::from_secs(5), async || {
        let listens = TcpStream::connect(("127.0.0.1", ports.rtmp)).is_ok();
        Ok(listens.then_some(()))
    });
    again.await?;
    let _encoder = encoder::publish(&bench.tools, bench.path(), "encoder", &key.url("srt")?)?;
    streamward.on_air("live/alice").await?;

    let status = streamward.terminate(Duration::from_secs(10)).await?;
    ensure!(status.code() == Some(0), "{status}");
    ensure!(TcpStream::connect(("127.0.0.1", ports.api)).is_err(), "MediaMTX still runs");
    Ok(())
}

/// `kill -9`, by the process id that `up` stores.
fn kill_media_server(dir: &Path) -> Result<()> {
    let pid: u32 = fs::read_to_string(dir.join("mediamtx.pid"))?.trim().parse()?;
    send_signal(pid, Signal::KILL).with_context(|| format!("process {pid} cannot be killed"))
}

/// Kills the MediaMTX of an `up` that a failed test has killed.
struct Leftover<'a>(&'a Path);

impl Drop for Leftover<'_> {
    fn drop(&mut self) {
        let _ = kill_media_server(self.0);
    }
}

pub(crate) async fn the_printed_configuration_is_all_it_takes(bench: &Bench) -> Result<()> {
    let ports = Ports::free()?;
    let streamward = Streamward::start(bench, &ports).await?;
    let mut words = vec!["mediamtx-config".to_owned(), format!("--for-version={}", bench.tools.version)];
    words.extend(ports.flags());
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let file = streamward.output_of(&words)?;
    // Without an environment: the file, and the files it names, contain everything for the hooks.
    let server = Server::start_with(&bench.tools, bench.path(), ports, &file, Vec::new()).await?;
    let key = first_key(&streamward)?;
    let _encoder = encoder::publish(&bench.tools, bench.path(), "encoder", &key.url("rtsp")?)?;
    streamward.on_air("live/alice").await?;
    let hooked = eventually("a hook arrives", Duration::from_secs(10), async || {
        let servers = streamward.get("/media-servers").await?;
        Ok(servers["media_servers"][0]["last_hook"].is_string().then_some(()))
    });
    hooked.await?;
    is_healthy(&streamward)?;
    let log = server.log();
    if log.contains("WAR") || log.contains("ERR") {
        bail!("{log}");
    }
    Ok(())
}
