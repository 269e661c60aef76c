//! The tasks of channels, with an engine that does what the test says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use streamward::adapters::local_wake_ups::LocalWakeUps;
use streamward::adapters::mediamtx::url_templates;
use streamward::adapters::memory::MemoryStore;
use streamward::adapters::system::{SystemClock, SystemIds};
use streamward::app::Core;
use streamward::app::channel::{ChannelTasks, Renditions, ReportBuffer, ReportWriter, Running};
use streamward::app::task::{AnyTask, OnLeaseDoubt};
use streamward::domain::channel::{
    BackupMedia, ChannelId, ClipId, Decision, DecisionId, DecisionKind, InputState, InputStatus, Mode,
    OutputId, OutputState, OutputStatus, Profile, Programme, ProgrammeStatus, Reason, Source,
};
use streamward::domain::media_server::BaseUrls;
use streamward::domain::secret::{MasterKey, Secret};
use streamward::ports::{
    ChannelEngine, Clock as _, IdGen as _, LeaseCheck, LocalFile, ProgrammeReports, StoreError,
    TranscodeError, WakeUp, WakeUps as _,
};
use streamward::runtime::tasks::{LeaseTerms, Tasks};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::channels::{KEY, create, new_clip, path, with_destination};
use crate::harness::{Engine, Place, Reader, TestApp};

const PATIENCE: Duration = Duration::from_secs(30);

/// A programme that runs.
struct Run {
    programme: watch::Receiver<Programme>,
    reports: ProgrammeReports,
    stop: CancellationToken,
}

/// Hands each run to the test.
struct Scripted(mpsc::UnboundedSender<Run>);

#[async_trait]
impl ChannelEngine for Scripted {
    async fn run(
        &self,
        programme: watch::Receiver<Programme>,
        reports: ProgrammeReports,
        stop: CancellationToken,
        _: LeaseCheck,
    ) {
        let _ = self.0.send(Run { programme, reports, stop: stop.clone() });
        stop.cancelled().await;
    }
}

/// The tasks of an instance beside the application under test, over the same store.
struct Instance {
    runs: mpsc::UnboundedReceiver<Run>,
    wake_ups: Arc<LocalWakeUps>,
    clips: ReadyClips,
    tasks: Tasks,
}

/// Every clip is ready but these. Counts the calls.
#[derive(Clone, Default)]
struct ReadyClips {
    unready: Arc<Mutex<Vec<ClipId>>>,
    calls: watch::Sender<u32>,
}

fn file_of(clip: ClipId) -> PathBuf {
    format!("/clips/{clip}.flv").into()
}

#[async_trait]
impl Renditions for ReadyClips {
    async fn renditions(
        &self,
        clips: &[ClipId],
        _: &Profile,
    ) -> Result<BTreeMap<ClipId, LocalFile>, StoreError> {
        self.calls.send_modify(|calls| *calls += 1);
        let unready = self.unready.lock().expect("not poisoned").clone();
        let ready = clips.iter().filter(|clip| !unready.contains(clip));
        Ok(ready.map(|clip| (*clip, file_of(*clip).into())).collect())
    }

    async fn slate(&self, _: &Profile) -> Result<PathBuf, TranscodeError> {
        Err(TranscodeError::Unavailable("no ffmpeg".to_owned()))
    }

    async fn as_mp4(&self, _: &Path) -> Result<PathBuf, TranscodeError> {
        Err(TranscodeError::Unavailable("no ffmpeg".to_owned()))
    }
}

