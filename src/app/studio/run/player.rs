//! A media input of OBS that plays for the director: what its status says of the present turn.
//!
//! A finished file, a missing and a broken one all end in the state `ENDED`, and a missing one can also seem to play for
//! ever, with the length 0 (OBS 29). So a turn has begun when a length was seen, and what ends before that failed.

use std::time::Duration;

use crate::domain::studio::{Moment, Observation, Turn};
use crate::ports::obs_values::{MediaState, MediaStatus};

/// What OBS says this soon after the order to play can be about what played before.
const FRESH: Duration = Duration::from_millis(400);

/// One turn of a player.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Playing {
    /// The turn.
    pub(super) turn: Turn,
    /// The media input.
    pub(super) input: String,
    /// Where to begin.
    pub(super) position: Duration,
    /// Whether it is an address, which has no length.
    pub(super) is_live: bool,
    /// When OBS got the order to play.
    pub(super) sent_at: Moment,
}

/// What is known of a turn.
#[derive(Clone, Debug)]
pub(super) struct Player {
    pub(super) playing: Playing,
    /// `Some` since it began: its length, if it has one.
    began: Option<Option<Duration>>,
    pub(super) has_ended: bool,
}

impl Player {
    pub(super) fn new(playing: Playing) -> Self {
        Self { playing, began: None, has_ended: false }
    }

    /// What the status says: an observation, if something is new.
    pub(super) fn see(&mut self, now: Moment, status: MediaStatus) -> Option<Observation> {
        if self.has_ended {
            return None;
        }
        let is_fresh = now.since(self.playing.sent_at) < FRESH;
        let length = status.duration.filter(|length| !length.is_zero());
        match status.state {
            MediaState::Playing | MediaState::Paused if length.is_some() || self.playing.is_live => {
                self.begin(length)
            }
            MediaState::Playing | MediaState::Paused | MediaState::Opening | MediaState::Buffering => {
                // Without a length: the director does not wait for ever.
                None
            }
            MediaState::None
            | MediaState::Stopped
            | MediaState::Ended
            | MediaState::Error
            | MediaState::Other => {
                if self.began.is_none() && is_fresh {
                    return None;
                }
                self.has_ended = true;
                let duration = self.began.flatten();
                Some(Observation::MediaEnded { turn: self.playing.turn, duration })
            }
        }
    }

    fn begin(&mut self, duration: Option<Duration>) -> Option<Observation> {
        if self.began.is_some() {
            return None;
        }
        self.began = Some(duration);
        Some(Observation::MediaStarted { turn: self.playing.turn, duration })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;

    fn at(millis: u64) -> Moment {
        let elapsed = Duration::from_millis(millis);
        Moment { at: Timestamp::from_seconds(0).plus(elapsed), elapsed }
    }

    fn player(is_live: bool) -> Player {
        let (input, position) = ("Player".to_owned(), Duration::ZERO);
        Player::new(Playing { turn: Turn(7), input, position, is_live, sent_at: at(0) })
    }

    fn status(state: MediaState, seconds: Option<u64>) -> MediaStatus {
        let duration = seconds.map(Duration::from_secs);
        MediaStatus { state, cursor: duration, duration }
    }

    #[test]
    fn good_file_begins_and_ends_with_its_length() {
        let mut player = player(false);
        let (turn, duration) = (Turn(7), Some(Duration::from_secs(5)));
        assert_eq!(player.see(at(10), status(MediaState::Ended, None)), None, "what played before");
        assert_eq!(player.see(at(20), status(MediaState::Opening, None)), None);
        let began = player.see(at(30), status(MediaState::Playing, Some(5)));
        assert_eq!(began, Some(Observation::MediaStarted { turn, duration }));
        assert_eq!(player.see(at(250), status(MediaState::Playing, Some(5))), None);
        let ended = player.see(at(300), status(MediaState::Ended, None));
        assert_eq!(ended, Some(Observation::MediaEnded { turn, duration }));
        assert_eq!(player.see(at(900), status(MediaState::Ended, None)), None, "said once");
    }

    #[test]
    fn file_that_is_missing_ends_without_a_length() {
        let mut player = player(false);
        assert_eq!(player.see(at(100), status(MediaState::Ended, None)), None);
        let ended = player.see(at(400), status(MediaState::Ended, None));
        assert_eq!(ended, Some(Observation::MediaEnded { turn: Turn(7), duration: None }));
    }

    #[test]
    fn file_that_seems_to_play_with_the_length_zero_never_begins() {
        let mut player = player(false);
        for millis in [100, 1_000, 5_000] {
            assert_eq!(player.see(at(millis), status(MediaState::Playing, Some(0))), None);
        }
    }

    #[test]
    fn address_begins_without_a_length() {
        let mut player = player(true);
        let began = player.see(at(100), status(MediaState::Playing, None));
        assert_eq!(began, Some(Observation::MediaStarted { turn: Turn(7), duration: None }));
        let ended = player.see(at(200), status(MediaState::Ended, None));
        assert_eq!(ended, Some(Observation::MediaEnded { turn: Turn(7), duration: None }));
    }
}
