//! What an event says, by topic.

use strum::{Display, EnumString, IntoStaticStr, VariantArray};
use uuid::Uuid;

use super::broadcaster::{self, BroadcasterEvent, BroadcasterEventKind};
use super::channel::{self, ChannelEvent};
use super::media_server::{self, MediaServerEvent};
use super::stored::{StoredEvent, UnreadableEvent};
use super::stream::{self, StreamEvent, StreamEventKind};
use super::stream_key::{self, StreamKeyEvent, StreamKeyEventKind};
use super::streamer::{self, StreamerEvent, StreamerEventKind};
use super::studio::{self, StudioEvent};
use crate::domain::broadcaster::Broadcaster;
use crate::domain::stream::Stream;
use crate::domain::stream_key::StreamKey;
use crate::domain::streamer::{Change, Streamer};
use crate::domain::{OrganizationId, Timestamp};

/// Which part of the system an event belongs to. Readers and caches subscribe to topics.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EnumString, Display, IntoStaticStr, VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum Topic {
    /// Streams.
    Stream,
    /// Stream keys.
    StreamKey,
    /// Broadcasters.
    Broadcaster,
    /// Streamers on Kick.
    Streamer,
    /// Channels, and their destinations.
    Channel,
    /// Studios.
    Studio,
    /// Media servers.
    MediaServer,
}

impl Topic {
    /// All topics, in the order of their numbers.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The topic as it is stored.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventBody {
    /// To a stream.
    Stream(Box<StreamEvent>),
    /// To a stream key.
    StreamKey(StreamKeyEvent),
    /// To a broadcaster.
    Broadcaster(BroadcasterEvent),
    /// To a streamer.
    Streamer(Box<StreamerEvent>),
    /// To a channel or one of its destinations.
    Channel(Box<ChannelEvent>),
    /// To a studio.
    Studio(Box<StudioEvent>),
    /// To a media server.
    MediaServer(MediaServerEvent),
}

impl EventBody {
    /// An event about a stream.
    pub fn stream(kind: StreamEventKind, stream: &Stream) -> Self {
        Self::Stream(Box::new(StreamEvent { kind, stream: stream.clone() }))
    }

    /// An event about a key.
    pub fn stream_key(kind: StreamKeyEventKind, key: &StreamKey) -> Self {
        let (path, key_prefix) = (key.path.clone(), key.key_prefix.clone());
        let (id, broadcaster_id) = (key.id, key.broadcaster_id);
        Self::StreamKey(StreamKeyEvent { kind, id, broadcaster_id, path, key_prefix })
    }

    /// An event about a broadcaster.
    pub fn broadcaster(kind: BroadcasterEventKind, broadcaster: &Broadcaster) -> Self {
        let (id, display_name) = (broadcaster.id, broadcaster.display_name.clone());
        Self::Broadcaster(BroadcasterEvent { kind, id, display_name })
    }

    /// An event about a streamer, with the change of status that it announces, if any.
    pub fn streamer(kind: StreamerEventKind, streamer: &Streamer, change: Option<&Change>) -> Self {
        Self::Streamer(Box::new(StreamerEvent { kind, streamer: streamer.clone(), change: change.cloned() }))
    }

    /// An event about a channel.
    pub fn channel(event: ChannelEvent) -> Self {
        Self::Channel(Box::new(event))
    }

    /// An event about a studio.
    pub fn studio(event: StudioEvent) -> Self {
        Self::Studio(Box::new(event))
    }

    /// The topic it belongs to.
    pub fn topic(&self) -> Topic {
        match self {
            Self::Stream(_) => Topic::Stream,
            Self::StreamKey(_) => Topic::StreamKey,
            Self::Broadcaster(_) => Topic::Broadcaster,
            Self::Streamer(_) => Topic::Streamer,
            Self::Channel(_) => Topic::Channel,
            Self::Studio(_) => Topic::Studio,
            Self::MediaServer(_) => Topic::MediaServer,
        }
    }

    /// The name of the event as it is stored and sent, such as `stream.started`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Stream(event) => event.kind.into(),
            Self::StreamKey(event) => event.kind.into(),
            Self::Broadcaster(event) => event.kind.into(),
            Self::Streamer(event) => event.kind.into(),
            Self::Channel(event) => event.kind.into(),
            Self::Studio(event) => event.kind.into(),
            Self::MediaServer(event) => event.kind.into(),
        }
    }

    /// The id of what it happened to.
    pub fn subject(&self) -> Uuid {
        match self {
            Self::Stream(event) => event.stream.id.0,
            Self::StreamKey(event) => event.id.0,
            Self::Broadcaster(event) => event.id.0,
            Self::Streamer(event) => event.streamer.id.0,
            Self::Channel(event) => event.id.0,
            Self::Studio(event) => event.id.0,
            Self::MediaServer(event) => event.subject(),
        }
    }

    /// The form in which the log keeps it, as number `seq`. `organization_id` owns what it happened to.
    pub fn stored(&self, seq: i64, at: Timestamp, organization_id: OrganizationId) -> StoredEvent {
        let (version, data) = match self {
            Self::Stream(event) => (stream::VERSION, event.data()),
            Self::StreamKey(event) => (stream_key::VERSION, event.data()),
            Self::Broadcaster(event) => (broadcaster::VERSION, event.data()),
            Self::Streamer(event) => (streamer::VERSION, event.data()),
            Self::Channel(event) => (channel::VERSION, event.data()),
            Self::Studio(event) => (studio::VERSION, event.data()),
            Self::MediaServer(event) => (media_server::VERSION, event.data()),
        };
        let subject = self.subject();
        let (topic, kind) = (self.topic().as_str().to_owned(), self.kind().to_owned());
        StoredEvent { seq, at, organization_id, topic, kind, version, subject, data }
    }
}

/// An event with its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The sequence number. It grows by one with every event of any topic, in the order of commits.
    pub seq: i64,
    /// When it happened.
    pub at: Timestamp,
    /// Who owns what it happened to.
    pub organization_id: OrganizationId,
    /// What happened.
    pub body: EventBody,
}

impl StoredEvent {
    /// Reads the row.
    pub fn decode(&self) -> Result<Event, UnreadableEvent> {
        let body = match self.topic.parse().map_err(|_| self.unknown())? {
            Topic::Stream => EventBody::Stream(Box::new(StreamEvent::from_stored(self)?)),
            Topic::StreamKey => EventBody::StreamKey(StreamKeyEvent::from_stored(self)?),
            Topic::Broadcaster => EventBody::Broadcaster(BroadcasterEvent::from_stored(self)?),
            Topic::Streamer => EventBody::Streamer(Box::new(StreamerEvent::from_stored(self)?)),
            Topic::Channel => EventBody::Channel(Box::new(ChannelEvent::from_stored(self)?)),
            Topic::Studio => EventBody::Studio(Box::new(StudioEvent::from_stored(self)?)),
            Topic::MediaServer => EventBody::MediaServer(MediaServerEvent::from_stored(self)?),
        };
        Ok(Event { seq: self.seq, at: self.at, organization_id: self.organization_id, body })
    }
}
