//! What a supervised studio does when something fails: with the fake OBS and with the real one.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use streamward::domain::Timestamp;
use streamward::domain::studio::{
    Arrival, Cause, DrillKind, DrillState, Reason, Record, RecordKind, StreamState,
};
use streamward_test_support::process::eventually;
use tokio::time::{Instant, sleep};

use crate::on_air::{Files, is_streaming, on_air};
use crate::supervised::Supervised;
use crate::{SOON, report};

/// A broken file plays on air: another item follows, and the reason names the file.
async fn broken(studio: &mut Supervised, files: &Files, broken: &str) -> Result<Duration> {
    on_air(studio, files, &[("good", &files.long)]).await?;
    // It was good when it was verified.
    let fault = studio.core.now();
    let input = json!({
        "inputName": "Streamward Content", "inputSettings": { "local_file": broken },
    });
    studio.host.act("SetInputSettings", input).await?;
    let decision = studio.until_decided(Reason::ContentFailed, fault).await?;
    ensure!(decision.choice.numbers["item"] == files.long.as_str(), "{:?}", decision.choice.numbers);
    studio
        .until("something plays", |now| now.content.as_ref().is_some_and(|it| it.since > Some(fault)))
        .await?;
    let failures = studio.records(RecordKind::Failover).await?;
    let Some(Record::Failover(failure)) = failures.last() else { anyhow::bail!("no failover: {failures:?}") };
    let recovered = failure.recovered_ms.context("it recovered")?;
    Ok(Duration::from_millis(recovered))
}

pub(crate) async fn missing_content_fails_over(studio: &mut Supervised, files: &Files) -> Result<()> {
    let took = broken(studio, files, &files.missing.clone()).await?;
    report("missing file to a good picture", took);
    ensure!(took < Duration::from_secs(5), "{took:?}");
    Ok(())
}

pub(crate) async fn corrupt_content_fails_over(studio: &mut Supervised, files: &Files) -> Result<()> {
    let took = broken(studio, files, &files.corrupt.clone()).await?;
    report("corrupt file to a good picture", took);
    ensure!(took < Duration::from_secs(5), "{took:?}");
    Ok(())
}

pub(crate) async fn black_content_fails_over(studio: &mut Supervised, files: &Files) -> Result<()> {
    let took = broken(studio, files, &files.black.clone()).await?;
    report("black file to a good picture", took);
    ensure!(took < Duration::from_secs(6), "{took:?}");
    Ok(())
}

pub(crate) async fn killed_obs_is_on_air_again(studio: &mut Supervised, files: &Files) -> Result<()> {
    on_air(studio, files, &[("one", &files.long)]).await?;
    let (killed, at) = (Instant::now(), studio.core.now());
    studio.host.kill().await?;
    let noticed = studio.until_decided(Reason::ObsGone, at).await?.at.since(at);
    report("an OBS that was killed is noticed", noticed);
    let again = async || match is_streaming(studio).await {
        Ok(is_streaming) => Ok(is_streaming.then_some(())),
        // It is not back yet.
        Err(_) => Ok(None),
    };
    eventually("it streams again", SOON, again).await?;
    report("on air again after kill -9", killed.elapsed());
    studio.until("content plays", |now| now.content.as_ref().is_some_and(|it| it.since > Some(at))).await?;
    one_downtime(studio, Cause::ObsCrash, at, killed).await
}

pub(crate) async fn frozen_obs_is_restarted(studio: &mut Supervised, files: &Files) -> Result<()> {
    on_air(studio, files, &[("one", &files.long)]).await?;
    let (frozen, at) = (Instant::now(), studio.core.now());
    studio.host.freeze().await?;
    let noticed = studio.until_decided(Reason::ObsUnresponsive, at).await?.at.since(at);
    report("a frozen OBS is noticed", noticed);
    ensure!(noticed < Duration::from_secs(10), "{noticed:?}");
    let again = async || Ok(is_streaming(studio).await.ok().filter(|is_on| *is_on).map(drop));
    eventually("it streams again", SOON, again).await?;
    report("on air again after it froze", frozen.elapsed());
    one_downtime(studio, Cause::ObsCrash, at, frozen).await
}

