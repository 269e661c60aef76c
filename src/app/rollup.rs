//! Counts what is too frequent to be written one by one. The housekeeping task writes the counts, so a storm becomes one
//! entry.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;

use crate::domain::audit::AuditEntry;
use crate::domain::{AuditId, Timestamp};
use crate::ports::{AuditStore, IdGen, StoreError};

/// How many kinds are kept apart between two writes.
pub(super) const MAX_KINDS: usize = 1_000;

/// What makes two occurrences the same.
pub(super) trait Kind: Clone + Eq + Hash {
    /// Whether this kind may be kept apart from the `others`, beside the limit for all.
    fn has_room<'a>(&'a self, others: impl Iterator<Item = &'a Self>) -> bool;

    /// What it is counted as otherwise: one of fewer, in the end one that is its own. `is_full`: because of the limit for
    /// all.
    fn coarse(self, is_full: bool) -> Self;
}

/// A kind that is written to the audit log.
pub(super) trait AuditKind: Kind {
    /// The entry for it, but for its id, time and count.
    fn entry(&self) -> AuditEntry;
}

/// How often something occurred.
#[derive(Clone, Debug)]
pub(super) struct Count {
    pub(super) times: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    /// The request of the last one.
    request_id: Option<String>,
}

/// The counts that are not written yet.
#[derive(Debug)]
pub(super) struct Rollup<K>(Mutex<HashMap<K, Count>>);

impl<K> Default for Rollup<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Kind> Rollup<K> {
    fn counts(&self) -> MutexGuard<'_, HashMap<K, Count>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn count(&self, mut kind: K, request_id: Option<String>, now: Timestamp) {
        let mut counts = self.counts();
        // In this order: a storm of the same kind must not compare the others each time.
        if let Some(count) = counts.get_mut(&kind) {
            count.times += 1;
            (count.last, count.request_id) = (now, request_id);
            return;
        }
        let is_full = counts.len() >= MAX_KINDS;
        while !counts.contains_key(&kind) && (is_full || !kind.has_room(counts.keys())) {
            let coarser = kind.clone().coarse(is_full);
            if coarser == kind {
                break;
            }
            kind = coarser;
        }
        let new = || Count { times: 0, first: now, last: now, request_id: None };
        let count = counts.entry(kind).or_insert_with(new);
        count.times += 1;
        (count.last, count.request_id) = (now, request_id);
    }

    /// The counts so far.
    pub(super) fn counted(&self) -> Vec<(K, Count)> {
        self.counts().iter().map(|(kind, count)| (kind.clone(), count.clone())).collect()
    }

    /// Writes the counts to the audit log. If the store fails, they stay for the next write.
    pub(super) async fn write(
        &self,
        store: &(impl AuditStore + ?Sized),
        ids: &dyn IdGen,
    ) -> Result<(), StoreError>
    where
        K: AuditKind,
    {
        self.write_only(store, ids, |_| true).await
    }

    /// The same, but only of the kinds that `may_be_written`. The others go on being counted.
    pub(super) async fn write_only(
        &self,
        store: &(impl AuditStore + ?Sized),
        ids: &dyn IdGen,
        may_be_written: impl Fn(&K) -> bool,
    ) -> Result<(), StoreError>
    where
        K: AuditKind,
    {
        let mut counted = self.counted();
        counted.retain(|(kind, _)| may_be_written(kind));
        if !counted.is_empty() {
            let entries: Vec<AuditEntry> =
                counted.iter().map(|(kind, count)| entry(kind, count, ids)).collect();
            store.record_audit(&entries).await?;
            self.forget(&counted);
        }
        Ok(())
    }

    /// Subtracts what was written. What occurred meanwhile stays.
    pub(super) fn forget(&self, written: &[(K, Count)]) {
        let mut counts = self.counts();
        for (kind, written) in written {
            if let Some(count) = counts.get_mut(kind) {
                count.times = count.times.saturating_sub(written.times);
                count.first = count.last;
                if count.times == 0 {
                    counts.remove(kind);
                }
            }
        }
    }
}

fn entry(kind: &impl AuditKind, count: &Count, ids: &dyn IdGen) -> AuditEntry {
    let mut entry = kind.entry();
    (entry.id, entry.timestamp) = (AuditId(ids.uuid()), count.last);
    entry.request_id.clone_from(&count.request_id);
    for (name, value) in
        [("count", json!(count.times)), ("first", json!(count.first)), ("last", json!(count.last))]
    {
        entry.metadata.insert(name.into(), value);
    }
    entry
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::adapters::memory::MemoryStore;
    use crate::adapters::system::{SystemClock, SystemIds};
    use crate::domain::access::{Actor, Scope};
    use crate::domain::audit::AuditFilter;

    /// Even numbers have room.
    impl Kind for u32 {
        fn has_room<'a>(&'a self, _: impl Iterator<Item = &'a Self>) -> bool {
            self.is_multiple_of(2)
        }

        fn coarse(self, is_full: bool) -> Self {
            if is_full { Self::MAX } else { Self::MAX - 1 }
        }
    }

    impl AuditKind for u32 {
        fn entry(&self) -> AuditEntry {
            let id = AuditId(SystemIds.uuid());
            AuditEntry::of(id, Timestamp::from_seconds(0), &Actor::cli("test"), &self.to_string(), "thing")
        }
    }

    /// The action, count and request of each entry.
    async fn written(rollup: &Rollup<u32>) -> Vec<(String, u64, Option<String>)> {
        let store = MemoryStore::new(Arc::new(SystemClock));
        rollup.write(&store, &SystemIds).await.unwrap();
        let filter = AuditFilter { limit: 10_000, ..AuditFilter::default() };
        let (entries, _) = store.audit_entries(&Scope::system(), &filter).await.unwrap();
        let count = |entry: &AuditEntry| entry.metadata["count"].as_u64().unwrap();
        entries.into_iter().map(|entry| (entry.action.clone(), count(&entry), entry.request_id)).collect()
    }

    #[tokio::test]
    async fn storm_becomes_one_entry_and_what_occurs_during_the_write_is_not_lost() {
        let rollup = Rollup::default();
        for second in 0..1_000 {
            rollup.count(2, Some(second.to_string()), Timestamp::from_seconds(second));
        }
        let before: Vec<(u32, Count)> = rollup.counts().clone().into_iter().collect();
        rollup.count(2, None, Timestamp::from_seconds(2_000));
        rollup.forget(&before);
        assert_eq!(written(&rollup).await, [("2".to_owned(), 1, None)]);
        rollup.count(2, Some("a".to_owned()), Timestamp::from_seconds(2_000));
        rollup.count(2, Some("b".to_owned()), Timestamp::from_seconds(2_000));
        assert_eq!(written(&rollup).await, [("2".to_owned(), 2, Some("b".to_owned()))]);
        assert_eq!(written(&rollup).await, []);
    }

    #[tokio::test]
    async fn number_of_kinds_is_bounded() {
        let rollup = Rollup::default();
        for kind in 0..10_000 {
            rollup.count(kind, None, Timestamp::from_seconds(1));
        }
        let written = written(&rollup).await;
        assert!(written.len() <= MAX_KINDS + 2, "{}", written.len());
        assert_eq!(written.iter().map(|(_, count, _)| count).sum::<u64>(), 10_000, "all are counted");
    }
}
