//! What a supervised studio does: with the fake OBS and with the real one.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use streamward::domain::studio::{
    Cause, CheckState, DecisionKind, Desired, Hold, LinkState, Media, Order, Reason, Record, RecordKind,
    SceneName, Snapshot, SourceName, StreamState, StudioSettings, TransitionKind,
};
use streamward::ports::{ObsEvent, ObsSignal};
use streamward_test_support::obs::FakeObs;
use streamward_test_support::process::eventually;
use tokio::time::{Instant, sleep, timeout};

use crate::real::make_clip;
use crate::supervised::{KEY, Options, Supervised, item};
use crate::{SOON, report};

/// The input that plays the schedule.
const CONTENT: &str = "Streamward Content";

/// Files to play.
pub(crate) struct Files {
    /// Two seconds.
    pub(crate) short: String,
    /// A minute.
    pub(crate) long: String,
    /// A minute, black and silent.
    pub(crate) black: String,
    /// No video.
    pub(crate) corrupt: String,
    /// There is none.
    pub(crate) missing: String,
}

impl Files {
    /// In a folder. For a real OBS they are made, once.
    pub(crate) fn new(dir: &Path, is_real: bool) -> Result<Self> {
        let path = |name: &str| dir.join(name).display().to_string();
        let files = Self {
            short: path("clip.mp4"),
            long: path("long.mp4"),
            black: path("black.mp4"),
            corrupt: path("corrupt.mp4"),
            missing: path("missing.mp4"),
        };
        if is_real {
            make_clip(Path::new(&files.short), "testsrc2", "sine=frequency=440", 2)?;
            make_clip(Path::new(&files.long), "testsrc2", "sine=frequency=330", 60)?;
            make_clip(Path::new(&files.black), "color=black", "anullsrc", 60)?;
            std::fs::write(&files.corrupt, [7; 65_536])?;
        }
        Ok(files)
    }

    /// Tells a fake OBS of them.
    pub(crate) fn announce(&self, obs: &FakeObs) {
        obs.file(&self.short, Duration::from_secs(2));
        for long in [&self.long, &self.black] {
            obs.file(long, Duration::from_secs(60));
        }
        obs.bright(&self.black, 0.0);
    }
}

fn with_failover(files: &Files) -> StudioSettings {
    StudioSettings { failover_video: Some(files.long.clone()), ..StudioSettings::default() }
}

pub(crate) fn options(files: &Files) -> Options {
    Options { settings: with_failover(files), ..Options::default() }
}

/// With the screen source as the owner's, and the shortest debounce.
pub(crate) fn with_owner(files: &Files) -> Options {
    let mut options = options(files);
    options.settings.owner.sources = SourceName::parse("Camera").into_iter().collect();
    options.settings.owner.debounce = Duration::from_secs(1);
    options.settings.owner.fade = Duration::from_millis(300);
    options
}

pub(crate) async fn on_air(studio: &mut Supervised, files: &Files, content: &[(&str, &str)]) -> Result<()> {
    let _ = files;
    studio.schedule(content.iter().map(|(name, path)| item(name, path)).collect::<Result<_>>()?).await?;
    studio.start();
    studio.until_on_air().await?;
    studio.until("content plays", |now| now.content.as_ref().is_some_and(|it| it.since.is_some())).await?;
    Ok(())
}

pub(crate) async fn is_streaming(studio: &Supervised) -> Result<bool> {
    let status = studio.host.act("GetStreamStatus", json!({})).await?;
    Ok(status["outputActive"] == true && status["outputReconnecting"] == false)
}

