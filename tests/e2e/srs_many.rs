//! Two hundred encoders at a real SRS.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use streamward::adapters::rtmp::flv::FlvReader;
use streamward::adapters::rtmp::{Address, Connector, Frame, Publisher};
use streamward::domain::secret::Secret;
use tokio::task::JoinSet;

use crate::process::{eventually, output_within};
use crate::srs_world::World;
use crate::{Bench, report};

const STREAMS: usize = 200;
/// A frame every second: SRS ends who sends nothing for five.
const PACE: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) async fn two_hundred_streams_are_all_seen(bench: &Bench) -> Result<()> {
    let world = World::start(bench).await?;
    let api = &world.streamward;
    let frames = frames(bench)?;
    let mut encoders = JoinSet::new();
    for n in 0..STREAMS {
        let key = api.key(&format!("live/s{n:03}"), json!({})).await?;
        encoders.spawn(publish(key.url("rtmp")?, frames.clone()));
    }
    let live = async || {
        let list = api.get("/streams").await?;
        anyhow::Ok(list["streams"].as_array().map_or(0, Vec::len))
    };
    let all = eventually("all are live", PATIENCE, async || Ok((live().await? == STREAMS).then_some(())));
    report("the last of 200 streams is live", all.await?.1);
    // They stay: nobody is thrown out, over several polls.
    tokio::time::sleep(Duration::from_secs(6)).await;
    let ended = api.get("/streams?status=ended").await?;
    ensure!(live().await? == STREAMS && ended["count"] == 0, "a stream has ended: {ended}");
    drop(encoders);
    let none = eventually("all have ended", PATIENCE, async || Ok((live().await? == 0).then_some(())));
    report("the last of 200 streams has ended", none.await?.1);
    Ok(())
}

/// The headers and the first frames of the clip.
fn frames(bench: &Bench) -> Result<Vec<Frame>> {
    let file = bench.path().join("clip.flv");
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg.args(["-loglevel", "error", "-nostdin", "-i"]).arg(&bench.tools.clip);
    let made = output_within(ffmpeg.args(["-t", "2", "-c", "copy"]).arg(&file), Duration::from_secs(60))?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let data = std::fs::read(file)?;
    let mut reader = FlvReader::new(data.as_slice())?;
    let mut frames = Vec::new();
    while let Some(frame) = reader.next_frame()? {
        frames.push(frame);
    }
    ensure!(frames.iter().filter(|frame| frame.is_header).count() >= 2, "no headers");
    Ok(frames)
}

/// Publishes the frames, then a keyframe every second, until it is dropped.
async fn publish(url: String, frames: Vec<Frame>) -> Result<()> {
    let (address, name) = Address::parse_stream(&url).context("an address")?;
    let connector = Connector::new([])?;
    let mut steps = Vec::new();
    let prepared = Publisher::prepare(&connector, &address, &mut steps).await?;
    let mut publisher = Publisher::begin(prepared, Secret::new(name.expose()), &mut steps).await?;
    let (headers, media): (Vec<_>, Vec<_>) = frames.into_iter().partition(|frame| frame.is_header);
    for header in &headers {
        publisher.add(header, 0)?;
    }
    let keyframe = media.into_iter().find(|frame| frame.is_keyframe).context("a keyframe")?;
    for second in 0_u32.. {
        publisher.add(&keyframe, second * 1_000)?;
        publisher.send().await?;
        tokio::time::sleep(PACE).await;
    }
    Ok(())
}
