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

use super::App;
use super::worker::{Tick, TickError, Worker};
use crate::domain::Timestamp;
use crate::domain::secret::SecretHash;
use crate::ports::{Lease, Nudge};

/// How long a confirmed miss is believed.
const MISS_TTL: Duration = Duration::from_secs(1);
/// How many misses are remembered.
const MAX_MISSES: usize = 10_000;
/// How many events are looked through for changed keys before it is simpler to load them all.
const MANY_EVENTS: u32 = 500;
/// How many misses are confirmed at the same time; the others are believed.
const CONFIRMATIONS: usize = 2;

/// The hashes of all keys that are not revoked, as they were at the last load.
#[derive(Debug)]
pub(super) struct KnownKeys {
    /// Before the first load nothing is known, so everything is asked.
    loaded: AtomicBool,
    snapshot: ArcSwap<HashSet<SecretHash>>,
    misses: Mutex<HashMap<SecretHash, Timestamp>>,
    room: Semaphore,
}

impl Default for KnownKeys {
    fn default() -> Self {
        Self {
            loaded: AtomicBool::new(false),
            snapshot: ArcSwap::default(),
            misses: Mutex::default(),
            room: Semaphore::new(CONFIRMATIONS),
        }
    }
}

/// What is known about a hash.
pub(super) enum Known<'a> {
    /// Ask the database. The permit, if any, is held while asking.
    Ask(Option<SemaphorePermit<'a>>),
    /// There is no such key.
    No,
}

impl KnownKeys {
    pub(super) fn look_up(&self, hash: &SecretHash, now: Timestamp) -> Known<'_> {
        if !self.loaded.load(Ordering::Acquire) || self.snapshot.load().contains(hash) {
            return Known::Ask(None);
        }
        let missed = self.misses().get(hash).is_some_and(|at| now.since(*at) < MISS_TTL && now >= *at);
        match self.room.try_acquire() {
            Ok(permit) if !missed => Known::Ask(Some(permit)),
            _ => Known::No,
        }
    }

    /// The database was asked and has no such key.
    pub(super) fn missed(&self, hash: SecretHash, now: Timestamp) {
        let mut misses = self.misses();
        if misses.len() >= MAX_MISSES {
            misses.clear();
        }
        misses.insert(hash, now);
    }

    pub(super) fn forget_misses(&self) {
        self.misses().clear();
    }

    fn swap(&self, hashes: Vec<SecretHash>) {
        self.snapshot.store(Arc::new(hashes.into_iter().collect()));
        self.loaded.store(true, Ordering::Release);
        self.forget_misses();
    }

    fn misses(&self) -> std::sync::MutexGuard<'_, HashMap<SecretHash, Timestamp>> {
        self.misses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Loads the snapshot anew whenever keys changed: told by a nudge, or by the event log within a second.
pub struct KnownKeysLoader {
    app: Arc<App>,
    loaded_at_event: Option<i64>,
}

impl KnownKeysLoader {
    /// A loader that has not loaded yet.
    pub fn new(app: Arc<App>) -> Self {
        Self { app, loaded_at_event: None }
    }
}

impl KnownKeysLoader {
    /// Whether any event up to `last` may have changed the keys. Streams come and go all the time; keys do not.
    async fn keys_changed(&self, last: i64) -> Result<bool, TickError> {
        let Some(loaded) = self.loaded_at_event else { return Ok(true) };
        if last == loaded {
            return Ok(false);
        }
        let events = self.app.parts.worker_store.events_after(loaded, MANY_EVENTS).await?;
        let all_seen = events.last().is_some_and(|event| event.seq >= last);
        Ok(!all_seen || events.iter().any(|event| !event.what.kind.is_stream()))
    }
}

#[async_trait]
impl Worker for KnownKeysLoader {
    fn name(&self) -> String {
        "known-keys".into()
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn hears(&self, nudge: &Nudge) -> bool {
        matches!(nudge, Nudge::Keys)
    }

    async fn tick(&mut self, _: Option<&Lease>) -> Result<Tick, TickError> {
        let store = &self.app.parts.worker_store;
        // Read before the keys: what is written in between makes the next tick load again.
        let last = store.last_event().await?;
        if self.keys_changed(last).await? {
            let hashes = store.key_hashes().await?;
            self.app.known.swap(hashes);
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

    fn loaded() -> KnownKeys {
        let known = KnownKeys::default();
        known.swap(vec![]);
        known
    }

    #[test]
    fn before_the_first_load_everything_is_asked() {
        let known = KnownKeys::default();
        let asking: Vec<Known<'_>> = (0..50u8).map(|n| known.look_up(&SecretHash([n; 32]), NOW)).collect();
        assert!(asking.iter().all(|k| matches!(k, Known::Ask(None))));
    }

    #[test]
    fn a_miss_is_confirmed_then_believed_for_a_second() {
        let known = loaded();
        assert!(matches!(known.look_up(&HASH, NOW), Known::Ask(Some(_))));
        known.missed(HASH, NOW);
        assert!(matches!(known.look_up(&HASH, NOW), Known::No));
        assert!(matches!(known.look_up(&HASH, NOW.plus(MISS_TTL)), Known::Ask(Some(_))));
        known.forget_misses();
        assert!(matches!(known.look_up(&HASH, NOW), Known::Ask(Some(_))));
    }

    #[test]
    fn a_flood_of_misses_does_not_reach_the_database() {
        let known = loaded();
        let asking: Vec<Known<'_>> = (0..50u8).map(|n| known.look_up(&SecretHash([n; 32]), NOW)).collect();
        assert_eq!(asking.iter().filter(|k| matches!(k, Known::Ask(_))).count(), CONFIRMATIONS);
        known.swap(vec![HASH]);
        assert!(matches!(known.look_up(&HASH, NOW), Known::Ask(None)));
    }

    #[test]
    fn memory_of_misses_is_bounded() {
        let known = loaded();
        for n in 0..(MAX_MISSES as u64 * 2) {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&n.to_le_bytes());
            known.missed(SecretHash(hash), NOW);
        }
        assert!(known.misses().len() <= MAX_MISSES);
    }
}
