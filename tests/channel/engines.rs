//! What carries a channel's media: ffmpeg for an encoder of another profile, and MediaMTX itself.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use streamward_test_support::process::{Signal, eventually};
use tokio::time::sleep;

use crate::judge::Viewer;
use crate::network::Tls;
use crate::platform::{Mtx, Nginx};
use crate::world::{PLATFORM_KEY, PROFILE, World};
use crate::{Bench, HOLE, SOON, report};

pub(crate) async fn an_encoder_of_another_profile_is_transcoded(bench: &Bench) -> Result<()> {
    let mut platform = Nginx::start(bench, "nginx").await?;
    let world = World::start(bench, &[]).await?;
    // The rules are not under test, and this machine may be busy.
    let draft = json!({"mismatch": "transcode", "profile": {"video": {"width": 640, "height": 360, "fps": 25}},
        "failover": {"recovery_grace_seconds": 1, "stall_ms": 3_000}});
    let channel = world.channel(draft).await?;
    channel.add_destination("nginx", &platform.url()).await?;
    channel.is_live("nginx").await?;
    let other = "-t 10 -f lavfi -i testsrc=size=320x240:rate=15 -t 10 \
                 -f lavfi -i sine=frequency=440:sample_rate=44100 -ac 1 -g 30 -b:v 300k";
    let encoder = world.encoder(&channel, "other", other)?;
    report("the transcoded encoder is on air", channel.is_on_air("live").await?);
    sleep(Duration::from_secs(15)).await;
    let live = channel.status().await?["inputs"]["live"].clone();
    let problem = live["problem"].as_str().context("a problem")?;
    ensure!(problem.starts_with("transcoded: the picture is 320x240"), "{live}");
    drop(encoder);
    report("the encoder was killed; the backup is on air", channel.is_on_air("slate").await?);
    channel.is_unharmed("nginx").await?;
    platform.stop().await?;
    let recorded = platform.recording()?;
    // A machine that is too busy to transcode shows the backup after some seconds.
    report("transcoding: the longest hole of the picture", recorded.is_continuous(3 * HOLE)?);
    ensure!(recorded.sizes()? == ["640,360"], "pictures of other sizes: {:?}", recorded.sizes()?);
    world.is_not_logged(PLATFORM_KEY)?;
    world.is_not_logged(&channel.live.secret)
}

pub(crate) async fn the_media_server_carries_a_channel(bench: &Bench) -> Result<()> {
    let platform = Mtx::start(bench).await?;
    let mut world = World::start(bench, &[]).await?;
    let made = world.channel(json!({"engine": "media_server"})).await?;
    ensure!(made.live.path == "live/Classroom", "the live encoder publishes at {}", made.live.path);
    made.add_destination("mediamtx", &platform.url()).await?;
    made.is_live("mediamtx").await?;
    made.is_on_air("backup").await?;
    let session = platform.session().await?;
    let path = format!("rtmp://127.0.0.1:{}/live/{PLATFORM_KEY}-mediamtx", platform.rtmp);
    let viewer = Viewer::start(bench.path(), &path, "flv")?;
    eventually("the viewer sees it", SOON, async || Ok(viewer.has_begun().then_some(()))).await?;

    let mut encoder = world.encoder(&made, "profile", PROFILE)?;
    made.is_on_air("live").await?;
    sleep(Duration::from_secs(3)).await;
    drop(encoder);
    report("the encoder was killed; the clip is on air", made.is_on_air("backup").await?);
    encoder = world.encoder(&made, "profile", PROFILE)?;
    made.is_on_air("live").await?;
    sleep(Duration::from_secs(3)).await;
    encoder.signal(Signal::STOP)?;
    report("the encoder froze; the clip is on air", made.is_on_air("backup").await?);
    encoder.signal(Signal::CONT)?;
    drop(encoder);
    sleep(Duration::from_secs(2)).await;

    ensure!(platform.session().await? == session, "the destination has another connection");
    let connection = made.connection("mediamtx").await?;
    ensure!(connection["state"] == "live" && connection["connects"] == 1, "{connection}");
    let recorded = viewer.stop().await?;
    for kind in ["video", "audio"] {
        let hole = recorded.longest_hole(kind)?;
        report(format!("the media server carries a channel: the longest hole of its {kind}"), hole);
        ensure!(hole <= HOLE, "a hole of {hole:?} in the {kind}");
    }
    let reasons = made.reasons().await?;
    for reason in ["start", "live_recovered", "live_ended", "live_stalled"] {
        ensure!(reasons.iter().any(|seen| seen == reason), "no decision for {reason}: {reasons:?}");
    }
    let (channel, secret) = (format!("/channels/{}", made.id), made.live.secret.clone());

    // A media server that starts again has forgotten the channel.
    let server = world.server.as_mut().context("a media server")?;
    server.kill();
    server.start_again().await?;
    let again = eventually("the destination has the programme again", SOON, async || {
        Ok(platform.session_now().await?.filter(|now| *now != session))
    });
    report("the media server was killed; the destination has the programme again", again.await?.1);

    world.streamward.delete(&channel).await?;
    let ended = eventually("the destination's connection has ended", SOON, async || {
        Ok(platform.session_now().await?.is_none().then_some(()))
    });
    ended.await?;
    world.is_not_logged(PLATFORM_KEY)?;
    world.is_not_logged(&secret)
}

pub(crate) async fn the_media_server_plays_a_clip_over_rtmps(bench: &Bench) -> Result<()> {
    let mut nginx = Nginx::start(bench, "nginx").await?;
    let tls = Tls::start(nginx.port).await?;
    let authority = bench.path().join("authority.pem");
    fs::write(&authority, &tls.authority)?;
    let world = World::start_trusting(bench, &authority).await?;
    let clip = world.clip("first", "testsrc", 3).await?;
    let inputs = json!({"backup": {"playlist": {"clips": [clip]}}});
    let channel = world.channel(json!({"engine": "media_server", "inputs": inputs})).await?;
    channel.add_destination("tls", &tls.url()).await?;
    channel.is_live("tls").await?;
    // The clip ends and begins again.
    nginx.more(7).await?;
    let encoder = world.encoder(&channel, "profile", PROFILE)?;
    channel.is_on_air("live").await?;
    nginx.more(3).await?;
    drop(encoder);
    report("the encoder was killed; the clip is on air", channel.is_on_air("backup").await?);
    nginx.more(4).await?;
    channel.is_unharmed("tls").await?;
    nginx.stop().await?;
    let recorded = nginx.recording()?;
    for kind in ["video", "audio"] {
        let hole = recorded.longest_hole(kind)?;
        report(format!("the media server plays a clip over RTMPS: the longest hole of its {kind}"), hole);
        ensure!(hole <= HOLE, "a hole of {hole:?} in the {kind}");
    }
    world.is_not_logged(PLATFORM_KEY)
}

pub(crate) async fn a_media_server_that_is_too_old_is_named(bench: &Bench) -> Result<()> {
    let world = World::start(bench, &[]).await?;
    let made = world.streamward.post("/channels", json!({"name": "Old", "engine": "media_server"})).await?;
    let status = format!("/channels/{}/status", made["id"].as_str().context("an id")?);
    let named = eventually("the status says what is missing", SOON, async || {
        let problem: Value = world.streamward.get(&status).await?["inputs"]["live"]["problem"].clone();
        Ok(problem.as_str().filter(|text| text.contains("needs MediaMTX 1.20.0 or later")).map(str::to_owned))
    });
    let (problem, _) = named.await?;
    ensure!(problem.contains(&world.bench.tools.version), "{problem}");
    Ok(())
}
