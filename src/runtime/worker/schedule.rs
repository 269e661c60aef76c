//! When the next tick is due.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// When a woken worker looks again: what it was told of may not have shown at once.
const FOLLOW_UPS: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(400), Duration::from_secs(1)];

/// At least this long between the end of a tick and the next one, so that a storm of wake-ups is not a storm of ticks.
const REST: Duration = Duration::from_millis(25);

/// Decides when to tick: at the interval, at a wake_up, and shortly after a wake_up.
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
    pub(super) fn schedule_follow_ups(&mut self) {
        if self.again.is_empty() {
            self.woken();
        }
    }

    fn woken(&mut self) {
        let now = Instant::now();
        self.again = FOLLOW_UPS.map(|after| now + after).into();
    }

    /// Waits, from the end of a tick, until the next is due: `interval` after the start of the last, or because `wake_up`
    /// returns.
    pub(super) async fn next(&mut self, interval: Duration, wake_up: impl Future<Output = ()>) {
        let rested = Instant::now() + REST;
        let regular = self.started + interval;
        let due = self.again.front().map_or(regular, |again| regular.min(*again));
        tokio::select! {
            biased;
            () = wake_up => {
                self.woken();
                sleep_until(rested).await;
            }
            () = sleep_until(due.max(rested)) => {}
        }
    }
}
