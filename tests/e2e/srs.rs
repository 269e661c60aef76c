//! A real SRS: `SRS_BIN`.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::{Value, json};
use streamward_test_support::platform::Platform;

use crate::encoder::WhipEncoder;
use crate::ending::now;
use crate::process::{Signal, eventually};
use crate::program::Key;
use crate::srs_world::World;
use crate::{Bench, encoder, report};

/// How long anything may take on a busy machine.
const SOON: Duration = Duration::from_secs(30);

/// The stream at `path` once it is live, and its tracks are known.
async fn on_air(world: &World<'_>, path: &str) -> Result<Value> {
    let live = eventually(format!("{path} is live"), SOON, async || {
        let live = world.streamward.live(path).await?;
        Ok(live.filter(|now| now["tracks"] == json!(["H264", "AAC"])))
    });
    Ok(live.await?.0)
}

/// Fails unless a viewer of `url` sees picture and sound. One who comes early may see the picture first.
async fn is_shown(url: &Value) -> Result<()> {
    let url = url.as_str().context("an address")?;
    let shown = eventually(format!("picture and sound of {url}"), SOON, async || {
        let seen = encoder::codecs(url).await.unwrap_or_default();
        // By RTMP, ffprobe also lists the metadata.
        Ok(["aac", "h264"].iter().all(|codec| seen.iter().any(|one| one == codec)).then_some(()))
    });
    shown.await.map(drop)
}

pub(crate) async fn a_named_path_is_published_and_watched(bench: &Bench) -> Result<()> {
    let world = World::start(bench).await?;
    let api = &world.streamward;
    let key = api.key("live/alice", json!({})).await?;
    // As OBS joins them.
    let obs = &key.ingest["obs"];
    let url =
        format!("{}/{}", obs["server"].as_str().unwrap_or("?"), obs["stream_key"].as_str().unwrap_or("?"));
    let encoder = world.encoder("obs", &url)?;
    let stream = on_air(&world, "live/alice").await?;
    ensure!(stream["source_type"] == "rtmpConn" && stream["stream_key_id"] == *key.id, "{stream}");
    for protocol in ["rtmp", "flv", "hls"] {
        is_shown(&stream["urls"][protocol]).await?;
    }
    let viewer = encoder::watch(bench.path(), "viewer", stream["urls"]["rtmp"].as_str().unwrap_or("?"))?;
    let counted = eventually("viewer and bytes are counted", SOON, async || {
        let now = api.live("live/alice").await?.unwrap_or_default();
        Ok((now["readers"].as_u64() >= Some(1) && now["inbound_bytes"].as_u64() > Some(10_000)).then_some(()))
    });
    counted.await?;
    drop(encoder);
    report("the encoder left; its stream has ended", api.ended(&stream, "publisher_left", SOON).await?);
    drop(viewer);
    let found = api.output_of(&["doctor"])?;
    ensure!(!found.lines().any(|line| line.starts_with("FAIL")), "{found}");
    ensure!(found.contains("needs its password") && found.contains("it sends auth requests"), "{found}");
    world.is_not_logged(&key)
}

pub(crate) async fn a_path_of_one_part_works_too(bench: &Bench) -> Result<()> {
    let world = World::start(bench).await?;
    let key = world.streamward.key("alice", json!({})).await?;
    let _encoder = world.encoder("flat", &key.url("rtmp")?)?;
    let stream = on_air(&world, "alice").await?;
    is_shown(&stream["urls"]["rtmp"]).await?;
    Ok(())
}

pub(crate) async fn srt_on_a_named_path(bench: &Bench) -> Result<()> {
    let world = World::start(bench).await?;
    let api = &world.streamward;
    let key = api.key("live/eu/carol", json!({})).await?;
    let mut encoder = world.encoder("srt", &key.url("srt")?)?;
    let stream = on_air(&world, "live/eu/carol").await?;
    ensure!(stream["source_type"] == "srtConn" && stream["stream_key_id"] == *key.id, "{stream}");
    is_shown(&stream["urls"]["flv"]).await?;
    api.delete(&format!("/stream-keys/{}", key.id)).await?;
    report("srt: key_revoked", api.ended(&stream, "key_revoked", SOON).await?);
    encoder.wait(SOON).await?;
    world.is_not_logged(&key)
}

