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
    started: Instant,
    again: VecDeque<Instant>,
}

impl Schedule {
    /// With the first tick at once.
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), again: VecDeque::new() }
    }

    /// A tick starts now; what was due until now is served by it.
    pub(super) fn tick_starts(&mut self) {
        self.started = Instant::now();
        self.again.retain(|at| *at > self.started);
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

    /// Waits, from the end of a tick, until the next is due: `interval` after the start of the last, or because `nudge`
    /// returns.
    pub(super) async fn next(&mut self, interval: Duration, nudge: impl Future<Output = ()>) {
        let rested = Instant::now() + REST;
        let regular = self.started + interval;
        let due = self.again.front().map_or(regular, |again| regular.min(*again));
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
