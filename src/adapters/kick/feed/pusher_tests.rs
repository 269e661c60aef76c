//! The Pusher protocol, frame by frame.

use rstest::rstest;
use streamward_test_support::fuzz::{fuzz, texts};

use super::super::talk::{Talk, channel, invalid_text, reconnect, text};
use super::*;
use crate::domain::streamer::Session as Broadcast;
use crate::domain::streamer::decide::ReportedStatus;

const LIVE: &str = r#"{"event":"App\\Events\\StreamerIsLive","data":"{\"livestream\":{\"id\":7,\"channel_id\":1,\"session_title\":null,\"created_at\":\"2025-09-14T23:18:20.000000Z\"}}","channel":"channel.1"}"#;
const ACK: &str = r#"{"event":"pusher_internal:subscription_succeeded","data":"{}","channel":"channel.1"}"#;

fn open() -> Talk<Pusher> {
    let (talk, sent) = Talk::open(|now| Pusher::new(Timing::default(), now));
    assert_eq!(sent, []);
    talk
}

fn established() -> Talk<Pusher> {
    let mut talk = open();
    let data = r#"{\"socket_id\":\"1.2\",\"activity_timeout\":20}"#;
    let actions = talk.receive(&format!(r#"{{"event":"pusher:connection_established","data":"{data}"}}"#));
    assert_eq!(actions, [Action::Established, subscribe(1), subscribe(2)]);
    talk
}

fn subscribe(number: u64) -> Action {
    text(&format!(r#"{{"data":{{"auth":"","channel":"channel.{number}"}},"event":"pusher:subscribe"}}"#))
}

fn unsubscribe(number: u64) -> Action {
    text(&format!(r#"{{"data":{{"channel":"channel.{number}"}},"event":"pusher:unsubscribe"}}"#))
}

fn live() -> Action {
    let started_at = crate::domain::Timestamp::parse_rfc3339("2025-09-14T23:18:20Z");
    let session = Broadcast { id: Some("7".into()), started_at, ..Broadcast::default() };
    Action::Update(channel(1), ReportedStatus::Started(session))
}

#[test]
fn greeting_sets_the_idle_limit() {
    for (data, limit, error) in [
        (r#"{"socket_id":"1.2","activity_timeout":20}"#, 20, None),
        (r#""{\"activity_timeout\":500}""#, 120, None),
        (r#"{"activity_timeout":0}"#, 120, Some(ProtocolError::MissingField)),
        (r#""{""#, 120, Some(ProtocolError::NotJson)),
    ] {
        let mut talk = open();
        let greeting = format!(r#"{{"event":"pusher:connection_established","data":{data}}}"#);
        let mut expected = vec![Action::Established, subscribe(1), subscribe(2)];
        expected.extend(error.map(Action::Error));
        assert_eq!(talk.receive(&greeting), expected);
        assert_eq!(talk.protocol.0.idle_limit, Duration::from_secs(limit));
    }
}

#[test]
fn connection_without_a_greeting_is_ended() {
    assert_eq!(reconnect(&open().tick_at_deadline(10)), Some(Reconnect::Soon));
}

#[test]
fn acknowledgement_is_reported_once() {
    let mut talk = established();
    assert_eq!(talk.receive(ACK), [Action::Subscribed(channel(1))]);
    assert_eq!(talk.receive(ACK), []);
    assert_eq!(talk.subscribed(), 1);
    assert_eq!(talk.receive(LIVE), [live()]);
}

#[test]
fn unacknowledged_subscription_is_requested_again() {
    let mut talk = established();
    talk.receive(ACK);
    // The server may think that 2 is subscribed, and would refuse.
    assert_eq!(talk.tick_at_deadline(10), [unsubscribe(2), subscribe(2)]);
    let ping = text(r#"{"data":{},"event":"pusher:ping"}"#);
    assert_eq!(talk.tick_at_deadline(20), [ping, unsubscribe(2), subscribe(2)]);
}

#[test]
fn unwanted_channel_is_unsubscribed_and_ignored() {
    let mut talk = established();
    talk.receive(ACK);
    assert_eq!(talk.at(1).set_channels(&[2, 3]), [unsubscribe(1), subscribe(3)]);
    assert_eq!(talk.receive(LIVE), [Action::Error(ProtocolError::UnknownChannel)]);
    assert_eq!(talk.subscribed(), 0);
}

#[test]
fn silent_server_is_pinged_and_then_disconnected() {
    for answer in [r#"{"event":"pusher:pong"}"#, LIVE, "garbage"] {
        let mut talk = established();
        for ack in [ACK, &ACK.replace("channel.1", "channel.2")] {
            talk.receive(ack);
        }
        let ping = text(r#"{"data":{},"event":"pusher:ping"}"#);
        assert_eq!(talk.tick_at_deadline(20), std::slice::from_ref(&ping));
        talk.at(45).receive(answer);
        assert_eq!(talk.tick_at_deadline(65), [ping]);
        assert_eq!(reconnect(&talk.tick_at_deadline(95)), Some(Reconnect::Immediately));
    }
}

#[test]
fn ping_is_answered() {
    let mut talk = established();
    for ping in [r#"{"event":"pusher:ping"}"#, r#"{"event":"pusher:ping","data":"{}"}"#] {
        assert_eq!(talk.receive(ping), [text(r#"{"data":{},"event":"pusher:pong"}"#)]);
    }
}

#[rstest]
#[case(&[4000, 4001, 4004, 4009, 4099, 4300, 4301, 4999], Reconnect::Rejected)]
#[case(&[4100, 4199, 1002, 1003, 1004], Reconnect::AfterBackoff)]
#[case(&[4200, 4201, 4202, 4299], Reconnect::Immediately)]
#[case(&[1000, 1001, 1005, 1006, 1011, 3000, 3999], Reconnect::Soon)]
fn close_code_decides_when_to_reconnect(#[case] codes: &[u16], #[case] expected: Reconnect) {
    for code in codes {
        assert_eq!(reconnect_for(*code), expected, "{code}");
    }
}

#[test]
fn error_ends_the_connection_if_its_code_requires_it() {
    for (code, expected) in [
        ("4001", Some(Reconnect::Rejected)),
        ("4100", Some(Reconnect::AfterBackoff)),
        ("4200", Some(Reconnect::Immediately)),
        ("null", None),
        ("4301", None),
        ("17", None),
        ("\"4001\"", None),
    ] {
        let error = format!(r#"{{"event":"pusher:error","data":{{"message":"why","code":{code}}}}}"#);
        let text = format!("the server ended the connection with {code} why");
        let expected = expected.map_or(Action::Error(ProtocolError::ServerError), |reconnect| {
            Action::End(Ended { text, ..Ended::by_server(reconnect, 0, "") })
        });
        assert_eq!(established().receive(&error), [expected]);
    }
}

#[test]
fn refused_subscription_is_requested_again_much_later() {
    let mut talk = established();
    let refusal = r#"{"event":"pusher:subscription_error","channel":"channel.1","data":{"status":403}}"#;
    assert_eq!(talk.receive(refusal), [Action::Error(ProtocolError::SubscriptionRefused)]);
    talk.receive(&ACK.replace("channel.1", "channel.2"));
    assert_eq!(talk.tick(300)[1..], [unsubscribe(1), subscribe(1)]);
}

#[test]
fn invalid_message_changes_nothing() {
    use ProtocolError::{MissingField, NotJson, NotProtocol, UnknownChannel, UnknownEvent};
    let host = LIVE.replace("StreamerIsLive", "StreamHostEvent");
    for (frame, error) in [
        ("", NotJson),
        ("{", NotJson),
        ("\u{0}", NotJson),
        ("[]", NotProtocol),
        ("7", NotProtocol),
        ("{}", NotProtocol),
        (r#"{"event":7}"#, NotProtocol),
        (r#"{"event":"pusher:cached"}"#, UnknownEvent),
        (r#"{"event":"pusher:connection_established","data":"{}"}"#, NotProtocol),
        (r#"{"event":"pusher_internal:subscription_succeeded"}"#, MissingField),
        (&LIVE.replace("channel.1", "channel.3"), UnknownChannel),
        (&LIVE.replace("channel.1", "chatrooms.1.v2"), UnknownChannel),
        (&host, UnknownEvent),
        (&LIVE.replace("livestream", "stream"), MissingField),
    ] {
        let mut talk = established();
        assert_eq!(talk.receive(frame), [Action::Error(error)], "{frame}");
        assert_eq!(talk.receive(ACK), [Action::Subscribed(channel(1))], "after {frame}");
        assert_eq!(talk.receive(LIVE), [live()], "after {frame}");
    }
}

invalid_text!(established, LIVE);

#[test]
fn any_frame_is_read_or_an_error() {
    const FRAMES: [&str; 5] = [
        LIVE,
        ACK,
        r#"{"event":"App\\Events\\StopStreamBroadcast","data":"{\"livestream\":{\"id\":7,\"channel\":{\"id\":1}}}","channel":"channel.1"}"#,
        r#"{"event":"pusher:connection_established","data":"{\"socket_id\":\"1.2\",\"activity_timeout\":20}"}"#,
        r#"{"event":"pusher:error","data":{"code":4100,"message":"over capacity"}}"#,
    ];
    fuzz(&proptest::collection::vec(texts(&FRAMES), 1..4), |frames| {
        let mut talk = open();
        for (seconds, frame) in (0..).zip(frames) {
            let actions = talk.at(seconds).receive(&frame);
            assert!(actions.len() <= 4, "{actions:?}");
            talk.tick(seconds);
        }
    });
}
