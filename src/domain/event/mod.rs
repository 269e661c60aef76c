//! The event log: an ordered list of what changed, written in the same transaction as the change.
//!
//! Each topic has its own type of event and its own stored form with a version. A fifth topic adds a file here, a
//! variant to [`Topic`] and one to [`EventBody`]; the compiler then shows every place that must know it.

mod broadcaster;
mod stream;
mod stream_key;
mod streamer;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use strum::{Display, EnumString, IntoStaticStr, VariantArray};
use uuid::Uuid;

pub use broadcaster::{BroadcasterEvent, BroadcasterEventKind};
pub use stream::{StreamEvent, StreamEventKind};
pub use stream_key::{StreamKeyEvent, StreamKeyEventKind};
pub use streamer::{StreamerEvent, StreamerEventKind};

use super::Timestamp;

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
}

impl EventBody {
    /// The topic it belongs to.
    pub fn topic(&self) -> Topic {
        match self {
            Self::Stream(_) => Topic::Stream,
            Self::StreamKey(_) => Topic::StreamKey,
            Self::Broadcaster(_) => Topic::Broadcaster,
            Self::Streamer(_) => Topic::Streamer,
        }
    }

    /// The name of the event as it is stored and sent, such as `stream.started`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Stream(event) => event.kind.into(),
            Self::StreamKey(event) => event.kind.into(),
            Self::Broadcaster(event) => event.kind.into(),
            Self::Streamer(event) => event.kind.into(),
        }
    }

    /// The form in which the log keeps it, as number `seq`.
    pub fn stored(&self, seq: i64, at: Timestamp) -> StoredEvent {
        let (subject, version, data) = match self {
            Self::Stream(event) => (event.stream.id.0, stream::VERSION, event.data()),
            Self::StreamKey(event) => (event.id.0, stream_key::VERSION, event.data()),
            Self::Broadcaster(event) => (event.id.0, broadcaster::VERSION, event.data()),
            Self::Streamer(event) => (event.streamer.id.0, streamer::VERSION, event.data()),
        };
        let (topic, kind) = (self.topic().as_str().to_owned(), self.kind().to_owned());
        StoredEvent { seq, at, topic, kind, version, subject, data }
    }
}

/// An event with its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The sequence number. It grows by one with every event of any topic, in the order of commits.
    pub seq: i64,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub body: EventBody,
}

/// A row of the log. Another version of this program may have written it, so it may not be readable here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// The sequence number.
    pub seq: i64,
    /// When it happened.
    pub at: Timestamp,
    /// The topic, see [`Topic::as_str`].
    pub topic: String,
    /// The name of the event, see [`EventBody::kind`].
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
    /// Reads the row.
    pub fn decode(&self) -> Result<Event, UnreadableEvent> {
        let body = match self.topic.parse().map_err(|_| self.unknown())? {
            Topic::Stream => EventBody::Stream(Box::new(StreamEvent::from_stored(self)?)),
            Topic::StreamKey => EventBody::StreamKey(StreamKeyEvent::from_stored(self)?),
            Topic::Broadcaster => EventBody::Broadcaster(BroadcasterEvent::from_stored(self)?),
            Topic::Streamer => EventBody::Streamer(Box::new(StreamerEvent::from_stored(self)?)),
        };
        Ok(Event { seq: self.seq, at: self.at, body })
    }

    /// The kind and the data, if the row has this version.
    fn read<K: std::str::FromStr, D: DeserializeOwned>(
        &self,
        version: i64,
    ) -> Result<(K, D), UnreadableEvent> {
        let kind = self.kind.parse().ok().filter(|_| self.version == version);
        Ok((kind.ok_or_else(|| self.unknown())?, D::deserialize(&self.data)?))
    }

    fn unknown(&self) -> UnreadableEvent {
        UnreadableEvent::Unknown { topic: self.topic.clone(), kind: self.kind.clone(), version: self.version }
    }
}

