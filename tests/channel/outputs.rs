//! Destinations of a channel that plays clips, without a media server: cuts, destinations that are broken, new sessions.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use streamward_test_support::process::eventually;
use tokio::time::sleep;

use crate::network::{Manner, Proxy, Tls};
use crate::platform::Nginx;
use crate::world::{Channel, PLATFORM_KEY, World};
use crate::{Bench, HOLE, SOON, note, report};

/// A channel with one clip on air.
async fn with_a_clip<'a>(world: &'a World<'_>) -> Result<(Channel<'a>, String)> {
    let clip = world.clip("first", "testsrc", 3).await?;
    let inputs = json!({"backup": {"playlist": {"clips": [clip]}}});
    let channel = world.channel(json!({"inputs": inputs})).await?;
    channel.is_on_air("backup").await?;
    Ok((channel, clip))
}

pub(crate) async fn planned_cuts_and_changes_of_clips_make_no_hole(bench: &Bench) -> Result<()> {
    let mut nginx = Nginx::start(bench, "nginx").await?;
    let world = World::alone(bench, &[]).await?;
    let (channel, clip) = with_a_clip(&world).await?;
    channel.add_destination("nginx", &nginx.url()).await?;
    channel.is_live("nginx").await?;
    // The clip ends and begins again.
    nginx.more(4).await?;
    for (mode, on_air) in
        [("slate", "slate"), ("hold_backup", "backup"), ("slate", "slate"), ("auto", "backup")]
    {
        channel.set_mode(mode).await?;
        channel.is_on_air(on_air).await?;
    }
    let other = world.clip("second", "testsrc2", 2).await?;
    channel.play(&[&other, &clip]).await?;
    nginx.more(6).await?;
    channel.play(&[&other]).await?;
    nginx.more(4).await?;
    for decision in channel.decisions().await? {
        let hole = Duration::from_millis(decision["numbers"]["hole_ms"].as_u64().unwrap_or(0));
        report(format!("the hole of the cut to {} ({})", decision["to"], decision["reason"]), hole);
    }
    channel.is_unharmed("nginx").await?;
    nginx.stop().await?;
    let hole = nginx.recording()?.is_continuous(HOLE)?;
    report("planned cuts and changes of clips: the longest hole of the picture", hole);
    world.is_not_logged(PLATFORM_KEY)
}

pub(crate) async fn broken_destinations_harm_no_other(bench: &Bench) -> Result<()> {
    let mut nginx = Nginx::start(bench, "nginx").await?;
    let drain = Nginx::start(bench, "drain").await?;
    let world = World::alone(bench, &[]).await?;
    let (channel, _) = with_a_clip(&world).await?;
    channel.add_destination("healthy", &nginx.url()).await?;
    channel.is_live("healthy").await?;
    let before = world.memory()?;

    let silent = Proxy::start(Manner::NeverReads, drain.port)?;
    let stalls = Proxy::start(Manner::StallsAfter(Duration::from_secs(2)), drain.port)?;
    let drops = Proxy::start(Manner::DropsAfter(Duration::from_secs(3)), drain.port)?;
    channel.add_destination("silent", &silent.url()).await?;
    channel.add_destination("stalls", &stalls.url()).await?;
    channel.add_destination("drops", &drops.url()).await?;
    channel.add_destination("refuses", &nginx.refusing_url()).await?;
    let nobody = { std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port() };
    channel.add_destination("absent", &format!("rtmp://127.0.0.1:{nobody}/live")).await?;

    let stalled = |connection: &Value| connection["state"] == "stalled";
    let seen = channel.until("stalls", "is stalled", SOON, stalled).await?;
    ensure!(seen["queue_ms"].as_u64().is_some_and(|ms| ms <= 4_500), "the queue is too long: {seen}");
    let failed = |connection: &Value| connection["state"] == "backing_off" || connection["state"] == "failed";
    for (name, words) in [
        ("silent", "no answer within 6 seconds"),
        ("stalls", "the server took nothing for ten seconds"),
        ("drops", "closed the connection"),
        ("refuses", "the server"),
        ("absent", "does not connect"),
    ] {
        let seen = channel.until(name, "has failed", SOON, failed).await?;
        let error = seen["last_error"].as_str().unwrap_or_default();
        ensure!(error.contains(words), "{name}: {error:?} is not {words:?}");
        ensure!(seen["next_attempt_at"].is_string(), "{name}: {seen}");
        note(format!("{name}: {} ({error})", seen["state"]));
    }
    let seen = channel.connection("stalls").await?;
    ensure!(seen["dropped_frames"].as_u64().is_some_and(|frames| frames > 0), "{seen}");
    // Five connections to it: each wait is longer than the last, with jitter. It held each for three seconds.
    let waits = eventually("it was tried again", SOON, async || {
        Ok(Some(drops.waits()).filter(|waits| waits.len() >= 3))
    });
    let waits: Vec<Duration> =
        waits.await?.0.iter().map(|wait| wait.saturating_sub(Duration::from_secs(3))).collect();
    note(format!("waits after a connection that was dropped: {waits:?}"));
    for (wait, least) in waits.iter().zip([1, 2, 4]) {
        let (least, most) = (Duration::from_secs(least), Duration::from_secs(2 * least + 3));
        ensure!((least..most).contains(wait), "it was tried again after {wait:?}");
    }

    let after = world.memory()?;
    note(format!("memory: {before} MiB before, {after} MiB after"));
    ensure!(after < before + 96, "{before} MiB, then {after} MiB");
    channel.is_unharmed("healthy").await?;
    nginx.stop().await?;
    let hole = nginx.recording()?.is_continuous(HOLE)?;
    report("the longest hole of the picture at the healthy destination", hole);
    world.is_not_logged(PLATFORM_KEY)
}

