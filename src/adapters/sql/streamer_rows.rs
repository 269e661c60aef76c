//! Streamers and their history as rows.
//!
//! Other programs also write the table of streamers. A value that makes no sense is treated as unknown, and the row can
//! still be read.

use std::ops::RangeInclusive;

use serde_json::{Value, json};
use sqlx::FromRow;
use uuid::Uuid;

use super::error::corrupt;
use super::rows::signed;
use crate::domain::streamer::{
    Change, ChannelId, ChatroomId, KickIds, Session, Status, StatusEvent, Streamer, Track, UserId,
};
use crate::domain::{StreamerId, Timestamp};
use crate::ports::StoreError;

/// Columns of [`StreamerRow`].
macro_rules! streamer_columns {
    () => {
        "id, username, display_name, is_active, user_id, channel_id, chatroom_id, status, last_status_update, \
         last_seen_online, session_id, session_started_at, session_ended_at, session_title, session_category, \
         session_viewers, ended_watermark, contradicted_at, offline_due, problem, created_at, updated_at"
    };
}

/// Columns of [`StatusEventRow`].
macro_rules! status_event_columns {
    () => {
        "seq, streamer_id, previous_status, new_status, occurred_at, received_at, recorded_at, source, session_id, \
         session_started_at, session_ended_at, session_title, session_category, session_viewers, banned"
    };
}

#[derive(FromRow)]
struct SessionColumns {
    session_id: Option<String>,
    session_started_at: Option<i64>,
    session_ended_at: Option<i64>,
    session_title: Option<String>,
    session_category: Option<String>,
    session_viewers: Option<i64>,
}

impl SessionColumns {
    /// A streamer who is online always has a session. Any other has one only if something about it is known.
    fn read(self, status: Status) -> Option<Session> {
        let session = Session {
            id: self.session_id,
            started_at: time(self.session_started_at),
            ended_at: time(self.session_ended_at),
            title: self.session_title,
            category: self.session_category,
            viewers: self.session_viewers.and_then(|viewers| u64::try_from(viewers).ok()),
        };
        (status == Status::Online || session != Session::default()).then_some(session)
    }
}

#[derive(FromRow)]
pub(super) struct StreamerRow {
    id: Uuid,
    username: String,
    display_name: Option<String>,
    is_active: bool,
    user_id: Option<i64>,
    channel_id: Option<i64>,
    chatroom_id: Option<i64>,
    status: String,
    last_status_update: Option<i64>,
    last_seen_online: Option<i64>,
    #[sqlx(flatten)]
    session: SessionColumns,
    ended_watermark: Option<i64>,
    contradicted_at: Option<i64>,
    offline_due: Option<i64>,
    problem: Option<String>,
    created_at: i64,
    updated_at: i64,
}

impl TryFrom<StreamerRow> for Streamer {
    type Error = StoreError;

    fn try_from(row: StreamerRow) -> Result<Self, StoreError> {
        let status = status(&row.status)?;
        let number = |column: Option<i64>| column.and_then(|number| u64::try_from(number).ok());
        Ok(Self {
            id: StreamerId(row.id),
            username: row.username,
            display_name: row.display_name,
            is_active: row.is_active,
            ids: KickIds {
                user: number(row.user_id).and_then(|number| UserId::new(number).ok()),
                channel: number(row.channel_id).and_then(|number| ChannelId::new(number).ok()),
                chatroom: number(row.chatroom_id).and_then(|number| ChatroomId::new(number).ok()),
            },
            track: Track {
                status,
                last_status_update: time(row.last_status_update),
                last_seen_online: time(row.last_seen_online),
                session: row.session.read(status),
                ended_watermark: number(row.ended_watermark),
                contradicted_at: time(row.contradicted_at),
                offline_due: time(row.offline_due),
            },
            problem: row.problem,
            created_at: clamped(row.created_at),
            updated_at: clamped(row.updated_at),
        })
    }
}

#[derive(FromRow)]
pub(super) struct StatusEventRow {
    seq: i64,
    streamer_id: Uuid,
    previous_status: String,
    new_status: String,
    occurred_at: i64,
    received_at: i64,
    recorded_at: i64,
    source: String,
    #[sqlx(flatten)]
    session: SessionColumns,
    banned: bool,
}