/// There was one downtime with this cause, from `at` to now at the latest.
async fn one_downtime(studio: &Supervised, cause: Cause, at: Timestamp, began: Instant) -> Result<()> {
    let ended = async || {
        let uptime = studio.uptime().await?;
        Ok(uptime
            .events
            .iter()
            .any(|one| one.ended_at.is_some() && one.cause == cause)
            .then_some(uptime.events))
    };
    let (events, _) = eventually("the downtime has ended", SOON, ended).await?;
    ensure!(events.len() == 1, "{events:?}");
    let (downtime, most) = (events[0], began.elapsed());
    let early = at.since(downtime.started_at).max(downtime.started_at.since(at));
    ensure!(early < Duration::from_millis(1_500), "it began {early:?} beside the fault");
    let length = downtime.ended_at.context("its end")?.since(downtime.started_at);
    report(format!("downtime {cause}"), length);
    ensure!(length <= most, "{length:?} of {most:?}");
    Ok(())
}

pub(crate) async fn lost_platform_is_downtime_and_obs_stays_on(
    studio: &mut Supervised,
    files: &Files,
) -> Result<()> {
    on_air(studio, files, &[("one", &files.long)]).await?;
    let at = studio.core.now();
    studio.host.platform(false).await?;
    studio.until("it is noticed", |now| now.stream == StreamState::Reconnecting).await?;
    sleep(Duration::from_secs(2)).await;
    studio.host.platform(true).await?;
    let again = async || Ok(is_streaming(studio).await?.then_some(()));
    eventually("it streams again", SOON, again).await?;
    let ended = async || {
        let uptime = studio.uptime().await?;
        Ok(uptime.events.iter().find(|one| one.ended_at.is_some()).copied())
    };
    let (downtime, _) = eventually("the downtime has ended", SOON, ended).await?;
    ensure!(downtime.cause == Cause::ConnectionLost, "{downtime:?}");
    ensure!(
        downtime.started_at >= at && downtime.started_at.since(at) < Duration::from_secs(2),
        "{downtime:?}"
    );
    let restarted = studio.decisions().await?.into_iter().find(|one| one.choice.to == "restarted");
    ensure!(restarted.is_none(), "{restarted:?}");
    Ok(())
}

pub(crate) async fn running_stream_is_adopted(studio: &mut Supervised, files: &Files) -> Result<()> {
    on_air(studio, files, &[("one", &files.long)]).await?;
    studio.until("the ledger knows it", |now| now.heartbeat.is_some()).await?;
    studio.kill().await;
    sleep(Duration::from_secs(4)).await;
    let at = studio.core.now();
    studio.start();
    studio.until("it is supervised again", |now| now.at > at && now.stream == StreamState::Live).await?;
    sleep(Duration::from_secs(2)).await;
    let started: Vec<_> = studio
        .decisions()
        .await?
        .into_iter()
        .filter(|one| one.choice.to == "streaming" && one.at > at)
        .collect();
    ensure!(started.is_empty(), "it was started anew: {started:?}");
    let uptime = studio.uptime().await?;
    report("downtime of a stream that continued meanwhile", uptime.downtime);
    ensure!(uptime.downtime < Duration::from_secs(1), "{uptime:?}");
    Ok(())
}

pub(crate) async fn drills_report_their_times(studio: &mut Supervised, files: &Files) -> Result<()> {
    studio.watch_the_far_end()?;
    on_air(studio, files, &[("one", &files.long), ("two", &files.long)]).await?;
    studio.until("the far end sees it", |now| now.far_end == Arrival::Good).await?;
    for kind in [DrillKind::ContentFailure, DrillKind::RtmpDrop, DrillKind::ObsHang] {
        let drill = studio.drill(kind).await?;
        if kind == DrillKind::RtmpDrop && studio.host.is_real() {
            // The page of nginx cannot end connections.
            ensure!(drill.state == DrillState::Failed && drill.error.is_some(), "{drill:?}");
            continue;
        }
        ensure!(drill.state == DrillState::Done, "{drill:?}");
        let times = drill.report.context("a report")?;
        let (noticed, recovered) =
            (times.noticed_ms.context("noticed")?, times.recovered_ms.context("recovered")?);
        report(format!("drill {kind}: noticed"), Duration::from_millis(noticed));
        report(format!("drill {kind}: well again"), Duration::from_millis(recovered));
        // OBS connects again by itself: there is nothing to decide.
        let decides = kind != DrillKind::RtmpDrop;
        ensure!(noticed <= recovered && times.reasons.is_empty() != decides, "{times:?}");
        studio.until_on_air().await?;
    }
    Ok(())
}