pub(crate) async fn a_private_authority_is_trusted_if_the_operator_says_so(bench: &Bench) -> Result<()> {
    let nginx = Nginx::start(bench, "nginx").await?;
    let (known, unknown) = (Tls::start(nginx.port).await?, Tls::start(nginx.port).await?);
    let file = bench.path().join("authority.pem");
    std::fs::write(&file, &known.authority)?;
    let world =
        World::alone(bench, &[("STREAMWARD_CHANNELS__EXTRA_CA_FILE", file.display().to_string())]).await?;
    let channel = world.channel(json!({})).await?;
    channel.add_destination("known", &known.url()).await?;
    channel.add_destination("unknown", &unknown.url()).await?;
    channel.is_live("known").await?;
    nginx.more(1).await?;
    let refused = channel.until("unknown", "is refused", SOON, |seen| seen["last_error"].is_string()).await?;
    let words = refused["last_error"].as_str().unwrap_or_default();
    ensure!(words.contains("TLS failed") && words.contains("certificate"), "{words}");
    for (name, is_ok) in [("known", true), ("unknown", false)] {
        let tested = channel.test_of(name).await?;
        ensure!(tested["ok"] == is_ok, "{name}: {tested}");
    }
    Ok(())
}

/// Takes more than a minute: a shorter time cannot be set.
pub(crate) async fn a_new_session_is_a_short_moment_and_loses_nothing(bench: &Bench) -> Result<()> {
    let mut rotates = Nginx::start(bench, "rotates").await?;
    let mut other = Nginx::start(bench, "other").await?;
    let world = World::alone(bench, &[]).await?;
    let (channel, _) = with_a_clip(&world).await?;
    channel.add(json!({"name": "rotates", "url": rotates.url(), "rotate_session_every_seconds": 60})).await?;
    channel.add_destination("other", &other.url()).await?;
    channel.is_live("rotates").await?;
    channel.is_live("other").await?;
    let rotated =
        channel.until("rotates", "has a new session", Duration::from_secs(90), |seen| seen["connects"] == 2);
    let rotated = rotated.await?;
    ensure!(rotated["last_error"].is_null() && rotated["dropped_frames"] == 0, "{rotated}");
    sleep(Duration::from_secs(3)).await;
    let log = world.streamward.log();
    let line =
        log.lines().find(|line| line.contains("a new session replaced")).context("no line about it")?;
    note(line);
    channel.is_unharmed("other").await?;
    rotates.stop().await?;
    other.stop().await?;
    let sessions = rotates.recordings()?;
    ensure!(sessions.len() == 2, "{} sessions", sessions.len());
    let mut pictures = 0;
    for session in &sessions {
        session.is_continuous(HOLE)?;
        pictures += session.pictures()?;
    }
    let whole = other.recording()?;
    report("the longest hole at the other destination", whole.is_continuous(HOLE)?);
    // Both began and ended at about the same time; between the sessions nothing is lost.
    let all = whole.pictures()?;
    note(format!("{pictures} pictures in two sessions, {all} in one"));
    ensure!(pictures.abs_diff(all) < 90, "{pictures} pictures in two sessions, {all} in one");
    Ok(())
}
