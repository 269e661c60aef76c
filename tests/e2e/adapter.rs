//! The adapter alone, with a real MediaMTX: configuration, polls, disconnects, relays.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use streamward::adapters::mediamtx::config::{ConfigInput, HookCommands, yaml};
use streamward::domain::media_server::{ObservedPath, ObservedSource, Relay, SourceId, SourceKind};
use streamward::domain::path::{IngestPath, StreamPath};
use streamward::domain::secret::Secret;
use streamward::ports::{MediaServer as _, RelayRemoval, RemoteError};
use tokio::time::Instant;

use crate::encoder::{self, WhipEncoder};
use crate::gate::{Gate, RELAY_SECRET, key};
use crate::media_server::{Ports, Server};
use crate::process::eventually;
use crate::{Bench, report};

/// Long enough for an encoder to go live, and for a viewer's first picture.
const ON_AIR: Duration = Duration::from_secs(10);
/// Long enough for a disconnected session to be gone.
const GONE: Duration = Duration::from_secs(1);

async fn start(bench: &Bench) -> Result<(Gate, Server)> {
    start_with(bench, "").await
}

async fn start_with(bench: &Bench, more: &str) -> Result<(Gate, Server)> {
    let gate = Gate::start().await?;
    let ports = Ports::free()?;
    let server = Server::start(&bench.tools, bench.path(), ports, &gate.setup(ports), more).await?;
    Ok((gate, server))
}

/// The path of that name once it is live.
async fn live(server: &Server, path: &str) -> Result<ObservedPath> {
    let client = server.client()?;
    let seen = eventually(format!("{path} is live"), ON_AIR, async || {
        let seen = client.snapshot().await?;
        let wanted = IngestPath::from_media_server(path);
        Ok(seen.paths.into_iter().find(|p| p.live && p.path == wanted && !p.stats.tracks.is_empty()))
    });
    Ok(seen.await?.0)
}

pub(crate) async fn the_written_configuration_is_accepted(bench: &Bench) -> Result<()> {
    for known in [true, false] {
        let gate = Gate::start().await?;
        let ports = Ports::free()?;
        let run = |word: &str| vec!["/bin/echo".to_owned(), "it's".to_owned(), word.to_owned()];
        let hooks = HookCommands { ready: run("ready"), not_ready: run("not-ready") };
        let setup = ConfigInput { hooks: Some(hooks), ..gate.setup(ports) };
        let file = yaml(&setup, known.then_some(bench.tools.version.as_str()));
        let moq = vec![("MTX_MOQ".to_owned(), "no".to_owned())];
        let environment = if known { Vec::new() } else { moq };
        let server = Server::start_with(&bench.tools, bench.path(), ports, &file, environment).await?;
        let client = server.client()?;
        let info = client.info().await?;
        ensure!(info.version.as_deref() == Some(&bench.tools.version), "{info:?}");
        ensure!(info.run.is_some(), "{info:?}");
        let settings = client.settings().await?;
        ensure!(settings.auth_method == "http" && settings.hooks, "{settings:?}");
        let address = settings.auth_address.context("an auth address")?;
        ensure!(address.ends_with("/auth") && !address.contains("secret"), "{address}");
        ensure!(client.snapshot().await?.paths.is_empty());
        let log = server.log();
        // A file for its own version causes no warnings.
        ensure!(!known || !log.contains("WAR"), "{log}");
        ensure!(!log.contains("ERR"), "{log}");
    }
    Ok(())
}

pub(crate) async fn the_control_api_is_closed_to_others(bench: &Bench) -> Result<()> {
    let (_gate, server) = start(bench).await?;
    for wrong in ["", "wrong"] {
        let result = server.client_with(wrong)?.info().await;
        ensure!(result == Err(RemoteError::NotLetIn), "{wrong:?}: {result:?}");
    }
    server.client()?.info().await?;
    Ok(())
}

/// Publishes with `url`, and ends it.
async fn seen_and_ended(bench: &Bench, kind: &str, url: impl Fn(&Server) -> String) -> Result<()> {
    let (gate, server) = start(bench).await?;
    let mut encoder = encoder::publish(&bench.tools, bench.path(), "encoder", &url(&server))?;
    let seen = live(&server, "live/alice").await?;
    expect_publisher(&gate, &seen, kind)?;
    ensure!(seen.stats.tracks == ["H264", "MPEG-4 Audio"], "{seen:?}");
    ensure!(seen.stats.readers == 0 && !seen.configured, "{seen:?}");
    end(&server, &seen).await?;
    encoder.wait(Duration::from_secs(5)).await?;
    Ok(())
}

fn expect_publisher(gate: &Gate, seen: &ObservedPath, kind: &str) -> Result<()> {
    let source = seen.source.as_ref().context("somebody publishes")?;
    ensure!(source.kind == SourceKind::from_name(kind), "{source:?}");
    let ids = gate.publishers("live/alice");
    let id = ids.last().and_then(|id| SourceId::parse(id)).context("its auth request has an id")?;
    ensure!(source.is(&id), "its auth request has {id}, the poll has {source:?}");
    Ok(())
}

async fn end(server: &Server, seen: &ObservedPath) -> Result<()> {
    let source = seen.source.as_ref().context("somebody publishes")?;
    let client = server.client()?;
    client.disconnect(source).await?;
    server.gone("live/alice", GONE).await?;
    // Again, now that it is gone, and with an id that never existed.
    client.disconnect(source).await?;
    let id = SourceId::parse("00000000-0000-4000-8000-000000000000");
    client.disconnect(&ObservedSource { id, ..source.clone() }).await?;
    Ok(())
}

pub(crate) async fn an_rtmp_publisher_is_seen_and_ended(bench: &Bench) -> Result<()> {
    let url = |server: &Server| format!("{}/live/alice?key={}", server.ports.urls().rtmp, key());
    seen_and_ended(bench, "rtmpConn", url).await
}

