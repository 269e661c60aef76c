//! A filter in front of the database for keys that do not exist, so that a flood of made-up keys is cheap.
//!
//! It never allows a key: that takes the database. Its "no" is not final either: a miss is confirmed in the database
//! while there is room for that, so that a key that another instance created a moment ago works at once.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::broadcast::{Receiver, error::TryRecvError};
use tokio::sync::{Semaphore, SemaphorePermit, SetOnce};
use tokio::time::Instant;

use super::Core;
use super::events::Events;
use super::task::{PeriodicTask, Task, TaskContext, TaskError, Tick};
use crate::domain::event::{BroadcasterEventKind, Event, EventBody, StreamKeyEventKind, Topic};
use crate::domain::secret::SecretHash;
use crate::domain::{StreamKeyId, Timestamp};
use crate::ports::{KeyHashStore, WakeUp};

/// How long a confirmed miss is not checked again.
const NEGATIVE_TTL: Duration = Duration::from_secs(1);
/// How many confirmed unknown keys are remembered.
const MAX_NEGATIVE: usize = 10_000;
/// How many unknown keys are confirmed at the same time; the others are refused.
const CONFIRMATIONS: usize = 2;
/// From this many changed keys on, all keys are loaded.
const MANY_CHANGES: usize = 500;
/// All keys are loaded this often in any case. It drops the old secrets of rotated keys, and repairs what an event that
/// this version cannot read would have changed.
const RELOAD_INTERVAL: Duration = Duration::from_secs(600);

/// The hashes of all keys that are not revoked. It may have a few more.
#[derive(Debug)]
pub struct KeyCache {
    /// `None` before the first load: until then every key is read from the database.
    hashes: RwLock<Option<HashSet<SecretHash>>>,
    first_load: SetOnce<()>,
    negative: Mutex<HashMap<SecretHash, Timestamp>>,
    room: Semaphore,
}

impl Default for KeyCache {
    fn default() -> Self {
        Self {
            hashes: RwLock::default(),
            first_load: SetOnce::new(),
            negative: Mutex::default(),
            room: Semaphore::new(CONFIRMATIONS),
        }
    }
}

/// The answer of the cache about a hash.
pub(super) enum KeyLookup<'a> {
    /// Read it from the database. The permit, if any, is held meanwhile.
    Read(Option<SemaphorePermit<'a>>),
    /// There is no such key.
    No,
}

