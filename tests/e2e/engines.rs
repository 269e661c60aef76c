//! What carries a channel's media: ffmpeg for an encoder of another profile, and MediaMTX itself.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use streamward::adapters::mediamtx::Version;

use crate::channel::{Channel, HOLE, PLATFORM_KEY, Platform, SOON};
use crate::encoder;
use crate::process::{Signal, eventually};
use crate::tools::encode;
use crate::world::World;
use crate::{Bench, report};

/// Why a scenario does not fit this version of MediaMTX.
pub(crate) fn unsuitable(scenario: &str, version: &str) -> Option<String> {
    let forwards = Version::parse(version).is_some_and(|version| version >= Version::FORWARD);
    match scenario {
        "engines::the_media_server_carries_a_channel" if !forwards => {
            Some(format!("the engine media_server needs MediaMTX {} or later", Version::FORWARD))
        }
        "engines::a_media_server_that_is_too_old_is_named" if forwards => {
            Some(format!("this MediaMTX is not older than {}", Version::FORWARD))
        }
        _ => None,
    }
}

pub(crate) async fn an_encoder_of_another_profile_is_transcoded(bench: &Bench) -> Result<()> {
    let world = World::start(bench).await?;
    let platform = Platform::start(bench).await?;
    // The rules are not under test, and this machine may be busy.
    let draft = json!({"mismatch": "transcode", "profile": {"video": {"width": 640, "height": 360, "fps": 25}},
        "failover": {"recovery_grace_seconds": 1, "stall_ms": 3_000}});
    let channel = Channel::create_with(&world.streamward, &platform, draft).await?;
    let session = platform.session().await?;
    let file = bench.path().join("other.mp4");
    encode(
        "-t 10 -f lavfi -i testsrc=size=320x240:rate=15 -t 10 -f lavfi -i sine=frequency=440:sample_rate=44100 \
         -ac 1 -g 30 -b:v 300k",
        &file,
    )?;
    let encoder = encoder::publish_file(&file, bench.path(), "live-encoder", &channel.live.url("rtmp")?)?;
    report("the transcoded encoder is on air", channel.is_on_air("live", SOON).await?);
    let recording = platform.record(bench.path())?;
    tokio::time::sleep(Duration::from_secs(15)).await;
    let live = channel.status().await?["inputs"]["live"].clone();
    let problem = live["problem"].as_str().context("a problem")?;
    ensure!(problem.starts_with("transcoded: the picture is 320x240"), "{live}");
    let recorded = recording.stop().await?;
    recorded.is_sound()?;
    ensure!(recorded.size()? == "640,360", "the picture has another size: {}", recorded.size()?);
    for kind in ["video", "audio"] {
        let hole = recorded.longest_hole(kind)?;
        report(format!("the longest hole of the destination's {kind}"), hole);
        ensure!(hole <= HOLE, "a hole of {hole:?} in the {kind}");
    }
    drop(encoder);
    report("the encoder was killed; the backup is on air", channel.is_on_air("slate", SOON).await?);
    ensure!(platform.session().await? == session, "the destination has another connection");
    world.is_not_logged(PLATFORM_KEY)?;
    world.is_not_logged(&channel.live.secret)
}

pub(crate) async fn the_media_server_carries_a_channel(bench: &Bench) -> Result<()> {
    let mut world = World::start(bench).await?;
    let platform = Platform::start(bench).await?;
    let draft = json!({"engine": "media_server"});
    let channel = Channel::create_with(&world.streamward, &platform, draft).await?;
    ensure!(channel.live.path == "live/Classroom", "the live encoder publishes at {}", channel.live.path);
    channel.is_on_air("backup", SOON).await?;
    let session = platform.session().await?;
    let recording = platform.record(bench.path())?;

    let mut encoder = channel.encoder(bench)?;
    channel.is_on_air("live", SOON).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    drop(encoder);
    report("the encoder was killed; the clip is on air", channel.is_on_air("backup", SOON).await?);
    encoder = channel.encoder(bench)?;
    channel.is_on_air("live", SOON).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    encoder.signal(Signal::STOP)?;
    report("the encoder froze; the clip is on air", channel.is_on_air("backup", SOON).await?);
    encoder.signal(Signal::CONT)?;
    drop(encoder);
    tokio::time::sleep(Duration::from_secs(2)).await;

    ensure!(platform.session().await? == session, "the destination has another connection");
    let status = channel.status().await?;
    let connection = &status["destinations"][0]["connection"];
    ensure!(connection["state"] == "live" && connection["connects"] == 1, "{status}");
    let recorded = recording.stop().await?;
    for kind in ["video", "audio"] {
        let hole = recorded.longest_hole(kind)?;
        report(format!("the longest hole of the destination's {kind}"), hole);
        ensure!(hole <= HOLE, "a hole of {hole:?} in the {kind}");
    }
    let reasons = channel.reasons().await?;
    for reason in ["start", "live_recovered", "live_ended", "live_stalled"] {
        ensure!(reasons.iter().any(|seen| seen == reason), "no decision for {reason}: {reasons:?}");
    }

    // A media server that starts again has forgotten the channel.
    world.server.kill();
    world.server.start_again().await?;
    let again = eventually("the destination has the programme again", SOON, async || {
        Ok(platform.session_now().await?.filter(|now| *now != session))
    });
    report("the media server was killed; the destination has the programme again", again.await?.1);

    world.streamward.delete(&format!("/channels/{}", channel.id)).await?;
    let ended = eventually("the destination's connection has ended", SOON, async || {
        Ok(platform.session_now().await?.is_none().then_some(()))
    });
    ended.await?;
    world.is_not_logged(PLATFORM_KEY)?;
    world.is_not_logged(&channel.live.secret)
}

pub(crate) async fn a_media_server_that_is_too_old_is_named(bench: &Bench) -> Result<()> {
    let world = World::start(bench).await?;
    let made = world.streamward.post("/channels", json!({"name": "Old", "engine": "media_server"})).await?;
    let status = format!("/channels/{}/status", made["id"].as_str().context("an id")?);
    let named = eventually("the status says what is missing", SOON, async || {
        let problem = world.streamward.get(&status).await?["inputs"]["live"]["problem"].clone();
        Ok(problem.as_str().filter(|text| text.contains("needs MediaMTX 1.20.0 or later")).map(str::to_owned))
    });
    let (problem, _) = named.await?;
    ensure!(problem.contains(&world.bench.tools.version), "{problem}");
    Ok(())
}