pub(crate) async fn an_srt_publisher_is_seen_and_ended(bench: &Bench) -> Result<()> {
    let url = |server: &Server| {
        format!("{}?streamid=publish:live/alice:key:{}&pkt_size=1316", server.ports.urls().srt, key())
    };
    seen_and_ended(bench, "srtConn", url).await
}

pub(crate) async fn an_rtsp_publisher_is_seen_and_ended(bench: &Bench) -> Result<()> {
    let url = |server: &Server| format!("rtsp://key:{}@127.0.0.1:{}/live/alice", key(), server.ports.rtsp);
    seen_and_ended(bench, "rtspSession", url).await
}

pub(crate) async fn a_whip_publisher_is_seen_and_ended(bench: &Bench) -> Result<()> {
    let (gate, server) = start(bench).await?;
    let url = format!("{}/live/alice/whip", server.ports.urls().webrtc);
    let _encoder = WhipEncoder::start(&bench.tools, bench.path(), "whip", &url, &key())?;
    let seen = live(&server, "live/alice").await?;
    expect_publisher(&gate, &seen, "webRTCSession")?;
    end(&server, &seen).await
}

pub(crate) async fn a_relay_shows_a_private_path_at_a_public_one(bench: &Bench) -> Result<()> {
    let (_gate, server) = start(bench).await?;
    let urls = server.ports.urls();
    let raw = format!("in/{}", key());
    let _encoder = encoder::publish(&bench.tools, bench.path(), "encoder", &format!("{}/{raw}", urls.rtmp))?;
    let private = live(&server, &raw).await?;
    let IngestPath::Private(private) = private.path else { anyhow::bail!("{:?}", private.path) };
    let relay = Relay { public: StreamPath::parse("live/alice")?, private };
    let client = server.client()?;
    let secret = Secret::new(RELAY_SECRET);
    client.ensure_relay(&relay, &Secret::new("of yesterday")).await?;
    client.ensure_relay(&relay, &secret).await?;
    client.ensure_relay(&relay, &secret).await?;
    let shown = eventually("the relay is listed", GONE, async || {
        let seen = client.snapshot().await?;
        Ok(seen.paths.into_iter().find(|p| p.path.public() == Some("live/alice")))
    });
    let idle = shown.await?.0;
    ensure!(!idle.live && idle.configured, "nobody watches yet: {idle:?}");

    let watched = format!("{}/live/alice", urls.rtsp);
    let codecs = encoder::codecs(&watched).await?;
    ensure!(codecs == ["aac", "h264"], "{codecs:?}");
    let mut viewer = encoder::watch(bench.path(), "viewer", &watched)?;
    let relayed = live(&server, "live/alice").await?;
    ensure!(relayed.configured && relayed.stats.readers <= 1, "{relayed:?}");
    ensure!(relayed.source.as_ref().is_some_and(|s| !s.publishes), "{relayed:?}");
    encoder::cannot_be_watched(&format!("{}/{raw}", urls.rtsp)).await?;

    ensure!(client.remove_relay(&relay.public).await? == RelayRemoval::Gone);
    ensure!(client.remove_relay(&relay.public).await? == RelayRemoval::Gone);
    viewer.wait(Duration::from_secs(5)).await?;
    live(&server, &raw).await?;
    let log = server.log();
    ensure!(!log.contains(&key()) && !log.contains("relay/secret"), "a secret is logged:\n{log}");
    Ok(())
}

pub(crate) async fn a_path_of_the_operators_own_is_left_alone(bench: &Bench) -> Result<()> {
    let (_gate, server) = start_with(bench, "  live/alice:\n    maxReaders: 7\n").await?;
    let client = server.client()?;
    let IngestPath::Private(private) = IngestPath::from_media_server(&key()) else {
        anyhow::bail!("a path that is a key must be private")
    };
    let relay = Relay { public: StreamPath::parse("live/alice")?, private };
    let put = client.ensure_relay(&relay, &Secret::new(RELAY_SECRET)).await;
    ensure!(matches!(put, Err(RemoteError::Unsupported(_))), "{put:?}");
    ensure!(client.remove_relay(&relay.public).await? == RelayRemoval::NotOurs);
    let seen = client.snapshot().await?;
    ensure!(seen.paths.len() == 1 && seen.paths.iter().all(|p| p.configured && !p.live), "{seen:?}");
    Ok(())
}

pub(crate) async fn another_process_is_another_run(bench: &Bench) -> Result<()> {
    let (_gate, mut server) = start(bench).await?;
    let client = server.client()?;
    let first = client.snapshot().await?.run;
    ensure!(first.is_some() && client.snapshot().await?.run == first, "the same process is the same run");
    server.kill();
    let unreachable = client.snapshot().await;
    ensure!(matches!(unreachable, Err(RemoteError::Unreachable(_))), "{unreachable:?}");
    server.start_again().await?;
    ensure!(client.snapshot().await?.run != first, "another process is another run");
    Ok(())
}

pub(crate) async fn thousands_of_paths_are_polled_quickly(bench: &Bench) -> Result<()> {
    const PATHS: usize = 5_000;
    let mut entries = String::new();
    for n in 0..PATHS {
        writeln!(entries, "  cam/{n}:")?;
    }
    let (_gate, server) = start_with(bench, &entries).await?;
    let started = Instant::now();
    let seen = server.client()?.snapshot().await?;
    ensure!(seen.paths.len() == PATHS, "{}", seen.paths.len());
    report(format!("{PATHS} paths, polled in"), started.elapsed());
    ensure!(started.elapsed() < Duration::from_secs(2), "took {:?}", started.elapsed());
    Ok(())
}
