//! Counts auth decisions, which are too frequent to be written one by one.

use serde_json::{Map, json};
use uuid::Uuid;

use super::rollup::{Kind, Rollup};
use crate::domain::audit::{AuditEntry, Outcome};
use crate::domain::media_server::MediaServerName;
use crate::domain::{AuditId, OrganizationId, StreamKeyId, Timestamp};

/// How many kinds may be about unknown keys, so that unknown publishers cannot fill the audit log.
const MAX_UNKNOWN_PUBLISHERS: usize = 50;

/// The decisions that are not in the audit log yet.
pub(super) type AuthRollup = Rollup<RollupKey>;

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
    pub(super) ip: Option<String>,
}

impl Kind for RollupKey {
    fn has_room<'a>(&'a self, others: impl Iterator<Item = &'a Self>) -> bool {
        self.key.is_some() || others.filter(|one| one.key.is_none()).count() < MAX_UNKNOWN_PUBLISHERS
    }

    fn coarse(self, _: bool) -> Self {
        Self { detail: None, key: None, organization_id: None, path: None, ip: None, ..self }
    }

    fn entry(&self) -> AuditEntry {
        let allowed = self.outcome == "allow";
        let mut metadata = Map::new();
        metadata.insert("media_server".into(), json!(self.server));
        metadata.insert("protocol".into(), json!(self.protocol));
        metadata.insert("reason".into(), json!(self.reason));
        for (name, text) in [("path", &self.path), ("detail", &self.detail)] {
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
    use super::*;

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
            ip: Some(ip.to_string()),
        }
    }

    #[test]
    fn unknown_publishers_cannot_fill_the_audit_log() {
        let kinds: Vec<RollupKey> = (0..MAX_UNKNOWN_PUBLISHERS).map(unknown).collect();
        let (next, known) = (unknown(1_000), RollupKey { key: Some(StreamKeyId(Uuid::nil())), ..unknown(0) });
        assert!(next.has_room(kinds[1..].iter()) && !next.has_room(kinds.iter()));
        assert!(known.has_room(kinds.iter()));
        assert_eq!(next.coarse(false), unknown(2_000).coarse(false));
    }
}
