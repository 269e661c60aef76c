//! The rate limit of requests to Kick, and the pause after a 429.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::{Instant, sleep, sleep_until};

/// Permits, in the order in which they were requested.
pub(super) struct RateLimit {
    /// Fair: requests are served in order.
    next: tokio::sync::Mutex<()>,
    bucket: RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Duration>>,
    ticks: Ticks,
    held_until: Mutex<Option<Instant>>,
    patience: Duration,
}

impl RateLimit {
    /// One permit per `interval`, up to `burst` at once after a pause. A caller who would wait longer than `patience` for
    /// a hold to end gets an error instead.
    pub(super) fn new(interval: Duration, burst: NonZeroU32, patience: Duration) -> Self {
        let interval = interval.max(Duration::from_nanos(1));
        let quota = Quota::with_period(interval)
            .unwrap_or_else(|| unreachable!("the interval is not zero"))
            .allow_burst(burst);
        let ticks = Ticks(Instant::now());
        let bucket = RateLimiter::direct_with_clock(quota, ticks);
        Self { next: tokio::sync::Mutex::default(), bucket, ticks, held_until: Mutex::default(), patience }
    }

    /// Waits for a permit. A cancelled wait uses none. The error is the rest of a hold that is too long.
    pub(super) async fn acquire(&self) -> Result<(), Duration> {
        self.held()?;
        let _next = self.next.lock().await;
        loop {
            if let Some(until) = self.held()? {
                sleep_until(until).await;
                continue;
            }
            match self.bucket.check() {
                Ok(()) => return Ok(()),
                Err(not_yet) => sleep(not_yet.wait_time_from(self.ticks.now())).await,
            }
        }
    }

    /// Gives no permit for this long. A hold is never shortened.
    pub(super) fn hold(&self, duration: Duration) {
        let until = Instant::now() + duration;
        let mut held = self.held_until.lock().unwrap_or_else(PoisonError::into_inner);
        *held = (*held).max(Some(until));
    }

    /// Until when no permit is given.
    fn held(&self) -> Result<Option<Instant>, Duration> {
        let held = *self.held_until.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let Some(until) = held.filter(|until| *until > now) else { return Ok(None) };
        let wait = until - now;
        if wait > self.patience { Err(wait) } else { Ok(Some(until)) }
    }
}

/// tokio's clock for the bucket, which tests can pause.
#[derive(Clone, Copy, Debug)]
struct Ticks(Instant);

impl Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::task::JoinSet;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn rate_limit(burst: u32) -> Arc<RateLimit> {
        Arc::new(RateLimit::new(SECOND, NonZeroU32::new(burst).unwrap(), 30 * SECOND))
    }

    #[tokio::test(start_paused = true)]
    async fn permits_come_one_by_one_after_a_burst() {
        let (rate_limit, start) = (rate_limit(3), Instant::now());
        let mut waiting = JoinSet::new();
        for _ in 0..10 {
            let rate_limit = Arc::clone(&rate_limit);
            waiting.spawn(async move {
                rate_limit.acquire().await.unwrap();
                start.elapsed().as_secs_f64().round()
            });
        }
        let mut turns = waiting.join_all().await;
        turns.sort_by(f64::total_cmp);
        assert_eq!(turns, [0., 0., 0., 1., 2., 3., 4., 5., 6., 7.]);
    }

    #[tokio::test(start_paused = true)]
    async fn hold_stops_all_calls_and_is_never_shortened() {
        let (rate_limit, start) = (rate_limit(5), Instant::now());
        rate_limit.hold(20 * SECOND);
        rate_limit.hold(SECOND);
        rate_limit.acquire().await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 20);
    }

    #[tokio::test(start_paused = true)]
    async fn long_hold_fails_at_once() {
        let (rate_limit, start) = (rate_limit(5), Instant::now());
        rate_limit.hold(31 * SECOND);
        assert_eq!(rate_limit.acquire().await, Err(31 * SECOND));
        assert_eq!(start.elapsed(), Duration::ZERO);
        tokio::time::advance(SECOND).await;
        assert_eq!(rate_limit.acquire().await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn hold_applies_to_callers_that_already_wait() {
        let rate_limit = rate_limit(1);
        rate_limit.acquire().await.unwrap();
        let waiting = Arc::clone(&rate_limit);
        let mut waiter = JoinSet::new();
        waiter.spawn(async move { waiting.acquire().await });
        tokio::task::yield_now().await;
        rate_limit.hold(60 * SECOND);
        assert!(matches!(waiter.join_next().await, Some(Ok(Err(_)))));
    }
}
