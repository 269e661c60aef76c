//! The client against the fake OBS. What both OBSes have in common is checked in `tests/studio`.

use std::sync::Arc;
use std::time::Duration;

use rstest::rstest;
use serde_json::json;
use streamward_test_support::TimeLimit;
use streamward_test_support::fuzz::{fuzz, texts};
use streamward_test_support::obs::{FakeObs, FakeOptions, Naming};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use url::Url;

use super::client::ObsClient;
use super::levels::Levels;
use super::protocol::{self, Incoming};
use super::settings::{ObsSettings, Timing};
use super::{answers, events};
use crate::domain::secret::Secret;
use crate::ports::obs_values::{Creation, Effect, StreamDestination, StreamState, Transition};
use crate::ports::{Disconnect, ObsControl, ObsError, ObsEvent, ObsSignal};

/// A client of an OBS, and what it signals.
struct Connected {
    client: Arc<ObsClient>,
    signals: mpsc::Receiver<ObsSignal>,
    _task: JoinSet<()>,
    _limit: TimeLimit,
}

impl Connected {
    fn to(url: &str, password: &str, timing: Timing, room: usize) -> Self {
        let settings = ObsSettings { url: Url::parse(url).unwrap(), password: Secret::new(password), timing };
        let client = Arc::new(ObsClient::new(settings));
        let (sender, signals) = mpsc::channel(room);
        let (mut task, running) = (JoinSet::new(), Arc::clone(&client));
        task.spawn(async move { running.run(sender).await });
        Self { client, signals, _task: task, _limit: TimeLimit::start() }
    }

    /// Connected to a fake one.
    async fn new(obs: &FakeObs, timing: Timing) -> Self {
        let mut connected = Self::to(&obs.url(), obs.password(), timing, 64);
        assert!(matches!(connected.signal().await, ObsSignal::Connected(_)));
        connected
    }

    async fn signal(&mut self) -> ObsSignal {
        self.signals.recv().await.unwrap()
    }

    /// Skips signals until this one.
    async fn until(&mut self, wanted: &ObsSignal) {
        while self.signal().await != *wanted {}
    }

    async fn until_disconnected(&mut self) -> Disconnect {
        loop {
            if let ObsSignal::Disconnected(reason) = self.signal().await {
                return reason;
            }
        }
    }

    async fn until_connected(&mut self) {
        while !matches!(self.signal().await, ObsSignal::Connected(_)) {}
    }
}

/// As by default, but for what a test would have to wait for.
fn quick() -> Timing {
    let ms = Duration::from_millis;
    Timing {
        probe: ms(100),
        unanswered: ms(700),
        request: ms(500),
        loading: ms(20),
        refused: ms(100),
        ..Timing::default()
    }
}

/// For tests that do not wait for a deadline: a busy machine must not reach one.
fn patient() -> Timing {
    let s = Duration::from_secs;
    Timing { request: s(30), unanswered: s(60), stuck: s(60), connect: s(60), ..Timing::default() }
}

#[rstest]
#[case(Naming::Names)]
#[case(Naming::Uuids)]
#[tokio::test]
async fn every_version_is_understood(#[case] naming: Naming) {
    let obs = FakeObs::start(FakeOptions { naming, ..FakeOptions::default() }).await;
    let mut to = Connected::new(&obs, patient()).await;
    assert_eq!(to.client.create_scene("A").await, Ok(Creation::Created));
    assert_eq!(to.client.create_scene("A").await, Ok(Creation::Existed));
    to.client.set_transition(Transition::Cut).await.unwrap();
    to.client.switch_scene("A").await.unwrap();
    let scenes = to.client.scenes().await.unwrap();
    assert_eq!(
        (scenes.program.as_deref(), scenes.names.as_slice()),
        (Some("A"), &["A".to_owned(), "Scene".into()][..])
    );
    to.until(&ObsSignal::Event(ObsEvent::ProgramScene("A".into()))).await;
    assert_eq!(to.client.start_stream().await, Ok(Effect::Done));
    assert_eq!(to.client.start_stream().await, Ok(Effect::Already));
    to.until(&ObsSignal::Event(ObsEvent::Stream(StreamState::Started))).await;
    assert!(to.client.stream_status().await.unwrap().active);
}

