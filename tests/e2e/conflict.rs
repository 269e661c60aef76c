//! Two encoders and one key.

use std::any::Any;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::Bench;
use crate::process::eventually;
use crate::world::{Way, World};

pub(crate) async fn a_second_encoder_is_refused(bench: &Bench) -> Result<()> {
    let world = World::start(bench).await?;
    let api = &world.streamward;
    let key = api.key("live/alice", json!({})).await?;
    let _first = world.encoder(Way::Rtmp, &key)?;
    let stream = api.on_air("live/alice").await?;
    for way in [Way::Rtmp, Way::SecretPath, Way::Srt, Way::Rtsp] {
        let mut second = world.encoder(way, &key)?;
        let status = second.cut_off().await?;
        ensure!(status.is_some_and(|status| !status.success()), "{way:?}: {status:?}");
        let now = api.live("live/alice").await?.unwrap_or_default();
        ensure!(now["id"] == stream["id"] && now["source_id"] == stream["source_id"], "{way:?}: {now}");
    }
    Ok(())
}

/// The second encoder wins, the first stream ends, and the first encoder is disconnected.
async fn takeover(bench: &Bench, first: Way, second: Way) -> Result<()> {
    let world = World::start(bench).await?;
    let api = &world.streamward;
    let key = api.key("live/alice", json!({"on_conflict": "takeover"})).await?;
    let mut loser = world.encoder(first, &key)?;
    let stream = api.on_air("live/alice").await?;
    // MediaMTX refuses a publisher if the entry of its path was removed after its auth request, as the relay of the
    // loser is. The second try of the encoder succeeds.
    let _winner: Box<dyn Any> = match first {
        Way::SecretPath => Box::new(world.stubborn_encoder(second, &key)?),
        _ => Box::new(world.encoder(second, &key)?),
    };
    api.ended(&stream, "takeover", Duration::from_secs(8)).await?;
    loser.cut_off().await?;
    let next = api.on_air("live/alice").await?;
    ensure!(next["id"] != stream["id"] && next["source_id"] != stream["source_id"], "{next}");
    // It stays.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let now = api.live("live/alice").await?.unwrap_or_default();
    ensure!(now["id"] == next["id"], "{now}");
    let history = api.get("/streams?status=all").await?;
    ensure!(history["count"] == 2, "{history}");
    Ok(())
}

pub(crate) async fn a_takeover_on_the_same_path(bench: &Bench) -> Result<()> {
    takeover(bench, Way::Rtmp, Way::Rtmp).await
}

pub(crate) async fn a_takeover_by_another_protocol(bench: &Bench) -> Result<()> {
    takeover(bench, Way::Srt, Way::Rtsp).await
}

pub(crate) async fn a_takeover_from_a_private_path(bench: &Bench) -> Result<()> {
    takeover(bench, Way::SecretPath, Way::Rtmp).await
}

pub(crate) async fn a_takeover_by_a_private_path(bench: &Bench) -> Result<()> {
    takeover(bench, Way::Rtmp, Way::SecretPath).await
}

pub(crate) async fn two_encoders_that_both_come_back_do_not_take_the_key_from_each_other_all_the_time(
    bench: &Bench,
) -> Result<()> {
    let world = World::start(bench).await?;
    let api = &world.streamward;
    let key = api.key("live/alice", json!({"on_conflict": "takeover"})).await?;
    let _one = world.stubborn_encoder(Way::Rtmp, &key)?;
    api.on_air("live/alice").await?;
    let _other = world.stubborn_encoder(Way::Rtmp, &key)?;
    let refused = eventually("one of them is refused", Duration::from_secs(40), async || {
        let rows = api.get("/auth-failures").await?["auth_failures"].as_array().cloned().unwrap_or_default();
        Ok(rows.into_iter().find(|row| row["cause"] == "too_many_takeovers"))
    });
    let (row, _) = refused.await?;
    let detail = row["detail"].as_str().unwrap_or_default();
    ensure!(detail.matches("127.0.0.1").count() == 2, "both addresses are named: {row}");
    // For more than ten seconds nothing changes.
    let (before, history) = (api.on_air("live/alice").await?, api.get("/streams?status=all").await?);
    tokio::time::sleep(Duration::from_secs(12)).await;
    let (now, later) = (api.on_air("live/alice").await?, api.get("/streams?status=all").await?);
    ensure!(now["id"] == before["id"] && later["count"] == history["count"], "{history} {later}");
    ensure!(later["count"].as_u64().is_some_and(|count| count <= 3), "{later}");
    Ok(())
}

pub(crate) async fn an_encoder_that_was_cut_off_comes_back_at_once(bench: &Bench) -> Result<()> {
    let world = World::start(bench).await?;
    let api = &world.streamward;
    let key = api.key("live/alice", json!({})).await?;
    let first = world.encoder(Way::Rtmp, &key)?;
    let stream = api.on_air("live/alice").await?;
    drop(first);
    // No pause: the key is free as soon as the media server reports the end.
    let _again = world.stubborn_encoder(Way::Rtmp, &key)?;
    let back = eventually("it is back", Duration::from_secs(8), async || {
        Ok(api.live("live/alice").await?.filter(|now| now["id"] != stream["id"]))
    });
    back.await?;
    Ok(())
}