pub(crate) async fn whip_on_a_named_path_is_watched_by_whep(bench: &Bench) -> Result<()> {
    let world = World::start(bench).await?;
    let api = &world.streamward;
    let key = api.key("live/frank", json!({})).await?;
    let sender = WhipEncoder::with_sound(&bench.tools, bench.path(), "whip", &key.url("whip")?, &key.secret)?;
    let live = eventually("it is live", SOON, async || api.live("live/frank").await);
    let stream = live.await?.0;
    ensure!(stream["source_type"] == "webRTCSession" && stream["stream_key_id"] == *key.id, "{stream}");
    let whep = stream["urls"]["webrtc"].as_str().context("an address")?;
    let whip = bench.tools.whip.as_ref().map_err(|why| anyhow!("{why}"))?;
    let (viewer, shown) = encoder::pull_by_whep(whip, bench.path(), "whep", whep)?;
    let seen =
        eventually("it is watched by WHEP", SOON, async || Ok(encoder::codecs(&shown).await.ok())).await;
    let seen = seen.with_context(|| viewer.log())?.0;
    ensure!(seen == ["h264", "opus"], "{seen:?}");
    drop(sender);
    report("whip: the encoder left", api.ended(&stream, "publisher_left", SOON).await?);
    // While somebody publishes by WebRTC, SRS refuses the next one before it asks.
    let wrong = api.key("live/other", json!({})).await?;
    let url = key.url("whip")?.replace(&key.secret, &wrong.secret);
    let refused = WhipEncoder::with_sound(&bench.tools, bench.path(), "wrong", &url, &wrong.secret)?;
    let denied = eventually("the wrong key is refused", SOON, async || {
        let failures = api.get("/auth-failures").await?;
        let failures = failures["auth_failures"].as_array().context("a list")?;
        Ok(failures.iter().any(|one| one["path"] == "live/frank").then_some(()))
    });
    denied.await?;
    drop(refused);
    world.is_not_logged(&key)
}

pub(crate) async fn private_stream_needs_a_token(bench: &Bench) -> Result<()> {
    let world = World::start(bench).await?;
    let api = &world.streamward;
    let key = api.key("live/gina", json!({"playback_access": "token"})).await?;
    let _encoder = world.encoder("obs", &key.url("rtmp")?)?;
    let stream = on_air(&world, "live/gina").await?;
    let made = api.post("/playback-tokens", json!({"paths": ["live/*"], "ttl_seconds": 600})).await?;
    let links = api.post("/playback-tokens", json!({"paths": ["live/gina"], "ttl_seconds": 600})).await?;
    ensure!(made["links"][0].is_null(), "a pattern has no link: {made}");
    for protocol in ["rtmp", "flv", "hls"] {
        encoder::cannot_be_watched(stream["urls"][protocol].as_str().context("an address")?).await?;
        is_shown(&links["links"][0][protocol]).await?;
    }
    let url = links["links"][0]["rtmp"].as_str().context("a link")?;
    let mut watching = encoder::watch(bench.path(), "viewer", url)?;
    let counted = eventually("somebody watches", SOON, async || {
        let now = api.live("live/gina").await?.unwrap_or_default();
        Ok((now["readers"].as_u64() > Some(0)).then_some(()))
    });
    counted.await?;
    api.delete(&format!("/playback-tokens/{}", links["id"].as_str().context("an id")?)).await?;
    let began = tokio::time::Instant::now();
    watching.wait(SOON).await.context("the viewer is cut off")?;
    report("srs: revoked, cut off after", began.elapsed());
    encoder::cannot_be_watched(url).await
}

pub(crate) async fn the_key_is_the_name_of_the_stream(bench: &Bench) -> Result<()> {
    let world = World::start(bench).await?;
    let api = &world.streamward;
    let key = api.key("shows/bob", json!({})).await?;
    let url = key.url("rtmp_secret_path")?;
    let encoder = world.encoder("opaque", &url)?;
    let stream = on_air(&world, "shows/bob").await?;
    ensure!(stream.get("urls").is_none(), "SRS cannot show it at its path: {stream}");
    encoder::cannot_be_watched(&url).await?;
    drop(encoder);
    api.ended(&stream, "publisher_left", SOON).await?;
    let shown = [api.get("/streams?status=all").await?, api.get("/stream-keys").await?];
    ensure!(!Value::from(shown.to_vec()).to_string().contains(&key.secret), "a secret is shown");
    world.is_not_logged(&key)
}

