//! Counts auth decisions, which are too frequent to be written one by one. The housekeeping task writes the counts to
//! the audit log, so a retry storm becomes one entry.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

use crate::domain::audit::{AuditEntry, Outcome};
use crate::domain::media_server::MediaServerName;
use crate::domain::{AuditId, StreamKeyId, Timestamp};
use crate::ports::IdGen;

/// How many different decisions are kept between two writes. The rest are counted by server, protocol and reason.
const MAX_KINDS: usize = 1_000;
/// How many of these may be about unknown keys, so that unknown publishers cannot fill the audit log.
const MAX_UNKNOWN_PUBLISHERS: usize = 50;

/// What makes two decisions the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RollupKey {
    pub(super) server: MediaServerName,
    pub(super) protocol: &'static str,
    pub(super) outcome: &'static str,
    pub(super) reason: &'static str,
    pub(super) detail: Option<String>,
    pub(super) key: Option<StreamKeyId>,
    pub(super) path: Option<String>,
    pub(super) ip: Option<String>,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    times: u64,
    first: Timestamp,
    last: Timestamp,
}

/// The counts since they were last taken.
#[derive(Debug, Default)]
pub(super) struct AuthRollup(Mutex<HashMap<RollupKey, Count>>);

impl AuthRollup {
    fn decisions(&self) -> MutexGuard<'_, HashMap<RollupKey, Count>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn count(&self, mut key: RollupKey, now: Timestamp) {
        let mut decisions = self.decisions();
        let known = key.key.is_some();
        if !known {
            // An unknown publisher can choose any path.
            key.path = None;
        }
        let unknown_publishers = || decisions.keys().filter(|one| one.key.is_none()).count();
        let full =
            || decisions.len() >= MAX_KINDS || (!known && unknown_publishers() >= MAX_UNKNOWN_PUBLISHERS);
        // In this order: a storm of the same request must not count the others each time.
        if !decisions.contains_key(&key) && full() {
            key = RollupKey { detail: None, key: None, path: None, ip: None, ..key };
        }
        let count = decisions.entry(key).or_insert(Count { times: 0, first: now, last: now });
        count.times += 1;
        count.last = now;
    }

    /// The decisions as audit entries. Only [`AuthRollup::written`] forgets them, so a failed write is repeated.
    pub(super) fn entries(&self, ids: &dyn IdGen) -> Vec<(RollupKey, AuditEntry)> {
        self.decisions().iter().map(|(key, count)| (key.clone(), entry(key, count, ids))).collect()
    }

    /// Subtracts the counts of these entries, which were written.
    pub(super) fn written(&self, entries: &[(RollupKey, AuditEntry)]) {
        let mut decisions = self.decisions();
        for (key, entry) in entries {
            let times = entry.metadata.get("count").and_then(Value::as_u64).unwrap_or(0);
            if let Some(count) = decisions.get_mut(key) {
                count.times = count.times.saturating_sub(times);
                count.first = count.last;
                if count.times == 0 {
                    decisions.remove(key);
                }
            }
        }
    }
}

fn entry(key: &RollupKey, count: &Count, ids: &dyn IdGen) -> AuditEntry {
    let allowed = key.outcome == "allow";
    let mut metadata = Map::new();
    metadata.insert("count".into(), json!(count.times));
    metadata.insert("first".into(), json!(count.first));
    metadata.insert("last".into(), json!(count.last));
    metadata.insert("media_server".into(), json!(key.server));
    metadata.insert("protocol".into(), json!(key.protocol));
    metadata.insert("reason".into(), json!(key.reason));
    for (name, text) in [("path", &key.path), ("detail", &key.detail)] {
        if let Some(text) = text {
            metadata.insert(name.into(), json!(text));
        }
    }
    AuditEntry {
        id: AuditId(ids.uuid()),
        timestamp: count.last,
        actor: Some(format!("media_server:{}", key.server)),
        action: "publish".into(),
        resource_type: Some("stream_key".into()),
        resource_id: key.key.map(|id| id.to_string()),
        request_method: Some("POST".into()),
        request_path: Some("/auth".into()),
        ip_address: key.ip.clone(),
        outcome: if allowed { Outcome::Success } else { Outcome::Failure },
        failure_reason: (!allowed).then(|| key.reason.to_owned()),
        metadata,
        request_id: None,
        told: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    struct Ids;
    impl IdGen for Ids {
        fn uuid(&self) -> Uuid {
            Uuid::nil()
        }
        fn random32(&self) -> [u8; 32] {
            [0; 32]
        }
    }

    fn key(ip: &str) -> RollupKey {
        let server = MediaServerName::default();
        RollupKey {
            server,
            protocol: "rtmp",
            outcome: "deny",
            reason: "unknown_key",
            detail: None,
            key: None,
            path: None,
            ip: Some(ip.into()),
        }
    }

    #[test]
    fn storm_becomes_one_entry_and_decisions_during_the_write_are_not_lost() {
        let rollup = AuthRollup::default();
        for second in 0..1_000 {
            rollup.count(key("a"), Timestamp::from_seconds(second));
        }
        let entries = rollup.entries(&Ids);
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].1.metadata["count"], 1_000);
        rollup.count(key("a"), Timestamp::from_seconds(2_000));
        rollup.written(&entries);
        assert_eq!(rollup.entries(&Ids)[0].1.metadata["count"], 1);
    }

    #[test]
    fn number_of_kinds_is_bounded() {
        let rollup = AuthRollup::default();
        for n in 0..5_000 {
            rollup.count(key(&n.to_string()), Timestamp::from_seconds(1));
        }
        assert!(rollup.entries(&Ids).len() <= MAX_UNKNOWN_PUBLISHERS + 1);
    }
}
