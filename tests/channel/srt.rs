//! A destination over SRT: a MediaMTX as the listener.

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;
use streamward_test_support::process::eventually;
use tokio::time::sleep;

use crate::judge::Viewer;
use crate::platform::{Mtx, PASSPHRASE};
use crate::world::{PROFILE, World};
use crate::{Bench, HOLE, SOON, note, report};

const STREAM_ID: &str = "publish:live/programme";

pub(crate) async fn a_listener_of_srt_gets_the_programme(bench: &Bench) -> Result<()> {
    let mut mtx = Mtx::start(bench).await?;
    let world = World::start(bench, &[]).await?;
    let channel = world.channel(json!({})).await?;
    let key = format!("streamid={STREAM_ID}&passphrase={PASSPHRASE}");
    let url = format!("srt://127.0.0.1:{}?latency=200", mtx.srt);
    channel.add(json!({"name": "srt", "url": url, "key": key})).await?;
    let live = channel.is_live("srt").await?;
    ensure!(live["connects"] == 1 && live["bytes"].as_u64() > Some(0), "{live}");
    let session = mtx.session().await?;
    let viewer =
        Viewer::start(bench.path(), &format!("rtmp://127.0.0.1:{}/live/programme", mtx.rtmp), "flv")?;
    eventually("the viewer sees it", SOON, async || Ok(viewer.has_begun().then_some(()))).await?;
    // New headers on the way.
    let clip = world.clip("clip", "testsrc", 2).await?;
    channel.play(&[&clip]).await?;
    channel.is_on_air("backup").await?;
    sleep(Duration::from_secs(3)).await;
    channel.set_mode("slate").await?;
    channel.is_on_air("slate").await?;
    sleep(Duration::from_secs(2)).await;
    channel.set_mode("auto").await?;
    // The headers of an encoder have other bytes for the same sound.
    let encoder = world.encoder(&channel, "profile", PROFILE)?;
    channel.is_on_air("live").await?;
    sleep(Duration::from_secs(3)).await;
    drop(encoder);
    channel.is_on_air("backup").await?;
    sleep(Duration::from_secs(2)).await;
    channel.is_unharmed("srt").await?;
    ensure!(mtx.session().await? == session, "the listener has another connection");
    let hole = viewer.stop().await?.is_continuous(HOLE)?;
    report("the longest hole of the picture behind SRT", hole);
    secrets_are_hidden()?;
    let tested = channel.test_of("srt").await?;
    let steps: Vec<&str> =
        tested["url"].as_array().into_iter().flatten().filter_map(|step| step["step"].as_str()).collect();
    ensure!(tested["ok"] == true && steps == ["program", "name", "handshake"], "{tested}");

    mtx.restart(bench).await?;
    let again =
        channel.until("srt", "is live again", SOON, |seen| seen["state"] == "live" && seen["connects"] == 2);
    note(format!("after a restart of the listener: {}", again.await?["last_error"]));
    mtx.session().await?;
    ensure!(!mtx.log().contains(PASSPHRASE), "MediaMTX knows the passphrase from elsewhere");
    world.is_not_logged(PASSPHRASE)
}

pub(crate) async fn a_listener_of_srt_that_refuses_is_told_in_plain_words(bench: &Bench) -> Result<()> {
    let mtx = Mtx::start(bench).await?;
    let world = World::alone(bench, &[]).await?;
    let channel = world.channel(json!({})).await?;
    let url = format!("srt://127.0.0.1:{}", mtx.srt);
    channel.add(json!({"name": "wrong", "url": url, "key": "streamid=publish:live/x&passphrase=not-the-right-one"})).await?;
    let nobody = { std::net::UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port() };
    channel
        .add(json!({"name": "absent", "url": format!("srt://127.0.0.1:{nobody}"), "key": STREAM_ID}))
        .await?;
    let failed = |seen: &serde_json::Value| seen["last_error"].is_string();
    for (name, words) in
        [("wrong", "check the stream id and the passphrase"), ("absent", "no SRT listener answers")]
    {
        let seen = channel.until(name, "has failed", SOON, failed).await?;
        ensure!(seen["last_error"].as_str().unwrap_or_default().contains(words), "{name}: {seen}");
        ensure!(seen["connects"] == 0 && seen["bytes"] == 0, "{name}: {seen}");
    }
    let tested = channel.test_of("absent").await?;
    ensure!(tested["ok"] == false, "{tested}");
    world.is_not_logged("not-the-right-one")
}

pub(crate) async fn without_ffmpeg_it_says_what_to_install(bench: &Bench) -> Result<()> {
    let world = World::alone(bench, &[("PATH", bench.path().display().to_string())]).await?;
    let channel = world.channel(json!({})).await?;
    channel.add(json!({"name": "srt", "url": "srt://127.0.0.1:9", "key": STREAM_ID})).await?;
    let seen = channel.until("srt", "has failed", SOON, |seen| seen["last_error"].is_string()).await?;
    let words = "ffmpeg is not installed: install ffmpeg";
    ensure!(seen["last_error"].as_str().unwrap_or_default().contains(words), "{seen}");
    let tested = channel.test_of("srt").await?;
    ensure!(tested["ok"] == false && tested["url"][0]["error"].to_string().contains(words), "{tested}");
    Ok(())
}

/// Fails if a process on this machine shows a secret to others, or Streamward left one in a file.
fn secrets_are_hidden() -> Result<()> {
    let mut programs = 0;
    for entry in fs::read_dir("/proc")?.flatten() {
        let arguments = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        let all = String::from_utf8_lossy(&[arguments, environment].concat()).into_owned();
        programs += usize::from(all.contains("-fpre"));
        ensure!(!all.contains(PASSPHRASE), "a program shows the passphrase: {all}");
        ensure!(!all.contains(STREAM_ID), "a program shows the stream id: {all}");
    }
    ensure!(programs > 0, "no ffmpeg was found");
    // The file with the key is gone.
    for entry in fs::read_dir(std::env::temp_dir())?.flatten() {
        if entry.file_name().display().to_string().starts_with("streamward-") {
            let text = fs::read_to_string(entry.path()).unwrap_or_default();
            ensure!(!text.contains(PASSPHRASE), "a file has the passphrase: {}", entry.path().display());
        }
    }
    Ok(())
}
