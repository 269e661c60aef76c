//! The columns of streamers and of their history.
//!
//! Other programs also write the table of streamers. A value that makes no sense is treated as unknown, and the row can
//! still be read.

use super::columns::signed;
use super::row::{NewRow, Record, Row, Stored};
use crate::domain::StreamerId;
use crate::domain::streamer::{
    Change, ChannelId, ChatroomId, KickIds, Session, Source, Status, StatusEvent, Streamer, Track, UserId,
};

ids!(StreamerId);
words!(Source, Status);

/// Kick's numbers.
macro_rules! kick_ids {
    ($($type:ty),+) => {
        column! { $($type: Int i64, |id| signed(id.get()), |raw| Ok(Self::new(u64::try_from(raw)?)?), or NULL;)+ }
    };
}

kick_ids!(ChannelId, ChatroomId, UserId);

table! {
    streamers: Streamer {
        id uuid, organization_id uuid, username text, display_name text, is_active bool, problem text, created_at int, updated_at int;
        ids: struct KickIds { user int as user_id, channel int as channel_id, chatroom int as chatroom_id },
        track: manual Track {
            status text, last_status_update int, last_seen_online int, session_id text, session_started_at int,
            session_ended_at int, session_title text, session_category text, session_viewers int,
            ended_watermark int, contradicted_at int, offline_due int,
        },
    }
}

table! {
    status_events: StatusEvent {
        seq int, streamer_id uuid, recorded_at int;
        change: manual Change {
            previous_status text, new_status text, occurred_at int, received_at int, source text, session_id text,
            session_started_at int, session_ended_at int, session_title text, session_category text,
            session_viewers int, banned bool,
        },
    }
}

record!(struct Track {
    status, last_status_update, last_seen_online, ended_watermark, contradicted_at, offline_due; session
});

record!(struct Change { previous_status, new_status, occurred_at, received_at, source, banned; session });

record!(struct Session {
    id as session_id, started_at as session_started_at, ended_at as session_ended_at, title as session_title,
    category as session_category, viewers as session_viewers
});

/// A streamer who is online always has a session. Any other has one only if something about it is known.
impl Record for Option<Session> {
    fn read(row: &Row<'_>) -> Result<Self, sqlx::Error> {
        let status: Status = row.get("status").or_else(|_| row.get("new_status"))?;
        let session: Session = row.record()?;
        Ok((status == Status::Online || session != Session::default()).then_some(session))
    }
}

impl Stored for Option<Session> {
    fn write(&self, row: &mut NewRow) {
        if let Some(session) = self {
            session.write(row);
        }
    }
}
