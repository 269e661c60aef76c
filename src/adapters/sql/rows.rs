//! Rows, and their conversion to the domain's types.

use sqlx::FromRow;
use uuid::Uuid;

use super::error::corrupt;
use crate::domain::broadcaster::{Broadcaster, DisplayName, Metadata};
use crate::domain::media_server::{Connection, MediaServerName, SourceId, SourceKind, StreamStats};
use crate::domain::path::StreamPath;
use crate::domain::secret::SecretHash;
use crate::domain::stream::{EndReason, IngestForm, Stream, StreamState};
use crate::domain::stream_key::{Holder, Label, OnConflict, StreamKey};
use crate::domain::{BroadcasterId, StreamId, StreamKeyId, Timestamp};
use crate::ports::StoreError;

/// A single number.
#[derive(FromRow)]
pub(super) struct Number(pub(super) i64);

/// A single id.
#[derive(FromRow)]
pub(super) struct Id(pub(super) Uuid);

/// Columns of [`BroadcasterRow`].
macro_rules! broadcaster_columns {
    () => {
        "id, display_name, metadata, created_at, updated_at"
    };
}

#[derive(FromRow)]
pub(super) struct BroadcasterRow {
    id: Uuid,
    display_name: String,
    metadata: String,
    created_at: i64,
    updated_at: i64,
}

impl TryFrom<BroadcasterRow> for Broadcaster {
    type Error = StoreError;

    fn try_from(row: BroadcasterRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: BroadcasterId(row.id),
            display_name: DisplayName::parse(&row.display_name).map_err(corrupt)?,
            metadata: metadata(&row.metadata)?,
            created_at: Timestamp::from_micros(row.created_at),
            updated_at: Timestamp::from_micros(row.updated_at),
        })
    }
}

/// Columns of [`KeyRow`].
macro_rules! key_columns {
    () => {
        "id, broadcaster_id, label, path, key_prefix, on_conflict, created_at, expires_at, revoked_at, last_used_at, \
         holder_kind, holder_server, holder_conn, holder_until"
    };
}

#[derive(FromRow)]
pub(super) struct KeyRow {
    id: Uuid,
    broadcaster_id: Uuid,
    label: Option<String>,
    path: String,
    key_prefix: String,
    on_conflict: String,
    created_at: i64,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
    last_used_at: Option<i64>,
    holder_kind: Option<String>,
    holder_server: Option<String>,
    holder_conn: Option<String>,
    holder_until: Option<i64>,
}

impl TryFrom<KeyRow> for StreamKey {
    type Error = StoreError;

    fn try_from(row: KeyRow) -> Result<Self, StoreError> {
        let holder = holder(row.holder_kind, row.holder_server, row.holder_conn, row.holder_until)?;
        Ok(Self {
            id: StreamKeyId(row.id),
            broadcaster_id: BroadcasterId(row.broadcaster_id),
            label: row.label.map(|label| Label::parse(&label)).transpose().map_err(corrupt)?,
            path: StreamPath::parse(&row.path).map_err(corrupt)?,
            key_prefix: row.key_prefix,
            on_conflict: OnConflict::parse(&row.on_conflict).map_err(corrupt)?,
            created_at: Timestamp::from_micros(row.created_at),
            expires_at: row.expires_at.map(Timestamp::from_micros),
            revoked_at: row.revoked_at.map(Timestamp::from_micros),
            last_used_at: row.last_used_at.map(Timestamp::from_micros),
            holder,
        })
    }
}

fn holder(
    kind: Option<String>,
    server: Option<String>,
    conn: Option<String>,
    until: Option<i64>,
) -> Result<Holder, StoreError> {
    let Some(kind) = kind else { return Ok(Holder::Free) };
    let server = MediaServerName::parse(&server.unwrap_or_default()).map_err(corrupt)?;
    let id = SourceId::parse(&conn.unwrap_or_default()).ok_or_else(|| corrupt("a holder without a name"))?;
    let by = Connection { server, id };
    match (kind.as_str(), until) {
        ("live", None) => Ok(Holder::Live { by }),
        ("evicted", None) => Ok(Holder::Evicted { by }),
        ("claimed", Some(until)) => Ok(Holder::Claimed { by, until: Timestamp::from_micros(until) }),
        _ => Err(corrupt(format!("a holder of kind {kind:?}"))),
    }
}

/// The four columns of a holder.
pub(super) struct HolderColumns<'a> {
    pub(super) kind: Option<&'static str>,
    pub(super) server: Option<&'a str>,
    pub(super) conn: Option<&'a str>,
    pub(super) until: Option<Timestamp>,
}