impl KeyCache {
    pub(super) fn look_up(&self, hash: &SecretHash, now: Timestamp) -> KeyLookup<'_> {
        let may_exist = {
            let hashes = self.hashes.read().unwrap_or_else(PoisonError::into_inner);
            hashes.as_ref().is_none_or(|hashes| hashes.contains(hash))
        };
        if may_exist {
            return KeyLookup::Read(None);
        }
        let is_negative =
            self.negative().get(hash).is_some_and(|at| now.since(*at) < NEGATIVE_TTL && now >= *at);
        match self.room.try_acquire() {
            Ok(permit) if !is_negative => KeyLookup::Read(Some(permit)),
            _ => KeyLookup::No,
        }
    }

    /// The database has no such key.
    pub(super) fn insert_negative(&self, hash: SecretHash, now: Timestamp) {
        self.remove(&hash);
        let mut negative = self.negative();
        if negative.len() >= MAX_NEGATIVE {
            negative.clear();
        }
        negative.insert(hash, now);
    }

    pub(super) fn clear_negative(&self) {
        self.negative().clear();
    }

    /// Waits for the first load.
    pub async fn loaded(&self) {
        self.first_load.wait().await;
    }

    /// The key with this hash was revoked: from now on it is confirmed like any unknown one.
    pub(super) fn remove(&self, hash: &SecretHash) {
        let is_there = {
            let hashes = self.hashes.read().unwrap_or_else(PoisonError::into_inner);
            hashes.as_ref().is_some_and(|hashes| hashes.contains(hash))
        };
        if is_there && let Some(hashes) = &mut *self.write() {
            hashes.remove(hash);
        }
    }

    fn replace(&self, hashes: Vec<SecretHash>) {
        let hashes = hashes.into_iter().collect();
        // The old set is dropped after the lock.
        let _old = self.write().replace(hashes);
        self.clear_negative();
        // Later loads find it set.
        let _ = self.first_load.set(());
    }

    fn add(&self, added: Vec<SecretHash>) {
        self.negative().retain(|hash, _| !added.contains(hash));
        if let Some(hashes) = &mut *self.write() {
            hashes.extend(added);
        }
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Option<HashSet<SecretHash>>> {
        self.hashes.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn negative(&self) -> MutexGuard<'_, HashMap<SecretHash, Timestamp>> {
        self.negative.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps the key cache up to date: loads all keys once, then only those that events of the topics `stream_key` and
/// `broadcaster` name.
pub struct KeyCacheLoader {
    cache: Arc<KeyCache>,
    keys: Arc<dyn KeyHashStore>,
    events: Arc<Events>,
    heard: [Receiver<Arc<Event>>; 2],
    /// When all keys were loaded; `None` if they must be loaded now.
    loaded_at: Option<Instant>,
    /// Keys with a secret that the cache may not have.
    changed: BTreeSet<StreamKeyId>,
}

impl KeyCacheLoader {
    /// A loader that has not loaded yet.
    pub fn new(core: &Core, cache: Arc<KeyCache>, events: Arc<Events>) -> Self {
        Self::over(Arc::clone(&core.worker_store) as Arc<_>, cache, events)
    }

    fn over(keys: Arc<dyn KeyHashStore>, cache: Arc<KeyCache>, events: Arc<Events>) -> Self {
        let heard = [Topic::StreamKey, Topic::Broadcaster].map(|topic| events.listen(topic));
        Self { cache, keys, events, heard, loaded_at: None, changed: BTreeSet::new() }
    }

    fn take_events(&mut self) {
        for heard in &mut self.heard {
            loop {
                match heard.try_recv().as_deref() {
                    Ok(Event { body: EventBody::StreamKey(key), .. }) => match key.kind {
                        StreamKeyEventKind::Created | StreamKeyEventKind::Rotated => {
                            self.changed.insert(key.id);
                        }
                        // Its hash is removed at its next use, see `KeyCache::remove`.
                        StreamKeyEventKind::Revoked => {}
                    },
                    Ok(Event { body: EventBody::Broadcaster(broadcaster), .. }) => {
                        if broadcaster.kind == BroadcasterEventKind::Deleted {
                            self.loaded_at = None;
                        }
                    }
                    // Neither topic has these.
                    Ok(Event { body: EventBody::Stream(_) | EventBody::Streamer(_), .. }) => {}
                    Err(TryRecvError::Lagged(_)) => self.loaded_at = None,
                    Err(TryRecvError::Empty | TryRecvError::Closed) => break,
                }
            }
        }
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
        matches!(wake_up, WakeUp::Topic(Topic::StreamKey | Topic::Broadcaster))
    }

    async fn tick(&mut self, _: &TaskContext) -> Result<Tick, TaskError> {
        self.take_events();
        let is_fresh = self.loaded_at.is_some_and(|at| at.elapsed() < RELOAD_INTERVAL);
        if !is_fresh || self.changed.len() >= MANY_CHANGES {
            self.events.begin().await?;
            self.cache.replace(self.keys.key_hashes().await?);
            self.loaded_at = Some(Instant::now());
        } else if !self.changed.is_empty() {
            let changed: Vec<StreamKeyId> = self.changed.iter().copied().collect();
            self.cache.add(self.keys.key_hashes_of(&changed).await?);
        }
        self.changed.clear();
        Ok(Tick::default())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use uuid::Uuid;

    use super::super::events::EventTail;
    use super::super::events::tests::{Log, tail};
    use super::*;
    use crate::domain::broadcaster::{Broadcaster, DisplayName, Metadata};
    use crate::domain::event::{StreamEventKind, StreamerEventKind};
    use crate::domain::stream::tests::stream;
    use crate::domain::stream_key::tests::key;
    use crate::domain::streamer::{Slug, Streamer};
    use crate::domain::{BroadcasterId, StreamerId};
    use crate::ports::StoreError;

    const NOW: Timestamp = Timestamp::from_seconds(100);
    const HASH: SecretHash = SecretHash([1; 32]);

    fn loaded() -> KeyCache {
        let cache = KeyCache::default();
        cache.replace(vec![]);
        cache
    }

    fn may_exist(cache: &KeyCache, hash: &SecretHash) -> bool {
        matches!(cache.look_up(hash, NOW), KeyLookup::Read(None))
    }

    fn is_refused(cache: &KeyCache, hash: &SecretHash) -> bool {
        matches!(cache.look_up(hash, NOW), KeyLookup::No)
    }

    #[test]
    fn before_the_first_load_every_key_is_read_from_the_database() {
        let cache = KeyCache::default();
        let lookups: Vec<KeyLookup<'_>> =
            (0..50u8).map(|n| cache.look_up(&SecretHash([n; 32]), NOW)).collect();
        assert!(lookups.iter().all(|lookup| matches!(lookup, KeyLookup::Read(None))));
    }

    #[test]
    fn confirmed_miss_is_not_confirmed_again_for_a_second() {
        let cache = loaded();
        assert!(matches!(cache.look_up(&HASH, NOW), KeyLookup::Read(Some(_))));
        cache.insert_negative(HASH, NOW);
        assert!(is_refused(&cache, &HASH));
        assert!(matches!(cache.look_up(&HASH, NOW.plus(NEGATIVE_TTL)), KeyLookup::Read(Some(_))));
        cache.clear_negative();
        assert!(matches!(cache.look_up(&HASH, NOW), KeyLookup::Read(Some(_))));
    }

    #[test]
    fn flood_of_misses_does_not_reach_the_database() {
        let cache = loaded();
        let lookups: Vec<KeyLookup<'_>> =
            (0..50u8).map(|n| cache.look_up(&SecretHash([n; 32]), NOW)).collect();
        let reads = lookups.iter().filter(|lookup| matches!(lookup, KeyLookup::Read(_))).count();
        assert_eq!(reads, CONFIRMATIONS);
        cache.replace(vec![HASH]);
        assert!(may_exist(&cache, &HASH));
    }

    #[test]
    fn number_of_confirmed_misses_is_bounded() {
        let cache = loaded();
        for n in 0..(MAX_NEGATIVE as u64 * 2) {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&n.to_le_bytes());
            cache.insert_negative(SecretHash(hash), NOW);
        }
        assert!(cache.negative().len() <= MAX_NEGATIVE);
    }

    #[test]
    fn key_that_the_database_does_not_have_or_that_is_revoked_leaves_the_cache_at_its_next_use() {
        let cache = loaded();
        for gone in
            [KeyCache::remove, |cache: &KeyCache, hash: &SecretHash| cache.insert_negative(*hash, NOW)]
        {
            cache.replace(vec![HASH]);
            assert!(may_exist(&cache, &HASH));
            gone(&cache, &HASH);
            assert!(!may_exist(&cache, &HASH));
        }
    }

    /// A store that counts its calls.
    #[derive(Default)]
    struct CountingStore {
        loads: AtomicUsize,
        lookups: AtomicUsize,
        is_away: std::sync::atomic::AtomicBool,
    }

    #[async_trait]
    impl KeyHashStore for CountingStore {
        async fn key_hashes(&self) -> Result<Vec<SecretHash>, StoreError> {
            self.loads.fetch_add(1, Ordering::Relaxed);
            Ok(vec![SecretHash([7; 32])])
        }

        async fn key_hashes_of(&self, ids: &[StreamKeyId]) -> Result<Vec<SecretHash>, StoreError> {
            if self.is_away.load(Ordering::Relaxed) {
                return Err(StoreError::Unavailable("unreachable".into()));
            }
            self.lookups.fetch_add(1, Ordering::Relaxed);
            Ok(vec![HASH; ids.len()])
        }
    }

    struct World {
        log: Arc<Log>,
        tail: EventTail,
        store: Arc<CountingStore>,
        cache: Arc<KeyCache>,
        loader: KeyCacheLoader,
    }

    impl World {
        async fn loaded() -> Self {
            let log = Arc::new(Log::default());
            let (events, tail) = tail(&log);
            let (store, cache) = (Arc::<CountingStore>::default(), Arc::<KeyCache>::default());
            let keys = Arc::clone(&store) as Arc<dyn KeyHashStore>;
            let loader = KeyCacheLoader::over(keys, Arc::clone(&cache), events);
            let mut world = Self { log, tail, store, cache, loader };
            world.loader.tick(&TaskContext::default()).await.unwrap();
            assert_eq!(world.counts(), (1, 0));
            world
        }

        async fn after(&mut self, event: EventBody) {
            self.log.append(&event);
            self.tail.tick(&TaskContext::default()).await.unwrap();
            self.loader.tick(&TaskContext::default()).await.unwrap();
        }

        /// How often all keys were loaded, and how often some were read.
        fn counts(&self) -> (usize, usize) {
            (self.store.loads.load(Ordering::Relaxed), self.store.lookups.load(Ordering::Relaxed))
        }
    }

    #[tokio::test]
    async fn events_of_streams_and_streamers_neither_load_keys_nor_clear_the_negative_cache() {
        let mut world = World::loaded().await;
        world.cache.insert_negative(HASH, NOW);
        let xqc = Streamer::new(StreamerId(Uuid::nil()), &Slug::parse("xqc").unwrap(), NOW);
        for _ in 0..600 {
            world.after(EventBody::streamer(StreamerEventKind::Updated, &xqc, None)).await;
            world.after(EventBody::stream(StreamEventKind::Updated, &stream())).await;
        }
        assert_eq!(world.counts(), (1, 0));
        assert!(is_refused(&world.cache, &HASH));
    }

    #[tokio::test]
    async fn created_or_rotated_key_is_read_once_and_no_other_key_is_loaded() {
        for kind in [StreamKeyEventKind::Created, StreamKeyEventKind::Rotated] {
            let mut world = World::loaded().await;
            world.cache.insert_negative(HASH, NOW);
            world.after(EventBody::stream_key(kind, &key())).await;
            world.loader.tick(&TaskContext::default()).await.unwrap();
            assert_eq!(world.counts(), (1, 1));
            assert!(may_exist(&world.cache, &HASH) && may_exist(&world.cache, &SecretHash([7; 32])));
            assert!(world.cache.negative().is_empty());
        }
    }

    #[tokio::test]
    async fn changed_key_is_read_again_after_the_database_was_unreachable() {
        let mut world = World::loaded().await;
        world.store.is_away.store(true, Ordering::Relaxed);
        world.log.append(&EventBody::stream_key(StreamKeyEventKind::Created, &key()));
        world.tail.tick(&TaskContext::default()).await.unwrap();
        world.loader.tick(&TaskContext::default()).await.unwrap_err();
        world.store.is_away.store(false, Ordering::Relaxed);
        world.loader.tick(&TaskContext::default()).await.unwrap();
        assert!(may_exist(&world.cache, &HASH));
    }

    #[tokio::test]
    async fn deleted_broadcaster_loads_all_keys_once_and_other_broadcaster_events_load_none() {
        let mut world = World::loaded().await;
        let alice = Broadcaster {
            id: BroadcasterId(Uuid::nil()),
            display_name: DisplayName::parse("Alice").unwrap(),
            metadata: Metadata::default(),
            created_at: NOW,
            updated_at: NOW,
        };
        for (kind, loads) in [
            (BroadcasterEventKind::Created, 1),
            (BroadcasterEventKind::Updated, 1),
            (BroadcasterEventKind::Deleted, 2),
            (BroadcasterEventKind::Created, 2),
        ] {
            world.after(EventBody::broadcaster(kind, &alice)).await;
            assert_eq!(world.counts(), (loads, 0), "{kind:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn all_keys_are_loaded_every_ten_minutes() {
        let mut world = World::loaded().await;
        for loads in [1, 2] {
            world.loader.tick(&TaskContext::default()).await.unwrap();
            assert_eq!(world.counts(), (loads, 0));
            tokio::time::advance(RELOAD_INTERVAL).await;
        }
    }
}
