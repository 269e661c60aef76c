//! Publishing: every protocol, both ingest forms, and refusals.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use streamward::domain::path::StreamPath;
use streamward::ports::{MediaServer as _, RelayRemoval};

use crate::Bench;
use crate::encoder;
use crate::process::eventually;
use crate::world::{Way, World};

/// How long a stream may still be listed once its encoder has left.
const LEFT: Duration = Duration::from_millis(2_500);

pub(crate) async fn rtmp_on_a_named_path(bench: &Bench) -> Result<()> {
    let world = World::start(bench).await?;
    let api = &world.streamward;
    let key = api.key("live/alice", json!({})).await?;
    // As OBS joins them.
    let obs = &key.ingest["obs"];
    let url =
        format!("{}/{}", obs["server"].as_str().unwrap_or("?"), obs["stream_key"].as_str().unwrap_or("?"));
    let encoder = world.encoder_at("obs", &url)?;
    let stream = api.on_air("live/alice").await?;
    ensure!(stream["source_type"] == "rtmpConn" && stream["status"] == "active", "{stream}");
    ensure!(stream["stream_key_id"] == *key.id && stream["media_server"] == "default", "{stream}");
    ensure!(stream["broadcaster_id"] == *key.broadcaster_id, "{stream}");
    ensure!(api.get(&format!("/stream-keys/{}", key.id)).await?["in_use"] == true);
    let tracks = eventually("its tracks are known", Duration::from_secs(5), async || {
        let now = api.live("live/alice").await?.unwrap_or_default();
        Ok((now["tracks"] == json!(["H264", "MPEG-4 Audio"])).then_some(now))
    });
    let now = tracks.await?.0;
    ensure!(now["urls"] == stream["urls"], "the addresses of a live stream changed: {now}");
    for protocol in ["rtsp", "hls", "rtmp"] {
        let url = now["urls"][protocol].as_str().unwrap_or("?");
        ensure!(encoder::codecs(url).await? == ["aac", "h264"], "{protocol}");
    }
    drop(encoder);
    api.ended(&stream, "publisher_left", LEFT).await?;
    ensure!(api.get(&format!("/stream-keys/{}", key.id)).await?["in_use"] == false);
    world.is_not_logged(&key.secret)
}

pub(crate) async fn rtmp_with_the_secret_as_path(bench: &Bench) -> Result<()> {
    secret_as_path(bench, "").await
}

pub(crate) async fn rtmp_with_the_secret_below_an_application(bench: &Bench) -> Result<()> {
    secret_as_path(bench, "/live").await
}

async fn secret_as_path(bench: &Bench, application: &str) -> Result<()> {
    let world = World::start(bench).await?;
    let api = &world.streamward;
    let urls = world.server.ports.urls();
    let key = api.key("shows/bob", json!({})).await?;
    let private = format!("{application}/{}", key.secret);
    let encoder = world.encoder_at("opaque", &format!("{}{private}", urls.rtmp))?;
    let stream = api.on_air("shows/bob").await?;
    ensure!(stream["path"] == "shows/bob", "{stream}");
    ensure!(stream["readers"] == 0, "nobody watches yet: {stream}");
    for protocol in ["rtsp", "hls"] {
        let url = stream["urls"][protocol].as_str().unwrap_or("?");
        ensure!(encoder::codecs(url).await? == ["aac", "h264"], "{protocol}");
    }
    let mut viewer = encoder::watch(bench.path(), "viewer", stream["urls"]["rtsp"].as_str().unwrap_or("?"))?;
    let counted = eventually("the viewer is counted", Duration::from_secs(5), async || {
        let now = api.live("shows/bob").await?.unwrap_or_default();
        Ok((now["readers"].as_u64() >= Some(1)).then_some(()))
    });
    counted.await?;
    encoder::cannot_be_watched(&format!("{}{private}", urls.rtsp)).await?;
    encoder::cannot_be_watched(&format!("{}{private}/index.m3u8", urls.hls)).await?;

    drop(encoder);
    api.ended(&stream, "publisher_left", LEFT).await?;
    viewer.wait(Duration::from_secs(3)).await?;
    // The relay is removed with the stream.
    let client = world.server.client()?;
    let public = StreamPath::parse("shows/bob")?;
    let gone = eventually("the relay is gone", Duration::from_secs(3), async || {
        let seen = client.snapshot().await?;
        Ok((!seen.paths.iter().any(|p| p.path.public() == Some(public.as_str()))).then_some(()))
    });
    gone.await?;
    ensure!(client.remove_relay(&public).await? == RelayRemoval::Gone);
    let shown = [api.get("/streams?status=all").await?, api.get("/stream-keys").await?];
    ensure!(!Value::from(shown.to_vec()).to_string().contains(&key.secret), "a secret is shown");
    world.is_not_logged(&key.secret)
}

