//! Channels: the programme at a destination, a second MediaMTX, while the live encoder comes, dies, freezes and returns.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use streamward::adapters::mediamtx::Version;

use crate::encoder;
use crate::ports;
use crate::process::{Process, Signal, eventually, output_within};
use crate::program::{Key, Streamward};
use crate::tools::encode;
use crate::world::World;
use crate::{Bench, report};

/// How long a state may take to come, on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(30);
/// The longest hole that may be seen at the destination. The promise is 0.9 s; other tests run beside.
pub(crate) const HOLE: Duration = Duration::from_millis(3_000);

pub(crate) async fn the_destination_keeps_its_connection(bench: &Bench) -> Result<()> {
    let world = World::start(bench).await?;
    let platform = Platform::start(bench).await?;
    let channel = Channel::create(&world.streamward, &platform).await?;
    channel.is_on_air("slate", SOON).await?;
    let session = platform.session().await?;
    let recording = platform.record(bench.path())?;

    let mut encoder = channel.encoder(bench)?;
    channel.is_on_air("live", SOON).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    drop(encoder);
    report("the encoder was killed; the backup is on air", channel.is_on_air("slate", SOON).await?);

    encoder = channel.encoder(bench)?;
    channel.is_on_air("live", SOON).await?;
    encoder.signal(Signal::STOP)?;
    report("the encoder froze; the backup is on air", channel.is_on_air("slate", SOON).await?);
    encoder.signal(Signal::CONT)?;
    drop(encoder);

    let encoder = channel.encoder(bench)?;
    channel.is_on_air("live", SOON).await?;
    for (mode, on_air) in [("hold_backup", "slate"), ("auto", "live")] {
        channel.set_mode(mode).await?;
        channel.is_on_air(on_air, SOON).await?;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    drop(encoder);
    channel.is_on_air("slate", SOON).await?;

    let status = channel.status().await?;
    let connection = &status["destinations"][0]["connection"];
    ensure!(connection["state"] == "live" && connection["connects"] == 1, "{status}");
    ensure!(platform.session().await? == session, "the destination has another connection");
    let recorded = recording.stop().await?;
    recorded.is_sound()?;
    for kind in ["video", "audio"] {
        let hole = recorded.longest_hole(kind)?;
        report(format!("the longest hole of the destination's {kind}"), hole);
        ensure!(hole <= HOLE, "a hole of {hole:?} in the {kind}");
    }
    let reasons = channel.reasons().await?;
    for reason in ["start", "live_recovered", "live_ended", "live_stalled", "operator"] {
        ensure!(reasons.iter().any(|seen| seen == reason), "no decision for {reason}: {reasons:?}");
    }
    world.is_not_logged(PLATFORM_KEY)?;
    world.is_not_logged(&channel.live.secret)
}

pub(crate) async fn the_programme_continues_while_the_media_server_restarts(bench: &Bench) -> Result<()> {
    let mut world = World::start(bench).await?;
    let platform = Platform::start(bench).await?;
    let channel = Channel::create(&world.streamward, &platform).await?;
    let encoder = channel.encoder(bench)?;
    channel.is_on_air("live", SOON).await?;
    let session = platform.session().await?;
    world.server.kill();
    channel.is_on_air("slate", SOON).await?;
    drop(encoder);
    world.server.start_again().await?;
    let _encoder = channel.encoder(bench)?;
    channel.is_on_air("live", SOON).await?;
    ensure!(platform.session().await? == session, "the destination has another connection");
    // Viewers of the programme find it where it was.
    world.streamward.on_air("live/Classroom").await.map(drop)
}

pub(crate) async fn the_programme_is_on_air_again_after_a_restart(bench: &Bench) -> Result<()> {
    let mut world = World::start(bench).await?;
    let platform = Platform::start(bench).await?;
    let channel = Channel::create(&world.streamward, &platform).await?;
    let id = channel.id.clone();
    let session = platform.session().await?;
    world.streamward.kill();
    world.streamward.start_again().await?;
    let other = eventually("the destination has the programme again", SOON, async || {
        let now = platform.session_now().await?;
        Ok(now.filter(|now| *now != session))
    });
    report("Streamward was killed; the destination has the programme again", other.await?.1);
    let status = world.streamward.get(&format!("/channels/{id}/status")).await?;
    ensure!(status["running"] == true, "{status}");
    Ok(())
}

/// The key that the platform gives.
pub(crate) const PLATFORM_KEY: &str = "platform-key-4711";

/// A channel without clips, with one destination. Its backup is the built-in picture.
pub(crate) struct Channel<'a> {
    api: &'a Streamward,
    pub(crate) id: String,
    pub(crate) live: Key,
}

