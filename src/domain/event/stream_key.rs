//! Events about stream keys. They hold no secret and no hash.

use serde::Deserialize;
use serde_json::{Value, json};
use strum::{EnumString, IntoStaticStr, VariantArray};

use super::stored::{StoredEvent, UnreadableEvent};
use crate::domain::path::StreamPath;
use crate::domain::{BroadcasterId, StreamKeyId};

/// What happened to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray)]
pub enum StreamKeyEventKind {
    /// It was created.
    #[strum(serialize = "stream_key.created")]
    Created,
    /// It got a new secret.
    #[strum(serialize = "stream_key.rotated")]
    Rotated,
    /// It was revoked.
    #[strum(serialize = "stream_key.revoked")]
    Revoked,
    /// Who may watch its path was changed.
    #[strum(serialize = "stream_key.updated")]
    Updated,
}

/// An event about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamKeyEvent {
    /// What happened.
    pub kind: StreamKeyEventKind,
    /// The key.
    pub id: StreamKeyId,
    /// Its broadcaster.
    pub broadcaster_id: BroadcasterId,
    /// The path it opens.
    pub path: StreamPath,
    /// The first characters of the secret, as lists show them.
    pub key_prefix: String,
}

pub(super) const VERSION: i64 = 1;

/// The stored form, version 1.
#[derive(Deserialize)]
struct StreamKeyV1 {
    id: StreamKeyId,
    broadcaster_id: BroadcasterId,
    path: StreamPath,
    key_prefix: String,
}

impl StreamKeyEvent {
    pub(super) fn data(&self) -> Value {
        let Self { id, broadcaster_id, path, key_prefix, .. } = self;
        json!({ "id": id, "broadcaster_id": broadcaster_id, "path": path, "key_prefix": key_prefix })
    }

    pub(super) fn from_stored(stored: &StoredEvent) -> Result<Self, UnreadableEvent> {
        let (kind, StreamKeyV1 { id, broadcaster_id, path, key_prefix }) = stored.read(VERSION)?;
        Ok(Self { kind, id, broadcaster_id, path, key_prefix })
    }
}
