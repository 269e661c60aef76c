//! A filter in front of the database for keys that do not exist, so that a flood of made-up keys costs nothing.
//!
//! It never says that a key *may* be used: that takes the database. And its "no" is not final either: a miss is
//! confirmed in the database as long as there is room for that, so that a key made a moment ago through another
//! instance works at once.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::Core;
use super::task::{PeriodicTask, Task, TaskContext, TaskError, Tick};
use crate::domain::Timestamp;
use crate::domain::secret::SecretHash;
use crate::ports::WakeUp;

/// How long a confirmed miss is believed.
const NEGATIVE_TTL: Duration = Duration::from_secs(1);
/// How many negative are remembered.
const MAX_NEGATIVE: usize = 10_000;
/// How many events are looked through for changed keys before it is simpler to load them all.
const MANY_EVENTS: u32 = 500;
/// How many negative are confirmed at the same time; the others are believed.
const CONFIRMATIONS: usize = 2;

/// The hashes of all keys that are not revoked, as they were at the last load.
#[derive(Debug)]
pub struct KeyCache {
    /// Before the first load nothing is known, so everything is asked.
    loaded: AtomicBool,
    snapshot: ArcSwap<HashSet<SecretHash>>,
    negative: Mutex<HashMap<SecretHash, Timestamp>>,
    room: Semaphore,
}

impl Default for KeyCache {
    fn default() -> Self {
        Self {
            loaded: AtomicBool::new(false),
            snapshot: ArcSwap::default(),
            negative: Mutex::default(),
            room: Semaphore::new(CONFIRMATIONS),
        }
    }
}

/// What is known about a hash.
pub(super) enum KeyLookup<'a> {
    /// Ask the database. The permit, if any, is held while asking.
    Ask(Option<SemaphorePermit<'a>>),
    /// There is no such key.
    No,
}

impl KeyCache {
    pub(super) fn look_up(&self, hash: &SecretHash, now: Timestamp) -> KeyLookup<'_> {
        if !self.loaded.load(Ordering::Acquire) || self.snapshot.load().contains(hash) {
            return KeyLookup::Ask(None);
        }
        let insert_negative =
            self.negative().get(hash).is_some_and(|at| now.since(*at) < NEGATIVE_TTL && now >= *at);
        match self.room.try_acquire() {
            Ok(permit) if !insert_negative => KeyLookup::Ask(Some(permit)),
            _ => KeyLookup::No,
        }
    }

    /// The database was asked and has no such key.
    pub(super) fn insert_negative(&self, hash: SecretHash, now: Timestamp) {
        let mut negative = self.negative();
        if negative.len() >= MAX_NEGATIVE {
            negative.clear();
        }
        negative.insert(hash, now);
    }

    pub(super) fn clear_negative(&self) {
        self.negative().clear();
    }

    fn swap(&self, hashes: Vec<SecretHash>) {
        self.snapshot.store(Arc::new(hashes.into_iter().collect()));
        self.loaded.store(true, Ordering::Release);
        self.clear_negative();
    }

    fn negative(&self) -> std::sync::MutexGuard<'_, HashMap<SecretHash, Timestamp>> {
        self.negative.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Loads the snapshot anew whenever keys changed: told by a wake_up, or by the event log within a second.
pub struct KeyCacheLoader {
    core: Arc<Core>,
    cache: Arc<KeyCache>,
    loaded_at_event: Option<i64>,
}

impl KeyCacheLoader {
    /// A loader that has not loaded yet.
    pub fn new(core: Arc<Core>, cache: Arc<KeyCache>) -> Self {
        Self { core, cache, loaded_at_event: None }
    }
}

impl KeyCacheLoader {
    /// Whether any event up to `last` may have changed the keys. Streams come and go all the time; keys do not.
    async fn keys_changed(&self, last: i64) -> Result<bool, TaskError> {
        let Some(loaded) = self.loaded_at_event else { return Ok(true) };
        if last == loaded {
            return Ok(false);
        }
        let events = self.core.worker_store.events_after(loaded, MANY_EVENTS).await?;
        let all_seen = events.last().is_some_and(|event| event.seq >= last);
        Ok(!all_seen || events.iter().any(|event| !event.what.kind.is_stream()))
    }
}

impl Task for KeyCacheLoader {
    fn name(&self) -> String {
        "key-cache".into()
    }

    fn description(&self) -> &'static str {
        "Keeps the hashes of all valid stream keys in memory."
    }
}

#[async_trait]
impl PeriodicTask for KeyCacheLoader {
    fn interval(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn wakes_on(&self, wake_up: &WakeUp) -> bool {
        matches!(wake_up, WakeUp::Keys)
    }

    async fn tick(&mut self, _: &TaskContext) -> Result<Tick, TaskError> {
        let store = &self.core.worker_store;
        // Read before the keys: what is written in between makes the next tick load again.
        let last = store.last_event().await?;
        if self.keys_changed(last).await? {
            let hashes = store.key_hashes().await?;
            self.cache.swap(hashes);
        }
        self.loaded_at_event = Some(last);
        Ok(Tick::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(100);
    const HASH: SecretHash = SecretHash([1; 32]);

    fn loaded() -> KeyCache {
        let known = KeyCache::default();
        known.swap(vec![]);
        known
    }

    #[test]
    fn before_the_first_load_everything_is_asked() {
        let known = KeyCache::default();
        let asking: Vec<KeyLookup<'_>> =
            (0..50u8).map(|n| known.look_up(&SecretHash([n; 32]), NOW)).collect();
        assert!(asking.iter().all(|k| matches!(k, KeyLookup::Ask(None))));
    }

    #[test]
    fn a_miss_is_confirmed_then_believed_for_a_second() {
        let known = loaded();
        assert!(matches!(known.look_up(&HASH, NOW), KeyLookup::Ask(Some(_))));
        known.insert_negative(HASH, NOW);
        assert!(matches!(known.look_up(&HASH, NOW), KeyLookup::No));
        assert!(matches!(known.look_up(&HASH, NOW.plus(NEGATIVE_TTL)), KeyLookup::Ask(Some(_))));
        known.clear_negative();
        assert!(matches!(known.look_up(&HASH, NOW), KeyLookup::Ask(Some(_))));
    }

    #[test]
    fn a_flood_of_misses_does_not_reach_the_database() {
        let known = loaded();
        let asking: Vec<KeyLookup<'_>> =
            (0..50u8).map(|n| known.look_up(&SecretHash([n; 32]), NOW)).collect();
        assert_eq!(asking.iter().filter(|k| matches!(k, KeyLookup::Ask(_))).count(), CONFIRMATIONS);
        known.swap(vec![HASH]);
        assert!(matches!(known.look_up(&HASH, NOW), KeyLookup::Ask(None)));
    }

    #[test]
    fn memory_of_misses_is_bounded() {
        let known = loaded();
        for n in 0..(MAX_NEGATIVE as u64 * 2) {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&n.to_le_bytes());
            known.insert_negative(SecretHash(hash), NOW);
        }
        assert!(known.negative().len() <= MAX_NEGATIVE);
    }
}
