//! Now, on two clocks.

use std::time::Duration;

use crate::domain::Timestamp;

/// Now. What is recorded or scheduled goes by the wall clock; how long something lasts, by a clock that nobody sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The wall clock. It can be set, in both directions.
    pub at: Timestamp,
    /// The time since the process began. It never goes back. It stands still while the machine sleeps.
    pub elapsed: Duration,
}

impl Moment {
    /// How long ago `earlier` was.
    pub fn since(self, earlier: Self) -> Duration {
        self.elapsed.saturating_sub(earlier.elapsed)
    }

    /// Whether the wall clock went on much further since `earlier` than time passed: the machine slept, or the clock was
    /// set forward.
    pub fn has_jumped_since(self, earlier: Self) -> bool {
        self.at.since(earlier.at) > self.since(earlier) + JUMP
    }
}

/// Clocks that are corrected differ by less.
const JUMP: Duration = Duration::from_secs(5);

#[cfg(test)]
pub(super) fn test_moment(millis: u64) -> Moment {
    let elapsed = Duration::from_millis(millis);
    Moment { at: Timestamp::from_seconds(1_767_225_600).plus(elapsed), elapsed }
}