pub(crate) async fn whoever_has_no_key_is_refused(bench: &Bench) -> Result<()> {
    let world = World::start(bench).await?;
    let good = world.streamward.key("live/dave", json!({})).await?;
    let other = world.streamward.key("live/erin", json!({})).await?;
    let wrong = good.secret.replace(good.secret.split_at(10).1, other.secret.split_at(10).1);
    let rtmp = world.srs.ports.urls().rtmp;
    for (name, url) in [
        ("without", format!("{rtmp}/live/dave")),
        ("unknown", format!("{rtmp}/live/dave?key={wrong}")),
        ("unknown-path", format!("{rtmp}/live/{wrong}")),
        ("other", format!("{rtmp}/live/dave?key={}", other.secret)),
    ] {
        world.is_refused(name, &url).await?;
    }
    let streams = world.streamward.get("/streams?status=all").await?;
    ensure!(streams["count"] == 0, "{streams}");
    Ok(())
}

pub(crate) async fn a_second_encoder_is_refused(bench: &Bench) -> Result<()> {
    let world = World::start(bench).await?;
    let key = world.streamward.key("live/alice", json!({})).await?;
    let _first = world.encoder("first", &key.url("rtmp")?)?;
    let stream = on_air(&world, "live/alice").await?;
    for form in ["rtmp", "rtmp_secret_path"] {
        world.is_refused(form, &key.url(form)?).await?;
        let now = world.streamward.live("live/alice").await?.unwrap_or_default();
        ensure!(now["id"] == stream["id"] && now["source_id"] == stream["source_id"], "{form}: {now}");
    }
    Ok(())
}

pub(crate) async fn a_takeover_replaces_the_first_encoder(bench: &Bench) -> Result<()> {
    let world = World::start(bench).await?;
    let api = &world.streamward;
    let key = api.key("live/alice", json!({"on_conflict": "takeover"})).await?;
    let mut first = world.encoder("first", &key.url("rtmp")?)?;
    let stream = on_air(&world, "live/alice").await?;
    let _second = world.stubborn_encoder("second", &key.url("rtmp")?);
    report("the takeover", api.ended(&stream, "takeover", SOON).await?);
    first.wait(SOON).await?;
    let next = eventually("the second encoder is live", SOON, async || {
        Ok(api.live("live/alice").await?.filter(|now| now["source_id"] != stream["source_id"]))
    });
    let next = next.await?.0;
    // It stays.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let now = api.live("live/alice").await?.unwrap_or_default();
    ensure!(now["id"] == next["id"], "{now}");
    Ok(())
}

pub(crate) async fn a_key_that_ends_takes_its_stream_off_the_air(bench: &Bench) -> Result<()> {
    let world = World::start(bench).await?;
    let api = &world.streamward;
    for (form, path) in [("rtmp", "live/named"), ("rtmp_secret_path", "live/secret")] {
        for reason in ["key_revoked", "key_rotated", "key_expired"] {
            let path = format!("{path}-{reason}");
            let in_ten_seconds = now(api).await? + chrono::TimeDelta::seconds(10);
            let draft = match reason {
                "key_expired" => json!({"expires_at": in_ten_seconds.to_rfc3339()}),
                _ => json!({}),
            };
            let key = api.key(&path, draft).await?;
            let mut encoder = world.encoder(&format!("{form}-{reason}"), &key.url(form)?)?;
            let stream = on_air(&world, &path).await?;
            match reason {
                "key_revoked" => api.delete(&format!("/stream-keys/{}", key.id)).await?,
                "key_rotated" => drop(api.post(&format!("/stream-keys/{}/rotate", key.id), json!({})).await?),
                _ => {}
            }
            report(format!("{form}: {reason}"), api.ended(&stream, reason, SOON).await?);
            ensure!(!encoder.wait(SOON).await?.success(), "{form}, {reason}: the encoder was not cut off");
        }
    }
    Ok(())
}

