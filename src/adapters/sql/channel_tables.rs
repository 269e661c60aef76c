//! The columns of channels and of what belongs to them.

use super::row::{NewRow, Record, Row, Stored, unreadable};
use crate::domain::Timestamp;
use crate::domain::channel::{
    Backup, Channel, ChannelId, ChannelName, Decision, DecisionId, DecisionKind, Destination, DestinationId,
    Engine, Failover, Hold, Inputs, Mismatch, Mode, Platform, Playlist, Profile, ProgrammeStatus, PushUrl,
    Reason, Rehearsal, RehearsalId, RehearsalReport, RehearsalState, Source,
};

ids!(ChannelId, DecisionId, DestinationId, RehearsalId);
texts!(ChannelName, PushUrl);
words!(DecisionKind, Engine, Mismatch, Mode, Platform, Reason, RehearsalState, Source);
as_json!(Failover, Playlist, Profile, ProgrammeStatus, RehearsalReport);

table! {
    channels: Channel {
        id uuid, organization_id uuid, name text, display_name text, path text, enabled bool, failover text, profile text, mismatch text,
        engine text, created_at int, updated_at int;
        hold: struct Hold { mode text, expires_at int as hold_expires_at, reason text as hold_reason },
        inputs: manual Inputs {
            broadcaster_id uuid, live_key_id uuid, programme_key_id uuid, backup_key_id uuid, playlist text,
        },
    } extra { programme_key text }
}

table! {
    destinations: Destination {
        id uuid, channel uuid as channel_id, name text, platform text, url text, backup_url text, enabled bool,
        rotate_session_every_seconds int, created_at int, updated_at int,
    } extra { stream_key text }
}

table! {
    channel_decisions: Decision {
        id uuid, channel uuid as channel_id, at int, from text as from_source, to text as to_source, kind text,
        reason text, numbers text,
    }
}

table! {
    channel_rehearsals: Rehearsal {
        id uuid, channel uuid as channel_id, cut_live_for_seconds int, state text, created_at int, started_at int,
        ended_at int, report text, error text,
    }
}

/// What a running programme last reported.
pub(super) struct LastStatus {
    pub(super) channel_id: ChannelId,
    pub(super) at: Timestamp,
    pub(super) status: ProgrammeStatus,
}

table! {
    channel_status: LastStatus { channel_id uuid, at int, status text }
}

impl Record for Inputs {
    fn read(row: &Row<'_>) -> Result<Self, sqlx::Error> {
        let backup = match (row.get("playlist")?, row.get("backup_key_id")?) {
            (Some(playlist), None) => Backup::Playlist(playlist),
            (None, Some(key)) => Backup::Stream(key),
            _ => return Err(unreadable("a channel with no backup, or with two")),
        };
        let (live_key, programme_key) = (row.get("live_key_id")?, row.get("programme_key_id")?);
        Ok(Self { broadcaster: row.get("broadcaster_id")?, live_key, programme_key, backup })
    }
}

impl Stored for Inputs {
    fn write(&self, row: &mut NewRow) {
        let (playlist, backup_key) = match &self.backup {
            Backup::Playlist(playlist) => (Some(playlist), None),
            Backup::Stream(key) => (None, Some(key)),
        };
        row.set("broadcaster_id", &self.broadcaster);
        row.set("live_key_id", &self.live_key);
        row.set("programme_key_id", &self.programme_key);
        row.set("backup_key_id", &backup_key);
        row.set("playlist", &playlist);
    }
}

/// A channel and the sealed secret of its programme key.
impl Record for (Channel, String) {
    fn read(row: &Row<'_>) -> Result<Self, sqlx::Error> {
        Ok((row.record()?, row.get("programme_key")?))
    }
}

/// A destination and its sealed key.
impl Record for (Destination, String) {
    fn read(row: &Row<'_>) -> Result<Self, sqlx::Error> {
        Ok((row.record()?, row.get("stream_key")?))
    }
}

/// The id and the playlist of a channel.
impl Record for (ChannelId, Playlist) {
    fn read(row: &Row<'_>) -> Result<Self, sqlx::Error> {
        Ok((row.get("id")?, row.get("playlist")?))
    }
}