pub(crate) async fn fresh_obs_becomes_a_studio_on_air(studio: &mut Supervised, files: &Files) -> Result<()> {
    let began = Instant::now();
    on_air(studio, files, &[("one", &files.long)]).await?;
    report("a fresh OBS is on air", began.elapsed());
    let (now, _) = studio.until("all checks passed", |now| now.preflight.is_some()).await?;
    let preflight = now.preflight.context("checks")?;
    ensure!(preflight.has_passed(), "{preflight:?}");
    ensure!(studio.program().await? == "Automated Content");
    let scenes = studio.host.act("GetSceneList", json!({})).await?.to_string();
    for scene in ["Automated Content", "Owner Live", "Failover", "Technical Difficulties", "Going Live Soon"]
    {
        ensure!(scenes.contains(scene), "{scene} is missing: {scenes}");
    }
    let service = studio.host.act("GetStreamServiceSettings", json!({})).await?;
    ensure!(service["streamServiceSettings"]["key"] == KEY, "{service}");
    ensure!(is_streaming(studio).await?);
    let decision =
        studio.decisions().await?.into_iter().find(|one| one.choice.reason == Reason::PreflightPassed);
    ensure!(decision.is_some(), "the start says why");
    let session = studio.ledger().await?.session();
    ensure!(session.is_some(), "a session began");
    Ok(())
}

pub(crate) async fn grown_obs_is_not_changed(studio: &mut Supervised, files: &Files) -> Result<()> {
    let scene = "Failover";
    studio.host.act("CreateScene", json!({ "sceneName": scene })).await?;
    let colour = json!({
        "sceneName": scene, "inputName": "Mine", "inputKind": "color_source_v3",
        "inputSettings": { "color": 4_294_901_760_u32 }, "sceneItemEnabled": true,
    });
    studio.host.act("CreateInput", colour).await?;
    let before = studio.host.act("GetInputSettings", json!({ "inputName": "Mine" })).await?;
    on_air(studio, files, &[("one", &files.long)]).await?;
    let items = studio.host.act("GetSceneItemList", json!({ "sceneName": scene })).await?;
    let names: Vec<_> =
        items["sceneItems"].as_array().into_iter().flatten().map(|item| item["sourceName"].clone()).collect();
    ensure!(names == ["Mine", "Streamward Failover"], "{names:?}");
    let after = studio.host.act("GetInputSettings", json!({ "inputName": "Mine" })).await?;
    ensure!(before == after, "{before} {after}");
    Ok(())
}

pub(crate) async fn items_follow_each_other(studio: &mut Supervised, files: &Files) -> Result<()> {
    on_air(studio, files, &[("one", &files.short), ("two", &files.short)]).await?;
    // A second client hears when OBS ends and begins to play.
    let (_client, mut signals, _tasks) = studio.host.client()?;
    let (mut gaps, mut ended) = (Vec::new(), None);
    while gaps.len() < 8 {
        let signal =
            timeout(SOON, signals.recv()).await.context("items follow")?.context("the client runs")?;
        match signal {
            ObsSignal::Event(ObsEvent::MediaEnded(input)) if input == CONTENT => ended = Some(Instant::now()),
            ObsSignal::Event(ObsEvent::MediaStarted(input)) if input == CONTENT => {
                gaps.extend(ended.take().map(|ended: Instant| ended.elapsed()));
            }
            _ => {}
        }
    }
    gaps.sort();
    report(format!("longest of {} gaps between items", gaps.len()), gaps.last().copied().unwrap_or_default());
    ensure!(gaps.last().is_none_or(|gap| *gap < Duration::from_secs(2)), "{gaps:?}");
    let failures = studio.records(RecordKind::Failover).await?;
    ensure!(failures.is_empty(), "{failures:?}");
    Ok(())
}

pub(crate) async fn content_that_cannot_be_played_is_never_scheduled(
    studio: &mut Supervised,
    files: &Files,
) -> Result<()> {
    let content = [("bad", files.corrupt.as_str()), ("gone", &files.missing), ("good", &files.short)];
    on_air(studio, files, &content).await?;
    let both = async || {
        let library = studio.library().await?;
        let problem = |name: &str| library.iter().any(|(one, problem)| one == name && problem.is_some());
        Ok((problem("bad") && problem("gone")).then_some(()))
    };
    eventually("both are known to be broken", SOON, both).await?;
    let failures = studio.records(RecordKind::Failover).await?;
    let named: Vec<_> = failures
        .iter()
        .filter(|one| matches!(one, Record::Failover(one) if one.item == files.corrupt || one.item == files.missing))
        .collect();
    ensure!(named.is_empty(), "{named:?}");
    Ok(())
}

