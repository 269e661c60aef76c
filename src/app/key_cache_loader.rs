//! Keeps the key cache up to date.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::broadcast::{Receiver, error::TryRecvError};
use tokio::time::Instant;

use super::Core;
use super::events::Events;
use super::key_cache::{KeyCache, Load};
use super::task::{PeriodicTask, Task, TaskContext, TaskError, Tick};
use crate::domain::StreamKeyId;
use crate::domain::event::{BroadcasterEventKind, Event, EventBody, StreamKeyEventKind, Topic};
use crate::ports::{CachedKeyStore, WakeUp};

/// From this many changed keys on, all keys are loaded.
const MANY_CHANGES: usize = 500;
/// How many keys are read at once.
const PAGE: u32 = 10_000;
/// All keys are loaded this often in any case. It drops the old secrets of rotated keys, and repairs what an event that
/// this version cannot read would have changed.
const RELOAD_INTERVAL: Duration = Duration::from_secs(600);

/// Keeps the key cache up to date: loads all keys once, then only those that events of the topics `stream_key` and
/// `broadcaster` name.
pub struct KeyCacheLoader {
    cache: Arc<KeyCache>,
    keys: Arc<dyn CachedKeyStore>,
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

    fn over(keys: Arc<dyn CachedKeyStore>, cache: Arc<KeyCache>, events: Arc<Events>) -> Self {
        let heard = [Topic::StreamKey, Topic::Broadcaster].map(|topic| events.listen(topic));
        Self { cache, keys, events, heard, loaded_at: None, changed: BTreeSet::new() }
    }

    fn take_events(&mut self) {
        let mut must_load = false;
        for heard in &mut self.heard {
            loop {
                match heard.try_recv().as_deref() {
                    Ok(Event { body: EventBody::StreamKey(key), .. }) => match key.kind {
                        StreamKeyEventKind::Created => _ = self.changed.insert(key.id),
                        StreamKeyEventKind::Rotated => {
                            // The old secret is gone, even if the new one cannot be read yet.
                            self.cache.revoke(key.id);
                            self.changed.insert(key.id);
                        }
                        StreamKeyEventKind::Revoked => {
                            self.changed.remove(&key.id);
                            self.cache.revoke(key.id);
                        }
                        // It has no part in whether the key is valid.
                        StreamKeyEventKind::Updated => {}
                    },
                    Ok(Event { body: EventBody::Broadcaster(broadcaster), .. }) => {
                        if broadcaster.kind == BroadcasterEventKind::Deleted {
                            must_load = true;
                        }
                    }
                    // Neither topic has these.
                    Ok(Event {
                        body:
                            EventBody::Stream(_)
                            | EventBody::Streamer(_)
                            | EventBody::Channel(_)
                            | EventBody::Studio(_)
                            | EventBody::MediaServer(_),
                        ..
                    }) => {}
                    Err(TryRecvError::Lagged(_)) => must_load = true,
                    Err(TryRecvError::Empty | TryRecvError::Closed) => break,
                }
            }
        }
        if must_load {
            self.loaded_at = None;
            self.cache.mark_stale();
        }
    }

