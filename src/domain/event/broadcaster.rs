//! Events about broadcasters.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use strum::{EnumString, IntoStaticStr, VariantArray};

use super::stored::{StoredEvent, UnreadableEvent, to_value};
use crate::domain::BroadcasterId;
use crate::domain::broadcaster::DisplayName;

/// What happened to a broadcaster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray)]
pub enum BroadcasterEventKind {
    /// It was created.
    #[strum(serialize = "broadcaster.created")]
    Created,
    /// It was changed.
    #[strum(serialize = "broadcaster.updated")]
    Updated,
    /// It was deleted with its keys.
    #[strum(serialize = "broadcaster.deleted")]
    Deleted,
}

/// An event about a broadcaster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BroadcasterEvent {
    /// What happened.
    pub kind: BroadcasterEventKind,
    /// The broadcaster.
    pub id: BroadcasterId,
    /// Its name right after it.
    pub display_name: DisplayName,
}

pub(super) const VERSION: i64 = 1;

/// The stored form, version 1.
#[derive(Serialize, Deserialize)]
struct BroadcasterV1 {
    id: BroadcasterId,
    display_name: DisplayName,
}

impl BroadcasterEvent {
    pub(super) fn data(&self) -> Value {
        to_value(&BroadcasterV1 { id: self.id, display_name: self.display_name.clone() })
    }

    pub(super) fn from_stored(stored: &StoredEvent) -> Result<Self, UnreadableEvent> {
        let (kind, BroadcasterV1 { id, display_name }) = stored.read(VERSION)?;
        Ok(Self { kind, id, display_name })
    }
}