fn to_value(data: &impl Serialize) -> Value {
    // Plain structs with text keys: serializing them cannot fail, and null is skipped as unreadable.
    serde_json::to_value(data).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::broadcaster::{Broadcaster, DisplayName, Metadata};
    use crate::domain::secret::KeySecret;
    use crate::domain::stream::EndReason;
    use crate::domain::stream::tests::stream;
    use crate::domain::stream_key::tests::key;
    use crate::domain::streamer::{Change, Session, Slug, Source, Status, Streamer, Track};
    use crate::domain::{BroadcasterId, StreamerId};

    const AT: Timestamp = Timestamp::from_seconds(100);

    fn streamer() -> Streamer {
        let session = Session { id: Some("7".into()), started_at: Some(AT), ..Session::default() };
        let track = Track {
            status: Status::Online,
            last_status_update: Some(AT),
            last_seen_online: Some(AT),
            session: Some(session),
            offline_due: Some(AT),
            ..Track::default()
        };
        let new = Streamer::new(StreamerId(Uuid::from_u128(9)), &Slug::parse("xqc").unwrap(), AT);
        Streamer { track, display_name: Some("x".into()), problem: Some("none".into()), ..new }
    }

    fn bodies() -> Vec<EventBody> {
        let broadcaster = Broadcaster {
            id: BroadcasterId(Uuid::from_u128(3)),
            display_name: DisplayName::parse("Alice").unwrap(),
            metadata: Metadata::default(),
            created_at: AT,
            updated_at: AT,
        };
        let ended = stream().gone(AT, EndReason::PublisherLeft).unwrap();
        let ending = stream().end_requested(EndReason::KeyRevoked).unwrap();
        let change = Change {
            previous_status: Status::Offline,
            new_status: Status::Online,
            occurred_at: AT,
            received_at: AT,
            source: Source::Webhook,
            session: streamer().track.session,
            banned: true,
        };
        let mut all = vec![];
        for kind in StreamEventKind::VARIANTS {
            all.extend(
                [stream(), ending.clone(), ended.clone()].map(|stream| EventBody::stream(*kind, &stream)),
            );
        }
        all.extend(StreamKeyEventKind::VARIANTS.iter().map(|kind| EventBody::stream_key(*kind, &key())));
        all.extend(
            BroadcasterEventKind::VARIANTS.iter().map(|kind| EventBody::broadcaster(*kind, &broadcaster)),
        );
        for kind in StreamerEventKind::VARIANTS {
            all.push(EventBody::streamer(*kind, &streamer(), None));
            all.push(EventBody::streamer(*kind, &streamer(), Some(&change)));
        }
        all
    }

    #[test]
    fn every_event_is_read_back_as_it_was_written() {
        let mut kinds = vec![];
        for body in bodies() {
            let stored = body.stored(7, AT);
            assert_eq!(stored.topic, stored.kind.split('.').next().unwrap());
            assert_eq!(stored.decode().unwrap(), Event { seq: 7, at: AT, body: body.clone() });
            kinds.push(body.kind());
        }
        kinds.dedup();
        assert_eq!(
            kinds,
            [
                "stream.started",
                "stream.updated",
                "stream.ended",
                "stream_key.created",
                "stream_key.rotated",
                "stream_key.revoked",
                "broadcaster.created",
                "broadcaster.updated",
                "broadcaster.deleted",
                "streamer.created",
                "streamer.updated",
                "streamer.online",
                "streamer.offline",
                "streamer.deleted",
            ]
        );
    }

    #[test]
    fn unknown_topic_kind_version_or_data_is_an_error_and_no_panic() {
        let good = EventBody::stream(StreamEventKind::Started, &stream()).stored(1, AT);
        let text = |text: &str| text.to_owned();
        for bad in [
            StoredEvent { topic: text("clip"), ..good.clone() },
            StoredEvent { kind: text("stream.paused"), ..good.clone() },
            StoredEvent { kind: text("streamer.online"), ..good.clone() },
            StoredEvent { version: 2, ..good.clone() },
        ] {
            assert!(matches!(bad.decode(), Err(UnreadableEvent::Unknown { .. })), "{bad:?}");
        }
        for data in [Value::Null, serde_json::json!({}), serde_json::json!([1])] {
            let bad = StoredEvent { data, ..good.clone() };
            assert!(matches!(bad.decode(), Err(UnreadableEvent::Data(_))), "{bad:?}");
        }
    }

    #[test]
    fn event_about_a_key_has_no_secret() {
        let data = EventBody::stream_key(StreamKeyEventKind::Created, &key()).stored(1, AT).data;
        let mut fields: Vec<&String> = data.as_object().unwrap().keys().collect();
        fields.sort();
        assert_eq!(fields, ["broadcaster_id", "id", "key_prefix", "path"]);
        assert!(!data.to_string().contains(KeySecret::from_random([1; 32]).expose()));
    }
}
