//! The columns of the tables that several files use.

use super::row::{NewRow, Record, Row, Stored, unreadable};
use crate::domain::Timestamp;
use crate::domain::audit::AuditEntry;
use crate::domain::broadcaster::Broadcaster;
use crate::domain::event::StoredEvent;
use crate::domain::media_server::{Connection, StreamStats};
use crate::domain::reconcile::ActiveStream;
use crate::domain::secret::SecretHash;
use crate::domain::stream::{Stream, StreamState};
use crate::domain::stream_key::{Holder, StreamKey, Takeovers};

table! {
    audit_log: AuditEntry {
        id uuid, timestamp int as at, organization_id uuid, actor text, action text, resource_type text, resource_id text,
        request_method text, request_path text, ip_address text, outcome text, failure_reason text, metadata text,
        request_id text, told bool,
    }
}

table! {
    broadcasters: Broadcaster {
        id uuid, organization_id uuid, display_name text, metadata text, created_at int, updated_at int,
    }
}

table! {
    events: StoredEvent {
        seq int, at int, organization_id uuid, topic text, kind text, version int, subject uuid, data text,
    }
}

table! {
    stream_keys: StreamKey {
        id uuid, organization_id uuid, broadcaster_id uuid, label text, path text, key_prefix text, on_conflict text, playback_access text, created_at int,
        expires_at int, revoked_at int, last_used_at int;
        holder: manual Holder { holder_kind text, holder_server text, holder_conn text, holder_until int },
        takeovers: struct Takeovers { claimed_from text, last int as takeover_at, before int as takeover_before },
    } extra { key_hash bytes, path_held bool }
}

table! {
    streams: Stream {
        id uuid, organization_id uuid, stream_key_id uuid, broadcaster_id uuid, broadcaster_name text, path text,
        media_server text, started_at int, source_kind text, source_id text, ingest text, metadata text, recording_ref text;
        state: manual StreamState { ended_at int, end_reason text },
        stats: struct StreamStats { readers int, tracks text, inbound_bytes int },
    } extra { refreshed_at int }
}

impl Record for Holder {
    fn read(row: &Row<'_>) -> Result<Self, sqlx::Error> {
        let kind: Option<String> = row.get("holder_kind")?;
        let Some(kind) = kind else { return Ok(Self::Free) };
        let by = Connection { server: row.get("holder_server")?, id: row.get("holder_conn")? };
        match (kind.as_str(), row.get("holder_until")?) {
            ("live", None) => Ok(Self::Live { by }),
            ("evicted", None) => Ok(Self::Evicted { by }),
            ("claimed", Some(until)) => Ok(Self::Claimed { by, until }),
            _ => Err(unreadable(format!("a holder of kind {kind:?}"))),
        }
    }
}

impl Stored for Holder {
    fn write(&self, row: &mut NewRow) {
        let (kind, until) = match self {
            Self::Free => (None, None),
            Self::Claimed { until, .. } => (Some("claimed"), Some(until)),
            Self::Live { .. } => (Some("live"), None),
            Self::Evicted { .. } => (Some("evicted"), None),
        };
        row.set("holder_kind", &kind);
        row.set("holder_server", &self.connection().map(|by| &by.server));
        row.set("holder_conn", &self.connection().map(|by| &by.id));
        row.set("holder_until", &until);
    }
}

impl Record for StreamState {
    fn read(row: &Row<'_>) -> Result<Self, sqlx::Error> {
        match (row.get("ended_at")?, row.get("end_reason")?) {
            (None, ending) => Ok(Self::Active { ending }),
            (Some(ended_at), Some(end_reason)) => Ok(Self::Ended { ended_at, end_reason }),
            (Some(_), None) => Err(unreadable("a stream that ended without a reason")),
        }
    }
}

impl Stored for StreamState {
    fn write(&self, row: &mut NewRow) {
        let (ended_at, end_reason): (Option<Timestamp>, _) = match *self {
            Self::Active { ending } => (None, ending),
            Self::Ended { ended_at, end_reason } => (Some(ended_at), Some(end_reason)),
        };
        row.set("ended_at", &ended_at);
        row.set("end_reason", &end_reason);
    }
}

impl<T: Record> Record for (SecretHash, T) {
    fn read(row: &Row<'_>) -> Result<Self, sqlx::Error> {
        Ok((row.get("key_hash")?, row.record()?))
    }
}

impl Record for ActiveStream {
    fn read(row: &Row<'_>) -> Result<Self, sqlx::Error> {
        Ok(Self { stream: row.record()?, refreshed_at: row.get("refreshed_at")? })
    }
}
