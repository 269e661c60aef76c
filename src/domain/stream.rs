//! Streams: one broadcast session on a path, from going live to ending.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::broadcaster::{DisplayName, Metadata};
use super::media_server::{MediaServerName, SourceId, SourceKind, StreamStats};
use super::path::StreamPath;
use super::{BroadcasterId, StreamId, StreamKeyId, Timestamp};

/// Why a stream ended, or is about to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The encoder stopped, or its connection broke.
    PublisherLeft,
    /// Its key was revoked.
    KeyRevoked,
    /// Its key got a new secret.
    KeyRotated,
    /// Its key expired.
    KeyExpired,
    /// Its broadcaster was deleted.
    BroadcasterDeleted,
    /// An operator ended it.
    EndedByOperator,
    /// Another connection took its key over.
    Takeover,
    /// The media server was restarted.
    MediaServerRestarted,
    /// The media server was taken out of the configuration.
    MediaServerRemoved,
}

impl EndReason {
    /// All reasons, for documents and tests.
    pub const ALL: [Self; 9] = [
        Self::PublisherLeft,
        Self::KeyRevoked,
        Self::KeyRotated,
        Self::KeyExpired,
        Self::BroadcasterDeleted,
        Self::EndedByOperator,
        Self::Takeover,
        Self::MediaServerRestarted,
        Self::MediaServerRemoved,
    ];

    /// The reason as it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PublisherLeft => "publisher_left",
            Self::KeyRevoked => "key_revoked",
            Self::KeyRotated => "key_rotated",
            Self::KeyExpired => "key_expired",
            Self::BroadcasterDeleted => "broadcaster_deleted",
            Self::EndedByOperator => "ended_by_operator",
            Self::Takeover => "takeover",
            Self::MediaServerRestarted => "media_server_restarted",
            Self::MediaServerRemoved => "media_server_removed",
        }
    }

    /// Reads what [`EndReason::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.as_str() == text)
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a stream is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum StreamState {
    /// The media server carries it.
    Active {
        /// Set once it has been decided that it must end; it still is active until the media server let go of it.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        ending: Option<EndReason>,
    },
    /// It is gone.
    Ended {
        /// When it was found gone.
        ended_at: Timestamp,
        /// Why.
        end_reason: EndReason,
    },
}

/// How the encoder was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IngestForm {
    /// It publishes to the public path, the secret beside it.
    NamedPath,
    /// It publishes to a private path; a relay shows the stream at the public one.
    SecretPath,
}

/// One broadcast session. History keeps it with the broadcaster's name as it was then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// Its identity.
    pub id: StreamId,
    /// The key it is published with.
    pub stream_key_id: StreamKeyId,
    /// Whose it is.
    pub broadcaster_id: BroadcasterId,
    /// The broadcaster's name when it started.
    pub broadcaster_name: DisplayName,
    /// The public path.
    pub path: StreamPath,
    /// Where it is.
    pub media_server: MediaServerName,
    /// When it was first seen live.
    pub started_at: Timestamp,
    /// Where it is in its life.
    #[serde(flatten)]
    pub state: StreamState,
    /// What publishes it.
    pub source_kind: Option<SourceKind>,
    /// The publishing session on the media server.
    pub source_id: Option<SourceId>,
    /// How the encoder was let in.
    pub ingest: IngestForm,
    /// What it carried when last looked at.
    pub stats: StreamStats,
    /// The broadcaster's metadata when it started.
    pub metadata: Metadata,
    /// Where a recording of it is found, if there is one.
    pub recording_ref: Option<String>,
}

/// A transition that the stream's state does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlreadyEnded;

impl Stream {
    /// Whether the media server still carries it.
    pub fn is_active(&self) -> bool {
        matches!(self.state, StreamState::Active { .. })
    }

    /// The reason it is about to end for, if it is.
    pub fn ending(&self) -> Option<EndReason> {
        match self.state {
            StreamState::Active { ending } => ending,
            StreamState::Ended { .. } => None,
        }
    }

    /// Decides that it must end. The first reason stays.
    ///
    /// # Errors
    /// [`AlreadyEnded`] if it has.
    pub fn end_requested(mut self, reason: EndReason) -> Result<Self, AlreadyEnded> {
        match &mut self.state {
            StreamState::Active { ending } => {
                ending.get_or_insert(reason);
                Ok(self)
            }
            StreamState::Ended { .. } => Err(AlreadyEnded),
        }
    }

    /// It was found gone. The reason it was told to end for, if any, outranks what was found.
    ///
    /// # Errors
    /// [`AlreadyEnded`] if it had ended before.
    pub fn gone(mut self, at: Timestamp, found: EndReason) -> Result<Self, AlreadyEnded> {
        match self.state {
            StreamState::Active { ending } => {
                // Clocks of two instances differ; a stream never ends before it started.
                let ended_at = at.max(self.started_at);
                self.state = StreamState::Ended { ended_at, end_reason: ending.unwrap_or(found) };
                self.stats.readers = 0;
                Ok(self)
            }
            StreamState::Ended { .. } => Err(AlreadyEnded),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use uuid::Uuid;

    pub(crate) fn stream() -> Stream {
        Stream {
            id: StreamId(Uuid::from_u128(1)),
            stream_key_id: StreamKeyId(Uuid::from_u128(2)),
            broadcaster_id: BroadcasterId(Uuid::from_u128(3)),
            broadcaster_name: DisplayName::parse("Alice").unwrap(),
            path: StreamPath::parse("live/alice").unwrap(),
            media_server: MediaServerName::default(),
            started_at: Timestamp::from_seconds(100),
            state: StreamState::Active { ending: None },
            source_kind: Some(SourceKind("rtmpConn".into())),
            source_id: SourceId::parse("s1"),
            ingest: IngestForm::NamedPath,
            stats: StreamStats::default(),
            metadata: Metadata::default(),
            recording_ref: None,
        }
    }

    #[test]
    fn the_first_reason_to_end_stays() {
        let told = stream()
            .end_requested(EndReason::KeyRevoked)
            .unwrap()
            .end_requested(EndReason::EndedByOperator)
            .unwrap();
        assert!(told.is_active());
        let ended = told.gone(Timestamp::from_seconds(1), EndReason::PublisherLeft).unwrap();
        let expected =
            StreamState::Ended { ended_at: Timestamp::from_seconds(100), end_reason: EndReason::KeyRevoked };
        assert_eq!(ended.state, expected);
        assert_eq!(ended.clone().gone(Timestamp::from_seconds(200), EndReason::Takeover), Err(AlreadyEnded));
        assert_eq!(ended.end_requested(EndReason::Takeover), Err(AlreadyEnded));
    }

    #[test]
    fn reasons_survive_being_written_down() {
        for reason in EndReason::ALL {
            assert_eq!(EndReason::parse(reason.as_str()), Some(reason));
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
    }

    #[test]
    fn a_stream_survives_being_an_event() {
        for stream in
            [stream(), stream().gone(Timestamp::from_seconds(200), EndReason::PublisherLeft).unwrap()]
        {
            let json = serde_json::to_string(&stream).unwrap();
            assert_eq!(serde_json::from_str::<Stream>(&json).unwrap(), stream);
        }
    }
}
