//! Centrifugo's protocol, object by object, with made-up times.

use proptest::prelude::*;

use super::*;
use crate::domain::streamer::Session;
use crate::domain::streamer::decide::ReportedStatus;

const WELCOME: &str = r#"{"id":1,"connect":{"client":"c","version":"6.9.6 PRO","expires":true,"ttl":2700,"ping":25,"pong":true}}"#;
const STOP: &str = r#"{"push":{"channel":"channel.1","pub":{"data":{"event":"App\\Events\\StopStreamBroadcast","data":"{\"livestream\":{\"id\":7,\"channel\":{\"id\":1,\"is_banned\":true}}}"}}}}"#;

struct Talk {
    centrifugo: Centrifugo,
    start: Instant,
    after: Duration,
}

impl Talk {
    /// Open, and wanting channels 1 and 2.
    fn open() -> Self {
        let start = Instant::now();
        let centrifugo = Centrifugo::new(&Timing::default(), Secret::new("t0k3n"), start);
        let mut talk = Self { centrifugo, start, after: Duration::ZERO };
        let actions = talk.act(Centrifugo::opened);
        assert_eq!(actions, [text(r#"{"connect":{"name":"js","token":"t0k3n"},"id":1}"#)]);
        assert!(!format!("{actions:?}").contains("t0k3n"), "a token is not shown");
        assert!(talk.set_channels(&[1, 2]).is_empty(), "nothing is asked for before the server lets us in");
        talk
    }

    fn welcome(welcome: &str) -> Self {
        let mut talk = Self::open();
        assert_eq!(talk.hear(welcome), [Action::Established, subscribe(1, 2), subscribe(2, 3)]);
        talk
    }

    fn subscribed() -> Self {
        let mut talk = Self::welcome(WELCOME);
        let actions = talk.hear("{\"id\":3,\"subscribe\":{}}\n{\"id\":2,\"subscribe\":{}}\n");
        assert_eq!(actions, [Action::Subscribed(channel(2)), Action::Subscribed(channel(1))]);
        talk
    }

    fn act(&mut self, act: impl FnOnce(&mut Centrifugo, Instant, &mut Vec<Action>)) -> Vec<Action> {
        let mut out = Vec::new();
        act(&mut self.centrifugo, self.start + self.after, &mut out);
        out
    }

    fn hear(&mut self, text: &str) -> Vec<Action> {
        self.act(|centrifugo, now, out| centrifugo.received(text, now, out))
    }

    fn set_channels(&mut self, channels: &[u64]) -> Vec<Action> {
        let channels = channels.iter().map(|n| channel(*n)).collect();
        self.act(|centrifugo, now, out| centrifugo.set_channels(&channels, now, out))
    }

    fn tick_after(&mut self, seconds: u64) -> Vec<Action> {
        self.after = Duration::from_secs(seconds);
        self.act(Centrifugo::tick)
    }
}

fn channel(number: u64) -> ChannelId {
    ChannelId::new(number).unwrap()
}

fn text(text: &str) -> Action {
    Action::Send(Frame(text.into()))
}

fn subscribe(number: u64, id: u64) -> Action {
    text(&format!(r#"{{"id":{id},"subscribe":{{"channel":"channel.{number}","flag":1}}}}"#))
}

fn stop() -> Action {
    let session = Session { id: Some("7".into()), ..Session::default() };
    Action::Update(channel(1), ReportedStatus::Stopped { session, banned: true })
}

fn reconnect(actions: &[Action]) -> Option<Reconnect> {
    match actions {
        [Action::End(ended)] => Some(ended.reconnect),
        _ => None,
    }
}

#[tokio::test]
async fn edges_come_in_an_envelope_and_many_in_a_frame() {
    let mut talk = Talk::subscribed();
    assert_eq!(talk.centrifugo.subscribed(), 2);
    assert_eq!(talk.hear(&format!("{STOP}\n{{}}\n\n{STOP}")), [stop(), text("{}"), stop()]);
    let plain = STOP.replace(
        r#""{\"livestream\":{\"id\":7,\"channel\":{\"id\":1,\"is_banned\":true}}}""#,
        r#"{"livestream":{"id":7,"channel":{"id":1,"is_banned":true}}}"#,
    );
    assert_ne!(plain, STOP);
    assert_eq!(talk.hear(&plain), [stop()]);
}

#[tokio::test]
async fn a_server_that_does_not_let_us_in_is_left() {
    assert_eq!(reconnect(&Talk::open().tick_after(9)), None);
    assert_eq!(reconnect(&Talk::open().tick_after(10)), Some(Reconnect::Soon));
}

#[tokio::test]
async fn a_server_that_pings_and_then_does_not_is_gone() {
    let mut talk = Talk::subscribed();
    talk.after = Duration::from_secs(25);
    assert_eq!(talk.hear("{}"), [text("{}")]);
    assert_eq!(talk.tick_after(64), []);
    assert_eq!(talk.centrifugo.deadline(), Some(talk.start + Duration::from_secs(65)));
    assert_eq!(reconnect(&talk.tick_after(65)), Some(Reconnect::Immediately));
}

#[tokio::test]
async fn a_server_that_never_pings_is_pinged() {
    let mut talk = Talk::welcome(r#"{"id":1,"connect":{"client":"c"}}"#);
    talk.hear("{\"id\":2,\"subscribe\":{}}\n{\"id\":3,\"subscribe\":{}}");
    assert_eq!(talk.tick_after(119), []);
    assert_eq!(talk.tick_after(120), [Action::Ping]);
    let now = talk.start + Duration::from_secs(149);
    talk.centrifugo.note_activity(now);
    assert_eq!(talk.tick_after(150), []);
    assert_eq!(talk.tick_after(269), [Action::Ping]);
    assert_eq!(reconnect(&talk.tick_after(299)), Some(Reconnect::Immediately));
}

#[tokio::test]
async fn a_token_is_replaced_before_it_ends() {
    let mut talk = Talk::subscribed();
    let keep_up = |talk: &mut Talk, seconds| {
        talk.after = Duration::from_secs(seconds);
        talk.hear("{}");
        talk.tick_after(seconds)
    };
    assert_eq!(keep_up(&mut talk, 2579), []);
    assert_eq!(keep_up(&mut talk, 2580), [Action::Token]);
    assert_eq!(keep_up(&mut talk, 2600), [], "it is being fetched");
    assert_eq!(keep_up(&mut talk, 2610), [Action::Token], "it did not come");
    let actions = talk.act(|centrifugo, _, out| centrifugo.token(&Secret::new("n3w"), out));
    assert_eq!(actions, [text(r#"{"id":4,"refresh":{"token":"n3w"}}"#)]);
    assert_eq!(talk.hear(r#"{"id":4,"refresh":{"client":"c","expires":true,"ttl":2700}}"#), []);
    assert_eq!(keep_up(&mut talk, 2610 + 2579), []);
    assert_eq!(keep_up(&mut talk, 2610 + 2580), [Action::Token]);
}

#[tokio::test]
async fn a_refusal_has_its_class() {
    for (error, expected) in [
        (r#"{"code":101,"message":"unauthorized"}"#, Reconnect::Rejected),
        (r#"{"code":103,"message":"permission denied"}"#, Reconnect::Rejected),
        (r#"{"code":109,"message":"token expired"}"#, Reconnect::Immediately),
        (r#"{"code":100,"message":"internal","temporary":true}"#, Reconnect::AfterBackoff),
        (r#"{"code":"x"}"#, Reconnect::AfterBackoff),
    ] {
        let actions = Talk::open().hear(&format!(r#"{{"id":1,"error":{error}}}"#));
        assert_eq!(reconnect(&actions), Some(expected), "{error}");
    }
    for (code, expected) in [
        (3000, Reconnect::Soon),
        (3001, Reconnect::Soon),
        (3499, Reconnect::Soon),
        (3500, Reconnect::Rejected),
        (3999, Reconnect::Rejected),
        (4000, Reconnect::Soon),
        (4499, Reconnect::Soon),
        (4500, Reconnect::Rejected),
        (4999, Reconnect::Rejected),
        (1000, Reconnect::Soon),
        (1006, Reconnect::Soon),
    ] {
        assert_eq!(reconnect_for(code), expected, "{code}");
        let push = format!(r#"{{"push":{{"disconnect":{{"code":{code},"reason":"why"}}}}}}"#);
        assert_eq!(reconnect(&Talk::subscribed().hear(&push)), Some(expected), "{code}");
    }
}

#[tokio::test]
async fn a_subscription_may_be_refused_without_harm_to_the_others() {
    let mut talk = Talk::welcome(WELCOME);
    let actions = talk.hear(
        "{\"id\":2,\"error\":{\"code\":103,\"message\":\"permission denied\"}}\n{\"id\":3,\"error\":{\"code\":105}}",
    );
    assert_eq!(actions, [Action::Error(ProtocolError::SubscriptionRefused), Action::Subscribed(channel(2))]);
    assert_eq!(talk.centrifugo.subscribed(), 1);
    talk.after = Duration::from_secs(299);
    talk.hear("{}");
    assert_eq!(talk.tick_after(299), []);
    assert_eq!(talk.tick_after(300), [subscribe(1, 4)]);
}

#[tokio::test]
async fn an_expired_token_ends_the_connection() {
    let actions = Talk::welcome(WELCOME).hear(r#"{"id":2,"error":{"code":109,"message":"token expired"}}"#);
    assert_eq!(reconnect(&actions), Some(Reconnect::Immediately));
}

#[tokio::test]
async fn what_the_server_unsubscribes_is_subscribed_again_if_it_may() {
    for (code, expected) in [
        (2000, vec![Action::Error(ProtocolError::SubscriptionRefused)]),
        (2500, vec![subscribe(1, 4)]),
        (2999, vec![subscribe(1, 4)]),
    ] {
        let mut talk = Talk::subscribed();
        talk.after = Duration::from_secs(1);
        let push = format!(r#"{{"push":{{"channel":"channel.1","unsub":{{"code":{code}}}}}}}"#);
        assert_eq!(talk.hear(&push), expected, "{code}");
        assert_eq!(talk.centrifugo.subscribed(), 1, "{code}");
    }
}

#[tokio::test]
async fn a_channel_that_is_not_wanted_any_more_is_not_heard_any_more() {
    let mut talk = Talk::subscribed();
    talk.after = Duration::from_secs(1);
    let actions = talk.set_channels(&[2, 3]);
    assert_eq!(actions, [text(r#"{"id":4,"unsubscribe":{"channel":"channel.1"}}"#), subscribe(3, 5)]);
    assert_eq!(talk.hear(STOP), [Action::Error(ProtocolError::UnknownChannel)]);
    assert_eq!(talk.hear(r#"{"id":4,"unsubscribe":{}}"#), []);
}

#[tokio::test]
async fn a_lost_acknowledgement_is_asked_for_again() {
    let mut talk = Talk::welcome(WELCOME);
    talk.hear(r#"{"id":2,"subscribe":{}}"#);
    assert_eq!(talk.tick_after(10), [subscribe(2, 4)]);
    assert_eq!(talk.hear(r#"{"id":3,"subscribe":{}}"#), [Action::Error(ProtocolError::NotProtocol)]);
    assert_eq!(talk.hear(r#"{"id":4,"subscribe":{}}"#), [Action::Subscribed(channel(2))]);
}

#[tokio::test]
async fn what_is_not_understood_changes_nothing() {
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
        let mut talk = Talk::subscribed();
        assert_eq!(talk.hear(line), [Action::Error(error)], "{line}");
        assert_eq!(talk.hear(STOP), [stop()], "it goes on after {line}");
    }
}

proptest! {
    #[test]
    fn damage_to_an_edge_never_makes_another_edge(at in 0_usize..STOP.len(), with in any::<char>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _entered = runtime.enter();
        let damaged: String = STOP.chars().enumerate().map(|(n, c)| if n == at { with } else { c }).collect();
        for action in Talk::subscribed().hear(&damaged) {
            let is_same = matches!(&action, Action::Update(of, _) if *of == channel(1));
            prop_assert!(is_same || matches!(action, Action::Error(_)), "{:?}", action);
        }
    }

    #[test]
    fn nothing_makes_it_fall_over(frames in prop::collection::vec(".*", 0..8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _entered = runtime.enter();
        let mut talk = Talk::subscribed();
        for frame in frames {
            prop_assert!(!talk.hear(&frame).iter().any(|action| matches!(action, Action::Update(..))));
        }
    }
}
