//! What a media server does by itself with a path that is always available, told as decisions. It is the whole of the rules
//! of the engine `media_server`: the only thing to decide is when a frozen encoder's session ends.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::decision::{DecisionKind, Reason, Source};
use super::selector::Choice;

/// Who publishes at the path, as a poll shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publishing {
    /// The id of the session.
    pub session: String,
    /// Bytes that came in on the path since it exists.
    pub bytes: u64,
}

/// What a poll means.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// What the media server put on air.
    pub choice: Option<Choice>,
    /// Whether the session of the encoder must be ended, because it is frozen.
    pub is_frozen: bool,
}

/// Follows what is on air. Times are since the programme's start.
#[derive(Clone, Debug, Default)]
pub struct Standby {
    on_air: Option<Source>,
    /// Who publishes, and when the last bytes came.
    live: Option<(Publishing, Duration)>,
    /// Whether the session that is or was there froze.
    has_frozen: bool,
}

impl Standby {
    /// What is on air.
    pub fn on_air(&self) -> Option<Source> {
        self.on_air
    }

    /// The age of the live input's last bytes; `None` without one.
    pub fn last_bytes(&self, now: Duration) -> Option<Duration> {
        self.live.as_ref().map(|(_, at)| now.saturating_sub(*at))
    }

    /// Takes what a poll shows. An encoder that sends nothing for `stall` is frozen.
    pub fn observe(&mut self, now: Duration, seen: Option<Publishing>, stall: Duration) -> Observed {
        let age = self.last_bytes(now);
        let is_same = |live: &(Publishing, Duration), seen: &Publishing| live.0.session == seen.session;
        match (&mut self.live, seen) {
            (Some(live), Some(seen)) if is_same(live, &seen) => {
                if seen.bytes != live.0.bytes {
                    *live = (seen, now);
                    self.has_frozen = false;
                }
            }
            (live, Some(seen)) => {
                *live = Some((seen, now));
                self.has_frozen = false;
            }
            (live, None) => *live = None,
        }
        let is_frozen = self.last_bytes(now).is_some_and(|age| age >= stall);
        self.has_frozen |= is_frozen;
        Observed { choice: self.choose(age, stall), is_frozen }
    }

    fn choose(&mut self, age: Option<Duration>, stall: Duration) -> Option<Choice> {
        let to = if self.live.is_some() { Source::Live } else { Source::Backup };
        let from = self.on_air.replace(to);
        let mut numbers = Map::new();
        let reason = match (from, to) {
            (Some(before), now) if before == now => return None,
            (None, _) => Reason::Start,
            (Some(_), Source::Live) => Reason::LiveRecovered,
            (Some(_), _) => {
                numbers.extend(age.map(|age| ("last_frame_ms".to_owned(), millis(age))));
                if self.has_frozen {
                    numbers.insert("stall_ms".to_owned(), millis(stall));
                    Reason::LiveStalled
                } else {
                    Reason::LiveEnded
                }
            }
        };
        Some(Choice { from, to, kind: DecisionKind::Cut, reason, numbers })
    }
}

fn millis(time: Duration) -> Value {
    json!(crate::domain::millis(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STALL: Duration = Duration::from_millis(700);

    /// Observes a poll: the reason of a cut, and whether the session must be ended.
    fn poll(standby: &mut Standby, ms: u64, seen: Option<(&str, u64)>) -> (Option<(Source, Reason)>, bool) {
        let seen = seen.map(|(session, bytes)| Publishing { session: session.to_owned(), bytes });
        let observed = standby.observe(Duration::from_millis(ms), seen, STALL);
        (observed.choice.map(|choice| (choice.to, choice.reason)), observed.is_frozen)
    }

    #[test]
    fn encoder_that_comes_and_leaves_is_told_as_cuts() {
        let mut standby = Standby::default();
        assert_eq!(poll(&mut standby, 0, None), (Some((Source::Backup, Reason::Start)), false));
        assert_eq!(poll(&mut standby, 200, None), (None, false));
        let came = poll(&mut standby, 400, Some(("a", 10)));
        assert_eq!(came, (Some((Source::Live, Reason::LiveRecovered)), false));
        assert_eq!(poll(&mut standby, 600, Some(("a", 20))), (None, false));
        let left = poll(&mut standby, 800, None);
        assert_eq!(left, (Some((Source::Backup, Reason::LiveEnded)), false));
    }

    #[test]
    fn encoder_that_sends_nothing_is_frozen_and_its_end_is_a_stall() {
        let mut standby = Standby::default();
        poll(&mut standby, 0, Some(("a", 10)));
        assert_eq!(poll(&mut standby, 699, Some(("a", 10))), (None, false));
        assert_eq!(poll(&mut standby, 700, Some(("a", 10))), (None, true));
        assert_eq!(poll(&mut standby, 900, Some(("a", 10))), (None, true), "it is tried again");
        let ended = standby.observe(Duration::from_millis(1_000), None, STALL).choice.unwrap();
        assert_eq!((ended.to, ended.reason), (Source::Backup, Reason::LiveStalled));
        assert_eq!(
            (&ended.numbers["last_frame_ms"], &ended.numbers["stall_ms"]),
            (&json!(1_000), &json!(700))
        );
    }

    #[test]
    fn other_encoder_and_one_that_goes_on_are_not_frozen() {
        let mut standby = Standby::default();
        poll(&mut standby, 0, Some(("a", 10)));
        assert!(poll(&mut standby, 800, Some(("a", 10))).1);
        assert_eq!(poll(&mut standby, 900, Some(("a", 11))), (None, false));
        assert_eq!(poll(&mut standby, 1_500, Some(("b", 11))), (None, false), "another session");
        assert_eq!(poll(&mut standby, 2_100, Some(("b", 11))), (None, false));
        let left = poll(&mut standby, 2_150, None);
        assert_eq!(left, (Some((Source::Backup, Reason::LiveEnded)), false));
    }
}
