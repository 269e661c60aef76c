//! At most one log line a minute for each kind of problem.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Timestamp;

const INTERVAL: Duration = Duration::from_secs(60);

/// Remembers when each kind was last logged, and how often it was suppressed since.
#[derive(Debug)]
pub struct LogThrottle<K>(Mutex<HashMap<K, (Timestamp, u64)>>);

impl<K> Default for LogThrottle<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> LogThrottle<K> {
    /// Whether `kind` may be logged at `now`: how many were suppressed since it last was, or `None` if it may not.
    pub fn allow(&self, kind: K, now: Timestamp) -> Option<u64> {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match kinds.get_mut(&kind) {
            // A clock that was set back must not silence the log.
            Some((last, suppressed)) if now >= *last && now.since(*last) < INTERVAL => {
                *suppressed += 1;
                None
            }
            known => {
                let suppressed = known.map_or(0, |(_, suppressed)| *suppressed);
                kinds.insert(kind, (now, 0));
                Some(suppressed)
            }
        }
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
}