pub(crate) async fn srs_is_killed_and_returns(bench: &Bench) -> Result<()> {
    let mut world = World::start(bench).await?;
    let key = world.streamward.key("live/alice", json!({})).await?;
    let _encoder = world.stubborn_encoder("alice", &key.url("rtmp")?);
    let stream = on_air(&world, "live/alice").await?;
    world.srs.kill();
    tokio::time::sleep(Duration::from_secs(1)).await;
    world.srs.start_again().await?;
    world.streamward.ended(&stream, "media_server_restarted", SOON).await?;
    let next = on_air(&world, "live/alice").await?;
    ensure!(next["id"] != stream["id"], "{next}");
    Ok(())
}

pub(crate) async fn streamward_is_killed_and_returns(bench: &Bench) -> Result<()> {
    let mut world = World::start(bench).await?;
    let key = world.streamward.key("live/alice", json!({})).await?;
    let other = world.streamward.key("live/bob", json!({})).await?;
    let _encoder = world.encoder("alice", &key.url("rtmp")?)?;
    let stream = on_air(&world, "live/alice").await?;
    world.streamward.kill();
    // Callbacks fail closed.
    world.is_refused("bob", &other.url("rtmp")?).await?;
    world.streamward.start_again().await?;
    let _other = world.encoder("bob-again", &other.url("rtmp")?)?;
    on_air(&world, "live/bob").await?;
    let now = on_air(&world, "live/alice").await?;
    ensure!(now["id"] == stream["id"] && now["started_at"] == stream["started_at"], "{now}");
    Ok(())
}

pub(crate) async fn a_callback_that_hangs_harms_nobody_else(bench: &Bench) -> Result<()> {
    let mut world = World::start(bench).await?;
    let key = world.streamward.key("live/alice", json!({})).await?;
    let other = world.streamward.key("live/bob", json!({})).await?;
    let _encoder = world.encoder("alice", &key.url("rtmp")?)?;
    let stream = on_air(&world, "live/alice").await?;
    world.streamward.signal(Signal::STOP)?;
    let _waiting = world.encoder("bob", &other.url("rtmp")?)?;
    // Longer than the answers that were seen to crash SRS.
    tokio::time::sleep(Duration::from_secs(5)).await;
    world.streamward.signal(Signal::CONT)?;
    on_air(&world, "live/bob").await?;
    let now = on_air(&world, "live/alice").await?;
    ensure!(now["id"] == stream["id"], "{now}");
    ensure!(world.srs.ended().is_none(), "SRS has ended:\n{}", world.srs.log());
    Ok(())
}

pub(crate) async fn a_channel_fails_over(bench: &Bench) -> Result<()> {
    let world = World::start(bench).await?;
    let api = &world.streamward;
    let platform = Platform::start()?;
    let draft = json!({"name": "Temple", "path": "tv/temple", "failover": {"recovery_grace_seconds": 1},
        "profile": {"video": {"width": 320, "height": 180, "fps": 15}, "audio": {"rate": 48_000, "channels": 1}}});
    let made = api.post("/channels", draft).await?;
    let live = Key::from(&made["live_key"])?;
    let id = made["id"].as_str().context("an id")?.to_owned();
    let destination = json!({"name": "far", "platform": "custom", "url": platform.url(), "key": "far-key"});
    api.post(&format!("/channels/{id}/destinations"), destination).await?;
    let is_on_air = async |source: &str| {
        let on_air = eventually(format!("{source} is on air"), 2 * SOON, async || {
            let status = api.get(&format!("/channels/{id}/status")).await?;
            Ok((status["on_air"] == source).then_some(status))
        });
        on_air.await.map(|(status, took)| {
            report(format!("{source} is on air"), took);
            status
        })
    };
    is_on_air("slate").await?;
    // The programme is at the channel's path on SRS, without a live encoder too.
    let programme = on_air(&world, "tv/temple").await?;
    is_shown(&programme["urls"]["flv"]).await?;
    for _ in 0..2 {
        let encoder = world.stubborn_encoder("live", &live.url("rtmp")?);
        is_on_air("live").await?;
        drop(encoder);
        is_on_air("slate").await?;
    }
    is_shown(&programme["urls"]["flv"]).await?;
    let publishers = platform.publishers();
    ensure!(publishers.len() == 1 && publishers.iter().all(|one| one.ended.is_none()), "{publishers:?}");
    let now = api.live("tv/temple").await?.unwrap_or_default();
    ensure!(now["id"] == programme["id"], "the programme's session on SRS ended: {now}");
    world.is_not_logged(&live)
}
