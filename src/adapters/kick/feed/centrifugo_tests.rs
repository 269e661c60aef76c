//! Centrifugo's protocol, object by object.

use rstest::rstest;
use streamward_test_support::fuzz::{fuzz, texts};

use super::super::talk::{Talk, channel, invalid_text, reconnect, text};
use super::*;
use crate::domain::streamer::Session as Broadcast;
use crate::domain::streamer::decide::ReportedStatus;

const WELCOME: &str = r#"{"id":1,"connect":{"client":"c","version":"6.9.6 PRO","expires":true,"ttl":2700,"ping":25,"pong":true}}"#;
const STOP: &str = r#"{"push":{"channel":"channel.1","pub":{"data":{"event":"App\\Events\\StopStreamBroadcast","data":"{\"livestream\":{\"id\":7,\"channel\":{\"id\":1,\"is_banned\":true}}}"}}}}"#;

fn open() -> Talk<Centrifugo> {
    let (talk, sent) = Talk::open(|now| Centrifugo::new(Timing::default(), Secret::new("t0k3n"), now));
    assert_eq!(sent, [text(r#"{"connect":{"name":"js","token":"t0k3n"},"id":1}"#)]);
    assert!(!format!("{sent:?}").contains("t0k3n"), "Debug hides the token");
    talk
}

fn connected(welcome: &str) -> Talk<Centrifugo> {
    let mut talk = open();
    assert_eq!(talk.receive(welcome), [Action::Established, subscribe(1, 2), subscribe(2, 3)]);
    talk
}

fn subscribed() -> Talk<Centrifugo> {
    let mut talk = connected(WELCOME);
    let actions = talk.receive("{\"id\":3,\"subscribe\":{}}\n{\"id\":2,\"subscribe\":{}}\n");
    assert_eq!(actions, [Action::Subscribed(channel(2)), Action::Subscribed(channel(1))]);
    talk
}

fn subscribe(number: u64, id: u64) -> Action {
    text(&format!(r#"{{"id":{id},"subscribe":{{"channel":"channel.{number}","flag":1}}}}"#))
}

fn stop() -> Action {
    let session = Broadcast { id: Some("7".into()), ..Broadcast::default() };
    Action::Update(channel(1), ReportedStatus::Stopped { session, banned: true })
}

#[test]
fn frame_carries_many_events_in_envelopes() {
    let mut talk = subscribed();
    assert_eq!(talk.subscribed(), 2);
    assert_eq!(talk.receive(&format!("{STOP}\n{{}}\n\n{STOP}")), [stop(), text("{}"), stop()]);
    let plain = STOP.replace(
        r#""{\"livestream\":{\"id\":7,\"channel\":{\"id\":1,\"is_banned\":true}}}""#,
        r#"{"livestream":{"id":7,"channel":{"id":1,"is_banned":true}}}"#,
    );
    assert_ne!(plain, STOP);
    assert_eq!(talk.receive(&plain), [stop()]);
}

#[test]
fn connection_that_is_not_accepted_is_ended() {
    assert_eq!(reconnect(&open().tick(9)), None);
    assert_eq!(reconnect(&open().tick(10)), Some(Reconnect::Soon));
}

#[test]
fn server_that_stops_pinging_is_gone() {
    let mut talk = subscribed();
    assert_eq!(talk.at(25).receive("{}"), [text("{}")]);
    assert_eq!(talk.tick(64), []);
    assert_eq!(reconnect(&talk.tick_at_deadline(65)), Some(Reconnect::Immediately));
}

#[test]
fn server_that_never_pings_is_pinged() {
    let mut talk = connected(r#"{"id":1,"connect":{"client":"c"}}"#);
    talk.receive("{\"id\":2,\"subscribe\":{}}\n{\"id\":3,\"subscribe\":{}}");
    assert_eq!(talk.tick(119), []);
    assert_eq!(talk.tick(120), [Action::Ping]);
    talk.at(149).act(|protocol, now, _| protocol.note_activity(now));
    assert_eq!(talk.tick(150), []);
    assert_eq!(talk.tick(269), [Action::Ping]);
    assert_eq!(reconnect(&talk.tick(299)), Some(Reconnect::Immediately));
}

#[test]
fn token_is_replaced_before_it_expires() {
    let mut talk = subscribed();
    let keep_up = |talk: &mut Talk<Centrifugo>, seconds| {
        talk.at(seconds).receive("{}");
        talk.tick(seconds)
    };
    assert_eq!(keep_up(&mut talk, 2579), []);
    assert_eq!(keep_up(&mut talk, 2580), [Action::Token]);
    assert_eq!(keep_up(&mut talk, 2600), [], "it is being fetched");
    assert_eq!(keep_up(&mut talk, 2610), [Action::Token], "it did not arrive");
    let actions = talk.act(|protocol, _, out| protocol.token(&Secret::new("n3w"), out));
    assert_eq!(actions, [text(r#"{"id":4,"refresh":{"token":"n3w"}}"#)]);
    assert_eq!(talk.receive(r#"{"id":4,"refresh":{"client":"c","expires":true,"ttl":2700}}"#), []);
    assert_eq!(keep_up(&mut talk, 2610 + 2579), []);
    assert_eq!(keep_up(&mut talk, 2610 + 2580), [Action::Token]);
}

#[rstest]
#[case(r#"{"code":101,"message":"unauthorized"}"#, Reconnect::Rejected)]
#[case(r#"{"code":103,"message":"permission denied"}"#, Reconnect::Rejected)]
#[case(r#"{"code":109,"message":"token expired"}"#, Reconnect::Immediately)]
#[case(r#"{"code":100,"message":"internal","temporary":true}"#, Reconnect::AfterBackoff)]
#[case(r#"{"code":"x"}"#, Reconnect::AfterBackoff)]
fn refused_connect_decides_when_to_reconnect(#[case] error: &str, #[case] expected: Reconnect) {
    let actions = open().receive(&format!(r#"{{"id":1,"error":{error}}}"#));
    assert_eq!(reconnect(&actions), Some(expected));
}

#[rstest]
#[case(&[3000, 3001, 3499, 4000, 4499, 1000, 1006], Reconnect::Soon)]
#[case(&[3500, 3999, 4500, 4999], Reconnect::Rejected)]
fn close_code_decides_when_to_reconnect(#[case] codes: &[u16], #[case] expected: Reconnect) {
    for code in codes {
        assert_eq!(reconnect_for(*code), expected, "{code}");
        let push = format!(r#"{{"push":{{"disconnect":{{"code":{code},"reason":"why"}}}}}}"#);
        assert_eq!(reconnect(&subscribed().receive(&push)), Some(expected), "{code}");
    }
}

#[test]
fn refused_subscription_does_not_affect_others() {
    let mut talk = connected(WELCOME);
    let actions = talk.receive(
        "{\"id\":2,\"error\":{\"code\":103,\"message\":\"permission denied\"}}\n{\"id\":3,\"error\":{\"code\":105}}",
    );
    let refused = Action::Error(ProtocolError::SubscriptionRefused);
    assert_eq!(actions, [refused, Action::Subscribed(channel(2))]);
    assert_eq!(talk.subscribed(), 1);
    talk.at(299).receive("{}");
    assert_eq!(talk.tick(299), []);
    assert_eq!(talk.tick(300), [subscribe(1, 4)]);
}

#[test]
fn expired_token_ends_the_connection() {
    let actions = connected(WELCOME).receive(r#"{"id":2,"error":{"code":109,"message":"token expired"}}"#);
    assert_eq!(reconnect(&actions), Some(Reconnect::Immediately));
}

#[test]
fn channel_that_the_server_unsubscribes_is_subscribed_again_if_allowed() {
    let refused = || Action::Error(ProtocolError::SubscriptionRefused);
    for (code, expected) in [(2000, refused()), (2500, subscribe(1, 4)), (2999, subscribe(1, 4))] {
        let mut talk = subscribed();
        let push = format!(r#"{{"push":{{"channel":"channel.1","unsub":{{"code":{code}}}}}}}"#);
        assert_eq!(talk.at(1).receive(&push), [expected]);
        assert_eq!(talk.subscribed(), 1);
    }
}

#[test]
fn unwanted_channel_is_unsubscribed_and_ignored() {
    let mut talk = subscribed();
    let actions = talk.at(1).set_channels(&[2, 3]);
    assert_eq!(actions, [text(r#"{"id":4,"unsubscribe":{"channel":"channel.1"}}"#), subscribe(3, 5)]);
    assert_eq!(talk.receive(STOP), [Action::Error(ProtocolError::UnknownChannel)]);
    assert_eq!(talk.receive(r#"{"id":4,"unsubscribe":{}}"#), []);
}

#[test]
fn unacknowledged_subscription_is_requested_again() {
    let mut talk = connected(WELCOME);
    talk.receive(r#"{"id":2,"subscribe":{}}"#);
    assert_eq!(talk.tick(10), [subscribe(2, 4)]);
    assert_eq!(talk.receive(r#"{"id":3,"subscribe":{}}"#), [Action::Error(ProtocolError::NotProtocol)]);
    assert_eq!(talk.receive(r#"{"id":4,"subscribe":{}}"#), [Action::Subscribed(channel(2))]);
}

#[test]
fn invalid_message_changes_nothing() {
    use ProtocolError::{MissingField, NotJson, NotProtocol, UnknownChannel, UnknownEvent};
    for (line, error) in [
        ("{", NotJson),
        ("7", NotProtocol),
        ("[]", NotProtocol),
        (r#"{"id":99,"subscribe":{}}"#, NotProtocol),
        (r#"{"id":-1}"#, NotProtocol),
        (r#"{"push":7}"#, MissingField),
        (r#"{"push":{}}"#, MissingField),
        (r#"{"push":{"channel":"channel.3","pub":{"data":{}}}}"#, UnknownChannel),
        (r#"{"push":{"channel":"channel.1","join":{}}}"#, UnknownEvent),
        (r#"{"push":{"channel":"channel.1","pub":7}}"#, MissingField),
        (r#"{"push":{"channel":"channel.1","pub":{"data":"{"}}}"#, NotJson),
        (r#"{"push":{"channel":"channel.1","pub":{"data":{"event":7}}}}"#, MissingField),
        (&STOP.replace("StopStreamBroadcast", "Other"), UnknownEvent),
        (&STOP.replace("livestream", "stream"), MissingField),
    ] {
        let mut talk = subscribed();
        assert_eq!(talk.receive(line), [Action::Error(error)], "{line}");
        assert_eq!(talk.receive(STOP), [stop()], "after {line}");
    }
}

invalid_text!(subscribed, STOP);

#[test]
fn any_frame_is_read_or_an_error() {
    const FRAMES: [&str; 6] = [
        r#"{"id":1,"connect":{"client":"c","ping":25,"pong":true,"expires":true,"ttl":2700}}"#,
        "{\"id\":2,\"subscribe\":{}}\n{\"id\":3,\"subscribe\":{}}\n{}",
        r#"{"push":{"channel":"channel.1","pub":{"data":{"event":"App\\Events\\StreamerIsLive","data":"{\"livestream\":{\"id\":7,\"channel_id\":1}}"}}}}"#,
        r#"{"push":{"channel":"channel.1","unsubscribe":{"code":2500,"reason":"why"}}}"#,
        r#"{"push":{"disconnect":{"code":3500,"reason":"why"}}}"#,
        r#"{"id":2,"error":{"code":103,"message":"permission denied","temporary":true}}"#,
    ];
    fuzz(&proptest::collection::vec(texts(&FRAMES), 1..4), |frames| {
        let mut talk = open();
        for (seconds, frame) in (0..).zip(frames) {
            let actions = talk.at(seconds).receive(&frame);
            assert!(!format!("{actions:?}").contains("t0ken"), "{actions:?}");
            talk.tick(seconds);
        }
    });
}