pub(crate) async fn stream_that_a_person_stops_is_started_again(
    studio: &mut Supervised,
    files: &Files,
) -> Result<()> {
    on_air(studio, files, &[("one", &files.long)]).await?;
    let began = Instant::now();
    studio.host.act("StopStream", json!({})).await?;
    let stopped = async || Ok((!is_streaming(studio).await?).then_some(()));
    eventually("it is stopped", SOON, stopped).await?;
    let again = async || Ok(is_streaming(studio).await?.then_some(()));
    eventually("it is started again", SOON, again).await?;
    report("a stream stopped by hand is on again", began.elapsed());
    ensure!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let over = async || {
        let uptime = studio.uptime().await?;
        Ok(uptime.events.iter().find(|one| one.cause == Cause::ManualStop && one.ended_at.is_some()).copied())
    };
    eventually("the downtime is recorded", SOON, over).await?;
    // After a person's order it stays off.
    studio.order(Order::Stop).await?;
    eventually("it is stopped by order", SOON, stopped).await?;
    sleep(Duration::from_secs(3)).await;
    ensure!(!is_streaming(studio).await?, "it was started again");
    // And on again by order.
    studio.order(Order::Start).await?;
    studio.until_on_air().await?;
    ensure!(is_streaming(studio).await?, "OBS says otherwise");
    Ok(())
}

pub(crate) async fn owner_takes_over_and_content_continues(
    studio: &mut Supervised,
    files: &Files,
) -> Result<()> {
    let camera = json!({
        "sceneName": "Owner Live", "inputName": "Camera", "inputKind": "color_source_v3",
        "inputSettings": { "color": 4_294_967_295_u32 }, "sceneItemEnabled": false,
    });
    studio.host.act("CreateScene", json!({ "sceneName": "Owner Live" })).await?;
    let made = studio.host.act("CreateInput", camera).await?;
    on_air(studio, files, &[("film", &files.long)]).await?;
    let enable = async |is_on: bool| {
        let data = json!({
            "sceneName": "Owner Live", "sceneItemId": made["sceneItemId"], "sceneItemEnabled": is_on,
        });
        studio.host.act("SetSceneItemEnabled", data).await
    };
    let rounds = if studio.host.is_real() { 5 } else { 3 };
    for _ in 0..rounds {
        enable(true).await?;
        let owner = async || Ok((studio.program().await? == "Owner Live").then_some(()));
        eventually("the owner is on air", SOON, owner).await?;
        studio.until("it says so", |now| now.scene.as_deref() == Some("Owner Live")).await?;
        enable(false).await?;
        let content = async || Ok((studio.program().await? == "Automated Content").then_some(()));
        eventually("automation continues", SOON, content).await?;
        studio
            .until("content plays", |now| now.content.as_ref().is_some_and(|it| it.since.is_some()))
            .await?;
    }
    let transitions = studio.records(RecordKind::Transition).await?;
    let mut took: Vec<_> = transitions
        .iter()
        .filter_map(|record| match record {
            Record::Transition(one)
                if matches!(one.kind, TransitionKind::ToOwner | TransitionKind::FromOwner) =>
            {
                Some(Duration::from_millis(one.took_ms))
            }
            _ => None,
        })
        .collect();
    took.sort();
    report(
        format!("longest of {} changes to and from the owner", took.len()),
        took.last().copied().unwrap_or_default(),
    );
    ensure!(took.len() >= 2 * rounds, "{transitions:?}");
    let sessions = studio.records(RecordKind::OwnerSession).await?;
    let resumed = sessions.iter().filter(|record| {
        matches!(record, Record::OwnerSession(one) if one.ended_at.is_some() && one.position_ms > Some(0))
    });
    ensure!(resumed.count() == rounds, "{sessions:?}");
    Ok(())
}

pub(crate) async fn hold_keeps_the_scene(studio: &mut Supervised, files: &Files) -> Result<()> {
    studio.host.act("CreateScene", json!({ "sceneName": "Mine" })).await?;
    on_air(studio, files, &[("one", &files.long)]).await?;
    let scene = SceneName::parse("Mine").ok();
    let hold = Hold {
        since: studio.core.now(),
        until: None,
        scene,
        by: "ann".into(),
        reason: Some("a talk".into()),
    };
    studio.order(Order::Hold(hold)).await?;
    let held = async || Ok((studio.program().await? == "Mine").then_some(()));
    eventually("it is held", SOON, held).await?;
    sleep(Duration::from_secs(2)).await;
    ensure!(studio.program().await? == "Mine", "automation took it back");
    let refused = studio.decisions().await?.into_iter().find(|one| one.choice.kind == DecisionKind::Refused);
    ensure!(refused.is_some_and(|one| one.choice.by.as_deref() == Some("ann")), "it says who");
    studio.order(Order::Release).await?;
    let released = async || Ok((studio.program().await? == "Automated Content").then_some(()));
    eventually("it is released", SOON, released).await?;
    Ok(())
}