impl Instance {
    async fn beside(app: &TestApp) -> Self {
        let (store, _) = app.place.open().await;
        let wake_ups = Arc::new(LocalWakeUps::default());
        let (clock, ids) = (Arc::clone(&app.clock), Arc::new(SystemIds));
        let master = MasterKey::new([9; 32]);
        let core = Core::over_one_store(store, clock.clone(), ids, wake_ups.clone(), &master);
        let (core, (engine, runs)) = (Arc::new(core), mpsc::unbounded_channel());
        let reports = Arc::new(ReportBuffer::new(Arc::clone(&core)));
        let clips = ReadyClips::default();
        let urls = BaseUrls {
            hls: String::new(),
            webrtc: String::new(),
            rtmp: "rtmp://media.test:1935".into(),
            rtsp: String::new(),
            srt: String::new(),
        };
        let running = Running {
            core,
            engine: Arc::new(Scripted(engine)),
            renditions: Arc::new(clips.clone()),
            urls: url_templates(&urls),
            relay_secret: Secret::new("relay"),
            reports: Arc::clone(&reports),
            on_lease_doubt: OnLeaseDoubt::Stop,
        };
        // Under a clock of its own, so that a test that advances the other one does not end the lease.
        let leases = Arc::new(MemoryStore::new(Arc::new(SystemClock)));
        let tasks = Tasks::new(LeaseTerms::new(leases, "one"), wake_ups.clone(), clock);
        tasks.start(AnyTask::periodic(ReportWriter::new(reports)));
        tasks.start(AnyTask::Set(Box::new(ChannelTasks::new(running))));
        Self { runs, wake_ups, clips, tasks }
    }

    /// The next programme that begins to run.
    async fn run(&mut self) -> Run {
        timeout(PATIENCE, self.runs.recv()).await.expect("a run in time").expect("a run")
    }

    /// Tells the tasks what the application tells its own.
    fn changed(&self) {
        self.wake_ups.send(WakeUp::Channels);
    }
}

impl Run {
    /// The programme, once `is` holds for it.
    async fn until(&mut self, is: impl FnMut(&Programme) -> bool) -> Programme {
        let found = timeout(PATIENCE, self.programme.wait_for(is)).await.expect("the change in time");
        found.expect("the task runs").clone()
    }

    fn channel(&self) -> ChannelId {
        self.programme.borrow().channel
    }

    async fn decides(&self, app: &TestApp, to: Source, numbers: Value) {
        let decision = Decision {
            id: DecisionId(SystemIds.uuid()),
            channel: self.channel(),
            at: app.clock.now(),
            from: Some(Source::Live),
            to,
            kind: DecisionKind::Cut,
            reason: Reason::Rehearsal,
            numbers: numbers.as_object().expect("an object").clone(),
        };
        self.reports.decisions.send(decision).await.expect("the task takes decisions");
    }

    fn reports(&self, app: &TestApp, on_air: Source, connects: u64) {
        let now = app.clock.now();
        let input = |state| InputStatus {
            state,
            bitrate_kbps: Some(4_000),
            fps: None,
            keyframe_interval_ms: None,
            codecs: vec![],
            last_frame_ms: None,
            problem: None,
        };
        let output = OutputStatus {
            state: OutputState::Live,
            since: now,
            last_error: None,
            next_attempt_at: None,
            connects,
            bytes: 0,
            dropped_frames: 0,
            queue_ms: 0,
            rtt_ms: None,
        };
        let outputs = self.programme.borrow().outputs.iter().map(|one| (one.id, output.clone())).collect();
        let status = ProgrammeStatus {
            at: now,
            started_at: now,
            on_air,
            since: now,
            reason: Reason::Start,
            cuts: 1,
            longest_hole_ms: 0,
            live: input(InputState::OnAir),
            backup: input(InputState::Ready),
            outputs,
        };
        self.reports.status.send_replace(Some(status));
    }
}

