//! How long to wait before connecting again.
//!
//! The wait is a random time up to a limit that doubles (full jitter), so that clients do not reconnect all at once.
//! `backon` has no such jitter.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::protocol::Reconnect;
use super::settings::Timing;

const MINUTE: Duration = Duration::from_secs(60);
/// A connection that lasted this long resets the backoff.
const STABLE: Duration = MINUTE;
/// How often a connection may be opened again without waiting, within a minute.
const AT_ONCE: usize = 6;

/// The waits of one connection.
#[derive(Debug)]
pub(super) struct Backoff {
    timing: Timing,
    attempts: u32,
    immediate: VecDeque<Instant>,
}

impl Backoff {
    pub(super) fn new(timing: Timing) -> Self {
        Self { timing, attempts: 0, immediate: VecDeque::new() }
    }

    /// The wait after a connection that lasted for `lasted`. `random` is any number.
    pub(super) fn wait(
        &mut self,
        reconnect: Reconnect,
        lasted: Duration,
        now: Instant,
        random: u64,
    ) -> Duration {
        if lasted >= STABLE {
            self.attempts = 0;
        }
        self.immediate.retain(|at| now < *at + MINUTE);
        if reconnect == Reconnect::Immediately && self.immediate.len() < AT_ONCE {
            self.immediate.push_back(now);
            return Duration::ZERO;
        }
        let Timing { backoff, backoff_cap, .. } = self.timing;
        let limit = backoff.saturating_mul(2_u32.saturating_pow(self.attempts)).min(backoff_cap);
        self.attempts = self.attempts.saturating_add(1);
        let micros = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX - 1);
        let wait = Duration::from_micros(random % (micros + 1));
        if reconnect == Reconnect::AfterBackoff { wait.max(backoff) } else { wait }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The waits after `reconnect` for each time that the connection lasted and each random number.
    fn waits(reconnect: Reconnect, ends: &[(Duration, u64)]) -> Vec<Duration> {
        let (mut backoff, now) = (Backoff::new(Timing::default()), Instant::now());
        ends.iter().map(|(lasted, random)| backoff.wait(reconnect, *lasted, now, *random)).collect()
    }

    #[test]
    fn waits_grow_to_a_limit_and_restart_after_a_stable_connection() {
        let mut ends = vec![(Duration::ZERO, 60_000_000); 20];
        ends.extend([(STABLE, 1_000_000), (STABLE, 1_000_001)]);
        let waits = waits(Reconnect::Soon, &ends);
        let Timing { backoff, backoff_cap, .. } = Timing::default();
        assert!(waits.iter().all(|wait| *wait <= backoff_cap));
        assert_eq!(waits[19..], [backoff_cap, backoff, Duration::ZERO]);
    }

    #[test]
    fn immediate_reconnects_are_limited_per_minute() {
        let (mut backoff, now) = (Backoff::new(Timing::default()), Instant::now());
        let mut wait = |now| backoff.wait(Reconnect::Immediately, Duration::ZERO, now, 999);
        for _ in 0..AT_ONCE {
            assert_eq!(wait(now), Duration::ZERO);
        }
        assert_eq!((wait(now), wait(now + MINUTE)), (Duration::from_micros(999), Duration::ZERO));
    }

    proptest! {
        #[test]
        fn minimum_wait_is_never_shorter(random in any::<u64>(), attempts in 1_usize..70) {
            let wait = waits(Reconnect::AfterBackoff, &vec![(Duration::ZERO, random); attempts])[attempts - 1];
            let Timing { backoff, backoff_cap, .. } = Timing::default();
            prop_assert!((backoff..=backoff_cap).contains(&wait));
        }
    }
}