pub(crate) async fn failed_check_is_said_and_nothing_starts(
    studio: &mut Supervised,
    files: &Files,
) -> Result<()> {
    studio.schedule(vec![item("one", &files.long)?]).await?;
    studio.start();
    let (now, _) = studio.until("the checks were made", |now| now.preflight.is_some()).await?;
    let preflight = now.preflight.context("checks")?;
    let failed: Vec<_> = preflight.failed().collect();
    ensure!(!failed.is_empty() && failed.iter().all(|check| !check.advice.is_empty()), "{preflight:?}");
    ensure!(preflight.checks.iter().any(|check| check.state == CheckState::Failed));
    sleep(Duration::from_secs(2)).await;
    ensure!(studio.snapshot().await?.is_some_and(|now| now.stream != StreamState::Live));
    ensure!(studio.decisions().await?.iter().all(|one| one.choice.to != "streaming"));
    Ok(())
}

pub(crate) async fn watched_obs_is_left_alone(studio: &mut Supervised, _: &Files) -> Result<()> {
    let before = studio.host.act("GetSceneList", json!({})).await?;
    studio.start();
    studio.until("it is seen", |now| now.link == LinkState::Connected && now.scene.is_some()).await?;
    studio.host.act("StartStream", json!({})).await.ok();
    sleep(Duration::from_secs(2)).await;
    let after = studio.host.act("GetSceneList", json!({})).await?;
    ensure!(before == after, "{before} {after}");
    ensure!(studio.decisions().await?.is_empty(), "{:?}", studio.decisions().await?);
    ensure!(studio.studio().await?.desired(false) == Desired::Stopped);
    Ok(())
}

pub(crate) async fn scene_can_be_content(studio: &mut Supervised, files: &Files) -> Result<()> {
    let mut scene = item("Slides", "")?;
    scene.media = Media::SceneComposition {
        scene: SceneName::parse("Slides").map_err(|error| anyhow::anyhow!("{error}"))?,
    };
    studio.host.act("CreateScene", json!({ "sceneName": "Slides" })).await?;
    let colour = json!({
        "sceneName": "Slides", "inputName": "Slide", "inputKind": "color_source_v3",
        "inputSettings": { "color": 4_294_967_295_u32 }, "sceneItemEnabled": true,
    });
    studio.host.act("CreateInput", colour).await?;
    scene.plays_for_seconds = Some(3);
    studio.schedule(vec![scene, item("film", &files.short)?]).await?;
    studio.start();
    for scene in ["Slides", "Automated Content", "Slides"] {
        let shown = async || Ok((studio.program().await? == scene).then_some(()));
        eventually(&format!("{scene} is on air"), SOON, shown).await?;
    }
    Ok(())
}

pub(crate) async fn wrong_password_is_said(studio: &mut Supervised, files: &Files) -> Result<()> {
    studio.schedule(vec![item("one", &files.long)?]).await?;
    studio.start();
    let is_said = |now: &Snapshot| now.preflight.is_some() && now.link == LinkState::Disconnected;
    let (now, _) = studio.until("it is said", is_said).await?;
    let problem = now.link_problem.context("a problem")?;
    ensure!(problem.contains("password") && !problem.contains(WRONG), "{problem}");
    let preflight = now.preflight.context("checks")?;
    let advice = &preflight.checks.first().context("a check")?.advice;
    ensure!(advice.contains("studios.main.password"), "{advice}");
    let json = serde_json::to_string(&preflight)?;
    ensure!(!json.contains(WRONG) && !json.contains(KEY), "{json}");
    Ok(())
}

/// A password that no OBS here has.
pub(crate) const WRONG: &str = "a-wrong-password";