    async fn load(&mut self) -> Result<(), TaskError> {
        self.events.begin().await?;
        let (mut load, mut after) = (Load::default(), None);
        loop {
            let page = self.keys.cached_keys(after, PAGE).await?;
            self.cache.take_page(&mut load, &page);
            if page.len() < PAGE as usize {
                break;
            }
            after = page.last().map(|key| key.hash);
        }
        self.cache.replace(load);
        self.loaded_at = Some(Instant::now());
        Ok(())
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

    /// A million keys take ten seconds on a slow machine. A load that is dropped begins again.
    fn limit(&self) -> Duration {
        Duration::from_secs(120)
    }

    fn wakes_on(&self, wake_up: &WakeUp) -> bool {
        matches!(wake_up, WakeUp::Topic(Topic::StreamKey | Topic::Broadcaster))
    }

    async fn tick(&mut self, _: &TaskContext) -> Result<Tick, TaskError> {
        self.take_events();
        let is_fresh = self.loaded_at.is_some_and(|at| at.elapsed() < RELOAD_INTERVAL);
        if !is_fresh || self.changed.len() >= MANY_CHANGES {
            self.load().await?;
        } else if !self.changed.is_empty() {
            let changed: Vec<StreamKeyId> = self.changed.iter().copied().collect();
            self.cache.add(&self.keys.cached_keys_of(&changed).await?);
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
    use super::super::key_cache::KeyLookup;
    use super::*;
    use crate::domain::broadcaster::{Broadcaster, DisplayName, Metadata};
    use crate::domain::event::{StreamEventKind, StreamerEventKind};
    use crate::domain::path::StreamPath;
    use crate::domain::secret::SecretHash;
    use crate::domain::stream::tests::stream;
    use crate::domain::stream_key::CachedKey;
    use crate::domain::stream_key::tests::key;
    use crate::domain::streamer::{Slug, Streamer};
    use crate::domain::{BroadcasterId, OrganizationId, StreamerId, Timestamp};
    use crate::ports::StoreError;

    const NOW: Timestamp = Timestamp::from_seconds(100);
    const HASH: SecretHash = SecretHash([1; 32]);

    fn may_exist(cache: &KeyCache, hash: &SecretHash) -> bool {
        matches!(cache.look_up(hash, NOW), KeyLookup::Query(None))
    }

    fn is_refused(cache: &KeyCache, hash: &SecretHash) -> bool {
        matches!(cache.look_up(hash, NOW), KeyLookup::Reject)
    }

    fn cached(id: StreamKeyId, hash: SecretHash) -> CachedKey {
        CachedKey { hash, id, path: StreamPath::parse("live/alice").unwrap(), expires_at: None }
    }

    /// A store that counts its calls.
    #[derive(Default)]
    struct CountingStore {
        loads: AtomicUsize,
        lookups: AtomicUsize,
        is_unreachable: std::sync::atomic::AtomicBool,
    }

    #[async_trait]
    impl CachedKeyStore for CountingStore {
        async fn cached_keys(&self, _: Option<SecretHash>, _: u32) -> Result<Vec<CachedKey>, StoreError> {
            self.loads.fetch_add(1, Ordering::Relaxed);
            Ok(vec![cached(StreamKeyId(Uuid::nil()), SecretHash([7; 32]))])
        }

        async fn cached_keys_of(&self, ids: &[StreamKeyId]) -> Result<Vec<CachedKey>, StoreError> {
            if self.is_unreachable.load(Ordering::Relaxed) {
                return Err(StoreError::Unavailable("unreachable".into()));
            }
            self.lookups.fetch_add(1, Ordering::Relaxed);
            Ok(ids.iter().map(|id| cached(*id, HASH)).collect())
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
            let keys = Arc::clone(&store) as Arc<dyn CachedKeyStore>;
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
    async fn old_secret_of_a_rotated_key_leaves_the_cache_although_the_database_is_unreachable() {
        let mut world = World::loaded().await;
        let (id, old) = (StreamKeyId(Uuid::nil()), SecretHash([7; 32]));
        assert!(may_exist(&world.cache, &old));
        world.store.is_unreachable.store(true, Ordering::Relaxed);
        let rotated = crate::domain::stream_key::StreamKey { id, ..key() };
        world.log.append(&EventBody::stream_key(StreamKeyEventKind::Rotated, &rotated));
        world.tail.tick(&TaskContext::default()).await.unwrap();
        world.loader.tick(&TaskContext::default()).await.unwrap_err();
        assert!(!may_exist(&world.cache, &old));
    }

    #[tokio::test]
    async fn changed_key_is_read_again_after_the_database_was_unreachable() {
        let mut world = World::loaded().await;
        world.store.is_unreachable.store(true, Ordering::Relaxed);
        world.log.append(&EventBody::stream_key(StreamKeyEventKind::Created, &key()));
        world.tail.tick(&TaskContext::default()).await.unwrap();
        world.loader.tick(&TaskContext::default()).await.unwrap_err();
        world.store.is_unreachable.store(false, Ordering::Relaxed);
        world.loader.tick(&TaskContext::default()).await.unwrap();
        assert!(may_exist(&world.cache, &HASH));
    }

    #[tokio::test]
    async fn deleted_broadcaster_loads_all_keys_once_and_other_broadcaster_events_load_none() {
        let mut world = World::loaded().await;
        let alice = Broadcaster {
            id: BroadcasterId(Uuid::nil()),
            organization_id: OrganizationId::DEFAULT,
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
