//! Events about broadcasters.

use serde::Deserialize;
use serde_json::{Value, json};
use strum::{EnumString, IntoStaticStr, VariantArray};

use super::stored::{StoredEvent, UnreadableEvent};
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
#[derive(Deserialize)]
struct BroadcasterV1 {
    id: BroadcasterId,
    display_name: DisplayName,
}

impl BroadcasterEvent {
    pub(super) fn data(&self) -> Value {
        json!({ "id": self.id, "display_name": self.display_name })
    }

    pub(super) fn from_stored(stored: &StoredEvent) -> Result<Self, UnreadableEvent> {
        let (kind, BroadcasterV1 { id, display_name }) = stored.read(VERSION)?;
        Ok(Self { kind, id, display_name })
    }
}
