//! Events about media servers.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use strum::{EnumString, IntoStaticStr, VariantArray};
use uuid::Uuid;

use super::stored::{StoredEvent, UnreadableEvent};
use crate::domain::Timestamp;
use crate::domain::media_server::{MediaServerName, MediaServerStatus};

/// A media server that is restarted is away for less, which is no event.
const AWAY: Duration = Duration::from_secs(10);

/// What happened to a media server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray)]
pub enum MediaServerEventKind {
    /// It did not answer for ten seconds.
    #[strum(serialize = "media_server.unreachable")]
    Unreachable,
    /// It answers again.
    #[strum(serialize = "media_server.reachable")]
    Reachable,
}

/// An event about a media server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaServerEvent {
    /// What happened.
    pub kind: MediaServerEventKind,
    /// The media server.
    pub name: MediaServerName,
    /// Since when that is so.
    pub since: Timestamp,
    /// Why it is unreachable.
    pub error: Option<String>,
}

pub(super) const VERSION: i64 = 1;

/// The stored form, version 1.
#[derive(Deserialize)]
struct MediaServerV1 {
    name: MediaServerName,
    since: Timestamp,
    error: Option<String>,
}

impl MediaServerEvent {
    /// The event that the log lacks when this is the state at `now`.
    pub fn missing(status: &MediaServerStatus, now: Timestamp) -> Option<Self> {
        let kind = match (status.reachable, status.told_unreachable) {
            (true, true) => MediaServerEventKind::Reachable,
            (false, false) if now.since(status.since) >= AWAY => MediaServerEventKind::Unreachable,
            _ => return None,
        };
        let (name, error) = (status.name.clone(), status.last_error.clone());
        Some(Self { kind, name, since: status.since, error })
    }

    /// Media servers have a name in the configuration and no id. This one is made of the name.
    pub(super) fn subject(&self) -> Uuid {
        let hash: [u8; 32] = Sha256::digest(format!("media server {}", self.name)).into();
        uuid::Builder::from_custom_bytes(std::array::from_fn(|at| hash[at])).into_uuid()
    }

    pub(super) fn data(&self) -> Value {
        json!({ "name": self.name, "since": self.since, "error": self.error })
    }

    pub(super) fn from_stored(stored: &StoredEvent) -> Result<Self, UnreadableEvent> {
        let (kind, MediaServerV1 { name, since, error }) = stored.read(VERSION)?;
        Ok(Self { kind, name, since, error })
    }
}
