//! The usable stream keys in memory: a filter in front of the database for keys that do not exist, so that a flood of
//! made-up keys is cheap.
//!
//! It allows a key only while the database is unreachable ([`super::grace`]). Its "no" is not final either: a miss is
//! confirmed in the database while few others are, so that a key that another instance created a moment ago works
//! at once.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit, SetOnce};

use crate::domain::path::StreamPath;
use crate::domain::publish::DenyReason;
use crate::domain::secret::SecretHash;
use crate::domain::stream_key::{CachedKey, StreamKey};
use crate::domain::{StreamKeyId, Timestamp};

/// How long a confirmed miss is not checked again.
pub(super) const NEGATIVE_TTL: Duration = Duration::from_secs(1);
/// How many confirmed unknown keys are remembered.
const MAX_NEGATIVE: usize = 10_000;
/// How many unknown keys are confirmed at the same time; the others are refused.
const MAX_LOOK_UPS: usize = 2;

/// The keys that are not revoked. It may have a few more.
#[derive(Debug)]
pub struct KeyCache {
    /// `None` before the first load: until then every key is read from the database.
    keys: RwLock<Option<Keys>>,
    first_load: SetOnce<()>,
    negative: Mutex<HashMap<SecretHash, Timestamp>>,
    look_ups: Semaphore,
    path_hasher: RandomState,
}

/// 64 bytes for each key: a million keys take 64 MB.
#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: SecretHash,
    id: StreamKeyId,
    /// A fingerprint of its path.
    path: u64,
    expires_at: Timestamp,
}

/// All keys of one load, and what changed since.
#[derive(Debug, Default)]
struct Keys {
    /// In order of their hash.
    loaded: Vec<Entry>,
    /// Created or rotated since.
    added: HashMap<SecretHash, Entry>,
    /// The secret of each key that changed since; `None` if it was revoked.
    current: HashMap<StreamKeyId, Option<SecretHash>>,
    /// A change was heard of that is not in here yet.
    is_stale: bool,
}

impl Keys {
    fn find(&self, hash: &SecretHash) -> Option<&Entry> {
        let entry = self.entry(hash)?;
        self.current.get(&entry.id).is_none_or(|current| *current == Some(*hash)).then_some(entry)
    }

    /// The entry with this hash, which may not count any more.
    fn entry(&self, hash: &SecretHash) -> Option<&Entry> {
        let loaded = || self.loaded.binary_search_by(|entry| entry.hash.cmp(hash)).ok();
        self.added.get(hash).or_else(|| self.loaded.get(loaded()?))
    }

    /// Whether this secret counted once and does not any more. A key never gets an old secret back.
    fn is_revoked(&self, key: &CachedKey) -> bool {
        self.current.get(&key.id) == Some(&None) && self.entry(&key.hash).is_some()
    }
}

impl Default for KeyCache {
    fn default() -> Self {
        Self {
            keys: RwLock::default(),
            first_load: SetOnce::new(),
            negative: Mutex::default(),
            look_ups: Semaphore::new(MAX_LOOK_UPS),
            path_hasher: RandomState::new(),
        }
    }
}

/// The answer of the cache about a hash.
pub(super) enum KeyLookup<'a> {
    /// Look it up in the database. The permit, if any, is held meanwhile.
    Query(Option<SemaphorePermit<'a>>),
    /// There is no such key.
    Reject,
}