#[tokio::test]
async fn a_channel_runs_with_its_keys_and_follows_changes_without_a_new_run() {
    let app = TestApp::memory().await;
    let (channel, destination) = with_destination(&app).await;
    let mut instance = Instance::beside(&app).await;
    let mut run = instance.run().await;
    let programme = run.programme.borrow().clone();
    assert_eq!(programme.live.expose(), "rtmp://media.test:1935/live/Temple/live?user=streamward&pass=relay");
    assert_eq!((programme.backup, programme.mode), (BackupMedia::Clips(vec![]), Mode::Auto));
    let [server, youtube] = &programme.outputs[..] else { panic!("{:?}", programme.outputs) };
    assert_eq!((server.id, server.url.as_str()), (OutputId::MediaServer, "rtmp://media.test:1935/live"));
    assert_eq!((youtube.url.as_str(), youtube.key.expose()), ("rtmps://a.rtmps.youtube.com/live2", KEY));
    assert!(!format!("{programme:?}", programme = run.programme.borrow()).contains(KEY));
    // The media server lets it publish there.
    let (name, query) = server.key.expose().split_once('?').expect("a query");
    let publish = json!({"action": "publish", "path": format!("live/{name}"), "query": query, "protocol": "rtmp",
        "id": "p1"});
    app.auth(publish).await.assert_status(200);

    let mode = json!({"mode": "hold_backup", "reason": "x"});
    app.as_operator().post(&format!("{channel}/mode")).json(mode).await.assert_status(200);
    app.as_admin().patch(&destination).json(json!({"key": "another"})).await.assert_status(200);
    instance.changed();
    let changed =
        run.until(|one| one.mode == Mode::HoldBackup && one.outputs[1].key.expose() == "another").await;
    assert_eq!(changed.outputs.len(), 2);
    app.as_admin().patch(&destination).json(json!({"enabled": false})).await.assert_status(200);
    instance.changed();
    run.until(|one| one.outputs.len() == 1).await;
    assert!(instance.runs.try_recv().is_err(), "no change starts another run");

    app.as_admin().patch(&channel).json(json!({"enabled": false})).await.assert_status(200);
    instance.changed();
    timeout(PATIENCE, run.stop.cancelled()).await.expect("a disabled channel ends");
    app.as_admin().patch(&channel).json(json!({"enabled": true})).await.assert_status(200);
    instance.changed();
    let mut run = instance.run().await;
    run.until(|one| one.mode == Mode::HoldBackup).await;
    app.as_admin().delete(&channel).await.assert_status(204);
    instance.changed();
    timeout(PATIENCE, run.stop.cancelled()).await.expect("a deleted channel ends");
    instance.tasks.stop().await;
}

#[tokio::test]
async fn schedule_of_a_playlist_changes_the_clips_at_its_times() {
    let app = TestApp::memory().await;
    let (usual, evening) = (new_clip(&app).await, new_clip(&app).await);
    let at = |minutes: u64| {
        let time = app.clock.now().plus(Duration::from_secs(60 * minutes)).to_string();
        time.get(11..16).expect("hours and minutes").to_owned()
    };
    let slot = json!({"clips": [evening], "from": at(10), "to": at(20), "time_zone": "UTC"});
    let playlist = json!({"clips": [usual, usual], "schedule": [slot], "change": "at_once"});
    let draft = json!({"name": "a", "inputs": {"backup": {"playlist": playlist}}});
    let made = create(&app, draft).await.assert_status(201).json();
    let shown = &made["inputs"]["backup"]["playlist"];
    assert_eq!((&shown["schedule"][0]["from"], &shown["change"]), (&json!(at(10)), &json!("at_once")));
    let mut instance = Instance::beside(&app).await;
    let mut run = instance.run().await;
    let media = |clips: &[&String]| {
        let id = |clip: &&String| clip.parse::<ClipId>().expect("an id");
        BackupMedia::Clips(clips.iter().map(id).map(|clip| (clip, file_of(clip))).collect())
    };
    assert_eq!(run.programme.borrow().backup, media(&[&usual, &usual]));
    // Its clip is not ready when it begins.
    *instance.clips.unready.lock().expect("not poisoned") = vec![evening.parse().expect("an id")];
    app.clock.advance(Duration::from_secs(11 * 60));
    let mut calls = instance.clips.calls.subscribe();
    let before = *calls.borrow();
    timeout(PATIENCE, calls.wait_for(|calls| *calls > before + 1)).await.expect("in time").expect("it runs");
    assert_eq!(run.programme.borrow().backup, media(&[&usual, &usual]));
    instance.clips.unready.lock().expect("not poisoned").clear();
    instance.wake_ups.send(WakeUp::Clips);
    run.until(|one| one.backup == media(&[&evening])).await;
    app.clock.advance(Duration::from_secs(10 * 60));
    run.until(|one| one.backup == media(&[&usual, &usual])).await;
    instance.tasks.stop().await;
}

