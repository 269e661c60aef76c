//! Tests of running channels, against RTMP servers in the same process.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use uuid::Uuid;

use super::*;

mod transcode;
use crate::adapters::rtmp::Frame;
use crate::adapters::rtmp::flv::FlvReader;
use crate::adapters::rtmp::test_server::{Manner, Received, TestServer};
use crate::adapters::system::SystemClock;
use crate::domain::channel::{
    BackupMedia, ChannelId, ChannelName, ClipId, Decision, DestinationId, Engine, Failover, InputState,
    Mismatch, Mode, Output, OutputId, OutputState, OutputStatus, PlaylistChange, Profile, ProgrammeStatus,
    Reason, Source, Track,
};
use crate::domain::path::StreamPath;
use crate::domain::secret::Secret;

const KEY: &str = "live-key-of-a-platform";
/// Longer than a cut may take on a busy machine.
const HOLE: u32 = 300;

const SLATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/adapters/mixer/slate.flv");

/// A running channel with its live input's server.
struct Channel {
    live: Arc<TestServer>,
    programme: watch::Sender<Programme>,
    decisions: mpsc::Receiver<Decision>,
    status: watch::Receiver<Option<ProgrammeStatus>>,
    stop: CancellationToken,
    /// Whether the lease is valid.
    lease: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Channel {
    async fn start(outputs: Vec<Output>) -> Self {
        Self::start_with(outputs, Arc::new(transcode::NotInstalled)).await
    }

    async fn start_with(outputs: Vec<Output>, transcoder: Arc<dyn LiveTranscoder>) -> Self {
        let live = Arc::new(TestServer::start(Manner::Normal).await);
        let slate = PathBuf::from(SLATE);
        let (programme, programmes) = watch::channel(Programme {
            channel: ChannelId(Uuid::nil()),
            name: ChannelName::parse("test").unwrap(),
            engine: Engine::Mixer,
            path: StreamPath::parse("ch").unwrap(),
            live: Secret::new(format!("rtmp://127.0.0.1:{}/ch/live", live.port)),
            backup: BackupMedia::Clips(vec![(ClipId(Uuid::nil()), slate)]),
            playlist_change: PlaylistChange::default(),
            slate: None,
            mode: Mode::Auto,
            hold_has_expired: false,
            failover: Failover { stall_ms: 500, recovery_grace_seconds: 0, ..Failover::default() },
            profile: Profile::default(),
            mismatch: Mismatch::Refuse,
            live_is_cut: false,
            outputs,
        });
        let ((decided, decisions), (reported, status)) = (mpsc::channel(64), watch::channel(None));
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let (reports, stopped) = (ProgrammeReports { decisions: decided, status: reported }, stop.clone());
        let (lease, checked) = watch::channel(true);
        let check = LeaseCheck::new(move || *checked.borrow());
        tasks.spawn(async move {
            let engine =
                MixerEngine::new(1, Connector::new([]).unwrap(), transcoder, Arc::new(SystemClock)).unwrap();
            engine.run(programmes, reports, stopped, check).await;
        });
        Self { live, programme, decisions, status, stop, lease, tasks }
    }

    /// A live encoder, until the guard is dropped. Its video frames get `padding` bytes more.
    fn encoder(&self, padding: usize) -> JoinSet<()> {
        encoder(&self.live, padding)
    }

    async fn until_decided(&mut self, to: Source) -> Decision {
        loop {
            let decision = timeout(Duration::from_secs(30), self.decisions.recv()).await.unwrap().unwrap();
            if decision.to == to {
                return decision;
            }
        }
    }

    fn set(&self, change: impl FnOnce(&mut Programme)) {
        self.programme.send_modify(change);
    }

    async fn until_output(&mut self, at: usize, is_wanted: impl Fn(&OutputStatus) -> bool) -> OutputStatus {
        let found = self.status.wait_for(|status| {
            status
                .as_ref()
                .and_then(|status| status.outputs.get(at))
                .is_some_and(|(_, output)| is_wanted(output))
        });
        let status =
            timeout(Duration::from_secs(60), found).await.expect("the output never got there").unwrap();
        status.as_ref().unwrap().outputs[at].1.clone()
    }

    async fn end(mut self) {
        self.stop.cancel();
        timeout(Duration::from_secs(10), self.tasks.join_next())
            .await
            .expect("the channel ends")
            .unwrap()
            .unwrap();
    }
}

/// An encoder at `server`, until the guard is dropped. Its video frames get `padding` bytes more.
fn encoder(server: &Arc<TestServer>, padding: usize) -> JoinSet<()> {
    let (live, mut task) = (server.clone(), JoinSet::new());
    task.spawn(async move {
        while live.players() == 0 {
            sleep(Duration::from_millis(10)).await;
        }
        let began = Instant::now();
        for round in 0.. {
            for mut frame in frames().into_iter().filter(|frame| !frame.is_header || frame.timestamp == 0) {
                if !frame.is_header {
                    frame.timestamp += round * 4_000;
                    sleep_until(began + Duration::from_millis(frame.timestamp.into())).await;
                }
                if frame.track == Track::Video && !frame.is_header {
                    frame.payload = [&frame.payload[..], &vec![0; padding]].concat().into();
                }
                live.play(frame);
            }
        }
    });
    task
}

fn frames() -> Vec<Frame> {
    let mut reader = FlvReader::new(&include_bytes!("slate.flv")[..]).unwrap();
    std::iter::from_fn(|| reader.next_frame().unwrap()).collect()
}

fn output(id: u128, server: &TestServer) -> Output {
    Output {
        id: OutputId::Destination(DestinationId(Uuid::from_u128(id))),
        url: format!("rtmp://127.0.0.1:{}/live", server.port),
        backup_url: None,
        key: Secret::new(KEY),
        rotate_session_every: None,
    }
}

/// Waits until the destination has `seconds` more of video.
async fn more(server: &TestServer, seconds: u32) {
    let count = |frames: &[Received]| frames.iter().filter(|r| r.frame.track == Track::Video).count();
    let before = count(&server.frames());
    server.until(|frames| count(frames) >= before + 30 * usize::try_from(seconds).unwrap()).await;
}

/// The largest step of the video's timestamps. All timestamps rise strictly, and each cut begins with headers and a keyframe.
fn largest_step(received: &[Received]) -> u32 {
    let mut steps = vec![0];
    for track in [Track::Video, Track::Audio] {
        let of_track: Vec<_> = received.iter().map(|r| &r.frame).filter(|f| f.track == track).collect();
        assert!(of_track[0].is_header);
        for pair in of_track.windows(2) {
            assert!(
                !pair[0].is_header || track == Track::Audio || pair[1].is_keyframe,
                "no keyframe after a header"
            );
        }
        let media: Vec<_> = of_track.iter().filter(|f| !f.is_header).collect();
        for pair in media.windows(2) {
            assert!(
                pair[0].timestamp < pair[1].timestamp,
                "{track:?}: {} {}",
                pair[0].timestamp,
                pair[1].timestamp
            );
            if track == Track::Video {
                steps.push(pair[1].timestamp - pair[0].timestamp);
            }
        }
    }
    steps.into_iter().max().unwrap()
}

fn headers(received: &[Received]) -> usize {
    received.iter().filter(|r| r.frame.is_header && r.frame.track == Track::Video).count()
}

#[tokio::test]
async fn operators_cut_keeps_the_connection_and_makes_no_hole() {
    let destination = TestServer::start(Manner::Normal).await;
    let mut channel = Channel::start(vec![output(1, &destination)]).await;
    let start = channel.until_decided(Source::Backup).await;
    assert_eq!((start.from, start.reason), (None, Reason::Start));
    let _encoder = channel.encoder(0);
    assert_eq!(channel.until_decided(Source::Live).await.reason, Reason::LiveRecovered);
    more(&destination, 1).await;
    channel.set(|programme| programme.mode = Mode::HoldBackup);
    assert_eq!(channel.until_decided(Source::Backup).await.reason, Reason::Operator);
    more(&destination, 1).await;
    channel.set(|programme| programme.mode = Mode::HoldLive);
    assert_eq!(channel.until_decided(Source::Live).await.reason, Reason::Operator);
    more(&destination, 1).await;
    channel.set(|programme| programme.mode = Mode::Slate);
    assert_eq!(channel.until_decided(Source::Slate).await.reason, Reason::Operator);
    more(&destination, 1).await;
    let received = destination.frames();
    assert_eq!(destination.connections(), 1);
    assert!(largest_step(&received) <= HOLE, "{}", largest_step(&received));
    // The output may begin with the live input.
    assert!(headers(&received) >= 4);
    let status = channel.until_output(0, |output| output.state == OutputState::Live).await;
    assert_eq!((status.connects, status.dropped_frames, status.last_error), (1, 0, None));
    channel.end().await;
}

#[tokio::test]
async fn live_connection_that_dies_is_replaced_by_the_backup() {
    let destination = TestServer::start(Manner::Normal).await;
    let mut channel = Channel::start(vec![output(1, &destination)]).await;
    let encoder = channel.encoder(0);
    channel.until_decided(Source::Live).await;
    more(&destination, 1).await;
    drop(encoder);
    channel.live.end_players();
    assert_eq!(channel.until_decided(Source::Backup).await.reason, Reason::LiveEnded);
    more(&destination, 1).await;
    assert_eq!(destination.connections(), 1);
    assert!(largest_step(&destination.frames()) <= HOLE, "{}", largest_step(&destination.frames()));
    let _encoder = channel.encoder(0);
    assert_eq!(channel.until_decided(Source::Live).await.reason, Reason::LiveRecovered);
    more(&destination, 1).await;
    assert_eq!(destination.connections(), 1);
    assert!(largest_step(&destination.frames()) <= HOLE, "{}", largest_step(&destination.frames()));
    channel.end().await;
}

#[tokio::test]
async fn live_input_that_stalls_is_replaced_after_the_limit_and_silence_fills_the_sound() {
    let destination = TestServer::start(Manner::Normal).await;
    let mut channel = Channel::start(vec![output(1, &destination)]).await;
    let encoder = channel.encoder(0);
    channel.until_decided(Source::Live).await;
    more(&destination, 1).await;
    drop(encoder);
    let decision = channel.until_decided(Source::Backup).await;
    assert_eq!(decision.reason, Reason::LiveStalled);
    assert!(decision.numbers["hole_ms"].as_u64().unwrap() >= 300, "{:?}", decision.numbers);
    more(&destination, 1).await;
    let received = destination.frames();
    assert_eq!(destination.connections(), 1);
    assert!((300..500 + HOLE).contains(&largest_step(&received)), "{}", largest_step(&received));
    let audio: Vec<_> =
        received.iter().map(|r| &r.frame).filter(|f| f.track == Track::Audio && !f.is_header).collect();
    assert!(audio.windows(2).all(|pair| pair[1].timestamp - pair[0].timestamp < 100));
    channel.end().await;
}

#[tokio::test]
async fn live_input_of_another_profile_does_not_go_on_air() {
    let destination = TestServer::start(Manner::Normal).await;
    let mut channel = Channel::start(vec![output(1, &destination)]).await;
    channel.set(|programme| programme.profile.video.height = 360);
    let _encoder = channel.encoder(0);
    let decision = channel.until_decided(Source::Live).await;
    assert_eq!(
        (decision.kind, decision.reason),
        (crate::domain::channel::DecisionKind::Refused, Reason::LiveMismatch)
    );
    let mismatch =
        channel.status.wait_for(|status| status.as_ref().is_some_and(|status| status.live.problem.is_some()));
    let problem = mismatch.await.unwrap().as_ref().unwrap().live.problem.clone().unwrap();
    assert_eq!(problem, "the picture is 1280x720; set the output resolution to 1280x360");
    channel.set(|programme| programme.mismatch = Mismatch::Switch);
    assert_eq!(channel.until_decided(Source::Live).await.kind, crate::domain::channel::DecisionKind::Cut);
    channel.end().await;
}

#[tokio::test]
async fn second_encoder_of_another_profile_does_not_go_on_air() {
    let destination = TestServer::start(Manner::Normal).await;
    let mut channel = Channel::start(vec![output(1, &destination)]).await;
    let second = Arc::new(TestServer::start(Manner::Normal).await);
    channel.set(|programme| {
        programme.backup =
            BackupMedia::Stream(Secret::new(format!("rtmp://127.0.0.1:{}/ch/backup", second.port)));
        programme.profile.video.height = 360;
    });
    channel.until_decided(Source::Slate).await;
    let _encoder = encoder(&second, 0);
    let is_named = |status: &ProgrammeStatus| {
        status.backup.state == InputState::Mismatch
            && status.backup.problem.as_deref()
                == Some("the picture is 1280x720; set the output resolution to 1280x360")
    };
    let named = channel.status.wait_for(|status| status.as_ref().is_some_and(is_named));
    timeout(Duration::from_secs(30), named).await.expect("the difference is named").unwrap();
    more(&destination, 1).await;
    assert_eq!(channel.status.borrow().as_ref().map(|status| status.on_air), Some(Source::Slate));
    channel.set(|programme| programme.profile = Profile::default());
    channel.until_decided(Source::Backup).await;
    more(&destination, 1).await;
    channel.end().await;
}

#[tokio::test]
async fn destination_that_never_reads_harms_no_other() {
    let (good, bad) = (TestServer::start(Manner::Normal).await, TestServer::start(Manner::NeverReads).await);
    let mut channel = Channel::start(vec![output(1, &good), output(2, &bad)]).await;
    let _encoder = channel.encoder(150_000);
    channel.until_decided(Source::Live).await;
    let stalled = channel.until_output(1, |output| output.state == OutputState::Stalled).await;
    assert!(stalled.queue_ms <= 4_000);
    channel.until_output(1, |output| output.dropped_frames > 0).await;
    let failed = channel.until_output(1, |output| output.state == OutputState::BackingOff).await;
    assert_eq!(failed.last_error.unwrap(), "the server took nothing for ten seconds");
    assert!(failed.next_attempt_at.is_some());
    assert_eq!(good.connections(), 1);
    assert!(largest_step(&good.frames()) <= HOLE, "{}", largest_step(&good.frames()));
    channel.end().await;
}

#[tokio::test]
async fn destination_that_refuses_is_tried_again_and_its_words_are_shown() {
    let (good, bad) = (TestServer::start(Manner::Normal).await, TestServer::start(Manner::Refuses).await);
    let mut channel = Channel::start(vec![output(1, &bad), output(2, &good)]).await;
    let refused = channel.until_output(0, |output| output.state == OutputState::BackingOff).await;
    let words = refused.last_error.unwrap();
    assert_eq!(words, "the server refused the stream: the key is unknown (NetStream.Publish.BadName)");
    // After three refusals somebody has to do something.
    let failed = channel.until_output(0, |output| output.state == OutputState::Failed).await;
    assert_eq!((failed.connects, failed.bytes), (0, 0));
    more(&good, 1).await;
    // A new key is tried at once.
    channel.set(|programme| programme.outputs[0] = output(1, &good));
    channel.until_output(0, |output| output.state == OutputState::Live).await;
    assert_eq!(good.connections(), 2);
    channel.end().await;
}

#[tokio::test]
async fn backup_address_is_used_when_the_first_fails() {
    let good = TestServer::start(Manner::Normal).await;
    let dead = { std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port() };
    let mut output = output(1, &good);
    output.backup_url = Some(std::mem::replace(&mut output.url, format!("rtmp://127.0.0.1:{dead}/live")));
    let mut channel = Channel::start(vec![output]).await;
    let live = channel.until_output(0, |output| output.state == OutputState::Live).await;
    assert!(live.last_error.unwrap().contains("does not connect"));
    channel.end().await;
}

#[tokio::test]
async fn new_session_begins_with_headers_and_a_keyframe_and_other_outputs_go_on() {
    let (rotates, other) = (TestServer::start(Manner::Normal).await, TestServer::start(Manner::Normal).await);
    let mut first = output(1, &rotates);
    first.rotate_session_every = Some(Duration::from_secs(1));
    let channel = Channel::start(vec![first, output(2, &other)]).await;
    rotates.until(|frames| frames.last().is_some_and(|last| last.connection == 3)).await;
    let received = rotates.frames();
    for connection in 1..=2 {
        let session: Vec<_> = received.iter().filter(|r| r.connection == connection).cloned().collect();
        assert!(largest_step(&session) <= HOLE);
        assert_eq!(session[0].frame.timestamp, 0);
    }
    assert_eq!(other.connections(), 1);
    assert!(largest_step(&other.frames()) <= HOLE);
    channel.end().await;
}

fn videos(received: &[Received]) -> usize {
    let is_video = |r: &&Received| r.frame.track == Track::Video && !r.frame.is_header;
    received.iter().filter(is_video).count()
}

/// A clip whose sound has another number of channels in its header, so that it is recognised.
fn other_clip(dir: &tempfile::TempDir) -> PathBuf {
    let (file, mut bytes) = (dir.path().join("other.flv"), include_bytes!("slate.flv").to_vec());
    // The header of the audio track: AAC, sequence header, AudioSpecificConfig of 48 kHz stereo.
    let at = bytes.windows(4).position(|four| four == [0xaf, 0, 0x11, 0x90]).expect("the header");
    bytes[at + 3] = 0x88;
    std::fs::write(&file, bytes).unwrap();
    file
}

#[tokio::test]
async fn playlist_changes_at_once_if_that_is_wanted_without_a_hole_or_another_source() {
    let (dir, platform) = (tempfile::tempdir().unwrap(), TestServer::start(Manner::Normal).await);
    let mut channel = Channel::start(vec![output(1, &platform)]).await;
    channel.until_decided(Source::Backup).await;
    more(&platform, 1).await;
    let other = other_clip(&dir);
    let sent = videos(&platform.frames());
    channel.set(|programme| {
        programme.playlist_change = PlaylistChange::AtOnce;
        programme.backup = BackupMedia::Clips(vec![(ClipId(Uuid::from_u128(2)), other)]);
    });
    let is_other = |received: &Received| {
        received.frame.is_header && received.frame.payload.starts_with(&[0xaf, 0, 0x11, 0x88])
    };
    platform.until(|frames| frames.iter().any(is_other)).await;
    more(&platform, 1).await;
    let frames = platform.frames();
    assert!(largest_step(&frames) <= HOLE, "{}", largest_step(&frames));
    let switch = frames.iter().position(is_other).unwrap();
    let more = videos(&frames[..switch]) - sent;
    // A clip has 120 frames, of which about 30 were sent.
    assert!(more < 60, "it waited for the end of the clip: {more} frames");
    assert!(channel.decisions.try_recv().is_err(), "no cut");
    channel.end().await;
}

#[tokio::test]
async fn nothing_is_sent_while_the_lease_is_in_doubt() {
    let platform = TestServer::start(Manner::Normal).await;
    let mut channel = Channel::start(vec![output(1, &platform)]).await;
    more(&platform, 1).await;
    channel.lease.send_replace(false);
    channel.until_output(0, |output| output.state == OutputState::Connecting).await;
    // What was sent before may still be on its way.
    sleep(Duration::from_millis(300)).await;
    let sent = platform.frames().len();
    sleep(Duration::from_millis(700)).await;
    assert_eq!((platform.frames().len(), platform.connections()), (sent, 1));
    channel.lease.send_replace(true);
    more(&platform, 1).await;
    assert_eq!(platform.connections(), 2);
    channel.end().await;
}

#[tokio::test]
async fn slate_of_the_profile_is_shown_and_the_built_in_one_if_its_file_is_gone() {
    let destination = TestServer::start(Manner::Normal).await;
    let mut channel = Channel::start(vec![output(1, &destination)]).await;
    channel.set(|programme| {
        programme.slate = Some("/nowhere/slate.flv".into());
        programme.mode = Mode::Slate;
    });
    channel.until_decided(Source::Slate).await;
    more(&destination, 2).await;
    channel.set(|programme| programme.slate = Some(PathBuf::from(SLATE)));
    more(&destination, 2).await;
    assert_eq!(destination.connections(), 1);
    channel.end().await;
}

#[tokio::test]
async fn nothing_that_is_reported_contains_the_key() {
    let bad = TestServer::start(Manner::Refuses).await;
    let mut channel = Channel::start(vec![output(1, &bad)]).await;
    channel.until_output(0, |output| output.last_error.is_some()).await;
    let status = format!("{:?}", channel.status.borrow());
    let programme = format!("{:?}", channel.programme.borrow());
    assert!(!status.contains(KEY) && !programme.contains(KEY));
    channel.end().await;
}
