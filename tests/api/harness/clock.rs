//! A clock that runs, and can be put forward.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use streamward::adapters::system::SystemClock;
use streamward::domain::Timestamp;
use streamward::ports::Clock;

#[derive(Default)]
pub(crate) struct TestClock {
    ahead_micros: AtomicI64,
}

impl TestClock {
    pub(crate) fn advance(&self, by: Duration) {
        self.ahead_micros.fetch_add(i64::try_from(by.as_micros()).expect("not that far"), Ordering::SeqCst);
    }

    /// Whole seconds, for signatures.
    pub(crate) fn seconds(&self) -> i64 {
        self.now().micros() / 1_000_000
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let ahead = self.ahead_micros.load(Ordering::SeqCst);
        Timestamp::from_micros(SystemClock.now().micros() + ahead)
    }
}
