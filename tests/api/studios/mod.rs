//! `/studios`: what persons order, and what is read of what a supervisor stored.

mod health;
mod orders;
mod reads;
mod schedule;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use streamward::adapters::obs::{ObsClient, ObsSettings};
use streamward::app::studio::{PlatformSetup, StudioSetup};
use streamward::domain::access::Scope;
use streamward::domain::secret::Secret;
use streamward::domain::studio::{
    Arrival, Check, CheckState, Checked, ConnectionStatus, LinkState, OwnerState, Preflight, Reason, Rung,
    ScenePurpose, Snapshot, StreamState, StreamingStatus, StudioId, StudioName, StudioSettings,
};
use streamward::domain::{OrganizationId, Timestamp};
use streamward::ports::{
    Clock as _, LaunchError, ObsLauncher, PlatformProbe, ProcessState, Store, StudioReport,
};

use crate::harness::{Engine, Setup, TestApp};

pub(crate) const PASSWORD: &str = "obs-password-Zt9Kk2";
pub(crate) const KEY: &str = "live_platform-key_pL7wXy5R";

/// A platform and an OBS that nobody reaches: no supervisor runs in these tests.
struct Nobody;

#[async_trait]
impl PlatformProbe for Nobody {
    async fn reach(&self) -> Result<Duration, String> {
        Err("nobody is there".into())
    }
}

#[async_trait]
impl ObsLauncher for Nobody {
    async fn state(&self) -> Result<ProcessState, LaunchError> {
        Ok(ProcessState::Ended { last_words: vec![] })
    }

    async fn start(&self) -> Result<(), LaunchError> {
        Ok(())
    }

    async fn stop(&self) -> Result<(), LaunchError> {
        Ok(())
    }

    async fn kill(&self) -> Result<(), LaunchError> {
        Ok(())
    }

    async fn freeze(&self) -> Result<(), LaunchError> {
        Ok(())
    }
}

pub(crate) fn name(name: &str) -> StudioName {
    StudioName::parse(name).expect("a good name")
}

fn studio(called: &str, platform: bool) -> StudioSetup {
    let url = "ws://127.0.0.1:9".parse().expect("an address");
    let platform = platform.then(|| PlatformSetup {
        url: "rtmps://live.example/app".into(),
        key: Secret::new(KEY),
        probe: Arc::new(Nobody),
    });
    StudioSetup {
        name: name(called),
        organization_id: OrganizationId::DEFAULT,
        settings: StudioSettings {
            time_zone: "Europe/Vienna".parse().expect("a time zone"),
            ..StudioSettings::default()
        },
        video: None,
        launcher: platform.as_ref().map(|_| Arc::new(Nobody) as _),
        platform,
        obs: Arc::new(ObsClient::new(ObsSettings::new(url, Secret::new(PASSWORD)))),
        arrival: None,
    }
}

/// The studios `main`, which has everything, and `plain`, which has an OBS only.
pub(crate) fn setup() -> Setup {
    Setup { studios: vec![studio("plain", false), studio("main", true)], ..Setup::default() }
}

pub(crate) async fn app(engine: Engine) -> TestApp {
    TestApp::with(engine, setup()).await
}

/// A snapshot of a studio that is on air.
pub(crate) fn snapshot(at: Timestamp) -> Snapshot {
    let check = |check: &Check| Checked {
        check: *check,
        state: CheckState::Passed,
        detail: "all is well".into(),
        advice: String::new(),
    };
    Snapshot {
        at,
        heartbeat: Some(at),
        link: LinkState::Connected,
        link_problem: None,
        obs_version: Some("29.0.2".into()),
        stream: StreamState::Live,
        streaming: StreamingStatus::Streaming,
        connection: ConnectionStatus::Connected,
        far_end: Arrival::Good,
        far_end_kbps: Some(5_900),
        bitrate_kbps: 6_000.123_4,
        dropped_percent: 0.25,
        cpu_percent: 12.5,
        scene: Some("Automated Content".into()),
        purpose: Some(ScenePurpose::Automated),
        reason: Reason::Schedule,
        content: None,
        next: Some("Episode 2".into()),
        paused: None,
        owner: OwnerState::Absent,
        rung: Rung::Content,
        restarts: 0,
        alerts: vec![],
        preflight: Some(Preflight { at, checks: Check::ALL.iter().map(check).collect() }),
        nothing_to_play_at: None,
    }
}

/// What the supervisor of `main` reports.
pub(crate) async fn report(app: &TestApp, report: &StudioReport) {
    let (store, id) = stored(app).await;
    store.record_studio(id, report, app.clock.now()).await.expect("stored");
}

/// The store, and the id of `main`.
pub(crate) async fn stored(app: &TestApp) -> (Arc<dyn Store>, StudioId) {
    // The first call makes the row.
    app.as_viewer().get("/studios/main").await.assert_status(200);
    let (store, _) = app.place.open().await;
    let found = store.studio(&Scope::system(), &name("main")).await.expect("read").expect("a row");
    (store, found.id)
}

/// Makes `main` one that is supervised and on air now.
pub(crate) async fn supervise(app: &TestApp) {
    let found = StudioReport { snapshot: Some(snapshot(app.clock.now())), ..StudioReport::default() };
    report(app, &found).await;
}
