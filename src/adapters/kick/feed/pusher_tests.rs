//! The Pusher protocol, frame by frame, with made-up times.

use proptest::prelude::*;

use super::*;
use crate::domain::streamer::Session;
use crate::domain::streamer::decide::ReportedStatus;

const LIVE: &str = r#"{"event":"App\\Events\\StreamerIsLive","data":"{\"livestream\":{\"id\":7,\"channel_id\":1,\"session_title\":null,\"created_at\":\"2025-09-14T23:18:20.000000Z\"}}","channel":"channel.1"}"#;
const ACK: &str = r#"{"event":"pusher_internal:subscription_succeeded","data":"{}","channel":"channel.1"}"#;

struct Talk {
    pusher: Pusher,
    start: Instant,
    after: Duration,
}

impl Talk {
    /// Open, and wanting channels 1 and 2.
    fn open() -> Self {
        let start = Instant::now();
        let mut talk = Self { pusher: Pusher::new(&Timing::default(), start), start, after: Duration::ZERO };
        assert!(talk.act(Pusher::opened).is_empty());
        assert!(talk.set_channels(&[1, 2]).is_empty(), "nothing is asked for before the server greets");
        talk
    }

    fn greeted() -> Self {
        let mut talk = Self::open();
        let data = r#"{\"socket_id\":\"1.2\",\"activity_timeout\":20}"#;
        let actions = talk.hear(&format!(r#"{{"event":"pusher:connection_established","data":"{data}"}}"#));
        assert_eq!(actions, [Action::Established, subscribe(1), subscribe(2)]);
        talk
    }

    fn act(&mut self, act: impl FnOnce(&mut Pusher, Instant, &mut Vec<Action>)) -> Vec<Action> {
        let mut out = Vec::new();
        act(&mut self.pusher, self.start + self.after, &mut out);
        out
    }

    fn hear(&mut self, text: &str) -> Vec<Action> {
        self.act(|pusher, now, out| pusher.received(text, now, out))
    }

    fn set_channels(&mut self, channels: &[u64]) -> Vec<Action> {
        let channels = channels.iter().map(|n| channel(*n)).collect();
        self.act(|pusher, now, out| pusher.set_channels(&channels, now, out))
    }

    /// Goes to the next deadline, which is so many seconds after the start.
    fn wait_until(&mut self, seconds: u64) -> Vec<Action> {
        self.after = Duration::from_secs(seconds);
        assert_eq!(self.pusher.deadline(), Some(self.start + self.after));
        self.act(Pusher::tick)
    }
}

fn channel(number: u64) -> ChannelId {
    ChannelId::new(number).unwrap()
}

fn text(text: &str) -> Action {
    Action::Send(Frame(text.into()))
}

fn subscribe(number: u64) -> Action {
    text(&format!(r#"{{"data":{{"auth":"","channel":"channel.{number}"}},"event":"pusher:subscribe"}}"#))
}

fn unsubscribe(number: u64) -> Action {
    text(&format!(r#"{{"data":{{"channel":"channel.{number}"}},"event":"pusher:unsubscribe"}}"#))
}

fn live() -> Action {
    let started_at = crate::domain::Timestamp::parse_rfc3339("2025-09-14T23:18:20Z");
    Action::Update(
        channel(1),
        ReportedStatus::Started(Session { id: Some("7".into()), started_at, ..Session::default() }),
    )
}

#[tokio::test]
async fn greeting_may_be_plain_or_poor() {
    for (data, silence, odd) in [
        (r#"{"socket_id":"1.2","activity_timeout":20}"#, 20, None),
        (r#""{\"activity_timeout\":500}""#, 120, None),
        (r#"{"activity_timeout":0}"#, 120, Some(ProtocolError::MissingField)),
        (r#""{""#, 120, Some(ProtocolError::NotJson)),
    ] {
        let mut talk = Talk::open();
        let actions = talk.hear(&format!(r#"{{"event":"pusher:connection_established","data":{data}}}"#));
        let greeted = [Action::Established, subscribe(1), subscribe(2)];
        assert_eq!(actions, greeted.into_iter().chain(odd.map(Action::Error)).collect::<Vec<_>>(), "{data}");
        assert_eq!(talk.pusher.silence.limit, Duration::from_secs(silence), "{data}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_greet_is_left() {
    let actions = Talk::open().wait_until(10);
    assert!(
        matches!(&actions[..], [Action::End(ended)] if ended.reconnect == Reconnect::Soon),
        "{actions:?}"
    );
}

#[tokio::test]
async fn edges_and_acknowledgements_are_told_once() {
    let mut talk = Talk::greeted();
    assert_eq!(talk.hear(ACK), [Action::Subscribed(channel(1))]);
    assert_eq!(talk.hear(ACK), []);
    assert_eq!(talk.pusher.subscribed(), 1);
    assert_eq!(talk.hear(LIVE), [live()]);
}

#[tokio::test]
async fn a_lost_acknowledgement_is_asked_for_again() {
    let mut talk = Talk::greeted();
    talk.hear(ACK);
    // The server may think that 2 is subscribed, and would refuse.
    assert_eq!(talk.wait_until(10), [unsubscribe(2), subscribe(2)]);
    assert_eq!(
        talk.wait_until(20),
        [text(r#"{"data":{},"event":"pusher:ping"}"#), unsubscribe(2), subscribe(2)]
    );
}

#[tokio::test]
async fn a_channel_that_is_not_wanted_any_more_is_not_heard_any_more() {
    let mut talk = Talk::greeted();
    talk.hear(ACK);
    talk.after = Duration::from_secs(1);
    assert_eq!(talk.set_channels(&[2, 3]), [unsubscribe(1), subscribe(3)]);
    assert_eq!(talk.hear(LIVE), [Action::Error(ProtocolError::UnknownChannel)]);
    assert_eq!(talk.pusher.subscribed(), 0);
}

#[tokio::test]
async fn silence_is_broken_by_us_and_then_believed() {
    let acks = [ACK, &ACK.replace("channel.1", "channel.2")];
    for answer in [r#"{"event":"pusher:pong"}"#, LIVE, "garbage"] {
        let mut talk = Talk::greeted();
        for ack in acks {
            talk.hear(ack);
        }
        let ping = text(r#"{"data":{},"event":"pusher:ping"}"#);
        while talk.pusher.deadline() < Some(talk.start + Duration::from_secs(20)) {
            // Acknowledgements that came are not waited for.
            talk.wait_until(10);
        }
        assert_eq!(talk.wait_until(20), std::slice::from_ref(&ping));
        talk.after = Duration::from_secs(45);
        talk.hear(answer);
        assert_eq!(talk.wait_until(65), [ping]);
        let actions = talk.wait_until(95);
        assert!(
            matches!(&actions[..], [Action::End(ended)] if ended.reconnect == Reconnect::Immediately),
            "{actions:?}"
        );
    }
}

#[tokio::test]
async fn a_servers_ping_is_answered() {
    let mut talk = Talk::greeted();
    for ping in [r#"{"event":"pusher:ping"}"#, r#"{"event":"pusher:ping","data":"{}"}"#] {
        assert_eq!(talk.hear(ping), [text(r#"{"data":{},"event":"pusher:pong"}"#)]);
    }
}

#[test]
fn a_close_code_has_its_class() {
    for (codes, reconnect) in [
        (vec![4000, 4001, 4004, 4009, 4099, 4300, 4301, 4999], Reconnect::Rejected),
        (vec![4100, 4199, 1002, 1003, 1004], Reconnect::AfterBackoff),
        (vec![4200, 4201, 4202, 4299], Reconnect::Immediately),
        (vec![1000, 1001, 1005, 1006, 1011, 3000, 3999], Reconnect::Soon),
    ] {
        for code in codes {
            assert_eq!(reconnect_for(code), reconnect, "{code}");
        }
    }
}

#[tokio::test]
async fn an_error_ends_the_connection_only_if_its_code_says_so() {
    for (code, reconnect) in [
        ("4001", Some(Reconnect::Rejected)),
        ("4100", Some(Reconnect::AfterBackoff)),
        ("4200", Some(Reconnect::Immediately)),
        ("null", None),
        ("4301", None),
        ("17", None),
        ("\"4001\"", None),
    ] {
        let error = format!(r#"{{"event":"pusher:error","data":{{"message":"why","code":{code}}}}}"#);
        let actions = Talk::greeted().hear(&error);
        match reconnect {
            None => assert_eq!(actions, [Action::Error(ProtocolError::ServerError)], "{code}"),
            Some(reconnect) => {
                let text = format!("the server ended it with {code} why");
                assert!(
                    matches!(&actions[..], [Action::End(ended)] if ended.reconnect == reconnect && ended.text == text),
                    "{actions:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_refused_subscription_is_asked_for_again_much_later() {
    let mut talk = Talk::greeted();
    let refusal = r#"{"event":"pusher:subscription_error","channel":"channel.1","data":{"status":403}}"#;
    assert_eq!(talk.hear(refusal), [Action::Error(ProtocolError::SubscriptionRefused)]);
    talk.hear(&ACK.replace("channel.1", "channel.2"));
    talk.after = Duration::from_secs(300);
    let actions = talk.act(Pusher::tick);
    assert_eq!(actions[1..], [unsubscribe(1), subscribe(1)]);
}

#[tokio::test]
async fn what_is_not_understood_changes_nothing() {
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
        let mut talk = Talk::greeted();
        assert_eq!(talk.hear(frame), [Action::Error(error)], "{frame}");
        assert_eq!(talk.hear(ACK), [Action::Subscribed(channel(1))], "it goes on after {frame}");
        assert_eq!(talk.hear(LIVE), [live()], "it goes on after {frame}");
    }
}

proptest! {
    #[test]
    fn damage_to_an_edge_never_makes_another_edge(at in 0_usize..LIVE.len(), with in any::<char>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _entered = runtime.enter();
        let damaged: String = LIVE.chars().enumerate().map(|(n, c)| if n == at { with } else { c }).collect();
        for action in Talk::greeted().hear(&damaged) {
            // A digit may have become another one; whose edge it is cannot change.
            prop_assert!(matches!(&action, Action::Update(of, _) if *of == channel(1)) || matches!(action, Action::Error(_)));
        }
    }

    #[test]
    fn nothing_makes_it_fall_over(frames in prop::collection::vec(".*", 0..8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _entered = runtime.enter();
        let mut talk = Talk::greeted();
        for frame in frames {
            prop_assert!(!talk.hear(&frame).iter().any(|action| matches!(action, Action::Update(..))));
        }
    }
}
