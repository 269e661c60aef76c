//! A live input that differs from the profile, with stand-ins for ffmpeg. The tests of `adapters/ffmpeg` and `tests/e2e`
//! have the real one.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::*;
use crate::domain::channel::DecisionKind;
use crate::ports::TranscodeError;

/// A machine without ffmpeg.
pub(super) struct NotInstalled;

#[async_trait]
impl LiveTranscoder for NotInstalled {
    async fn convert_live(
        &self,
        _: &Profile,
        _: bool,
        _: mpsc::Receiver<Vec<u8>>,
        _: mpsc::Sender<Vec<u8>>,
    ) -> TranscodeError {
        TranscodeError::Unavailable("ffmpeg is not installed: install it".to_owned())
    }
}

/// Gives what it takes, until it is told to fail.
#[derive(Default)]
struct Through {
    starts: AtomicUsize,
    fails: Notify,
}

#[async_trait]
impl LiveTranscoder for Through {
    async fn convert_live(
        &self,
        _: &Profile,
        with_sound: bool,
        mut input: mpsc::Receiver<Vec<u8>>,
        output: mpsc::Sender<Vec<u8>>,
    ) -> TranscodeError {
        assert!(with_sound);
        self.starts.fetch_add(1, Ordering::SeqCst);
        loop {
            tokio::select! {
                () = self.fails.notified() => return TranscodeError::Failed("killed".to_owned()),
                Some(part) = input.recv() => {
                    let _ = output.send(part).await;
                }
            }
        }
    }
}

/// A channel of another profile than its encoder, and its encoder.
async fn channel(destination: &TestServer, transcoder: Arc<dyn LiveTranscoder>) -> (Channel, JoinSet<()>) {
    let channel = Channel::start_with(vec![output(1, destination)], transcoder).await;
    channel.set(|programme| {
        programme.mismatch = Mismatch::Transcode;
        programme.profile.video.height = 360;
    });
    let encoder = channel.encoder(0);
    (channel, encoder)
}

async fn until_problem(channel: &mut Channel, is_wanted: impl Fn(&str) -> bool) -> String {
    let found = channel.status.wait_for(|status| {
        let problem = status.as_ref().and_then(|status| status.live.problem.as_deref());
        problem.is_some_and(&is_wanted)
    });
    let status = timeout(Duration::from_secs(30), found).await.expect("no such problem").unwrap();
    status.as_ref().unwrap().live.problem.clone().unwrap()
}

#[tokio::test]
async fn input_that_differs_is_transcoded_and_its_status_says_what_the_encoder_sends() {
    let (destination, through) = (TestServer::start(Manner::Normal).await, Arc::new(Through::default()));
    let (mut channel, encoder) = channel(&destination, through.clone()).await;
    let decision = channel.until_decided(Source::Live).await;
    assert_eq!((decision.kind, &decision.numbers["transcoded"]), (DecisionKind::Cut, &true.into()));
    more(&destination, 1).await;
    let problem = until_problem(&mut channel, |_| true).await;
    assert_eq!(problem, "transcoded: the picture is 1280x720; set the output resolution to 1280x360");
    let codecs = channel.status.borrow().as_ref().unwrap().live.codecs.clone();
    assert_eq!(codecs[0], "H.264 High 1280x720");
    // The end of what goes in counts at once.
    drop(encoder);
    channel.live.end_players();
    assert_eq!(channel.until_decided(Source::Backup).await.reason, Reason::LiveEnded);
    more(&destination, 1).await;
    assert_eq!((through.starts.load(Ordering::SeqCst), destination.connections()), (1, 1));
    assert!(largest_step(&destination.frames()) <= HOLE, "{}", largest_step(&destination.frames()));
    channel.end().await;
}

