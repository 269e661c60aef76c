//! Events about streamers.

use serde::Deserialize;
use serde_json::{Value, json};
use strum::{EnumString, IntoStaticStr, VariantArray};

use super::stored::{StoredEvent, UnreadableEvent};
use crate::domain::streamer::decide::Announcement;
use crate::domain::streamer::{Change, Streamer};

/// What happened to a streamer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray)]
pub enum StreamerEventKind {
    /// The streamer was added.
    #[strum(serialize = "streamer.created")]
    Created,
    /// Something changed that no other kind announces.
    #[strum(serialize = "streamer.updated")]
    Updated,
    /// The streamer went online.
    #[strum(serialize = "streamer.online")]
    Online,
    /// The streamer went offline and stayed offline for the flap window.
    #[strum(serialize = "streamer.offline")]
    Offline,
    /// The streamer was deleted.
    #[strum(serialize = "streamer.deleted")]
    Deleted,
}

impl From<Announcement> for StreamerEventKind {
    fn from(announcement: Announcement) -> Self {
        match announcement {
            Announcement::Online => Self::Online,
            Announcement::Offline => Self::Offline,
            Announcement::Updated => Self::Updated,
        }
    }
}

/// An event about a streamer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamerEvent {
    /// What happened.
    pub kind: StreamerEventKind,
    /// The streamer right after it.
    pub streamer: Streamer,
    /// The change of status; `None` if the status did not change, or an earlier event had this change.
    pub change: Option<Change>,
}

pub(super) const VERSION: i64 = 1;

/// The stored form, version 1. The fields of its types are pinned by a test.
#[derive(Deserialize)]
struct StreamerV1 {
    streamer: Streamer,
    change: Option<Change>,
}

impl StreamerEvent {
    pub(super) fn data(&self) -> Value {
        json!({ "streamer": self.streamer, "change": self.change })
    }

    pub(super) fn from_stored(stored: &StoredEvent) -> Result<Self, UnreadableEvent> {
        let (kind, StreamerV1 { streamer, change }) = stored.read(VERSION)?;
        Ok(Self { kind, streamer, change })
    }
}
