//! Counts auth decisions, which are too frequent to be written one by one.

use std::time::Duration;

use serde_json::{Map, json};
use uuid::Uuid;

use super::rollup::{AuditKind, Kind, Rollup};
use crate::domain::audit::{AuditEntry, Outcome};
use crate::domain::media_server::MediaServerName;
use crate::domain::{AuditId, LogThrottle, OrganizationId, StreamKeyId, Timestamp};
use crate::ports::{AuditStore, IdGen, StoreError};

/// How many kinds may be about unknown keys, so that unknown publishers cannot fill the audit log.
const MAX_UNKNOWN_PUBLISHERS: usize = 50;
/// How many kinds may be about wrong paths of one key.
const MAX_PATHS_OF_KEY: usize = 20;

/// How many entries about unknown keys are written in an interval. What is more waits, and is added up meanwhile.
const UNKNOWN_AT_ONCE: (u32, Duration) = (10, Duration::from_secs(60));

/// The decisions that are not in the audit log yet.
#[derive(Debug)]
pub(super) struct AuthRollup {
    counts: Rollup<RollupKey>,
    unknown: LogThrottle<()>,
}

impl Default for AuthRollup {
    fn default() -> Self {
        Self { counts: Rollup::default(), unknown: LogThrottle::new(UNKNOWN_AT_ONCE.0, UNKNOWN_AT_ONCE.1) }
    }
}

impl AuthRollup {
    /// Counts a decision.
    pub(super) fn count(&self, decision: RollupKey, now: Timestamp) {
        self.counts.count(decision, None, now);
    }

    /// Writes the counts to the audit log, but few about unknown keys, unless `is_last`. If the store fails, they stay for
    /// the next write.
    pub(super) async fn write(
        &self,
        store: &(impl AuditStore + ?Sized),
        ids: &dyn IdGen,
        now: Timestamp,
        is_last: bool,
    ) -> Result<(), StoreError> {
        let may_be_written =
            |kind: &RollupKey| is_last || kind.key.is_some() || self.unknown.allow((), now).is_some();
        self.counts.write_only(store, ids, may_be_written).await
    }
}

/// What makes two decisions the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RollupKey {
    pub(super) server: MediaServerName,
    pub(super) protocol: &'static str,
    pub(super) outcome: &'static str,
    pub(super) reason: &'static str,
    pub(super) detail: Option<String>,
    pub(super) key: Option<StreamKeyId>,
    pub(super) organization_id: Option<OrganizationId>,
    pub(super) path: Option<String>,
    /// The path that was requested instead of the key's.
    pub(super) requested_path: Option<String>,
    pub(super) ip: Option<String>,
}

impl Kind for RollupKey {
    fn has_room<'a>(&'a self, others: impl Iterator<Item = &'a Self>) -> bool {
        match (self.key, &self.requested_path) {
            (None, _) => others.filter(|one| one.key.is_none()).count() < MAX_UNKNOWN_PUBLISHERS,
            (Some(_), None) => true,
            (Some(_), Some(_)) => {
                let wrong_paths = others.filter(|one| one.key == self.key && one.requested_path.is_some());
                wrong_paths.count() < MAX_PATHS_OF_KEY
            }
        }
    }

    fn coarse(self, is_full: bool) -> Self {
        let kept = Self { detail: None, requested_path: None, ..self };
        if kept.key.is_some() && !is_full {
            return kept;
        }
        Self { key: None, organization_id: None, path: None, ip: None, ..kept }
    }
}

