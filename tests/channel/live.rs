//! A live encoder that comes, dies, freezes, flaps, or has another profile, and a media server that restarts: the programme
//! at three destinations.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use streamward_test_support::process::{Process, Signal, eventually};
use tokio::time::{Instant, sleep};

use crate::network::Tls;
use crate::platform::{Mtx, Nginx};
use crate::world::{Channel, PLATFORM_KEY, PROFILE, World};
use crate::{Bench, HOLE, SOON, note, report};

/// Destinations of every kind.
struct Platforms {
    nginx: Nginx,
    mtx: Mtx,
    /// An nginx behind TLS.
    secured: Nginx,
    tls: Tls,
}

const NAMES: [&str; 3] = ["nginx", "mediamtx", "rtmps"];

impl Platforms {
    async fn start(bench: &Bench) -> Result<Self> {
        let nginx = Nginx::start(bench, "nginx").await?;
        let secured = Nginx::start(bench, "secured").await?;
        let tls = Tls::start(secured.port).await?;
        Ok(Self { nginx, mtx: Mtx::start(bench).await?, secured, tls })
    }

    /// The setting with which Streamward trusts the authority of the destination over TLS.
    fn trust(&self, bench: &Bench) -> Result<Vec<(&'static str, String)>> {
        let file = bench.path().join("authority.pem");
        std::fs::write(&file, &self.tls.authority)?;
        Ok(vec![("STREAMWARD_CHANNELS__EXTRA_CA_FILE", file.display().to_string())])
    }

    /// A channel without clips; its backup is the built-in picture.
    async fn channel<'a>(&self, world: &'a World<'_>) -> Result<Channel<'a>> {
        let channel = world.channel(json!({})).await?;
        for (name, url) in NAMES.into_iter().zip([self.nginx.url(), self.mtx.url(), self.tls.url()]) {
            channel.add_destination(name, &url).await?;
        }
        for name in NAMES {
            channel.is_live(name).await?;
        }
        Ok(channel)
    }

    /// Fails unless each of them kept its one connection. Returns the longest hole of the picture.
    async fn are_unharmed(&mut self, channel: &Channel<'_>, most: Duration) -> Result<Duration> {
        for name in NAMES {
            channel.is_unharmed(name).await?;
        }
        self.nginx.stop().await?;
        self.secured.stop().await?;
        let hole = self.nginx.recording()?.is_continuous(most).context("at nginx")?;
        Ok(hole.max(self.secured.recording()?.is_continuous(most).context("behind TLS")?))
    }
}

fn encoder(world: &World<'_>, channel: &Channel<'_>) -> Result<Process> {
    world.encoder(channel, "profile", PROFILE)
}

pub(crate) async fn destinations_keep_their_connections(bench: &Bench) -> Result<()> {
    let mut platforms = Platforms::start(bench).await?;
    let world = World::start(bench, &platforms.trust(bench)?).await?;
    let channel = platforms.channel(&world).await?;
    channel.is_on_air("slate").await?;
    let session = platforms.mtx.session().await?;

    let mut live = encoder(&world, &channel)?;
    channel.is_on_air("live").await?;
    sleep(Duration::from_secs(2)).await;
    drop(live);
    report("the encoder was killed; the backup is on air", channel.is_on_air("slate").await?);

    live = encoder(&world, &channel)?;
    channel.is_on_air("live").await?;
    live.signal(Signal::STOP)?;
    report("the encoder froze; the backup is on air", channel.is_on_air("slate").await?);
    live.signal(Signal::CONT)?;
    drop(live);

    let live = encoder(&world, &channel)?;
    channel.is_on_air("live").await?;
    for (mode, on_air) in [("hold_backup", "slate"), ("auto", "live")] {
        channel.set_mode(mode).await?;
        channel.is_on_air(on_air).await?;
    }
    sleep(Duration::from_secs(2)).await;
    drop(live);
    channel.is_on_air("slate").await?;

    let rtt = channel.connection("nginx").await?["rtt_ms"].as_u64();
    ensure!(rtt.is_some_and(|ms| ms < 1_000) || !cfg!(target_os = "linux"), "the round-trip time: {rtt:?}");
    let reasons = channel.reasons().await?;
    for reason in ["start", "live_recovered", "live_ended", "live_stalled", "operator"] {
        ensure!(reasons.iter().any(|seen| seen == reason), "no decision for {reason}: {reasons:?}");
    }
    for decision in channel.decisions().await? {
        let hole = Duration::from_millis(decision["numbers"]["hole_ms"].as_u64().unwrap_or(0));
        report(format!("the hole of the cut to {} ({})", decision["to"], decision["reason"]), hole);
    }
    ensure!(platforms.mtx.session().await? == session, "MediaMTX has another connection");
    let hole = platforms.are_unharmed(&channel, HOLE).await?;
    report("the longest hole of the picture at the destinations", hole);
    world.is_not_logged(PLATFORM_KEY)?;
    world.is_not_logged(&channel.live.secret)
}

