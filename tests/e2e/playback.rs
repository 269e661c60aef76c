//! Watching with a playback token, on every protocol.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::encoder;
use crate::media_server::{Ports, Server};
use crate::process::{Process, eventually};
use crate::world::{Way, World};
use crate::{Bench, report};

const PATH: &str = "live/alice";
/// How long a viewer may go on after its token became invalid. A player of HLS has segments in reserve, and asks again a few
/// times.
const LIMIT: Duration = Duration::from_secs(25);

/// A new token: its id, and the link for a protocol.
async fn link(world: &World<'_>, protocol: &str, ttl: u64) -> Result<(String, String)> {
    let draft = json!({"paths": [PATH], "ttl_seconds": ttl});
    let made = world.streamward.post("/playback-tokens", draft).await?;
    let text = |value: &Value| value.as_str().map(str::to_owned).context("a text");
    Ok((text(&made["id"])?, text(&made["links"][0][protocol])?))
}

/// Something that watches until it is cut off.
fn viewer(world: &World<'_>, protocol: &str, name: &str, url: &str) -> Result<Process> {
    let dir = world.bench.path();
    if protocol != "webrtc" {
        return encoder::watch(dir, name, url);
    }
    let url = url.replacen(PATH, &format!("{PATH}/whep"), 1);
    Ok(encoder::pull_by_whep(&world.bench.tools.mediamtx, dir, name, &url)?.0)
}

/// Whether somebody watches.
async fn is_watched(world: &World<'_>) -> Result<bool> {
    let stream = world.streamward.live(PATH).await?.context("it is live")?;
    Ok(stream["readers"].as_u64() > Some(0))
}

async fn watched(world: &World<'_>, is_wanted: bool, limit: Duration) -> Result<Duration> {
    let seen = eventually(format!("somebody watches: {is_wanted}"), limit, async || {
        Ok((is_watched(world).await? == is_wanted).then_some(()))
    });
    Ok(seen.await?.1)
}

/// Whoever was cut off is not let in again.
async fn is_cut_off(world: &World<'_>, protocol: &str, mut viewer: Process) -> Result<Duration> {
    let start = tokio::time::Instant::now();
    if protocol == "webrtc" {
        watched(world, false, LIMIT).await?;
    } else {
        viewer.wait(LIMIT).await?;
    }
    Ok(start.elapsed())
}

