//! The connection to OBS: whether it is there, and whether OBS answers.

use super::moment::Moment;
use super::words::words;
use crate::domain::Timestamp;

/// After this many unanswered requests, OBS is unresponsive.
const UNANSWERED: u32 = 2;

words! {
    /// The state of the connection to OBS.
    LinkState {
        /// Nothing is known yet.
        Unknown,
        /// OBS answers.
        Connected,
        /// There is no connection.
        Disconnected,
        /// There is a connection, but OBS does not answer.
        Unresponsive,
    }
}

/// The connection to OBS.
#[derive(Clone, Debug)]
pub(super) struct Link {
    is_connected: Option<bool>,
    unanswered: u32,
    first_unanswered: Option<Moment>,
    /// Since when there is no connection, or no answer.
    lost: Option<Moment>,
    /// Whether the process of OBS is known to have ended.
    pub(super) process_ended: bool,
    /// OBS may have stood still before this time: what it counts does not prove that it streamed.
    pub(super) good_since: Timestamp,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            is_connected: None,
            unanswered: 0,
            first_unanswered: None,
            lost: None,
            process_ended: false,
            good_since: Timestamp::from_micros(i64::MIN),
        }
    }
}

impl Link {
    pub(super) fn connected(&mut self, now: Moment) {
        self.is_connected = Some(true);
        self.process_ended = false;
        self.answered(now);
    }

    pub(super) fn disconnected(&mut self, now: Moment) {
        self.is_connected = Some(false);
        // A connection that was closed because OBS did not answer was lost before.
        self.lost.get_or_insert(now);
    }

    pub(super) fn process_ended(&mut self, now: Moment) {
        self.disconnected(now);
        self.process_ended = true;
    }

    pub(super) fn answered(&mut self, now: Moment) {
        if self.is_connected == Some(false) {
            return;
        }
        if self.unanswered >= UNANSWERED {
            self.good_since = now.at;
        }
        (self.unanswered, self.first_unanswered, self.lost) = (0, None, None);
    }

    pub(super) fn unanswered(&mut self, sent: Moment) {
        if self.is_connected != Some(true) {
            return;
        }
        self.unanswered = self.unanswered.saturating_add(1);
        let first = *self.first_unanswered.get_or_insert(sent);
        if self.unanswered >= UNANSWERED {
            self.lost.get_or_insert(first);
        }
    }

    pub(super) fn state(&self) -> LinkState {
        match (self.is_connected, self.lost) {
            (None, _) => LinkState::Unknown,
            (Some(false), _) => LinkState::Disconnected,
            (Some(true), None) => LinkState::Connected,
            (Some(true), Some(_)) => LinkState::Unresponsive,
        }
    }

    /// Since when OBS cannot be reached.
    pub(super) fn lost(&self) -> Option<Moment> {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::super::moment::test_moment as ms;
    use super::*;

    #[test]
    fn one_unanswered_request_is_not_enough() {
        let mut link = Link::default();
        link.connected(ms(0));
        link.unanswered(ms(1_000));
        assert_eq!((link.state(), link.lost()), (LinkState::Connected, None));
        link.unanswered(ms(2_000));
        assert_eq!((link.state(), link.lost()), (LinkState::Unresponsive, Some(ms(1_000))));
        link.answered(ms(9_000));
        assert_eq!((link.state(), link.good_since), (LinkState::Connected, ms(9_000).at));
    }

    #[test]
    fn connection_that_is_closed_for_want_of_an_answer_was_lost_before() {
        let mut link = Link::default();
        link.connected(ms(0));
        link.unanswered(ms(1_000));
        link.unanswered(ms(2_000));
        link.disconnected(ms(4_000));
        // A late answer of the closed connection.
        link.answered(ms(4_001));
        assert_eq!((link.state(), link.lost()), (LinkState::Disconnected, Some(ms(1_000))));
        link.connected(ms(8_000));
        assert_eq!((link.lost(), link.good_since), (None, ms(8_000).at));
    }

    #[test]
    fn closed_connection_says_nothing_of_the_stream_before() {
        let mut link = Link::default();
        link.connected(ms(0));
        link.process_ended(ms(5_000));
        assert!(link.process_ended);
        link.connected(ms(6_000));
        assert!(!link.process_ended);
        assert_eq!(link.good_since, Timestamp::from_micros(i64::MIN), "OBS proves how long it streams");
    }
}