#[tokio::test]
async fn obs_without_a_password_needs_none() {
    let obs = FakeObs::start(FakeOptions { password: "", ..FakeOptions::default() }).await;
    let mut to = Connected::to(&obs.url(), "unused", patient(), 8);
    to.until_connected().await;
}

#[rstest]
#[case("wrong", Disconnect::WrongPassword)]
#[case("", Disconnect::PasswordRequired)]
#[tokio::test]
async fn refused_password_is_said_and_tried_again(#[case] password: &str, #[case] expected: Disconnect) {
    let obs = FakeObs::start(FakeOptions::default()).await;
    let mut to = Connected::to(&obs.url(), password, quick(), 8);
    assert_eq!(to.signal().await, ObsSignal::Disconnected(expected.clone()));
    assert_eq!(to.client.stats().await, Err(ObsError::NotConnected(expected)));
    let again = timeout(Duration::from_millis(500), to.signal()).await;
    assert!(again.is_err(), "the same reason is not sent again: {again:?}");
}

#[tokio::test]
async fn request_without_a_connection_fails_at_once() {
    let client = ObsClient::new(ObsSettings::new(Url::parse("ws://127.0.0.1:1").unwrap(), Secret::new("")));
    assert_eq!(client.scenes().await, Err(ObsError::NotConnected(Disconnect::Opening)));
}

#[tokio::test]
async fn loading_obs_is_not_connected_before_it_answers() {
    let obs = FakeObs::start(FakeOptions::default()).await;
    obs.loading(true);
    let mut to = Connected::to(&obs.url(), obs.password(), quick(), 8);
    assert_eq!(to.signal().await, ObsSignal::Disconnected(Disconnect::Loading));
    assert_eq!(to.client.scenes().await, Err(ObsError::NotConnected(Disconnect::Loading)));
    obs.loading(false);
    to.until_connected().await;
}

#[tokio::test]
async fn request_is_repeated_while_obs_loads_a_collection() {
    let obs = FakeObs::start(FakeOptions::default()).await;
    let to = Connected::new(&obs, Timing { request: Duration::from_secs(1), ..quick() }).await;
    obs.loading(true);
    assert_eq!(to.client.scenes().await, Err(ObsError::Loading), "after the deadline");
    let (scenes, ()) = tokio::join!(to.client.scenes(), async {
        let before = obs.requests().len();
        while obs.requests().len() < before + 3 {
            tokio::task::yield_now().await;
        }
        obs.loading(false);
    });
    assert_eq!(scenes.unwrap().program.as_deref(), Some("Scene"));
}

#[tokio::test]
async fn killed_obs_is_noticed_and_connected_again() {
    let obs = FakeObs::start(FakeOptions::default()).await;
    let mut to = Connected::new(&obs, patient()).await;
    obs.kill().await;
    assert!(matches!(to.until_disconnected().await, Disconnect::Closed(_)));
    assert!(matches!(to.until_disconnected().await, Disconnect::Unreachable(_)));
    obs.restart().await;
    to.until_connected().await;
    assert!(to.client.scenes().await.is_ok());
}

#[tokio::test]
async fn frozen_obs_is_noticed_and_connected_when_it_continues() {
    let obs = FakeObs::start(FakeOptions::default()).await;
    let mut to = Connected::new(&obs, quick()).await;
    obs.freeze();
    assert!(matches!(to.client.scenes().await, Err(ObsError::TimedOut | ObsError::NotConnected(_))));
    assert_eq!(to.until_disconnected().await, Disconnect::Unresponsive);
    obs.thaw();
    to.until_connected().await;
}