impl AuditKind for RollupKey {
    fn entry(&self) -> AuditEntry {
        let allowed = self.outcome == "allow";
        let mut metadata = Map::new();
        metadata.insert("media_server".into(), json!(self.server));
        metadata.insert("protocol".into(), json!(self.protocol));
        metadata.insert("reason".into(), json!(self.reason));
        for (name, text) in
            [("path", &self.path), ("requested_path", &self.requested_path), ("detail", &self.detail)]
        {
            if let Some(text) = text {
                metadata.insert(name.into(), json!(text));
            }
        }
        AuditEntry {
            id: AuditId(Uuid::nil()),
            timestamp: Timestamp::from_micros(0),
            organization_id: self.organization_id,
            actor: Some(format!("media_server:{}", self.server)),
            action: "publish".into(),
            resource_type: Some("stream_key".into()),
            resource_id: self.key.map(|id| id.to_string()),
            request_method: Some("POST".into()),
            request_path: Some("/auth".into()),
            ip_address: self.ip.clone(),
            outcome: if allowed { Outcome::Success } else { Outcome::Failure },
            failure_reason: (!allowed).then(|| self.reason.to_owned()),
            metadata,
            request_id: None,
            told: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::adapters::memory::MemoryStore;
    use crate::adapters::system::{SystemClock, SystemIds};
    use crate::domain::access::Scope;
    use crate::domain::audit::AuditFilter;

    fn unknown(ip: usize) -> RollupKey {
        RollupKey {
            server: MediaServerName::default(),
            protocol: "rtmp",
            outcome: "deny",
            reason: "unknown_key",
            detail: None,
            key: None,
            organization_id: None,
            path: None,
            requested_path: None,
            ip: Some(ip.to_string()),
        }
    }

    #[tokio::test]
    async fn long_flood_of_unknown_keys_is_few_entries_and_all_are_counted() {
        let (rollup, store) = (AuthRollup::default(), MemoryStore::new(Arc::new(SystemClock)));
        let mut now = Timestamp::from_seconds(1_000);
        let known = RollupKey { key: Some(StreamKeyId(Uuid::nil())), ..unknown(0) };
        for second in 0..3_600_usize {
            (0..100).for_each(|n| rollup.count(unknown((second + n) % 7), now));
            now = now.plus(Duration::from_secs(1));
            if second.is_multiple_of(5) {
                rollup.count(known.clone(), now);
                rollup.write(&store, &SystemIds, now, false).await.unwrap();
            }
        }
        rollup.write(&store, &SystemIds, now, true).await.unwrap();
        let filter = AuditFilter { limit: 10_000, ..AuditFilter::default() };
        let (entries, _) = store.audit_entries(&Scope::system(), &filter).await.unwrap();
        let (of_known, of_unknown): (Vec<_>, Vec<_>) =
            entries.iter().partition(|entry| entry.resource_id.is_some());
        let attempts: u64 = of_unknown.iter().filter_map(|entry| entry.metadata["count"].as_u64()).sum();
        assert_eq!((of_known.len(), attempts), (720, 360_000));
        assert!(of_unknown.len() <= 620, "{}", of_unknown.len());
    }

    #[test]
    fn unknown_publishers_cannot_fill_the_audit_log() {
        let kinds: Vec<RollupKey> = (0..MAX_UNKNOWN_PUBLISHERS).map(unknown).collect();
        let (next, known) = (unknown(1_000), RollupKey { key: Some(StreamKeyId(Uuid::nil())), ..unknown(0) });
        assert!(next.has_room(kinds[1..].iter()) && !next.has_room(kinds.iter()));
        assert!(known.has_room(kinds.iter()));
        assert_eq!(next.coarse(false), unknown(2_000).coarse(false));
    }

    #[test]
    fn wrong_paths_of_one_key_cannot_fill_the_audit_log() {
        let key = Some(StreamKeyId(Uuid::nil()));
        let wrong = |path: usize| RollupKey { key, requested_path: Some(path.to_string()), ..unknown(0) };
        let kinds: Vec<RollupKey> = (0..MAX_PATHS_OF_KEY).map(wrong).collect();
        let other = RollupKey { key: Some(StreamKeyId(Uuid::max())), ..wrong(0) };
        assert!(wrong(99).has_room(kinds[1..].iter()) && !wrong(99).has_room(kinds.iter()));
        assert!(other.has_room(kinds.iter()));
        assert_eq!((wrong(99).coarse(false).key, wrong(99).coarse(true).key), (key, None));
        assert_eq!(wrong(99).coarse(false), wrong(98).coarse(false));
    }
}