#[tokio::test]
async fn input_that_matches_the_profile_is_not_transcoded() {
    let (destination, through) = (TestServer::start(Manner::Normal).await, Arc::new(Through::default()));
    let mut channel = Channel::start_with(vec![output(1, &destination)], through.clone()).await;
    channel.set(|programme| programme.mismatch = Mismatch::Transcode);
    let _encoder = channel.encoder(0);
    let decision = channel.until_decided(Source::Live).await;
    assert!(!decision.numbers.contains_key("transcoded"), "{:?}", decision.numbers);
    more(&destination, 1).await;
    assert_eq!(through.starts.load(Ordering::SeqCst), 0);
    channel.end().await;
}

#[tokio::test]
async fn backup_is_on_air_while_the_transcoder_fails_and_live_returns_when_it_works_again() {
    let (destination, through) = (TestServer::start(Manner::Normal).await, Arc::new(Through::default()));
    let (mut channel, _encoder) = channel(&destination, through.clone()).await;
    channel.until_decided(Source::Live).await;
    more(&destination, 1).await;
    through.fails.notify_one();
    let decision = channel.until_decided(Source::Backup).await;
    assert_eq!((decision.reason, &decision.numbers["transcoded"]), (Reason::LiveMismatch, &false.into()));
    let problem = until_problem(&mut channel, |problem| problem.contains("cannot be transcoded")).await;
    assert!(problem.ends_with("It cannot be transcoded now: the conversion failed: killed"), "{problem}");
    channel.until_decided(Source::Live).await;
    assert_eq!((through.starts.load(Ordering::SeqCst), destination.connections()), (2, 1));
    channel.end().await;
}

#[tokio::test]
async fn input_stays_off_the_air_without_ffmpeg_and_the_reason_is_said() {
    let destination = TestServer::start(Manner::Normal).await;
    let (mut channel, _encoder) = channel(&destination, Arc::new(NotInstalled)).await;
    let decision = channel.until_decided(Source::Live).await;
    assert_eq!((decision.kind, decision.reason), (DecisionKind::Refused, Reason::LiveMismatch));
    let problem = until_problem(&mut channel, |_| true).await;
    assert!(problem.ends_with("now: ffmpeg is not installed: install it"), "{problem}");
    channel.end().await;
}

#[tokio::test]
async fn input_that_could_not_be_transcoded_stays_off_the_air_when_that_is_not_wanted_any_more() {
    let destination = TestServer::start(Manner::Normal).await;
    let (mut channel, _encoder) = channel(&destination, Arc::new(NotInstalled)).await;
    channel.until_decided(Source::Live).await;
    channel.set(|programme| programme.mismatch = Mismatch::Refuse);
    let again = channel.until_decided(Source::Live).await;
    assert_eq!((again.kind, again.reason), (DecisionKind::Refused, Reason::LiveMismatch));
    more(&destination, 1).await;
    let on_air = channel.status.borrow().as_ref().map(|status| status.on_air);
    assert_eq!(on_air, Some(Source::Backup));
    channel.end().await;
}

#[tokio::test]
async fn new_profile_begins_and_ends_the_transcoding() {
    let (destination, through) = (TestServer::start(Manner::Normal).await, Arc::new(Through::default()));
    let (mut channel, _encoder) = channel(&destination, through.clone()).await;
    channel.until_decided(Source::Live).await;
    channel.set(|programme| programme.profile = Profile::default());
    assert_eq!(channel.until_decided(Source::Backup).await.reason, Reason::LiveEnded);
    let back = channel.until_decided(Source::Live).await;
    assert!(!back.numbers.contains_key("transcoded"), "{:?}", back.numbers);
    channel.set(|programme| programme.profile.audio.channels = 1);
    channel.until_decided(Source::Backup).await;
    let back = channel.until_decided(Source::Live).await;
    assert_eq!(back.numbers["transcoded"], true);
    more(&destination, 1).await;
    assert_eq!((through.starts.load(Ordering::SeqCst), destination.connections()), (2, 1));
    channel.end().await;
}
