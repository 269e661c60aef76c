//! Events about streams.

use serde::Deserialize;
use serde_json::{Value, json};
use strum::{EnumString, IntoStaticStr, VariantArray};

use super::stored::{StoredEvent, UnreadableEvent};
use crate::domain::broadcaster::{DisplayName, Metadata};
use crate::domain::media_server::{MediaServerName, SourceId, SourceKind, StreamStats};
use crate::domain::path::StreamPath;
use crate::domain::stream::{EndReason, IngestForm, Stream, StreamState};
use crate::domain::{BroadcasterId, StreamId, StreamKeyId, Timestamp};

/// What happened to a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray)]
pub enum StreamEventKind {
    /// It went live.
    #[strum(serialize = "stream.started")]
    Started,
    /// Its tracks or its number of readers changed.
    #[strum(serialize = "stream.updated")]
    Updated,
    /// It ended.
    #[strum(serialize = "stream.ended")]
    Ended,
}

/// An event about a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamEvent {
    /// What happened.
    pub kind: StreamEventKind,
    /// The stream right after it.
    pub stream: Stream,
}

pub(super) const VERSION: i64 = 1;

/// The stored form, version 1.
#[derive(Deserialize)]
struct StreamV1 {
    id: StreamId,
    stream_key_id: StreamKeyId,
    broadcaster_id: BroadcasterId,
    broadcaster_name: DisplayName,
    path: StreamPath,
    media_server: MediaServerName,
    started_at: Timestamp,
    ended_at: Option<Timestamp>,
    end_reason: Option<EndReason>,
    source_kind: Option<SourceKind>,
    source_id: Option<SourceId>,
    ingest: IngestForm,
    readers: u32,
    tracks: Vec<String>,
    inbound_bytes: u64,
    metadata: Metadata,
    recording_ref: Option<String>,
}

impl StreamEvent {
    pub(super) fn data(&self) -> Value {
        let stream = &self.stream;
        let (ended_at, end_reason) = match stream.state {
            StreamState::Active { ending } => (None, ending),
            StreamState::Ended { ended_at, end_reason } => (Some(ended_at), Some(end_reason)),
        };
        json!({
            "id": stream.id, "stream_key_id": stream.stream_key_id, "broadcaster_id": stream.broadcaster_id,
            "broadcaster_name": stream.broadcaster_name, "path": stream.path, "media_server": stream.media_server,
            "started_at": stream.started_at, "ended_at": ended_at, "end_reason": end_reason,
            "source_kind": stream.source_kind, "source_id": stream.source_id, "ingest": stream.ingest,
            "readers": stream.stats.readers, "tracks": stream.stats.tracks,
            "inbound_bytes": stream.stats.inbound_bytes, "metadata": stream.metadata,
            "recording_ref": stream.recording_ref,
        })
    }

    pub(super) fn from_stored(stored: &StoredEvent) -> Result<Self, UnreadableEvent> {
        let (kind, v1): (_, StreamV1) = stored.read(VERSION)?;
        let state = match (v1.ended_at, v1.end_reason) {
            (Some(ended_at), Some(end_reason)) => StreamState::Ended { ended_at, end_reason },
            (_, ending) => StreamState::Active { ending },
        };
        let stats = StreamStats { readers: v1.readers, tracks: v1.tracks, inbound_bytes: v1.inbound_bytes };
        let stream = Stream {
            id: v1.id,
            organization_id: stored.organization_id,
            stream_key_id: v1.stream_key_id,
            broadcaster_id: v1.broadcaster_id,
            broadcaster_name: v1.broadcaster_name,
            path: v1.path,
            media_server: v1.media_server,
            started_at: v1.started_at,
            state,
            source_kind: v1.source_kind,
            source_id: v1.source_id,
            ingest: v1.ingest,
            stats,
            metadata: v1.metadata,
            recording_ref: v1.recording_ref,
        };
        Ok(Self { kind, stream })
    }
}