impl TryFrom<StatusEventRow> for StatusEvent {
    type Error = StoreError;

    fn try_from(row: StatusEventRow) -> Result<Self, StoreError> {
        let new_status = status(&row.new_status)?;
        let change = Change {
            previous_status: status(&row.previous_status)?,
            new_status,
            occurred_at: Timestamp::from_micros(row.occurred_at),
            received_at: Timestamp::from_micros(row.received_at),
            source: row
                .source
                .parse()
                .map_err(|_| corrupt(format!("the source {:?} of a status", row.source)))?,
            session: row.session.read(new_status),
            banned: row.banned,
        };
        let recorded_at = Timestamp::from_micros(row.recorded_at);
        Ok(Self { seq: row.seq, streamer_id: StreamerId(row.streamer_id), change, recorded_at })
    }
}

/// The times that can be formatted: years 1 to 9999.
const TIMES: RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

fn time(column: Option<i64>) -> Option<Timestamp> {
    column.filter(|micros| TIMES.contains(micros)).map(Timestamp::from_micros)
}

fn clamped(column: i64) -> Timestamp {
    Timestamp::from_micros(column.clamp(*TIMES.start(), *TIMES.end()))
}

fn status(text: &str) -> Result<Status, StoreError> {
    text.parse().map_err(|_| corrupt(format!("the status {text:?}")))
}

fn micros(time: Option<Timestamp>) -> Option<i64> {
    time.map(Timestamp::micros)
}

/// Removes NUL, which Kick's texts may contain and PostgreSQL cannot store.
fn storable(text: Option<&String>) -> Option<String> {
    text.map(|text| text.replace('\0', ""))
}

/// A streamer as a JSON row with all [`streamer_columns!`].
pub(super) fn streamer_row(streamer: &Streamer) -> Value {
    let mut row = track_row(streamer);
    let more = json!({
        "username": storable(Some(&streamer.username)),
        "display_name": storable(streamer.display_name.as_ref()),
        "is_active": streamer.is_active,
        "user_id": streamer.ids.user,
        "channel_id": streamer.ids.channel,
        "chatroom_id": streamer.ids.chatroom,
        "problem": storable(streamer.problem.as_ref()),
        "created_at": streamer.created_at.micros(),
        "updated_at": streamer.updated_at.micros(),
    });
    extend(&mut row, more);
    row
}

/// The status columns of a streamer as a JSON row.
pub(super) fn track_row(streamer: &Streamer) -> Value {
    let track = &streamer.track;
    let mut row = json!({
        "id": streamer.id,
        "status": track.status.as_str(),
        "last_status_update": micros(track.last_status_update),
        "last_seen_online": micros(track.last_seen_online),
        "ended_watermark": track.ended_watermark.map(signed),
        "contradicted_at": micros(track.contradicted_at),
        "offline_due": micros(track.offline_due),
    });
    extend(&mut row, session_row(track.session.as_ref()));
    row
}

/// A change of status as a JSON row with all [`status_event_columns!`].
pub(super) fn status_event_row(event: &StatusEvent) -> Value {
    let change = &event.change;
    let mut row = json!({
        "seq": event.seq,
        "streamer_id": event.streamer_id,
        "previous_status": change.previous_status.as_str(),
        "new_status": change.new_status.as_str(),
        "occurred_at": change.occurred_at.micros(),
        "received_at": change.received_at.micros(),
        "recorded_at": event.recorded_at.micros(),
        "source": change.source.as_str(),
        "banned": change.banned,
    });
    extend(&mut row, session_row(change.session.as_ref()));
    row
}

fn session_row(session: Option<&Session>) -> Value {
    let Some(session) = session else { return json!({}) };
    json!({
        "session_id": storable(session.id.as_ref()),
        "session_started_at": micros(session.started_at),
        "session_ended_at": micros(session.ended_at),
        "session_title": storable(session.title.as_ref()),
        "session_category": storable(session.category.as_ref()),
        "session_viewers": session.viewers.map(signed),
    })
}

fn extend(row: &mut Value, more: Value) {
    if let (Value::Object(row), Value::Object(more)) = (row, more) {
        row.extend(more);
    }
}