impl KeyCache {
    pub(super) fn look_up(&self, hash: &SecretHash, now: Timestamp) -> KeyLookup<'_> {
        if self.keys().as_ref().is_none_or(|keys| keys.find(hash).is_some()) {
            return KeyLookup::Query(None);
        }
        let is_negative =
            self.negative().get(hash).is_some_and(|at| now.since(*at) < NEGATIVE_TTL && now >= *at);
        match self.look_ups.try_acquire() {
            Ok(permit) if !is_negative => KeyLookup::Query(Some(permit)),
            _ => KeyLookup::Reject,
        }
    }

    /// The key with this hash, if it could be used for `path` when the database was last read, and has not expired
    /// since. For a time when the database cannot be read.
    pub(super) fn check_offline(
        &self,
        hash: &SecretHash,
        path: Option<&StreamPath>,
        now: Timestamp,
    ) -> Result<StreamKeyId, DenyReason> {
        let keys = self.keys();
        let known = keys.as_ref().filter(|keys| !keys.is_stale).and_then(|keys| keys.find(hash));
        let entry = known.ok_or(DenyReason::Undecided)?;
        if entry.expires_at <= now {
            return Err(DenyReason::KeyExpired);
        }
        if path.is_some_and(|path| self.fingerprint(path) != entry.path) {
            return Err(DenyReason::WrongPath);
        }
        Ok(entry.id)
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
        let id = self.keys().as_ref().and_then(|keys| keys.find(hash)).map(|entry| entry.id);
        if let Some(id) = id {
            self.revoke(id);
        }
    }

    /// This key was revoked, or its secret replaced.
    pub(super) fn revoke(&self, id: StreamKeyId) {
        if let Some(keys) = &mut *self.write() {
            keys.current.insert(id, None);
        }
    }

    /// Keys changed, and which is not known yet.
    pub(super) fn mark_stale(&self) {
        if let Some(keys) = &mut *self.write() {
            keys.is_stale = true;
        }
    }

    /// Takes over a complete load, whose pages came in order.
    pub(super) fn replace(&self, pages: Load) {
        let keys = Keys { loaded: pages.0, ..Keys::default() };
        // The old keys are dropped after the lock.
        let _old = self.write().replace(keys);
        self.clear_negative();
        // Later loads find it set.
        let _ = self.first_load.set(());
    }

    pub(super) fn add(&self, added: &[CachedKey]) {
        self.negative().retain(|hash, _| added.iter().all(|key| key.hash != *hash));
        if let Some(keys) = &mut *self.write() {
            for key in added {
                // It may have been revoked after it was read.
                if !keys.is_revoked(key) {
                    keys.added.insert(key.hash, self.entry(key));
                    keys.current.insert(key.id, Some(key.hash));
                }
            }
        }
    }

    /// This instance created `key` a moment ago. It is known here at once, before its event arrives: many encoders may
    /// come right away, and only few unknown keys are confirmed at the same time.
    pub(super) fn add_created(&self, key: &StreamKey, hash: SecretHash) {
        let StreamKey { id, path, expires_at, .. } = key;
        let entry = self.entry(&CachedKey { hash, id: *id, path: path.clone(), expires_at: *expires_at });
        if let Some(keys) = &mut *self.write() {
            keys.added.insert(hash, entry);
            // Unless the event of its revocation was faster.
            keys.current.entry(*id).or_insert(Some(hash));
        }
    }

    /// Adds a page to a load.
    pub(super) fn take_page(&self, load: &mut Load, page: &[CachedKey]) {
        load.0.extend(page.iter().map(|key| self.entry(key)));
    }

    fn entry(&self, key: &CachedKey) -> Entry {
        let expires_at = key.expires_at.unwrap_or(Timestamp::from_micros(i64::MAX));
        Entry { hash: key.hash, id: key.id, path: self.fingerprint(&key.path), expires_at }
    }

    fn fingerprint(&self, path: &StreamPath) -> u64 {
        self.path_hasher.hash_one(path.as_str())
    }

    fn keys(&self) -> RwLockReadGuard<'_, Option<Keys>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Option<Keys>> {
        self.keys.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn negative(&self) -> MutexGuard<'_, HashMap<SecretHash, Timestamp>> {
        self.negative.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A load in progress: all keys read so far, in order of their hash.
