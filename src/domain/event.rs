//! The event log: an ordered list of what changed, written in the same transaction as the change.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::Timestamp;
use super::broadcaster::Broadcaster;
use super::stream::Stream;
use super::stream_key::StreamKey;
use super::streamer::decide::Announcement;
use super::streamer::{Change, Streamer};

/// What kind of change it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A stream went live.
    StreamStarted,
    /// What a live stream carries changed: its tracks or its number of readers.
    StreamUpdated,
    /// A stream is gone.
    StreamEnded,
    /// A key was made.
    KeyCreated,
    /// A key got a new secret.
    KeyRotated,
    /// A key was revoked.
    KeyRevoked,
    /// A broadcaster was made.
    BroadcasterCreated,
    /// A broadcaster was changed.
    BroadcasterUpdated,
    /// A broadcaster and its keys were deleted.
    BroadcasterDeleted,
    /// A streamer is to be watched.
    StreamerCreated,
    /// Something of a streamer changed that is not announced as one of the following.
    StreamerUpdated,
    /// A streamer went online.
    StreamerOnline,
    /// A streamer went offline, and stayed so for the flap window.
    StreamerOffline,
    /// A streamer was deleted.
    StreamerDeleted,
}

impl EventKind {
    /// All kinds.
    pub const ALL: [Self; 14] = [
        Self::StreamStarted,
        Self::StreamUpdated,
        Self::StreamEnded,
        Self::KeyCreated,
        Self::KeyRotated,
        Self::KeyRevoked,
        Self::BroadcasterCreated,
        Self::BroadcasterUpdated,
        Self::BroadcasterDeleted,
        Self::StreamerCreated,
        Self::StreamerUpdated,
        Self::StreamerOnline,
        Self::StreamerOffline,
        Self::StreamerDeleted,
    ];

    /// As it is stored and sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StreamStarted => "stream.started",
            Self::StreamUpdated => "stream.updated",
            Self::StreamEnded => "stream.ended",
            Self::KeyCreated => "stream_key.created",
            Self::KeyRotated => "stream_key.rotated",
            Self::KeyRevoked => "stream_key.revoked",
            Self::BroadcasterCreated => "broadcaster.created",
            Self::BroadcasterUpdated => "broadcaster.updated",
            Self::BroadcasterDeleted => "broadcaster.deleted",
            Self::StreamerCreated => "streamer.created",
            Self::StreamerUpdated => "streamer.updated",
            Self::StreamerOnline => "streamer.online",
            Self::StreamerOffline => "streamer.offline",
            Self::StreamerDeleted => "streamer.deleted",
        }
    }

    /// Reads what [`EventKind::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.as_str() == text)
    }

    /// Whether it tells of a stream.
    pub fn is_stream(self) -> bool {
        matches!(self, Self::StreamStarted | Self::StreamUpdated | Self::StreamEnded)
    }

    /// Whether it tells of a streamer.
    pub fn is_streamer(self) -> bool {
        self.as_str().starts_with("streamer.")
    }
}

impl From<Announcement> for EventKind {
    fn from(announcement: Announcement) -> Self {
        match announcement {
            Announcement::Online => Self::StreamerOnline,
            Announcement::Offline => Self::StreamerOffline,
            Announcement::Updated => Self::StreamerUpdated,
        }
    }
}

/// What an event tells of a streamer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamerNews {
    /// The streamer right after it.
    pub streamer: Streamer,
    /// The change of status; absent if that is not what changed, or it was told before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
}

/// An event before it has its place in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// What kind of change.
    pub kind: EventKind,
    /// What changed.
    pub subject: Uuid,
    /// How it was right after the change; for a stream, a [`Stream`].
    pub data: Value,
}

/// An event in its place in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its place: grows by one with every event, in the order of commits.
    pub seq: i64,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub what: NewEvent,
}

/// What an event about a key tells; no secret, no hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct KeyFacts {
    id: Uuid,
    broadcaster_id: Uuid,
    path: String,
    key_prefix: String,
}

impl NewEvent {
    /// An event about a stream.
    pub fn stream(kind: EventKind, stream: &Stream) -> Self {
        Self { kind, subject: stream.id.0, data: to_value(stream) }
    }

    /// An event about a key.
    pub fn key(kind: EventKind, key: &StreamKey) -> Self {
        let facts = KeyFacts {
            id: key.id.0,
            broadcaster_id: key.broadcaster_id.0,
            path: key.path.to_string(),
            key_prefix: key.key_prefix.clone(),
        };
        Self { kind, subject: key.id.0, data: to_value(&facts) }
    }

    /// An event about a broadcaster.
    pub fn broadcaster(kind: EventKind, broadcaster: &Broadcaster) -> Self {
        let data = serde_json::json!({"id": broadcaster.id, "display_name": broadcaster.display_name});
        Self { kind, subject: broadcaster.id.0, data }
    }

    /// An event about a streamer, with the change of status that it tells of, if it does.
    pub fn streamer(kind: EventKind, streamer: &Streamer, change: Option<&Change>) -> Self {
        let announcement = StreamerNews { streamer: streamer.clone(), change: change.cloned() };
        Self { kind, subject: streamer.id.0, data: to_value(&announcement) }
    }

    /// What it tells of a streamer, if it tells of one.
    pub fn as_streamer(&self) -> Option<StreamerNews> {
        if self.kind.is_streamer() { serde_json::from_value(self.data.clone()).ok() } else { None }
    }

    /// The stream it tells of, if it tells of one.
    pub fn as_stream(&self) -> Option<Stream> {
        if self.kind.is_stream() { serde_json::from_value(self.data.clone()).ok() } else { None }
    }
}

fn to_value(data: &impl Serialize) -> Value {
    // Our own plain structs with text keys: serialising them cannot fail, and null would only lose an event's detail.
    serde_json::to_value(data).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::stream::tests::stream;

    #[test]
    fn kinds_survive_being_written_down() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::parse(kind.as_str()), Some(kind));
        }
    }

    #[test]
    fn a_stream_event_gives_the_stream_back() {
        assert_eq!(NewEvent::stream(EventKind::StreamStarted, &stream()).as_stream(), Some(stream()));
    }
}
