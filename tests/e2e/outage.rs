//! Outages of the media server, of Streamward and of hooks.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use chrono::{SecondsFormat, TimeDelta};
use serde_json::{Value, json};
use streamward::ports::MediaServer as _;
use tokio::time::Instant;

use crate::encoder;
use crate::process::eventually;
use crate::world::{Way, World};
use crate::{Bench, report};

/// How long the recovery may take.
const RIGHT_AGAIN: Duration = Duration::from_secs(5);
/// How long a change may go undetected without hooks: the interval, and a margin.
const POLLED: Duration = Duration::from_millis(2_500);

pub(crate) async fn the_media_server_is_killed_and_returns(bench: &Bench) -> Result<()> {
    let mut world = World::start(bench).await?;
    let named = world.streamward.key("live/alice", json!({})).await?;
    let opaque = world.streamward.key("shows/bob", json!({})).await?;
    let _encoders =
        [world.stubborn_encoder(Way::Rtmp, &named)?, world.stubborn_encoder(Way::SecretPath, &opaque)?];
    let before = [world.streamward.on_air("live/alice").await?, world.streamward.on_air("shows/bob").await?];
    let _viewer =
        encoder::watch(bench.path(), "viewer", &format!("{}/shows/bob", world.server.ports.urls().rtsp))?;

    world.server.kill();
    let noticed = eventually("its absence is noticed", RIGHT_AGAIN, async || {
        let servers = world.streamward.get("/media-servers").await?;
        Ok((servers["media_servers"][0]["reachable"] == false).then_some(()))
    });
    noticed.await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    for stream in &before {
        let id = stream["id"].as_str().context("an id")?;
        let now = world.streamward.get(&format!("/streams/{id}")).await?;
        ensure!(now["status"] == "active", "nobody knows whether it has ended: {now}");
    }

    world.server.start_again().await?;
    let back = Instant::now();
    let api = &world.streamward;
    for stream in &before {
        api.ended(stream, "media_server_restarted", RIGHT_AGAIN.saturating_sub(back.elapsed())).await?;
    }
    report("media server back, the old streams ended after", back.elapsed());
    // Now the encoders reconnect: each needs two seconds to go live, and may just have been refused.
    for stream in &before {
        let path = stream["path"].as_str().context("a path")?;
        let again = eventually(format!("{path} is back"), Duration::from_secs(12), async || {
            Ok(api.live(path).await?.filter(|now| now["id"] != stream["id"]))
        });
        again.await?;
    }
    report("media server back, the new streams listed after", back.elapsed());
    let url = format!("{}/shows/bob", world.server.ports.urls().rtsp);
    ensure!(encoder::codecs(&url).await? == ["aac", "h264"], "the relay is back");
    Ok(())
}

pub(crate) async fn streamward_is_killed_and_returns(bench: &Bench) -> Result<()> {
    let mut world = World::start(bench).await?;
    let named = world.streamward.key("live/alice", json!({})).await?;
    let opaque = world.streamward.key("shows/bob", json!({})).await?;
    let leaving = world.streamward.key("live/carol", json!({})).await?;
    let encoders = [world.encoder(Way::Rtmp, &named)?, world.encoder(Way::SecretPath, &opaque)?];
    let leaves = world.encoder(Way::Rtmp, &leaving)?;
    let mut before = Vec::new();
    for path in ["live/alice", "shows/bob", "live/carol"] {
        before.push(world.streamward.on_air(path).await?);
    }
    world.streamward.kill();
    drop(leaves);
    // Every publisher is refused while Streamward is unreachable.
    let mut denied = world.encoder_at("denied", &named.url("rtmp")?)?;
    ensure!(denied.cut_off().await?.is_some_and(|status| !status.success()), "let in by nobody");

    world.streamward.start_again().await?;
    let back = Instant::now();
    let api = &world.streamward;
    let [alice, bob, carol] = before.as_slice() else { unreachable!("three streams") };
    api.ended(carol, "publisher_left", RIGHT_AGAIN).await?;
    for stream in [alice, bob] {
        let path = stream["path"].as_str().context("a path")?;
        let now = api.live(path).await?.unwrap_or_default();
        ensure!(now["id"] == stream["id"] && now["started_at"] == stream["started_at"], "{now}");
    }
    report("Streamward back, everything right after", back.elapsed());
    let url = format!("{}/shows/bob", world.server.ports.urls().rtsp);
    ensure!(encoder::codecs(&url).await? == ["aac", "h264"], "the relay is still there");
    // Their keys are still in use.
    let mut second = world.encoder_at("second", &named.url("srt")?)?;
    ensure!(second.cut_off().await?.is_some_and(|status| !status.success()), "two encoders on one key");
    drop(encoders);
    for stream in [alice, bob] {
        api.ended(stream, "publisher_left", POLLED).await?;
    }
    Ok(())
}

