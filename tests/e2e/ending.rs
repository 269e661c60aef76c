//! Ending live streams: key revoked, rotated, expired or deleted, or stream ended, on every protocol.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::program::Key;
use crate::world::{Way, World};
use crate::{Bench, report};

/// How long a session may continue after its key became invalid.
const LIMIT: Duration = Duration::from_millis(2_500);

/// Revokes one key, rotates another and lets a third expire, all while live.
async fn every_end(bench: &Bench, way: Way) -> Result<()> {
    let world = World::start(bench).await?;
    let api = &world.streamward;
    // Long enough to go live first with every protocol.
    let expires_at = now(api).await? + TimeDelta::seconds(12);
    let expires = expires_at.to_rfc3339_opts(SecondsFormat::Micros, true);
    let revoked = api.key("live/revoked", json!({})).await?;
    let rotated = api.key("live/rotated", json!({})).await?;
    let expiring = api.key("live/expiring", json!({"expires_at": expires})).await?;
    let mut encoders = Vec::new();
    for key in [&revoked, &rotated, &expiring] {
        encoders.push(world.encoder(way, key)?);
    }
    let mut streams = Vec::new();
    for key in [&revoked, &rotated, &expiring] {
        streams.push(api.on_air(&key.path).await?);
    }
    let [first, second, third] = streams.as_slice() else { unreachable!("three keys, three streams") };

    let start = Instant::now();
    api.delete(&format!("/stream-keys/{}", revoked.id)).await?;
    ensure!(start.elapsed() < LIMIT, "the caller waited {:?}", start.elapsed());
    let took = api.ended(first, "key_revoked", LIMIT.saturating_sub(start.elapsed())).await?;
    world.server.gone(&revoked.path, Duration::from_millis(100)).await?;
    report(format!("{way:?}: revoked, gone after"), start.elapsed().max(took));

    let start = Instant::now();
    let fresh = api.post(&format!("/stream-keys/{}/rotate", rotated.id), Value::Null).await;
    let fresh = Key::from(&fresh.context("rotating")?)?;
    api.ended(second, "key_rotated", LIMIT.saturating_sub(start.elapsed())).await?;
    report(format!("{way:?}: rotated, gone after"), start.elapsed());
    ensure!(fresh.secret != rotated.secret && fresh.id == rotated.id);

    let until = (expires_at - now(api).await?).to_std().unwrap_or_default();
    tokio::time::sleep(until).await;
    let took = api.ended(third, "key_expired", LIMIT).await?;
    report(format!("{way:?}: expired, gone after"), took);
    for mut encoder in encoders {
        encoder.cut_off().await?;
    }

    for key in [&revoked, &rotated, &expiring] {
        world.is_refused(way, key).await?;
    }
    let _encoder = world.encoder(way, &fresh)?;
    let next = api.on_air(&rotated.path).await?;
    ensure!(next["id"] != second["id"], "{next}");
    Ok(())
}

/// The time of Streamward's clock.
pub(crate) async fn now(api: &crate::program::Streamward) -> Result<DateTime<Utc>> {
    let probe = api.post("/broadcasters", json!({"display_name": "clock"})).await?;
    Ok(probe["created_at"].as_str().context("it was made at some time")?.parse()?)
}

pub(crate) async fn rtmp_revoked_rotated_expired(bench: &Bench) -> Result<()> {
    every_end(bench, Way::Rtmp).await
}

pub(crate) async fn secret_path_revoked_rotated_expired(bench: &Bench) -> Result<()> {
    every_end(bench, Way::SecretPath).await
}

pub(crate) async fn srt_revoked_rotated_expired(bench: &Bench) -> Result<()> {
    every_end(bench, Way::Srt).await
}

pub(crate) async fn rtsp_revoked_rotated_expired(bench: &Bench) -> Result<()> {
    every_end(bench, Way::Rtsp).await
}

pub(crate) async fn whip_revoked_rotated_expired(bench: &Bench) -> Result<()> {
    every_end(bench, Way::Whip).await
}

pub(crate) async fn an_operator_ends_a_stream_and_the_key_stays_valid(bench: &Bench) -> Result<()> {
    let world = World::start(bench).await?;
    let api = &world.streamward;
    let key = api.key("live/alice", json!({})).await?;
    let mut encoder = world.encoder(Way::Rtmp, &key)?;
    let stream = api.on_air("live/alice").await?;
    api.delete(&format!("/streams/{}", stream["id"].as_str().context("an id")?)).await?;
    api.ended(&stream, "ended_by_operator", LIMIT).await?;
    encoder.cut_off().await?;
    let _again = world.encoder(Way::Rtmp, &key)?;
    ensure!(api.on_air("live/alice").await?["id"] != stream["id"]);
    Ok(())
}

pub(crate) async fn a_deleted_broadcaster_is_off_the_air(bench: &Bench) -> Result<()> {
    let world = World::start(bench).await?;
    let api = &world.streamward;
    for way in [Way::Rtmp, Way::SecretPath] {
        let key = api.key("live/alice", json!({})).await?;
        let mut encoder = world.encoder(way, &key)?;
        let stream = api.on_air("live/alice").await?;
        api.delete(&format!("/broadcasters/{}", key.broadcaster_id)).await?;
        api.ended(&stream, "broadcaster_deleted", LIMIT).await?;
        encoder.cut_off().await?;
        let (status, _) = api.call(Method::GET, &format!("/stream-keys/{}", key.id), None).await?;
        ensure!(status == 404, "its key answers {status}");
        let history = api.get(&format!("/streams/{}", stream["id"].as_str().context("an id")?)).await?;
        ensure!(history["broadcaster_name"] == "live/alice", "{history}");
        world.is_refused(way, &key).await?;
    }
    Ok(())
}