pub(crate) async fn a_rehearsal_reports_the_holes_of_the_cut_and_of_the_return(bench: &Bench) -> Result<()> {
    let nginx = Nginx::start(bench, "nginx").await?;
    let world = World::start(bench, &[]).await?;
    let channel = world.channel(json!({})).await?;
    channel.add_destination("nginx", &nginx.url()).await?;
    channel.is_live("nginx").await?;
    let _live = encoder(&world, &channel)?;
    channel.is_on_air("live").await?;
    let rehearsals = format!("/channels/{}/rehearsals", channel.id);
    let begun = channel.api.post(&rehearsals, json!({"cut_live_for_seconds": 3})).await?;
    let one = format!("{rehearsals}/{}", begun["id"].as_str().context("an id")?);
    let done = eventually("the rehearsal is done", 2 * SOON, async || {
        let now = channel.api.get(&one).await?;
        Ok((now["state"] == "done").then_some(now))
    });
    let report_of = done.await?.0["report"].clone();
    ensure!(report_of["on_air_before"] == "live" && report_of["on_air_during"] == "slate", "{report_of}");
    let platform = &report_of["destinations"][0];
    ensure!(platform["reconnects"] == 0 && platform["dropped_frames"] == 0, "{report_of}");
    for hole in ["hole_ms", "return_hole_ms"] {
        let found = platform[hole].as_u64().with_context(|| format!("{hole}: {report_of}"))?;
        let found = Duration::from_millis(found);
        report(format!("a rehearsal, {hole}"), found);
        ensure!(found <= HOLE, "{report_of}");
    }
    Ok(())
}

pub(crate) async fn the_programme_continues_while_the_media_server_restarts(bench: &Bench) -> Result<()> {
    let mut platforms = Platforms::start(bench).await?;
    let mut world = World::start(bench, &platforms.trust(bench)?).await?;
    let mut server = world.server.take().context("a MediaMTX")?;
    let channel = platforms.channel(&world).await?;
    let live = encoder(&world, &channel)?;
    channel.is_on_air("live").await?;
    let session = platforms.mtx.session().await?;
    server.kill();
    report("the media server was killed; the backup is on air", channel.is_on_air("slate").await?);
    drop(live);
    server.start_again().await?;
    let _live = encoder(&world, &channel)?;
    report("the media server is back; live is on air", channel.is_on_air("live").await?);
    // Viewers of the programme find it where it was.
    world.streamward.on_air("live/Classroom").await?;
    ensure!(platforms.mtx.session().await? == session, "MediaMTX has another connection");
    let hole = platforms.are_unharmed(&channel, HOLE).await?;
    report("the longest hole of the picture at the destinations", hole);
    Ok(())
}

pub(crate) async fn the_programme_is_on_air_again_after_a_restart(bench: &Bench) -> Result<()> {
    let mtx = Mtx::start(bench).await?;
    let mut world = World::start(bench, &[]).await?;
    let channel = world.channel(json!({})).await?;
    channel.add_destination("mediamtx", &mtx.url()).await?;
    channel.is_live("mediamtx").await?;
    let (id, session) = (channel.id.clone(), mtx.session().await?);
    world.streamward.kill();
    world.streamward.start_again().await?;
    let other = eventually("the destination has the programme again", SOON, async || {
        Ok(mtx.session_now().await?.filter(|now| *now != session))
    });
    report("Streamward was killed; the destination has the programme again", other.await?.1);
    let status = world.streamward.get(&format!("/channels/{id}/status")).await?;
    ensure!(status["running"] == true, "{status}");
    Ok(())
}

/// How often the uplink is lost, each time for a moment.
const FLAPS: u32 = 10;
/// Two keyframes a second, so that the rules decide and not the keyframes.
const FREQUENT: &str = "-t 4 -f lavfi -i testsrc=size=1280x720:rate=30 \
    -t 4 -f lavfi -i sine=frequency=440:sample_rate=48000 -ac 2 -g 15 -b:v 1000k";

