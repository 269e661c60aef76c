//! Restarts of OBS: when one is due, and what happens after three.

use std::time::Duration;

use super::link::{Link, LinkState};
use super::moment::Moment;

/// After this many restarts without success there is an alert, and the next ones come more slowly.
pub const ATTEMPTS: u32 = 3;
/// OBS needs this long to start, on a slow machine.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// The time between restarts after the alert.
const SLOW: Duration = Duration::from_secs(60);
/// The time between restarts of an OBS that ends at once.
const AT_ONCE: Duration = Duration::from_secs(1);
/// OBS that answers for this long is well again.
const STABLE: Duration = Duration::from_secs(60);

/// Counts the restarts.
#[derive(Clone, Debug, Default)]
pub(super) struct Restarts {
    attempts: u32,
    last: Option<Moment>,
    connected_since: Option<Moment>,
}

impl Restarts {
    /// The number of the restart that is due; it counts as made. An OBS whose port is closed, but whose process may be
    /// there, gets `timeout` to come back.
    pub(super) fn due(&mut self, now: Moment, link: &Link, timeout: Duration) -> Option<u32> {
        if link.state() == LinkState::Connected {
            let since = *self.connected_since.get_or_insert(now);
            if now.since(since) >= STABLE {
                (self.attempts, self.last) = (0, None);
            }
            return None;
        }
        let was_connected = self.connected_since.take().is_some();
        let lost = link.lost()?;
        let is_gone =
            link.process_ended || link.state() == LinkState::Unresponsive || now.since(lost) >= timeout;
        let wait = match self.attempts {
            ATTEMPTS.. => SLOW,
            _ if was_connected || link.process_ended => AT_ONCE,
            _ => START_TIMEOUT,
        };
        if was_connected && self.attempts < ATTEMPTS {
            // The last restart succeeded, so this is a new loss.
            self.last = None;
        }
        if !is_gone || self.last.is_some_and(|last| now.since(last) < wait) {
            return None;
        }
        self.attempts = self.attempts.saturating_add(1);
        self.last = Some(now);
        Some(self.attempts)
    }

    /// How many restarts were made since OBS was last well.
    pub(super) fn attempts(&self) -> u32 {
        self.attempts
    }
}

#[cfg(test)]
mod tests {
    use super::super::moment::test_moment as ms;
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(10);

    /// The restarts, in steps of 100 ms.
    fn run(restarts: &mut Restarts, link: &mut Link, from: u64, to: u64) -> Vec<(u64, u32)> {
        let at = (from..to).step_by(100);
        at.filter_map(|at| Some((at, restarts.due(ms(at), link, TIMEOUT)?))).collect()
    }

    fn connected(at: u64) -> Link {
        let mut link = Link::default();
        link.connected(ms(at));
        link
    }

    #[test]
    fn obs_that_ended_is_restarted_at_once() {
        let (mut restarts, mut link) = (Restarts::default(), connected(0));
        assert_eq!(run(&mut restarts, &mut link, 0, 5_000), []);
        link.process_ended(ms(5_000));
        assert_eq!(run(&mut restarts, &mut link, 5_000, 5_900), [(5_000, 1)]);
    }

    #[test]
    fn obs_that_may_still_run_gets_time() {
        let (mut restarts, mut link) = (Restarts::default(), connected(0));
        run(&mut restarts, &mut link, 0, 5_000);
        link.disconnected(ms(5_000));
        assert_eq!(run(&mut restarts, &mut link, 5_000, 16_000), [(15_000, 1)]);
    }

    #[test]
    fn frozen_obs_is_restarted_at_once_and_then_gets_time_to_start() {
        let (mut restarts, mut link) = (Restarts::default(), connected(0));
        run(&mut restarts, &mut link, 0, 5_000);
        link.unanswered(ms(3_000));
        link.unanswered(ms(5_000));
        assert_eq!(
            run(&mut restarts, &mut link, 5_000, 200_000),
            [(5_000, 1), (35_000, 2), (65_000, 3), (125_000, 4), (185_000, 5)]
        );
        assert_eq!(restarts.attempts(), 5);
    }

    #[test]
    fn restarts_count_anew_after_a_minute() {
        let (mut restarts, mut link) = (Restarts::default(), connected(0));
        for round in 0..5_u64 {
            let at = round * 100_000;
            link.connected(ms(at));
            assert_eq!(run(&mut restarts, &mut link, at, at + 90_000), []);
            link.process_ended(ms(at + 90_000));
            assert_eq!(run(&mut restarts, &mut link, at + 90_000, at + 90_800), [(at + 90_000, 1)]);
        }
    }

    #[test]
    fn obs_that_ends_again_and_again_is_restarted_slowly() {
        let (mut restarts, mut link) = (Restarts::default(), connected(0));
        let mut made = vec![];
        for second in 0..200_u64 {
            // It connects a second after each restart, and ends a second later.
            if made.last().is_some_and(|(at, _)| at + 1_000 == second * 1_000) || second == 0 {
                link.connected(ms(second * 1_000));
            } else {
                link.process_ended(ms(second * 1_000));
            }
            made.extend(run(&mut restarts, &mut link, second * 1_000, second * 1_000 + 1_000));
        }
        let at: Vec<u64> = made.iter().map(|(at, _)| at / 1_000).collect();
        assert_eq!(at, [1, 3, 5, 65, 125, 185]);
    }
}