#[derive(Debug, Default)]
pub(super) struct Load(Vec<Entry>);

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::stream_key::{Holder, OnConflict, Takeovers};
    use crate::domain::{BroadcasterId, OrganizationId};

    const NOW: Timestamp = Timestamp::from_seconds(100);
    const HASH: SecretHash = SecretHash([1; 32]);

    fn cached(hash: SecretHash) -> CachedKey {
        let path = StreamPath::parse("live/alice").unwrap();
        CachedKey { hash, id: StreamKeyId(Uuid::from_u128(hash.0[0].into())), path, expires_at: None }
    }

    fn load(cache: &KeyCache, hashes: &[SecretHash]) {
        let mut load = Load::default();
        cache.take_page(&mut load, &hashes.iter().copied().map(cached).collect::<Vec<_>>());
        cache.replace(load);
    }

    fn loaded() -> KeyCache {
        let cache = KeyCache::default();
        load(&cache, &[]);
        cache
    }

    fn may_exist(cache: &KeyCache, hash: &SecretHash) -> bool {
        matches!(cache.look_up(hash, NOW), KeyLookup::Query(None))
    }

    fn is_refused(cache: &KeyCache, hash: &SecretHash) -> bool {
        matches!(cache.look_up(hash, NOW), KeyLookup::Reject)
    }

    #[test]
    fn before_the_first_load_every_key_is_read_from_the_database() {
        let cache = KeyCache::default();
        let lookups: Vec<KeyLookup<'_>> =
            (0..50u8).map(|n| cache.look_up(&SecretHash([n; 32]), NOW)).collect();
        assert!(lookups.iter().all(|lookup| matches!(lookup, KeyLookup::Query(None))));
    }

    #[test]
    fn confirmed_miss_is_not_confirmed_again_for_a_second() {
        let cache = loaded();
        assert!(matches!(cache.look_up(&HASH, NOW), KeyLookup::Query(Some(_))));
        cache.insert_negative(HASH, NOW);
        assert!(is_refused(&cache, &HASH));
        assert!(matches!(cache.look_up(&HASH, NOW.plus(NEGATIVE_TTL)), KeyLookup::Query(Some(_))));
        cache.clear_negative();
        assert!(matches!(cache.look_up(&HASH, NOW), KeyLookup::Query(Some(_))));
    }

    #[test]
    fn flood_of_misses_does_not_reach_the_database() {
        let cache = loaded();
        let lookups: Vec<KeyLookup<'_>> =
            (0..50u8).map(|n| cache.look_up(&SecretHash([n; 32]), NOW)).collect();
        let reads = lookups.iter().filter(|lookup| matches!(lookup, KeyLookup::Query(_))).count();
        assert_eq!(reads, MAX_LOOK_UPS);
        load(&cache, &[HASH]);
        assert!(may_exist(&cache, &HASH));
    }

    #[test]
    fn a_million_keys_take_64_mb() {
        assert_eq!(size_of::<Entry>(), 64);
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
            load(&cache, &[HASH]);
            assert!(may_exist(&cache, &HASH));
            gone(&cache, &HASH);
            assert!(!may_exist(&cache, &HASH));
        }
    }

    #[test]
    fn loaded_added_rotated_and_revoked_keys_are_told_apart() {
        let cache = KeyCache::default();
        let hashes: Vec<SecretHash> = (1..=100).map(|n| SecretHash([n; 32])).collect();
        load(&cache, &hashes);
        assert!(hashes.iter().all(|hash| may_exist(&cache, hash)));
        let (old, new) = (hashes[9], SecretHash([200; 32]));
        cache.add(&[CachedKey { hash: new, ..cached(old) }]);
        assert!(may_exist(&cache, &new) && !may_exist(&cache, &old), "the old secret of a rotated key");
        cache.revoke(cached(hashes[10]).id);
        cache.revoke(cached(old).id);
        assert!(!may_exist(&cache, &hashes[10]) && !may_exist(&cache, &new));
        load(&cache, &hashes);
        assert!(may_exist(&cache, &old));
    }

    #[test]
    fn key_that_was_created_here_is_known_before_its_event_unless_it_was_revoked() {
        let key = StreamKey {
            id: cached(HASH).id,
            organization_id: OrganizationId::DEFAULT,
            broadcaster_id: BroadcasterId(Uuid::nil()),
            label: None,
            path: cached(HASH).path,
            key_prefix: "sk_1".into(),
            on_conflict: OnConflict::Reject,
            playback_access: None,
            created_at: NOW,
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
            holder: Holder::Free,
            takeovers: Takeovers::default(),
        };
        let cache = loaded();
        cache.add_created(&key, HASH);
        assert!((0..50).all(|_| may_exist(&cache, &HASH)));
        let cache = loaded();
        cache.revoke(key.id);
        cache.add_created(&key, HASH);
        assert!(!may_exist(&cache, &HASH));
    }

    #[test]
    fn key_that_is_revoked_while_it_is_read_stays_revoked() {
        let cache = loaded();
        let key = cached(HASH);
        cache.add(std::slice::from_ref(&key));
        cache.revoke(key.id);
        cache.add(std::slice::from_ref(&key));
        assert!(!may_exist(&cache, &HASH));
        let new = CachedKey { hash: SecretHash([9; 32]), ..key };
        cache.add(std::slice::from_ref(&new));
        assert!(may_exist(&cache, &new.hash) && !may_exist(&cache, &HASH), "a new secret counts");
    }

    #[test]
    fn without_the_database_a_key_is_usable_for_its_path_until_it_expires_or_changes() {
        let cache = KeyCache::default();
        let (alice, bob) = (StreamPath::parse("live/alice").unwrap(), StreamPath::parse("live/bob").unwrap());
        let check = |path, now| cache.check_offline(&HASH, path, now);
        assert_eq!(check(Some(&alice), NOW), Err(DenyReason::Undecided), "nothing was loaded");
        load(&cache, &[]);
        cache.add(&[CachedKey { expires_at: Some(NOW.plus(NEGATIVE_TTL)), ..cached(HASH) }]);
        assert_eq!(check(Some(&alice), NOW), Ok(cached(HASH).id));
        assert_eq!(check(None, NOW), Ok(cached(HASH).id));
        assert_eq!(check(Some(&bob), NOW), Err(DenyReason::WrongPath));
        assert_eq!(check(Some(&alice), NOW.plus(NEGATIVE_TTL)), Err(DenyReason::KeyExpired));
        cache.mark_stale();
        assert_eq!(check(Some(&alice), NOW), Err(DenyReason::Undecided));
        load(&cache, &[HASH]);
        cache.revoke(cached(HASH).id);
        assert_eq!(check(Some(&alice), NOW), Err(DenyReason::Undecided));
    }
}
