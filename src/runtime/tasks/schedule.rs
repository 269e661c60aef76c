//! When the next tick of a periodic task is due.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::{Instant, sleep_until};

use crate::app::task::{Activation, PeriodicTask};
use crate::ports::WakeUp;

/// A woken task ticks again after these times, because the change may not be visible at once.
const FOLLOW_UPS: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(400), Duration::from_secs(1)];

/// The shortest pause between two ticks, so that many wake-ups cause few ticks.
const REST: Duration = Duration::from_millis(25);

/// Decides when to tick: at the interval, at a wake-up, and shortly after a wake-up.
pub(super) struct Schedule<'a> {
    wake_ups: &'a mut broadcast::Receiver<WakeUp>,
    started: Instant,
    follow_ups: VecDeque<Instant>,
}

impl<'a> Schedule<'a> {
    pub(super) fn new(wake_ups: &'a mut broadcast::Receiver<WakeUp>) -> Self {
        Self { wake_ups, started: Instant::now(), follow_ups: VecDeque::new() }
    }

    /// A tick starts now. It covers every wake-up and repetition until now.
    pub(super) fn tick_starts(&mut self) {
        self.started = Instant::now();
        self.follow_ups.retain(|at| *at > self.started);
        while matches!(self.wake_ups.try_recv(), Ok(_) | Err(TryRecvError::Lagged(_))) {}
    }

    /// Work is unfinished: ticks again soon, unless that is planned already.
    pub(super) fn schedule_follow_ups(&mut self) {
        if self.follow_ups.is_empty() {
            let now = Instant::now();
            self.follow_ups = FOLLOW_UPS.map(|after| now + after).into();
        }
    }

    /// Waits, from the end of a tick, until the next is due, and returns why.
    pub(super) async fn next(&mut self, task: &mut dyn PeriodicTask) -> Activation {
        let rested = Instant::now() + REST;
        let regular = self.started + task.interval();
        let follow_up = self.follow_ups.front().copied().filter(|at| *at < regular);
        tokio::select! {
            biased;
            wake_up = woken(self.wake_ups, task) => {
                self.follow_ups.clear();
                self.schedule_follow_ups();
                sleep_until(rested).await;
                Activation::WakeUp(wake_up)
            }
            () = sleep_until(follow_up.unwrap_or(regular).max(rested)) => {
                if follow_up.is_some() { Activation::FollowUp } else { Activation::Timer }
            }
        }
    }
}

/// The next wake-up for `task`. After missed ones that is [`WakeUp::Everything`].
async fn woken(wake_ups: &mut broadcast::Receiver<WakeUp>, task: &mut dyn PeriodicTask) -> WakeUp {
    loop {
        match wake_ups.recv().await {
            Ok(WakeUp::Everything) | Err(RecvError::Lagged(_)) => return WakeUp::Everything,
            Ok(wake_up) if task.wakes_on(&wake_up) => return wake_up,
            Ok(_) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