async fn needs_a_token(bench: &Bench, protocol: &str) -> Result<()> {
    let world = World::start(bench).await?;
    let api = &world.streamward;
    let key = api.key(PATH, json!({"playback_access": "token"})).await?;
    let _encoder = world.encoder(Way::Rtmp, &key)?;
    let stream = api.on_air(PATH).await?;
    let plain = stream["urls"][protocol].as_str().context("it has an address")?.to_owned();
    ensure!(!plain.contains("eyJ"), "{plain}");
    if protocol == "webrtc" {
        let stranger = viewer(&world, protocol, "stranger", &plain)?;
        tokio::time::sleep(Duration::from_secs(6)).await;
        ensure!(!is_watched(&world).await?, "a stranger watches: {}", stranger.log());
    } else {
        encoder::cannot_be_watched(&plain).await?;
    }
    let seen = eventually("the refusal is listed", Duration::from_secs(10), async || {
        let rows = api.get("/auth-failures").await?["auth_failures"].clone();
        let rows = rows.as_array().cloned().unwrap_or_default();
        Ok(rows.iter().any(|row| row["cause"] == "no_playback_token").then_some(()))
    });
    // RTSP without credentials is asked for them, which is no attempt.
    if protocol != "rtsp" {
        seen.await?;
    }

    let (id, url) = link(&world, protocol, 600).await?;
    let mut watching = viewer(&world, protocol, "viewer", &url)?;
    watched(&world, true, Duration::from_secs(20)).await?;
    if protocol != "webrtc" {
        ensure!(encoder::codecs(&url).await? == ["aac", "h264"]);
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    ensure!(watching.exit_status().is_none(), "the viewer is gone: {}", watching.log());
    let (status, _) = api.call(Method::DELETE, &format!("/playback-tokens/{id}"), None).await?;
    ensure!(status == 204);
    report(format!("{protocol}: revoked, cut off after"), is_cut_off(&world, protocol, watching).await?);
    if protocol != "webrtc" {
        encoder::cannot_be_watched(&url).await?;
    }
    let (_, url) = link(&world, protocol, 12).await?;
    let watching = viewer(&world, protocol, "viewer-until-expiry", &url)?;
    watched(&world, true, Duration::from_secs(11)).await?;
    let took = is_cut_off(&world, protocol, watching).await?;
    report(format!("{protocol}: of a token of 12 s, cut off after"), took);
    world.is_not_logged(url.split("eyJ").last().context("it has a token")?)
}

pub(crate) async fn hls_needs_a_token_until_it_ends(bench: &Bench) -> Result<()> {
    needs_a_token(bench, "hls").await
}

pub(crate) async fn webrtc_needs_a_token_until_it_ends(bench: &Bench) -> Result<()> {
    needs_a_token(bench, "webrtc").await
}

pub(crate) async fn rtsp_needs_a_token_until_it_ends(bench: &Bench) -> Result<()> {
    needs_a_token(bench, "rtsp").await
}

pub(crate) async fn rtmp_needs_a_token_until_it_ends(bench: &Bench) -> Result<()> {
    needs_a_token(bench, "rtmp").await
}

pub(crate) async fn srt_needs_a_token_until_it_ends(bench: &Bench) -> Result<()> {
    needs_a_token(bench, "srt").await
}

pub(crate) async fn a_session_ends_with_its_token_after_a_restart_too(bench: &Bench) -> Result<()> {
    let mut world = World::start(bench).await?;
    let key = world.streamward.key(PATH, json!({"playback_access": "token"})).await?;
    let _encoder = world.encoder(Way::Rtmp, &key)?;
    world.streamward.on_air(PATH).await?;
    let (id, url) = link(&world, "rtmp", 600).await?;
    let mut watching = viewer(&world, "rtmp", "viewer", &url)?;
    watched(&world, true, Duration::from_secs(15)).await?;
    world.streamward.kill();
    world.streamward.start_again().await?;
    world.streamward.delete(&format!("/playback-tokens/{id}")).await?;
    watching.wait(LIMIT).await?;
    Ok(())
}

/// Another program verifies the signature by the published key, and understands the claims.
pub(crate) async fn mediamtx_itself_verifies_a_token(bench: &Bench) -> Result<()> {
    let world = World::start(bench).await?;
    let draft = json!({"paths": [PATH, "events/*"], "ttl_seconds": 600});
    let made = world.streamward.post("/playback-tokens", draft).await?;
    let token = made["token"].as_str().context("a token")?;
    let at = Ports::free()?;
    let keys = format!("http://127.0.0.1:{}/.well-known/jwks.json", world.streamward.port);
    let yaml = format!(
        "authMethod: jwt\nauthJWTJWKS: {keys}\nauthJWTExclude: [{{action: publish}}, {{action: api}}]\n\
         api: yes\napiAddress: 127.0.0.1:{}\nrtmpAddress: 127.0.0.1:{}\nhlsAddress: 127.0.0.1:{}\n\
         hlsAlwaysRemux: yes\nrtsp: no\nwebrtc: no\nsrt: no\npaths:\n  all_others:\n",
        at.api, at.rtmp, at.hls
    );
    let dir = bench.path().join("jwt");
    fs::create_dir(&dir)?;
    let no_moq = vec![("MTX_MOQ".to_owned(), "no".to_owned())];
    let server = Server::start_with(&bench.tools, &dir, at, &yaml, no_moq).await?;
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?;
    for (path, expected) in [(PATH, 200), ("events/one", 200), ("live/bob", 401)] {
        let _encoder = world.encoder_at(path, &format!("rtmp://127.0.0.1:{}/{path}", at.rtmp))?;
        server.live(path, Duration::from_secs(10)).await?;
        let url = format!("http://127.0.0.1:{}/{path}/index.m3u8", at.hls);
        let without = http.get(&url).send().await?.status().as_u16();
        ensure!(without == 401, "{path} without a token: {without}");
        // In a header: what this method reads from URLs depends on the version.
        let with =
            async || Ok((http.get(&url).bearer_auth(token).send().await?.status() == expected).then_some(()));
        eventually(format!("{path} with a token is {expected}"), Duration::from_secs(15), with).await?;
    }
    Ok(())
}
