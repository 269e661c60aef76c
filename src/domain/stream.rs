//! Streams: one broadcast session on a path, from going live to ending.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

use super::broadcaster::{DisplayName, Metadata};
use super::media_server::{MediaServerName, SourceId, SourceKind, StreamStats};
use super::page::newest_first;
use super::path::StreamPath;
use super::{BroadcasterId, OrganizationId, StreamId, StreamKeyId, Timestamp};

/// Why a stream ended, or is about to.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    Display,
    IntoStaticStr,
    EnumString,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
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
    /// Another connection took over its key.
    Takeover,
    /// The media server was restarted.
    MediaServerRestarted,
    /// The media server was removed from the configuration.
    MediaServerRemoved,
}

impl EndReason {
    /// The reason as it is stored and shown.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Reads what [`EndReason::as_str`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// Whether a stream is active or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamState {
    /// The media server carries it.
    Active {
        /// Set when it must end. The stream stays active until the media server has dropped the session.
        ending: Option<EndReason>,
    },
    /// It is gone.
    Ended {
        /// When a poll no longer found it.
        ended_at: Timestamp,
        /// Why.
        end_reason: EndReason,
    },
}

/// How the encoder sent its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, EnumString)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum IngestForm {
    /// It publishes to the public path and sends the key beside it.
    NamedPath,
    /// Its path is the key. A relay serves the stream at the public path.
    SecretPath,
}

/// One broadcast session. It keeps the name and metadata that the broadcaster had at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Its identity.
    pub id: StreamId,
    /// Who owns it: as its key.
    pub organization_id: OrganizationId,
    /// The key it is published with.
    pub stream_key_id: StreamKeyId,
    /// The broadcaster.
    pub broadcaster_id: BroadcasterId,
    /// The broadcaster's name when it started.
    pub broadcaster_name: DisplayName,
    /// The public path.
    pub path: StreamPath,
    /// The media server that carries it.
    pub media_server: MediaServerName,
    /// When it was first observed live.
    pub started_at: Timestamp,
    /// Active or ended.
    pub state: StreamState,
    /// The kind of session that publishes it.
    pub source_kind: Option<SourceKind>,
    /// The publishing session on the media server.
    pub source_id: Option<SourceId>,
    /// How the encoder sent its key.
    pub ingest: IngestForm,
    /// Statistics of the last poll.
    pub stats: StreamStats,
    /// The broadcaster's metadata when it started.
    pub metadata: Metadata,
    /// Reference of a recording, if there is one.
    pub recording_ref: Option<String>,
}

newest_first!(Stream, started_at);

/// A transition that the stream's state does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlreadyEnded;

impl Stream {
    /// Why it ended; `None` if it is live.
    pub fn end_reason(&self) -> Option<EndReason> {
        match self.state {
            StreamState::Ended { end_reason, .. } => Some(end_reason),
            StreamState::Active { .. } => None,
        }
    }

    /// Whether the media server still carries it.
    pub fn is_active(&self) -> bool {
        matches!(self.state, StreamState::Active { .. })
    }

    /// The reason it must end for, if it must.
    pub fn ending(&self) -> Option<EndReason> {
        match self.state {
            StreamState::Active { ending } => ending,
            StreamState::Ended { .. } => None,
        }
    }

    /// Marks that it must end. The first reason stays.
    pub fn end_requested(mut self, reason: EndReason) -> Result<Self, AlreadyEnded> {
        match &mut self.state {
            StreamState::Active { ending } => {
                ending.get_or_insert(reason);
                Ok(self)
            }
            StreamState::Ended { .. } => Err(AlreadyEnded),
        }
    }

    /// Ends it because a poll no longer found it. An earlier requested reason wins over `found`.
    pub fn gone(mut self, at: Timestamp, found: EndReason) -> Result<Self, AlreadyEnded> {
        match self.state {
            StreamState::Active { ending } => {
                // Clocks of two instances may differ; a stream never ends before it started.
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
            organization_id: OrganizationId::DEFAULT,
            stream_key_id: StreamKeyId(Uuid::from_u128(2)),
            broadcaster_id: BroadcasterId(Uuid::from_u128(3)),
            broadcaster_name: DisplayName::parse("Alice").unwrap(),
            path: StreamPath::parse("live/alice").unwrap(),
            media_server: MediaServerName::default(),
            started_at: Timestamp::from_seconds(100),
            state: StreamState::Active { ending: None },
            source_kind: Some(SourceKind::Rtmp),
            source_id: SourceId::parse("s1"),
            ingest: IngestForm::NamedPath,
            stats: StreamStats::default(),
            metadata: Metadata::default(),
            recording_ref: None,
        }
    }

    #[test]
    fn first_end_reason_is_kept() {
        let ending = stream()
            .end_requested(EndReason::KeyRevoked)
            .unwrap()
            .end_requested(EndReason::EndedByOperator)
            .unwrap();
        assert!(ending.is_active());
        let ended = ending.gone(Timestamp::from_seconds(1), EndReason::PublisherLeft).unwrap();
        let expected =
            StreamState::Ended { ended_at: Timestamp::from_seconds(100), end_reason: EndReason::KeyRevoked };
        assert_eq!(ended.state, expected);
        assert_eq!(ended.clone().gone(Timestamp::from_seconds(200), EndReason::Takeover), Err(AlreadyEnded));
        assert_eq!(ended.end_requested(EndReason::Takeover), Err(AlreadyEnded));
    }

    #[test]
    fn end_reasons_round_trip_as_text() {
        for &reason in EndReason::VARIANTS {
            assert_eq!(EndReason::parse(reason.as_str()), Some(reason));
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
    }
}
