//! The clock of the database, by which all instances go: claims, expiry, replay protection and retention must not depend
//! on whose clock is right.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::task::{PeriodicTask, Task, TaskContext, TaskError, Tick};
use crate::domain::Timestamp;
use crate::ports::{Clock, Store, StoreError, WakeUp};

/// A smaller difference is not followed: it may be the time that the answer took.
const TOLERANCE: i64 = 50_000;
/// A longer answer says too little about the time.
const SLOW: Duration = Duration::from_millis(500);
/// From this difference on the operator should mend the clock.
const ALARM: Duration = Duration::from_secs(5);

/// The clock of this machine, corrected by its distance from the database's.
pub struct DatabaseClock {
    machine: Arc<dyn Clock>,
    /// In microseconds; positive if the database is ahead.
    offset: AtomicI64,
}

impl DatabaseClock {
    /// Starts with the time of `machine`.
    pub fn new(machine: Arc<dyn Clock>) -> Self {
        Self { machine, offset: AtomicI64::new(0) }
    }

    /// Measures the distance from the clock of `store`, and follows it.
    pub async fn synchronise(&self, store: &dyn Store) -> Result<(), StoreError> {
        let (before, started) = (self.machine.now(), Instant::now());
        let time = store.time().await?;
        let took = started.elapsed();
        let offset = time.micros().saturating_sub(before.plus(took / 2).micros());
        if took < SLOW && offset.abs_diff(self.offset.load(Ordering::Relaxed)) > TOLERANCE.unsigned_abs() {
            self.offset.store(offset, Ordering::Relaxed);
        }
        Ok(())
    }

    /// What is wrong with the clock of this machine, if it is more than five seconds off.
    fn complaint(&self) -> Option<String> {
        let offset = self.offset.load(Ordering::Relaxed);
        let distance = Duration::from_micros(offset.unsigned_abs());
        let direction = if offset > 0 { "behind" } else { "ahead of" };
        let seconds = distance.as_secs();
        (distance > ALARM).then(|| {
            format!(
                "the clock of this machine is {seconds} s {direction} the database's: synchronise it (until then the database's time is used)"
            )
        })
    }
}

impl Clock for DatabaseClock {
    fn now(&self) -> Timestamp {
        let offset = self.offset.load(Ordering::Relaxed);
        Timestamp::from_micros(self.machine.now().micros().saturating_add(offset))
    }
}

/// Keeps a [`DatabaseClock`] right.
pub struct FollowClock {
    clock: Arc<DatabaseClock>,
    store: Arc<dyn Store>,
}

impl FollowClock {
    /// `clock` follows `store`.
    pub fn new(clock: Arc<DatabaseClock>, store: Arc<dyn Store>) -> Self {
        Self { clock, store }
    }
}

impl Task for FollowClock {
    fn name(&self) -> String {
        "clock".into()
    }

    fn description(&self) -> &'static str {
        "Follows the clock of the database."
    }
}

#[async_trait]
impl PeriodicTask for FollowClock {
    fn interval(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn wakes_on(&self, _: &WakeUp) -> bool {
        false
    }

    async fn tick(&mut self, _: &TaskContext) -> Result<Tick, TaskError> {
        self.clock.synchronise(&*self.store).await?;
        self.clock.complaint().map_or(Ok(Tick::default()), |complaint| Err(TaskError::Clock(complaint)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicI64;

    use super::*;
    use crate::adapters::memory::MemoryStore;

    struct Hands(AtomicI64);

    impl Hands {
        fn at(seconds: i64) -> Arc<Self> {
            Arc::new(Self(AtomicI64::new(seconds)))
        }
    }

    impl Clock for Hands {
        fn now(&self) -> Timestamp {
            Timestamp::from_seconds(self.0.load(Ordering::Relaxed))
        }
    }

    #[tokio::test]
    async fn instances_with_clocks_apart_go_by_the_database_and_say_so() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new(Hands::at(1_000)));
        for (machine, complaint) in [
            (1_000, None),
            (1_004, None),
            (984, Some("16 s behind the database's")),
            (4_600, Some("3600 s ahead of the database's")),
        ] {
            let clock = Arc::new(DatabaseClock::new(Hands::at(machine)));
            let mut task = FollowClock::new(Arc::clone(&clock), Arc::clone(&store));
            let error = task.tick(&TaskContext::default()).await.map_err(|error| error.to_string()).err();
            assert_eq!(clock.now(), Timestamp::from_seconds(1_000), "{machine}");
            assert_eq!(error.is_some(), complaint.is_some(), "{error:?}");
            assert!(error.is_none_or(|error| error.contains(complaint.unwrap_or_default())), "{machine}");
        }
    }

    #[tokio::test]
    async fn clock_that_is_set_back_is_corrected_at_the_next_tick() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new(Hands::at(10_000)));
        let hands = Hands::at(10_000);
        let clock = Arc::new(DatabaseClock::new(Arc::clone(&hands) as _));
        clock.synchronise(&*store).await.unwrap();
        hands.0.store(6_400, Ordering::Relaxed);
        clock.synchronise(&*store).await.unwrap();
        assert_eq!(clock.now(), Timestamp::from_seconds(10_000));
    }
}