pub(crate) async fn a_key_that_died_while_streamward_was_down_is_ended(bench: &Bench) -> Result<()> {
    let mut world = World::start(bench).await?;
    let made = world.streamward.post("/broadcasters", json!({"display_name": "Alice"})).await?;
    let now: chrono::DateTime<chrono::Utc> = made["created_at"].as_str().context("a time")?.parse()?;
    let expires = (now + TimeDelta::seconds(7)).to_rfc3339_opts(SecondsFormat::Micros, true);
    let key = world.streamward.key("live/alice", json!({"expires_at": expires})).await?;
    let mut encoder = world.encoder(Way::Rtsp, &key)?;
    let stream = world.streamward.on_air("live/alice").await?;
    world.streamward.kill();
    tokio::time::sleep(Duration::from_secs(8)).await;
    world.streamward.start_again().await?;
    world.streamward.ended(&stream, "key_expired", POLLED).await?;
    encoder.cut_off().await?;
    Ok(())
}

pub(crate) async fn streams_are_found_without_hooks(bench: &Bench) -> Result<()> {
    let world = World::start_with(bench, false).await?;
    let api = &world.streamward;
    let key = api.key("live/alice", json!({})).await?;
    let encoder = world.encoder(Way::Rtmp, &key)?;
    let ready = ready(&world, "live/alice").await?;
    let stream = api.on_air("live/alice").await?;
    report("without hooks, from ready to listed", ready.elapsed());
    ensure!(ready.elapsed() < POLLED, "took {:?}", ready.elapsed());
    ensure!(
        api.get("/media-servers").await?["media_servers"][0].get("last_hook").is_none(),
        "there are none"
    );
    drop(encoder);
    let took = api.ended(&stream, "publisher_left", POLLED).await?;
    report("without hooks, from left to ended", took);
    Ok(())
}

pub(crate) async fn with_hooks_it_is_a_matter_of_moments(bench: &Bench) -> Result<()> {
    let world = World::start(bench).await?;
    let api = &world.streamward;
    let key = api.key("live/alice", json!({})).await?;
    let mut worst = [Duration::ZERO; 2];
    for _ in 0..3 {
        let encoder = world.encoder(Way::Rtsp, &key)?;
        let ready = ready(&world, "live/alice").await?;
        let stream = api.on_air("live/alice").await?;
        worst[0] = worst[0].max(ready.elapsed());
        drop(encoder);
        worst[1] = worst[1].max(api.ended(&stream, "publisher_left", POLLED).await?);
    }
    report("with hooks, worst of 3 from ready to listed", worst[0]);
    report("with hooks, worst of 3 from left to ended", worst[1]);
    ensure!(worst.iter().all(|took| *took < Duration::from_secs(1)), "took {worst:?}");
    // Stored every five seconds.
    let noted = eventually("it is noted that hooks arrive", Duration::from_secs(10), async || {
        let servers = api.get("/media-servers").await?;
        Ok(servers["media_servers"][0]["last_hook"].is_string().then_some(()))
    });
    noted.await.map(drop)
}

/// The moment the media server has a publisher at `path`, by its own API.
async fn ready(world: &World<'_>, path: &str) -> Result<Instant> {
    let client = world.server.client()?;
    let seen = eventually(format!("{path} is ready"), Duration::from_secs(10), async || {
        let seen = client.snapshot().await?;
        Ok(seen.paths.iter().any(|p| p.live && p.path.public() == Some(path)).then(Instant::now))
    });
    Ok(seen.await?.0)
}

pub(crate) async fn sigterm_ends_streamward_in_good_order(bench: &Bench) -> Result<()> {
    let mut world = World::start(bench).await?;
    let key = world.streamward.key("live/alice", json!({})).await?;
    let _encoder = world.encoder(Way::Rtmp, &key)?;
    let stream = world.streamward.on_air("live/alice").await?;
    let start = Instant::now();
    let status = world.streamward.terminate(Duration::from_secs(10)).await?;
    report("SIGTERM, gone after", start.elapsed());
    ensure!(status.code() == Some(0), "{status}");
    world.streamward.start_again().await?;
    let now = world.streamward.live("live/alice").await?.unwrap_or(Value::Null);
    ensure!(now["id"] == stream["id"], "{now}");
    Ok(())
}