#[tokio::test]
async fn obs_of_which_a_part_hangs_is_noticed() {
    let obs = FakeObs::start(FakeOptions::default()).await;
    obs.ignore("SetCurrentProgramScene");
    let mut to = Connected::new(
        &obs,
        Timing { stuck: Duration::from_secs(1), unanswered: Duration::from_secs(30), ..quick() },
    )
    .await;
    assert_eq!(to.client.switch_scene("Scene").await, Err(ObsError::TimedOut));
    assert!(to.client.stats().await.is_ok(), "other parts answer");
    assert_eq!(to.until_disconnected().await, Disconnect::Unresponsive);
    to.until_connected().await;
}

#[tokio::test]
async fn quiet_obs_is_probed_and_kept() {
    let obs = FakeObs::start(FakeOptions::default()).await;
    let mut to = Connected::new(&obs, Timing { unanswered: Duration::from_secs(60), ..quick() }).await;
    let probes = || obs.requests().iter().filter(|(name, _)| name == "GetStudioModeEnabled").count();
    while probes() < 3 {
        sleep(Duration::from_millis(10)).await;
    }
    assert!(to.signals.try_recv().is_err());
}

#[rstest]
#[case(4011, Disconnect::Kicked)]
#[case(4010, Disconnect::UnsupportedVersion)]
#[case(1001, Disconnect::Closed("1001 closed by the fake".into()))]
#[tokio::test]
async fn close_code_is_a_reason(#[case] code: u16, #[case] expected: Disconnect) {
    let obs = FakeObs::start(FakeOptions::default()).await;
    let mut to = Connected::new(&obs, quick()).await;
    obs.close(code);
    assert_eq!(to.until_disconnected().await, expected);
    to.until_connected().await;
}

