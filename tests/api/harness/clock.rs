//! A running clock that can be advanced and stopped.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use streamward::adapters::system::SystemClock;
use streamward::domain::Timestamp;
use streamward::ports::Clock;

#[derive(Default)]
pub(crate) struct TestClock {
    ahead_micros: AtomicI64,
    /// Zero while it runs.
    stopped_at: AtomicI64,
}

impl TestClock {
    pub(crate) fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_micros()).expect("not that far");
        self.ahead_micros.fetch_add(by, Ordering::SeqCst);
        let stopped = |at| (at != 0).then_some(at + by);
        let _ = self.stopped_at.fetch_update(Ordering::SeqCst, Ordering::SeqCst, stopped);
    }

    pub(crate) fn stop(&self) {
        self.stopped_at.store(self.now().micros(), Ordering::SeqCst);
    }

    /// Whole seconds, for signatures.
    pub(crate) fn seconds(&self) -> i64 {
        self.now().micros() / 1_000_000
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let stopped_at = self.stopped_at.load(Ordering::SeqCst);
        if stopped_at != 0 {
            return Timestamp::from_micros(stopped_at);
        }
        let ahead = self.ahead_micros.load(Ordering::SeqCst);
        Timestamp::from_micros(SystemClock.now().micros() + ahead)
    }
}
