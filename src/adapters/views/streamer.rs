//! Streamers on Kick, and the changes of their status.

use serde::Serialize;
use serde_with::skip_serializing_none;
use utoipa::ToSchema;
use uuid::Uuid;

use super::DateTime;
use super::list::list;
use crate::domain::streamer::{
    Change, ChannelId, ChatroomId, Session, Source, Status, StatusEvent, Streamer, UserId,
};

list! {
    /// Some streamers.
    StreamerList { streamers: StreamerView }
}

/// A streamer on Kick.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = Streamer)]
pub(crate) struct StreamerView {
    id: Uuid,
    /// Who owns it.
    organization_id: Uuid,
    /// The name on Kick, as in `kick.com/<username>`.
    #[schema(example = "xqc")]
    username: String,
    /// A display name of your choice.
    display_name: Option<String>,
    /// Whether the status is watched.
    is_active: bool,
    status: Status,
    last_seen_online: Option<DateTime>,
    /// When the status last changed.
    last_status_update: Option<DateTime>,
    /// The current session; only while online.
    session: Option<SessionView>,
    /// The last session, if known; never while online.
    last_session: Option<SessionView>,
    /// Kick's number of the user, used by its official API.
    #[schema(value_type = Option<u64>)]
    user_id: Option<UserId>,
    /// Kick's number of the channel, used by its feed.
    #[schema(value_type = Option<u64>)]
    channel_id: Option<ChannelId>,
    /// Kick's number of the chatroom.
    #[schema(value_type = Option<u64>)]
    chatroom_id: Option<ChatroomId>,
    /// Why the status cannot be watched, and how to fix it.
    problem: Option<String>,
    created_at: DateTime,
    updated_at: DateTime,
}

/// One broadcast on Kick, as far as it is known.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = StreamerSession)]
pub(crate) struct SessionView {
    /// Kick's number of the livestream.
    #[schema(example = "74331109")]
    id: Option<String>,
    title: Option<String>,
    #[schema(example = "Just Chatting")]
    category: Option<String>,
    started_at: Option<DateTime>,
    ended_at: Option<DateTime>,
    /// Number of viewers at the last poll.
    viewers: Option<u64>,
}

impl From<Session> for SessionView {
    fn from(session: Session) -> Self {
        let Session { id, started_at, ended_at, title, category, viewers } = session;
        Self { id, title, category, started_at, ended_at, viewers }
    }
}

impl From<Streamer> for StreamerView {
    fn from(streamer: Streamer) -> Self {
        let known = streamer.track.session.map(SessionView::from);
        let (session, last_session) = match streamer.track.status {
            Status::Online => (known, None),
            Status::Unknown | Status::Offline => (None, known),
        };
        Self {
            id: streamer.id.0,
            organization_id: streamer.organization_id.0,
            username: streamer.username,
            display_name: streamer.display_name,
            is_active: streamer.is_active,
            status: streamer.track.status,
            last_seen_online: streamer.track.last_seen_online,
            last_status_update: streamer.track.last_status_update,
            session,
            last_session,
            user_id: streamer.ids.user,
            channel_id: streamer.ids.channel,
            chatroom_id: streamer.ids.chatroom,
            problem: streamer.problem,
            created_at: streamer.created_at,
            updated_at: streamer.updated_at,
        }
    }
}

/// A change of status.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = StatusChange)]
pub(crate) struct ChangeView {
    previous_status: Status,
    /// `online` or `offline`; never the same as before.
    new_status: Status,
    /// When it happened: Kick's time if known, otherwise when the report arrived.
    occurred_at: DateTime,
    /// When the report arrived.
    received_at: DateTime,
    source: Source,
    /// The session that began or ended.
    session: Option<SessionView>,
    /// Present if a ban ended the session.
    #[schema(example = true)]
    banned: Option<bool>,
}

impl From<Change> for ChangeView {
    fn from(change: Change) -> Self {
        Self {
            previous_status: change.previous_status,
            new_status: change.new_status,
            occurred_at: change.occurred_at,
            received_at: change.received_at,
            source: change.source,
            session: change.session.map(SessionView::from),
            banned: change.banned.then_some(true),
        }
    }
}

/// A change of status in the history.
#[derive(Serialize, ToSchema)]
#[schema(as = StatusEvent)]
pub(crate) struct StatusEventView {
    /// The number of its event.
    seq: i64,
    #[serde(flatten)]
    change: ChangeView,
    /// When it was stored.
    recorded_at: DateTime,
}

impl From<StatusEvent> for StatusEventView {
    fn from(event: StatusEvent) -> Self {
        Self { seq: event.seq, change: event.change.into(), recorded_at: event.recorded_at }
    }
}
