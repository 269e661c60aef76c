//! The picture and the sound on air: since when they are not good.

use super::moment::Moment;
use crate::domain::Timestamp;

/// Since when the picture is black, the sound silent, and what is on air not good.
#[derive(Clone, Debug)]
pub(super) struct Picture {
    pub(super) black: Option<Moment>,
    pub(super) silent: Option<Moment>,
    /// There is no good picture since then.
    pub(super) bad: Option<Moment>,
    /// Since when it is good.
    pub(super) good_since: Timestamp,
}

impl Default for Picture {
    fn default() -> Self {
        Self { black: None, silent: None, bad: None, good_since: Timestamp::from_micros(i64::MIN) }
    }
}

impl Picture {
    pub(super) fn see(&mut self, now: Moment, is_black: bool) {
        self.black = is_black.then(|| self.black.unwrap_or(now));
    }

    pub(super) fn hear(&mut self, now: Moment, is_silent: bool) {
        self.silent = is_silent.then(|| self.silent.unwrap_or(now));
    }

    /// Something else is on air.
    pub(super) fn forget(&mut self) {
        (self.black, self.silent) = (None, None);
    }

    /// There is no good picture since `since`.
    pub(super) fn is_bad_since(&mut self, since: Moment) {
        self.bad.get_or_insert(since);
    }
}
