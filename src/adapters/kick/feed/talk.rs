//! Drives a protocol with a test clock, for the tests of both protocols.

use std::time::Duration;

use tokio::time::Instant;

use super::protocol::{Action, Frame, Protocol, Reconnect};
use crate::domain::streamer::ChannelId;

pub(super) struct Talk<P> {
    pub(super) protocol: P,
    pub(super) start: Instant,
    after: Duration,
}

impl<P: Protocol> Talk<P> {
    /// A connection that was just opened and wants channels 1 and 2. Returns what it sent, too.
    pub(super) fn open(new: impl FnOnce(Instant) -> P) -> (Self, Vec<Action>) {
        let start = Instant::now();
        let mut talk = Self { protocol: new(start), start, after: Duration::ZERO };
        let sent = talk.act(|protocol, _, out| protocol.opened(out));
        assert!(talk.set_channels(&[1, 2]).is_empty(), "nothing is subscribed before the server accepts us");
        (talk, sent)
    }

    pub(super) fn act(&mut self, act: impl FnOnce(&mut P, Instant, &mut Vec<Action>)) -> Vec<Action> {
        let mut out = Vec::new();
        act(&mut self.protocol, self.start + self.after, &mut out);
        out
    }

    /// Moves to this many seconds after the start.
    pub(super) fn at(&mut self, seconds: u64) -> &mut Self {
        self.after = Duration::from_secs(seconds);
        self
    }

    pub(super) fn receive(&mut self, text: &str) -> Vec<Action> {
        self.act(|protocol, now, out| {
            protocol.note_activity(now);
            protocol.message(text, now, out);
        })
    }

    pub(super) fn set_channels(&mut self, channels: &[u64]) -> Vec<Action> {
        let channels = channels.iter().map(|n| channel(*n)).collect();
        self.act(|protocol, now, out| protocol.set_channels(&channels, now, out))
    }

    pub(super) fn tick(&mut self, seconds: u64) -> Vec<Action> {
        self.at(seconds).act(P::tick)
    }

    /// Ticks at the next deadline, which must be this many seconds after the start.
    pub(super) fn tick_at_deadline(&mut self, seconds: u64) -> Vec<Action> {
        assert_eq!(self.protocol.deadline(), self.start + Duration::from_secs(seconds));
        self.tick(seconds)
    }

    pub(super) fn subscribed(&self) -> usize {
        self.protocol.session().subscriptions.acknowledged_count()
    }
}

pub(super) fn channel(number: u64) -> ChannelId {
    ChannelId::new(number).unwrap()
}

pub(super) fn text(text: &str) -> Action {
    Action::Send(Frame(text.into()))
}

/// How to reconnect, if the only action is to end the connection.
pub(super) fn reconnect(actions: &[Action]) -> Option<Reconnect> {
    match actions {
        [Action::End(ended)] => Some(ended.reconnect),
        _ => None,
    }
}

/// What both protocols do with damaged and arbitrary text: `$subscribed` has a connection that is subscribed to
/// channel 1, and `$event` is an event of that channel.
macro_rules! invalid_text {
    ($subscribed:expr, $event:expr) => {
        proptest::proptest! {
            #[test]
            fn damaged_event_is_never_about_another_channel(
                at in 0_usize..$event.len(),
                with in proptest::prelude::any::<char>(),
            ) {
                let damaged = $event.chars().enumerate().map(|(n, c)| if n == at { with } else { c });
                for action in $subscribed().receive(&damaged.collect::<String>()) {
                    let is_same = matches!(&action, Action::Update(of, _) if *of == channel(1));
                    proptest::prop_assert!(is_same || matches!(action, Action::Error(_)), "{action:?}");
                }
            }

            #[test]
            fn arbitrary_text_is_never_an_update(frames in proptest::collection::vec(".*", 0..8)) {
                let mut talk = $subscribed();
                let is_update = |action: &Action| matches!(action, Action::Update(..));
                proptest::prop_assert!(!frames.iter().any(|frame| talk.receive(frame).iter().any(is_update)));
            }
        }
    };
}

pub(super) use invalid_text;
