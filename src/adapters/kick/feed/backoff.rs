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

/// The waits of one connection.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    attempts: u32,
    immediate: VecDeque<Instant>,
}

impl Backoff {
    /// The wait after a connection that lasted for `lasted`. `random` is any number.
    pub(super) fn wait(
        &mut self,
        reconnect: Reconnect,
        lasted: Duration,
        timing: &Timing,
        now: Instant,
        random: u64,
    ) -> Duration {
        if lasted >= timing.stable {
            self.attempts = 0;
        }
        self.immediate.retain(|at| now < *at + MINUTE);
        if reconnect == Reconnect::Immediately && self.immediate.len() < timing.at_once {
            self.immediate.push_back(now);
            return Duration::ZERO;
        }
        let limit =
            timing.backoff.saturating_mul(2_u32.saturating_pow(self.attempts)).min(timing.backoff_cap);
        self.attempts = self.attempts.saturating_add(1);
        let micros = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX - 1);
        let wait = Duration::from_micros(random % (micros + 1));
        if reconnect == Reconnect::AfterBackoff { wait.max(timing.backoff) } else { wait }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NONE: Duration = Duration::ZERO;

    #[test]
    fn waits_grow_to_a_limit_and_restart_after_a_stable_connection() {
        let (mut backoff, now, timing) = (Backoff::default(), Instant::now(), Timing::default());
        for _ in 0..20 {
            assert!(backoff.wait(Reconnect::Soon, NONE, &timing, now, u64::MAX) <= timing.backoff_cap);
        }
        assert_eq!(backoff.wait(Reconnect::Soon, NONE, &timing, now, 60_000_000), timing.backoff_cap);
        let stable = timing.stable;
        assert_eq!(backoff.wait(Reconnect::Soon, stable, &timing, now, 1_000_000), timing.backoff);
        assert_eq!(backoff.wait(Reconnect::Soon, stable, &timing, now, 1_000_001), NONE);
    }

    #[test]
    fn immediate_reconnects_are_limited_per_minute() {
        let (mut backoff, now, timing) = (Backoff::default(), Instant::now(), Timing::default());
        let mut wait = |now| backoff.wait(Reconnect::Immediately, NONE, &timing, now, 999);
        for _ in 0..timing.at_once {
            assert_eq!(wait(now), NONE);
        }
        assert_eq!(wait(now), Duration::from_micros(999));
        assert_eq!(wait(now + MINUTE), NONE);
    }

    proptest! {
        #[test]
        fn minimum_wait_is_never_shorter(random in any::<u64>(), attempts in 0_u32..70) {
            let timing = Timing::default();
            let mut backoff = Backoff { attempts, ..Backoff::default() };
            let wait = backoff.wait(Reconnect::AfterBackoff, NONE, &timing, Instant::now(), random);
            prop_assert!((timing.backoff..=timing.backoff_cap).contains(&wait));
        }
    }
}