#[tokio::test]
async fn an_expired_hold_ends_by_itself() {
    let app = TestApp::memory().await;
    let (channel, _) = with_destination(&app).await;
    let mode = json!({"mode": "slate", "reason": "x", "expires_in_seconds": 600});
    app.as_operator().post(&format!("{channel}/mode")).json(mode).await.assert_status(200);
    let mut instance = Instance::beside(&app).await;
    let mut run = instance.run().await;
    assert_eq!(run.programme.borrow().mode, Mode::Slate);
    app.clock.advance(Duration::from_secs(601));
    run.until(|one| one.mode == Mode::Auto).await;
    let ended = |answer: crate::harness::Answer| answer.json().get("mode_expires_at").is_none().then_some(());
    app.until(|| app.as_viewer().get(&channel), ended).await;
    instance.tasks.stop().await;
}

#[tokio::test]
async fn what_a_programme_reports_is_stored_and_sent_to_readers() {
    let app = TestApp::memory().await;
    let (channel, _) = with_destination(&app).await;
    let mut reader = Reader::open(app.as_viewer().get("/channels/events")).await;
    let mut instance = Instance::beside(&app).await;
    let run = instance.run().await;
    run.reports(&app, Source::Live, 1);
    let status = app
        .until(
            || app.as_viewer().get(&format!("{channel}/status")),
            |answer| Some(answer.json()).filter(|status| status["running"] == true),
        )
        .await;
    assert_eq!((&status["on_air"], &status["inputs"]["live"]["state"]), (&json!("live"), &json!("on_air")));
    assert_eq!(status["media_server"]["state"], "live");
    assert_eq!(status["destinations"][0]["connection"]["connects"], 1);
    run.decides(&app, Source::Backup, json!({"last_frame_ms": 712})).await;
    let mut seen = Vec::new();
    while seen.len() < 4 {
        let got = reader.next().await;
        seen.push((got.event.clone(), got.data));
    }
    let kinds: Vec<&str> = seen.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["channel.input", "channel.input", "destination.state", "channel.cut"]);
    assert_eq!(seen[2].1["destination"]["state"], "live");
    assert_eq!((&seen[3].1["cut"]["to"], &seen[3].1["cut"]["from"]), (&json!("backup"), &json!("live")));
    let list = app.as_viewer().get(&format!("{channel}/decisions")).await.json();
    assert_eq!(list["decisions"][0]["numbers"]["last_frame_ms"], 712);
    instance.tasks.stop().await;
}