impl<'a> Channel<'a> {
    async fn create(api: &'a Streamward, platform: &Platform) -> Result<Self> {
        Self::create_with(api, platform, json!({})).await
    }

    /// With more than the least.
    pub(crate) async fn create_with(api: &'a Streamward, platform: &Platform, more: Value) -> Result<Self> {
        let mut draft = json!({
            "name": "Classroom",
            "failover": {"recovery_grace_seconds": 1},
        });
        if let (Some(draft), Value::Object(more)) = (draft.as_object_mut(), more) {
            draft.extend(more);
        }
        let made = api.post("/channels", draft).await?;
        let id = made["id"].as_str().context("an id")?.to_owned();
        let live = Key::from(&made["live_key"])?;
        let destination =
            json!({"name": "platform", "platform": "custom", "url": platform.url(), "key": PLATFORM_KEY});
        let answer = api.post(&format!("/channels/{id}/destinations"), destination).await?;
        ensure!(!answer.to_string().contains(PLATFORM_KEY), "the key is shown: {answer}");
        let channel = Self { api, id, live };
        let connected = eventually("the destination takes the programme", SOON, async || {
            let status = channel.status().await?;
            Ok((status["destinations"][0]["connection"]["state"] == "live").then_some(()))
        });
        connected.await?;
        Ok(channel)
    }

    /// An encoder with the channel's profile.
    pub(crate) fn encoder(&self, bench: &Bench) -> Result<Process> {
        let file = bench.path().join("profile.mp4");
        if !file.exists() {
            encode(
                "-t 10 -f lavfi -i testsrc=size=1280x720:rate=30 -t 10 -f lavfi -i sine=frequency=440:sample_rate=48000 \
                 -ac 2 -g 60 -b:v 1000k",
                &file,
            )?;
        }
        encoder::publish_file(&file, bench.path(), "live-encoder", &self.live.url("rtmp")?)
    }

    pub(crate) async fn status(&self) -> Result<Value> {
        self.api.get(&format!("/channels/{}/status", self.id)).await
    }

    /// Waits until it is on air; returns how long that took.
    pub(crate) async fn is_on_air(&self, source: &str, limit: Duration) -> Result<Duration> {
        let on_air = eventually(format!("{source} is on air"), limit, async || {
            let status = self.status().await?;
            Ok((status["on_air"] == source).then_some(()))
        });
        Ok(on_air.await?.1)
    }

    async fn set_mode(&self, mode: &str) -> Result<()> {
        let body = json!({"mode": mode, "reason": "a test"});
        self.api.post(&format!("/channels/{}/mode", self.id), body).await.map(drop)
    }

    /// The reasons of all decisions.
    pub(crate) async fn reasons(&self) -> Result<Vec<String>> {
        let list = self.api.get(&format!("/channels/{}/decisions", self.id)).await?;
        let decisions = list["decisions"].as_array().with_context(|| format!("no list: {list}"))?;
        Ok(decisions.iter().filter_map(|one| one["reason"].as_str().map(str::to_owned)).collect())
    }
}

/// Where the programme is pushed: a MediaMTX that takes everything.
pub(crate) struct Platform {
    rtmp: u16,
    api: u16,
    _process: Process,
}

impl Platform {
    pub(crate) async fn start(bench: &Bench) -> Result<Self> {
        let (rtmp, api) = (ports::free()?, ports::free()?);
        // Without it, two at once would use the same port.
        let has_moq = Version::parse(&bench.tools.version).is_some_and(|version| version >= Version::MOQ);
        let moq = if has_moq { "moq: no\n" } else { "" };
        let yaml = format!(
            "{moq}api: yes\napiAddress: 127.0.0.1:{api}\nrtmpAddress: 127.0.0.1:{rtmp}\nrtsp: no\nhls: no\nwebrtc: no\nsrt: no\n\
             paths:\n  all_others:\n"
        );
        fs::write(bench.path().join("platform.yml"), yaml)?;
        let mut command = Command::new(&bench.tools.mediamtx);
        let process = Process::start("platform", command.arg("platform.yml"), bench.path())?;
        let listens = eventually("the platform listens", SOON, async || {
            Ok(tokio::net::TcpStream::connect(("127.0.0.1", api)).await.ok())
        });
        listens.await?;
        Ok(Self { rtmp, api, _process: process })
    }