impl<'a> From<&'a Holder> for HolderColumns<'a> {
    fn from(holder: &'a Holder) -> Self {
        let (kind, until) = match holder {
            Holder::Free => (None, None),
            Holder::Claimed { until, .. } => (Some("claimed"), Some(*until)),
            Holder::Live { .. } => (Some("live"), None),
            Holder::Evicted { .. } => (Some("evicted"), None),
        };
        let by = holder.connection();
        Self { kind, server: by.map(|c| c.server.as_str()), conn: by.map(|c| c.id.as_str()), until }
    }
}

/// A key with its hash.
#[derive(FromRow)]
pub(super) struct HashedKeyRow {
    key_hash: Vec<u8>,
    #[sqlx(flatten)]
    key: KeyRow,
}

impl TryFrom<HashedKeyRow> for (SecretHash, StreamKey) {
    type Error = StoreError;

    fn try_from(row: HashedKeyRow) -> Result<Self, StoreError> {
        Ok((hash(row.key_hash)?, row.key.try_into()?))
    }
}

/// Columns of [`StreamRow`].
macro_rules! stream_columns {
    () => {
        "id, stream_key_id, broadcaster_id, broadcaster_name, path, media_server, started_at, ended_at, end_reason, \
         source_kind, source_id, ingest, readers, tracks, inbound_bytes, metadata, recording_ref"
    };
}

#[derive(FromRow)]
pub(super) struct StreamRow {
    id: Uuid,
    stream_key_id: Uuid,
    broadcaster_id: Uuid,
    broadcaster_name: String,
    path: String,
    media_server: String,
    started_at: i64,
    ended_at: Option<i64>,
    end_reason: Option<String>,
    source_kind: Option<String>,
    source_id: Option<String>,
    ingest: String,
    readers: i64,
    tracks: String,
    inbound_bytes: i64,
    metadata: String,
    recording_ref: Option<String>,
}

impl TryFrom<StreamRow> for Stream {
    type Error = StoreError;

    fn try_from(row: StreamRow) -> Result<Self, StoreError> {
        let reason = row
            .end_reason
            .map(|text| EndReason::parse(&text).ok_or_else(|| corrupt(format!("end reason {text:?}"))))
            .transpose()?;
        let state = match (row.ended_at, reason) {
            (None, ending) => StreamState::Active { ending },
            (Some(at), Some(end_reason)) => {
                StreamState::Ended { ended_at: Timestamp::from_micros(at), end_reason }
            }
            (Some(_), None) => return Err(corrupt("a stream that ended without a reason")),
        };
        Ok(Self {
            id: StreamId(row.id),
            stream_key_id: StreamKeyId(row.stream_key_id),
            broadcaster_id: BroadcasterId(row.broadcaster_id),
            broadcaster_name: DisplayName::parse(&row.broadcaster_name).map_err(corrupt)?,
            path: StreamPath::parse(&row.path).map_err(corrupt)?,
            media_server: MediaServerName::parse(&row.media_server).map_err(corrupt)?,
            started_at: Timestamp::from_micros(row.started_at),
            state,
            source_kind: row.source_kind.as_deref().map(SourceKind::from_name),
            source_id: row.source_id.as_deref().and_then(SourceId::parse),
            ingest: ingest(&row.ingest)?,
            stats: StreamStats {
                readers: u32::try_from(row.readers).map_err(corrupt)?,
                tracks: serde_json::from_str(&row.tracks).map_err(corrupt)?,
                inbound_bytes: u64::try_from(row.inbound_bytes).map_err(corrupt)?,
            },
            metadata: metadata(&row.metadata)?,
            recording_ref: row.recording_ref,
        })
    }
}

fn ingest(text: &str) -> Result<IngestForm, StoreError> {
    match text {
        "named_path" => Ok(IngestForm::NamedPath),
        "secret_path" => Ok(IngestForm::SecretPath),
        other => Err(corrupt(format!("ingest form {other:?}"))),
    }
}

/// The column value for an ingest form.
pub(super) fn ingest_word(form: IngestForm) -> &'static str {
    match form {
        IngestForm::NamedPath => "named_path",
        IngestForm::SecretPath => "secret_path",
    }
}

pub(super) fn hash(bytes: Vec<u8>) -> Result<SecretHash, StoreError> {
    bytes.try_into().map(SecretHash).map_err(|_| corrupt("a hash that is not 32 bytes long"))
}

/// Not checked again: it was valid when written, and limits may be narrower now.
fn metadata(text: &str) -> Result<Metadata, StoreError> {
    serde_json::from_str(text).map_err(corrupt)
}

/// Converts rows to the domain's types.
pub(super) fn all<T, R>(rows: Vec<R>) -> Result<Vec<T>, StoreError>
where
    T: TryFrom<R, Error = StoreError>,
{
    rows.into_iter().map(T::try_from).collect()
}

/// An unsigned number in a signed column.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
