//! Events about streamers.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use strum::{EnumString, IntoStaticStr, VariantArray};

use super::stored::{StoredEvent, UnreadableEvent};
use crate::domain::streamer::decide::Announcement;
use crate::domain::streamer::{
    Change, ChannelId, ChatroomId, KickIds, Session, Source, Status, Streamer, Track, UserId,
};
use crate::domain::{OrganizationId, StreamerId, Timestamp};

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

/// The stored form, version 1.
#[derive(Serialize, Deserialize)]
struct StreamerEventV1 {
    streamer: StreamerV1,
    change: Option<ChangeV1>,
}

#[derive(Serialize, Deserialize)]
struct StreamerV1 {
    id: StreamerId,
    username: String,
    display_name: Option<String>,
    is_active: bool,
    user_id: Option<UserId>,
    channel_id: Option<ChannelId>,
    chatroom_id: Option<ChatroomId>,
    status: Status,
    last_status_update: Option<Timestamp>,
    last_seen_online: Option<Timestamp>,
    session: Option<SessionV1>,
    ended_watermark: Option<u64>,
    contradicted_at: Option<Timestamp>,
    offline_due: Option<Timestamp>,
    problem: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct ChangeV1 {
    previous_status: Status,
    new_status: Status,
    occurred_at: Timestamp,
    received_at: Timestamp,
    source: Source,
    session: Option<SessionV1>,
    banned: bool,
}

#[derive(Serialize, Deserialize)]
struct SessionV1 {
    id: Option<String>,
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    title: Option<String>,
    category: Option<String>,
    viewers: Option<u64>,
}

impl From<Session> for SessionV1 {
    fn from(session: Session) -> Self {
        let Session { id, started_at, ended_at, title, category, viewers } = session;
        Self { id, started_at, ended_at, title, category, viewers }
    }
}

impl From<SessionV1> for Session {
    fn from(stored: SessionV1) -> Self {
        let SessionV1 { id, started_at, ended_at, title, category, viewers } = stored;
        Self { id, started_at, ended_at, title, category, viewers }
    }
}

impl From<Change> for ChangeV1 {
    fn from(change: Change) -> Self {
        let Change { previous_status, new_status, occurred_at, received_at, source, session, banned } =
            change;
        let session = session.map(SessionV1::from);
        Self { previous_status, new_status, occurred_at, received_at, source, session, banned }
    }
}

impl From<ChangeV1> for Change {
    fn from(stored: ChangeV1) -> Self {
        let ChangeV1 { previous_status, new_status, occurred_at, received_at, source, session, banned } =
            stored;
        let session = session.map(Session::from);
        Self { previous_status, new_status, occurred_at, received_at, source, session, banned }
    }
}

impl From<Streamer> for StreamerV1 {
    fn from(streamer: Streamer) -> Self {
        let Streamer {
            id,
            username,
            display_name,
            is_active,
            ids,
            track,
            problem,
            created_at,
            updated_at,
            ..
        } = streamer;
        Self {
            id,
            username,
            display_name,
            is_active,
            user_id: ids.user,
            channel_id: ids.channel,
            chatroom_id: ids.chatroom,
            status: track.status,
            last_status_update: track.last_status_update,
            last_seen_online: track.last_seen_online,
            session: track.session.map(SessionV1::from),
            ended_watermark: track.ended_watermark,
            contradicted_at: track.contradicted_at,
            offline_due: track.offline_due,
            problem,
            created_at,
            updated_at,
        }
    }
}

impl StreamerV1 {
    fn owned_by(self, organization_id: OrganizationId) -> Streamer {
        let v1 = self;
        let track = Track {
            status: v1.status,
            last_status_update: v1.last_status_update,
            last_seen_online: v1.last_seen_online,
            session: v1.session.map(Session::from),
            ended_watermark: v1.ended_watermark,
            contradicted_at: v1.contradicted_at,
            offline_due: v1.offline_due,
        };
        Streamer {
            id: v1.id,
            organization_id,
            username: v1.username,
            display_name: v1.display_name,
            is_active: v1.is_active,
            ids: KickIds { user: v1.user_id, channel: v1.channel_id, chatroom: v1.chatroom_id },
            track,
            problem: v1.problem,
            created_at: v1.created_at,
            updated_at: v1.updated_at,
        }
    }
}

impl StreamerEvent {
    pub(super) fn data(&self) -> Value {
        let Self { kind: _, streamer, change } = self.clone();
        let data = StreamerEventV1 { streamer: streamer.into(), change: change.map(ChangeV1::from) };
        serde_json::to_value(data).unwrap_or_default()
    }

    pub(super) fn from_stored(stored: &StoredEvent) -> Result<Self, UnreadableEvent> {
        let (kind, StreamerEventV1 { streamer, change }) = stored.read(VERSION)?;
        Ok(Self {
            kind,
            streamer: streamer.owned_by(stored.organization_id),
            change: change.map(Change::from),
        })
    }
}