async fn on_a_named_path(bench: &Bench, way: Way, source: &str, codecs: &[&str]) -> Result<()> {
    let world = World::start(bench).await?;
    let api = &world.streamward;
    let key = api.key("live/carol", json!({})).await?;
    let encoder = world.encoder(way, &key)?;
    let stream = api.on_air("live/carol").await?;
    ensure!(stream["source_type"] == source && stream["stream_key_id"] == *key.id, "{stream}");
    let seen = encoder::codecs(stream["urls"]["rtsp"].as_str().unwrap_or("?")).await?;
    ensure!(seen == codecs, "{seen:?}");
    drop(encoder);
    // An SRT encoder that vanishes sends no close; the media server waits for it.
    let patience = if way == Way::Srt { Duration::from_secs(15) } else { LEFT };
    api.ended(&stream, "publisher_left", patience).await?;
    world.is_not_logged(&key.secret)
}

pub(crate) async fn srt_on_a_named_path(bench: &Bench) -> Result<()> {
    on_a_named_path(bench, Way::Srt, "srtConn", &["aac", "h264"]).await
}

pub(crate) async fn rtsp_on_a_named_path(bench: &Bench) -> Result<()> {
    on_a_named_path(bench, Way::Rtsp, "rtspSession", &["aac", "h264"]).await
}

pub(crate) async fn whip_on_a_named_path(bench: &Bench) -> Result<()> {
    on_a_named_path(bench, Way::Whip, "webRTCSession", &["h264"]).await
}

pub(crate) async fn whoever_has_no_key_is_refused(bench: &Bench) -> Result<()> {
    let world = World::start(bench).await?;
    let good = world.streamward.key("live/dave", json!({})).await?;
    let other = world.streamward.key("live/erin", json!({})).await?;
    let ports = world.server.ports.urls();
    let wrong = good.secret.replace(good.secret.split_at(10).1, other.secret.split_at(10).1);
    for (name, url) in [
        ("without", format!("{}/live/dave", ports.rtmp)),
        ("unknown", format!("{}/live/dave?key={wrong}", ports.rtmp)),
        ("unknown-path", format!("{}/live/{wrong}", ports.rtmp)),
        ("other", format!("{}/live/dave?key={}", ports.rtmp, other.secret)),
        ("srt", format!("{}?streamid=publish:live/dave:key:{wrong}&pkt_size=1316", ports.srt)),
        ("rtsp", format!("{}/live/dave?key={wrong}", ports.rtsp)),
    ] {
        let mut encoder = world.encoder_at(name, &url)?;
        let status = encoder.cut_off().await?;
        ensure!(status.is_some_and(|status| !status.success()), "{name}: {status:?}");
    }
    let streams = world.streamward.get("/streams?status=all").await?;
    ensure!(streams["count"] == 0, "{streams}");
    Ok(())
}

/// MediaMTX asks once without credentials, so that the client is asked for them.
pub(crate) async fn an_rtsp_publisher_leaves_no_failure(bench: &Bench) -> Result<()> {
    let world = World::start(bench).await?;
    let api = &world.streamward;
    let key = api.key("live/alice", json!({})).await?;
    let _encoder = world.encoder(Way::Rtsp, &key)?;
    api.on_air("live/alice").await?;
    let entries = eventually("the decision is in the audit log", Duration::from_secs(20), async || {
        let entries = api.get("/audit-logs?action=publish").await?["audit_logs"].clone();
        Ok(entries.as_array().filter(|entries| !entries.is_empty()).cloned())
    });
    let (entries, _) = entries.await?;
    ensure!(entries.iter().all(|entry| entry["outcome"] == "success"), "{entries:?}");
    let failures = api.get("/auth-failures").await?;
    ensure!(failures["count"] == 0, "{failures}");
    Ok(())
}