#[tokio::test]
async fn a_rehearsal_cuts_the_live_input_and_reports() {
    let app = TestApp::memory().await;
    let (channel, _) = with_destination(&app).await;
    let mut instance = Instance::beside(&app).await;
    let mut run = instance.run().await;
    run.reports(&app, Source::Live, 1);
    let running = |answer: crate::harness::Answer| (answer.json()["running"] == true).then_some(());
    app.until(|| app.as_viewer().get(&format!("{channel}/status")), running).await;
    let rehearse = || {
        let draft = json!({"cut_live_for_seconds": 20});
        app.as_operator().post(&format!("{channel}/rehearsals")).json(draft)
    };
    let made = rehearse().await.assert_status(201);
    rehearse().await.assert_status(409).assert_problem("rehearsal-open");
    instance.changed();
    run.until(|one| one.live_is_cut).await;
    run.decides(&app, Source::Backup, json!({"hole_ms": 40})).await;
    let rehearsal = || app.as_viewer().get(&made.header("location"));
    app.until(rehearsal, |answer| (answer.json()["state"] == "running").then_some(())).await;
    let stored = |answer: crate::harness::Answer| (answer.json()["count"] == 1).then_some(());
    app.until(|| app.as_viewer().get(&format!("{channel}/decisions")), stored).await;
    run.reports(&app, Source::Backup, 2);
    app.clock.advance(Duration::from_secs(21));
    run.until(|one| !one.live_is_cut).await;
    assert_eq!(rehearsal().await.json()["state"], "running", "the return to live belongs to it");
    run.decides(&app, Source::Live, json!({"hole_ms": 33})).await;
    let done = app.until(rehearsal, |answer| Some(answer.json()).filter(|one| one["state"] == "done")).await;
    let report = &done["report"];
    assert_eq!((&report["on_air_before"], &report["on_air_during"]), (&json!("live"), &json!("backup")));
    assert_eq!((&report["hole_ms"], &report["return_hole_ms"]), (&json!(40), &json!(33)));
    let platform = &report["destinations"][0];
    assert_eq!(
        (platform.get("hole_ms"), &platform["return_hole_ms"]),
        (None, &json!(33)),
        "it connected again"
    );
    assert_eq!(
        (&report["destinations"][0]["reconnects"], &report["media_server"]["reconnects"]),
        (&json!(1), &json!(1))
    );
    instance.tasks.stop().await;
}

#[tokio::test]
async fn a_rehearsal_of_a_programme_that_stops_has_failed() {
    let app = TestApp::memory().await;
    let (channel, _) = with_destination(&app).await;
    let mut instance = Instance::beside(&app).await;
    let mut run = instance.run().await;
    run.reports(&app, Source::Live, 1);
    let running = |answer: crate::harness::Answer| (answer.json()["running"] == true).then_some(());
    app.until(|| app.as_viewer().get(&format!("{channel}/status")), running).await;
    let draft = json!({"cut_live_for_seconds": 300});
    let made = app.as_operator().post(&format!("{channel}/rehearsals")).json(draft).await.assert_status(201);
    instance.changed();
    run.until(|one| one.live_is_cut).await;
    instance.tasks.stop().await;
    let failed = app.as_viewer().get(&made.header("location")).await.json();
    assert_eq!((&failed["state"], &failed["error"]), (&json!("failed"), &json!("the programme was stopped")));
}

#[tokio::test]
async fn decisions_wait_for_the_database_and_the_programme_runs_on() {
    let app = TestApp::on(Engine::Sqlite).await;
    let channel = path(&create(&app, json!({"name": "a"})).await.assert_status(201));
    let mut instance = Instance::beside(&app).await;
    let run = instance.run().await;
    let Place::File(folder) = &*app.place else { panic!("a file") };
    let file = SqliteConnectOptions::new().filename(folder.path().join("streamward.db"));
    let sql = SqlitePool::connect_with(file).await.expect("opened");
    let rename = async |from: &str, to: &str| {
        let statement = sqlx::AssertSqlSafe(format!("ALTER TABLE {from} RENAME TO {to}"));
        sqlx::query(statement).execute(&sql).await.expect("renamed");
    };
    rename("channel_decisions", "away").await;
    for hole in 0..100 {
        run.decides(&app, Source::Backup, json!({"hole_ms": hole})).await;
    }
    // Until the task has tried at least once.
    let tasks = instance.tasks.list();
    timeout(PATIENCE, async {
        while !tasks.all().iter().any(|task| task.name == "channel-reports" && task.failing) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("the task fails");
    assert!(!run.stop.is_cancelled());
    rename("away", "channel_decisions").await;
    let all = |answer: crate::harness::Answer| {
        let list = answer.json();
        (list["count"] == 100).then_some(list)
    };
    let list = app.until(|| app.as_viewer().get(&format!("{channel}/decisions")), all).await;
    let mut holes: Vec<u64> = list["decisions"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|one| one["numbers"]["hole_ms"].as_u64())
        .collect();
    holes.sort_unstable();
    assert_eq!(holes, (0..100).collect::<Vec<_>>());
    sql.close().await;
    instance.tasks.stop().await;
}