pub(crate) async fn a_flapping_uplink_is_cut_no_more_often_than_the_rules_allow(bench: &Bench) -> Result<()> {
    let mut nginx = Nginx::start(bench, "nginx").await?;
    let world = World::start(bench, &[]).await?;
    // After two losses the grace is 2, 4, 8 … s: no cut to live within the 1.2 s that the uplink is good.
    let failover =
        json!({"recovery_grace_seconds": 0, "stall_ms": 300, "flapping": {"cuts": 2, "within_seconds": 60}});
    let channel = world.channel(json!({"failover": failover})).await?;
    channel.add_destination("nginx", &nginx.url()).await?;
    channel.is_live("nginx").await?;
    let live = world.encoder(&channel, "frequent", FREQUENT)?;
    channel.is_on_air("live").await?;
    let began = Instant::now();
    for _ in 0..FLAPS {
        live.signal(Signal::STOP)?;
        sleep(Duration::from_millis(800)).await;
        live.signal(Signal::CONT)?;
        sleep(Duration::from_millis(1_200)).await;
    }
    report(format!("{FLAPS} losses took"), began.elapsed());
    report("the uplink is good; live is on air", channel.is_on_air("live").await?);
    let decided = eventually("the last cut is stored", SOON, async || {
        let decisions = channel.decisions().await?;
        Ok(decisions.first().is_some_and(|newest| newest["to"] == "live").then_some(decisions))
    });
    let decisions = decided.await?.0;
    let to_live = decisions.iter().filter(|one| one["to"] == "live" && one["kind"] == "cut").count();
    // Three without a longer grace, and the one at the end.
    ensure!((2..=4).contains(&to_live), "{to_live} cuts to live: {decisions:?}");
    for decision in &decisions {
        let reason = decision["reason"].as_str().unwrap_or_default();
        let expected: &[&str] = match decision["to"].as_str() {
            Some("live") => &["live_recovered"],
            _ => &["start", "live_stalled"],
        };
        ensure!(expected.contains(&reason), "{decision}");
    }
    note(format!("of {} decisions, {to_live} to live", decisions.len()));
    channel.is_unharmed("nginx").await?;
    nginx.stop().await?;
    report("the longest hole of the picture", nginx.recording()?.is_continuous(HOLE)?);
    Ok(())
}

pub(crate) async fn an_encoder_with_another_profile_is_refused_or_switched_to(bench: &Bench) -> Result<()> {
    const OTHER: &str = "-t 4 -f lavfi -i testsrc=size=640x360:rate=25 -t 4 -f lavfi -i sine=frequency=440:sample_rate=44100 -ac 1 -g 50";
    let mut nginx = Nginx::start(bench, "nginx").await?;
    let world = World::start(bench, &[]).await?;
    let channel = world.channel(json!({})).await?;
    channel.add_destination("nginx", &nginx.url()).await?;
    channel.is_live("nginx").await?;
    let _live = world.encoder(&channel, "other", OTHER)?;
    let problem = eventually("the mismatch is shown", SOON, async || {
        let status = channel.status().await?;
        let live = &status["inputs"]["live"];
        Ok(live["problem"].as_str().filter(|_| live["state"] == "mismatch").map(str::to_owned))
    });
    let problem = problem.await?.0;
    for what in ["1280x720", "25.00 frames", "48000 Hz", "stereo"] {
        ensure!(problem.contains(what), "{what} is not in {problem:?}");
    }
    // Longer than the grace and a keyframe.
    sleep(Duration::from_secs(4)).await;
    ensure!(channel.status().await?["on_air"] == "slate", "it went on air");
    let refused = channel.decisions().await?.into_iter().filter(|one| one["kind"] == "refused").count();
    ensure!(refused == 1, "{refused} refusals");
    channel.change(json!({"mismatch": "switch"})).await?;
    channel.is_on_air("live").await?;
    sleep(Duration::from_secs(2)).await;
    channel.set_mode("slate").await?;
    channel.is_on_air("slate").await?;
    sleep(Duration::from_secs(1)).await;
    channel.is_unharmed("nginx").await?;
    nginx.stop().await?;
    let recording = nginx.recording()?;
    ensure!(recording.sizes()? == ["1280,720", "640,360", "1280,720"], "{:?}", recording.sizes()?);
    report("the longest hole of the picture", recording.is_continuous(HOLE)?);
    Ok(())
}
