//! A row of the event log, and how it is read.

use crate::domain::{OrganizationId, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

/// A row of the log. Another version of this program may have written it, so it may not be readable here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// The sequence number.
    pub seq: i64,
    /// When it happened.
    pub at: Timestamp,
    /// Who owns what it happened to.
    pub organization_id: OrganizationId,
    /// The topic, see [`Topic::as_str`](super::Topic::as_str).
    pub topic: String,
    /// The name of the event, see [`EventBody::kind`](super::EventBody::kind).
    pub kind: String,
    /// The version of the form of `data`. Each topic counts its own.
    pub version: i64,
    /// The id of what changed.
    pub subject: Uuid,
    /// The rest, in the topic's stored form.
    pub data: Value,
}

/// Why a row of the log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableEvent {
    /// The topic, kind or version is not known here.
    #[error("topic {topic:?}, kind {kind:?}, version {version} is not known to this version of the program")]
    Unknown {
        /// The topic.
        topic: String,
        /// The kind.
        kind: String,
        /// The version.
        version: i64,
    },
    /// The data is not what the version demands.
    #[error("{0}")]
    Data(#[from] serde_json::Error),
}

impl StoredEvent {
    /// The kind and the data, if the row has this version.
    pub(super) fn read<K: std::str::FromStr, D: DeserializeOwned>(
        &self,
        version: i64,
    ) -> Result<(K, D), UnreadableEvent> {
        let kind = self.kind.parse().ok().filter(|_| self.version == version);
        Ok((kind.ok_or_else(|| self.unknown())?, D::deserialize(&self.data)?))
    }

    pub(super) fn unknown(&self) -> UnreadableEvent {
        UnreadableEvent::Unknown { topic: self.topic.clone(), kind: self.kind.clone(), version: self.version }
    }
}
