//! So many log lines of one kind in an interval. The rest are counted.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Timestamp;

/// Remembers how many lines of each kind were logged, and how many were suppressed.
#[derive(Debug)]
pub struct LogThrottle<K> {
    lines: u32,
    interval: Duration,
    kinds: Mutex<HashMap<K, Window>>,
}

/// The lines of one kind since a time.
#[derive(Clone, Copy, Debug)]
struct Window {
    since: Timestamp,
    logged: u32,
    suppressed: u64,
}

impl<K: Eq + Hash> Default for LogThrottle<K> {
    /// One line a minute of each kind.
    fn default() -> Self {
        Self::new(1, Duration::from_secs(60))
    }
}

impl<K: Eq + Hash> LogThrottle<K> {
    /// At most `lines` of each kind within `interval`.
    pub fn new(lines: u32, interval: Duration) -> Self {
        Self { lines, interval, kinds: Mutex::default() }
    }

    fn kinds(&self) -> MutexGuard<'_, HashMap<K, Window>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether `window` is not over at `now`. A clock that was set back must not silence the log.
    fn is_open(&self, window: &Window, now: Timestamp) -> bool {
        now >= window.since && now.since(window.since) < self.interval
    }

    /// Whether a line of `kind` may be logged at `now`: how many were suppressed in the last interval, or `None` if it
    /// may not.
    pub fn allow(&self, kind: K, now: Timestamp) -> Option<u64> {
        let mut kinds = self.kinds();
        match kinds.get_mut(&kind) {
            Some(window) if self.is_open(window, now) => {
                let may_log = window.logged < self.lines;
                if may_log {
                    window.logged += 1;
                } else {
                    window.suppressed += 1;
                }
                may_log.then_some(0)
            }
            known => {
                let suppressed = known.map_or(0, |window| window.suppressed);
                kinds.insert(kind, Window { since: now, logged: 1, suppressed: 0 });
                Some(suppressed)
            }
        }
    }

    /// The kinds whose interval is over and of which lines were suppressed, with how many. They are forgotten.
    pub fn take_suppressed(&self, now: Timestamp) -> Vec<(K, u64)> {
        let over = |_: &K, window: &mut Window| !self.is_open(window, now);
        let over: Vec<(K, Window)> = self.kinds().extract_if(over).collect();
        let suppressed = over.into_iter().map(|(kind, window)| (kind, window.suppressed));
        suppressed.filter(|(_, suppressed)| *suppressed > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_logged_once_a_minute() {
        let throttle = LogThrottle::default();
        for (kind, second, logged) in [
            ("a", 0, Some(0)),
            ("b", 1, Some(0)),
            ("a", 2, None),
            ("a", 59, None),
            ("a", 60, Some(2)),
            ("b", 60, None),
            ("a", 61, None),
            ("a", 120, Some(1)),
            ("a", 5, Some(0)),
        ] {
            assert_eq!(throttle.allow(kind, Timestamp::from_seconds(second)), logged, "{kind} at {second} s");
        }
    }

    #[test]
    fn lines_above_the_budget_are_counted_until_they_are_taken() {
        let throttle = LogThrottle::new(2, Duration::from_secs(1));
        let at = Timestamp::from_seconds;
        let logged: Vec<_> = (0..5).map(|_| throttle.allow("a", at(10))).collect();
        assert_eq!(logged, [Some(0), Some(0), None, None, None]);
        assert_eq!(throttle.allow("b", at(10)), Some(0));
        assert_eq!(throttle.take_suppressed(at(10)), []);
        assert_eq!(throttle.take_suppressed(at(11)), [("a", 3)]);
        assert_eq!(throttle.take_suppressed(at(12)), []);
        assert_eq!(throttle.allow("a", at(12)), Some(0));
    }
}
