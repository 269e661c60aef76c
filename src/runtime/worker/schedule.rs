//! When the next tick is due.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// When a nudged worker looks again: what it was told of may not have shown at once.
const LOOK_AGAIN: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(400), Duration::from_secs(1)];

/// At least this long between the end of a tick and the next one, so that a storm of nudges is not a storm of ticks.
const REST: Duration = Duration::from_millis(25);

/// Decides when to tick: at the interval, at a nudge, and shortly after a nudge.
pub(super) struct Schedule {
    interval: Duration,
    regular: Instant,
    again: VecDeque<Instant>,
}

impl Schedule {
    /// With the first tick at once.
    pub(super) fn new(interval: Duration) -> Self {
        Self { interval, regular: Instant::now(), again: VecDeque::new() }
    }

    /// A tick starts now; what was due until now is served by it.
    pub(super) fn tick_starts(&mut self) {
        let now = Instant::now();
        self.regular = now + self.interval;
        self.again.retain(|at| *at > now);
    }

    /// Something is under way: looks again soon, unless it is about to do so anyway.
    pub(super) fn look_again(&mut self) {
        if self.again.is_empty() {
            self.nudged();
        }
    }

    fn nudged(&mut self) {
        let now = Instant::now();
        self.again = LOOK_AGAIN.map(|after| now + after).into();
    }

    /// Waits, from the end of a tick, until the next is due: by time, or because `nudge` returns.
    pub(super) async fn next(&mut self, nudge: impl Future<Output = ()>) {
        let rested = Instant::now() + REST;
        let due = self.again.front().map_or(self.regular, |again| self.regular.min(*again));
        tokio::select! {
            biased;
            () = nudge => {
                self.nudged();
                sleep_until(rested).await;
            }
            () = sleep_until(due.max(rested)) => {}
        }
    }
}