    pub(crate) fn url(&self) -> String {
        format!("rtmp://127.0.0.1:{}/live", self.rtmp)
    }

    /// The connection that publishes, if there is one.
    pub(crate) async fn session_now(&self) -> Result<Option<String>> {
        let url = format!("http://127.0.0.1:{}/v3/paths/list", self.api);
        let list: Value =
            reqwest::Client::builder().no_proxy().build()?.get(url).send().await?.json().await?;
        let path = list["items"].as_array().into_iter().flatten().find(|path| path["ready"] == true);
        Ok(path.and_then(|path| path["source"]["id"].as_str().map(str::to_owned)))
    }

    pub(crate) async fn session(&self) -> Result<String> {
        Ok(eventually("the platform has the programme", SOON, async || self.session_now().await).await?.0)
    }

    pub(crate) fn record(&self, dir: &Path) -> Result<Recording> {
        let file = dir.join("recorded.flv");
        let mut command = Command::new("ffmpeg");
        command.args(["-hide_banner", "-nostdin", "-loglevel", "warning", "-i"]);
        command.arg(format!("{}/{PLATFORM_KEY}", self.url())).args(["-c", "copy", "-f", "flv"]).arg(&file);
        Ok(Recording { process: Process::start("recorder", &mut command, dir)?, file })
    }
}

/// What a viewer of the destination gets.
pub(crate) struct Recording {
    process: Process,
    file: PathBuf,
}

impl Recording {
    pub(crate) async fn stop(mut self) -> Result<Recorded> {
        self.process.signal(Signal::INT)?;
        self.process.wait(Duration::from_secs(10)).await?;
        Ok(Recorded(self.file))
    }
}

pub(crate) struct Recorded(PathBuf);

impl Recorded {
    /// Fails if a decoder finds an error.
    pub(crate) fn is_sound(&self) -> Result<()> {
        let mut command = Command::new("ffmpeg");
        command.args(["-hide_banner", "-nostdin", "-v", "error", "-xerror", "-i"]).arg(&self.0);
        let output = output_within(
            command.args(["-enc_time_base", "1/1000", "-f", "null", "-"]),
            Duration::from_secs(60),
        )?;
        let error = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success() && error.is_empty(), "the recording cannot be decoded: {error}");
        Ok(())
    }

    /// Width and height of the last picture.
    pub(crate) fn size(&self) -> Result<String> {
        let mut command = Command::new("ffprobe");
        command.args([
            "-v",
            "error",
            "-select_streams",
            "v",
            "-show_entries",
            "stream=width,height",
            "-of",
            "csv=p=0",
        ]);
        let output = output_within(command.arg(&self.0), Duration::from_secs(60))?;
        Ok(String::from_utf8(output.stdout)?.trim().trim_end_matches(',').to_owned())
    }

    /// The longest time between two packets of a track. Fails if their timestamps do not rise strictly.
    pub(crate) fn longest_hole(&self, kind: &str) -> Result<Duration> {
        let mut command = Command::new("ffprobe");
        command.args(["-v", "error", "-select_streams", kind.get(..1).unwrap_or_default()]);
        command.args(["-show_entries", "packet=dts_time", "-of", "csv=p=0"]).arg(&self.0);
        let output = output_within(&mut command, Duration::from_secs(60))?;
        let text = String::from_utf8(output.stdout)?;
        let times: Vec<f64> =
            text.lines().filter_map(|line| line.trim_end_matches(',').parse().ok()).collect();
        ensure!(times.len() > 100, "only {} packets of {kind}", times.len());
        let steps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        ensure!(steps.iter().all(|step| *step > 0.0), "the timestamps of the {kind} do not rise strictly");
        Ok(Duration::from_secs_f64(steps.into_iter().fold(0.0, f64::max)))
    }
}