#[tokio::test]
async fn unknown_messages_are_ignored_and_a_damaged_event_is_noticed() {
    let obs = FakeObs::start(FakeOptions::default()).await;
    let mut to = Connected::new(&obs, patient()).await;
    for text in
        ["", "{", "[]", r#"{"op":99,"d":{}}"#, r#"{"op":5,"d":{"eventType":"CanvasCreated","eventData":{}}}"#]
    {
        obs.send_raw(text);
    }
    obs.send_raw(r#"{"op":7,"d":{"requestId":"99999","requestStatus":{"result":true,"code":100}}}"#);
    obs.send_raw(r#"{"op":5,"d":{"eventType":"CurrentProgramSceneChanged","eventData":{"sceneUuid":"x"}}}"#);
    assert_eq!(to.signal().await, ObsSignal::EventsLost);
    assert!(to.client.scenes().await.is_ok());
}

#[tokio::test]
async fn events_that_nobody_receives_are_dropped_and_that_is_said() {
    let obs = FakeObs::start(FakeOptions::default()).await;
    let mut to = Connected::to(&obs.url(), obs.password(), patient(), 1);
    while to.client.stats().await.is_err() {
        tokio::task::yield_now().await;
    }
    for _ in 0..1_000 {
        obs.act("CreateScene", &json!({ "sceneName": "new" }));
        obs.act("RemoveScene", &json!({ "sceneName": "new" }));
    }
    obs.act("CreateScene", &json!({ "sceneName": "last" }));
    // What is answered after them was read after them.
    assert!(to.client.stats().await.is_ok());
    to.until(&ObsSignal::EventsLost).await;
}

#[tokio::test]
async fn switch_that_obs_does_not_do_is_an_error() {
    let obs = FakeObs::start(FakeOptions::default()).await;
    let to = Connected::new(&obs, patient()).await;
    to.client.create_scene("A").await.unwrap();
    obs.pin();
    let text = "the program scene is 'Scene' instead of 'A'".to_owned();
    assert_eq!(to.client.switch_scene("A").await, Err(ObsError::NotApplied(text)));
    assert!(matches!(to.client.switch_scene("none").await, Err(ObsError::NotFound(_))));
}

#[tokio::test]
async fn levels_are_measured_on_demand_and_after_a_reconnect() {
    let obs = FakeObs::start(FakeOptions::default()).await;
    obs.act(
        "CreateInput",
        &json!({ "sceneName": "Scene", "inputName": "mic", "inputKind": "pulse_input_capture" }),
    );
    obs.loud("mic", 0.5);
    let mut to = Connected::new(&obs, patient()).await;
    assert!(to.client.audio_levels().is_empty());
    to.client.measure_audio(true);
    let measured = async |client: &ObsClient| loop {
        if let [level] = client.audio_levels().as_slice() {
            return level.clone();
        }
        sleep(Duration::from_millis(10)).await;
    };
    let level = measured(&to.client).await;
    assert_eq!((level.input.as_str(), level.peak_db.round()), ("mic", -6.0));
    obs.restart().await;
    to.until_connected().await;
    measured(&to.client).await;
    to.client.measure_audio(false);
    while !to.client.audio_levels().is_empty() {
        sleep(Duration::from_millis(10)).await;
    }
    assert!(to.signals.try_recv().is_err(), "meters are no events");
}

#[tokio::test]
async fn secrets_are_in_no_error_and_no_debug_output() {
    let obs = FakeObs::start(FakeOptions { password: "pa55-word", ..FakeOptions::default() }).await;
    let to = Connected::new(&obs, patient()).await;
    let destination =
        StreamDestination { server: Some("rtmp://x/y".into()), key: Secret::new("live_4711_key") };
    to.client.set_stream_destination(&destination).await.unwrap();
    assert_eq!(to.client.stream_destination().await.as_ref(), Ok(&destination));
    to.client.start_stream().await.unwrap();
    let error = to.client.set_stream_destination(&destination).await.unwrap_err();
    assert!(matches!(&error, ObsError::Refused { code: 500, .. }), "{error}");
    let printed = format!("{error} {error:?} {destination:?} {:?}", to.client.settings);
    assert!(!printed.contains("4711") && !printed.contains("pa55"), "{printed}");
    let sent = obs.requests();
    assert!(sent.iter().all(|(_, data)| !data.to_string().contains("pa55")), "the password is only proved");
}

#[test]
fn any_message_is_read_or_ignored() {
    const MESSAGES: [&str; 7] = [
        r#"{"op":0,"d":{"obsWebSocketVersion":"5.1.0","rpcVersion":1,"authentication":{"challenge":"x","salt":"y"}}}"#,
        r#"{"op":2,"d":{"negotiatedRpcVersion":1}}"#,
        r#"{"op":5,"d":{"eventType":"SceneItemEnableStateChanged","eventIntent":128,"eventData":{"sceneName":"A","sceneItemId":3,"sceneItemEnabled":false}}}"#,
        r#"{"op":5,"d":{"eventType":"StreamStateChanged","eventData":{"outputActive":false,"outputState":"OBS_WEBSOCKET_OUTPUT_STARTED"}}}"#,
        r#"{"op":5,"d":{"eventType":"InputVolumeMeters","eventData":{"inputs":[{"inputName":"a","inputLevelsMul":[[0.1,0.2,0.3]]}]}}}"#,
        r#"{"op":7,"d":{"requestId":"7","requestType":"GetStreamStatus","requestStatus":{"result":true,"code":100},"responseData":{"outputActive":true,"outputReconnecting":false,"outputDuration":7,"outputBytes":7,"outputSkippedFrames":-1}}}"#,
        r#"{"op":7,"d":{"requestId":"7","requestStatus":{"result":false,"code":207,"comment":"no"}}}"#,
    ];
    fuzz(&texts(&MESSAGES), |text| match protocol::read(&text) {
        Some(Incoming::Event { name, data }) => {
            if let events::Meaning::Levels(data) = events::read(&name, data) {
                let mut levels = Levels::default();
                levels.note(&data, Instant::now());
                assert!(
                    levels
                        .read(Instant::now())
                        .iter()
                        .all(|level| level.peak_db >= crate::ports::obs_values::SILENCE_DB)
                );
            }
        }
        Some(Incoming::Answer { result: Ok(data), .. }) => {
            let status = serde_json::from_value::<answers::Stream>(data)
                .map(crate::ports::obs_values::StreamStatus::from);
            assert!(status.is_err() || format!("{status:?}").contains("active"));
        }
        _ => {}
    });
}
