//! Streamers and their history. `streamer_reports.rs` stores reports and lookups.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use sqlx::FromRow;

use super::args::Args;
use super::db::Tx;
use super::rows::{Id, all, signed};
use super::streamer_rows::{StatusEventRow, StreamerRow, streamer_row};
use super::{SqlStore, audit_log, events, streamer_reports};
use crate::domain::access::Scope;
use crate::domain::audit::AuditEntry;
use crate::domain::event::{EventBody, StreamerEventKind};
use crate::domain::streamer::decide::Report;
use crate::domain::streamer::feed::WatchStatus;
use crate::domain::streamer::{Learned, StatusEvent, Streamer, StreamerPatch};
use crate::domain::{StreamerId, Timestamp};
use crate::ports::{Recorded, StoreError, StreamerFilter, StreamerStore, Written};

/// The key of the table's only row.
const WATCH: &str = "kick";

// The comparison comes before `IS NULL`, so that PostgreSQL takes the argument's type from the column.
macro_rules! passes {
    () => {
        "(status = $1 OR $1 IS NULL) AND (is_active = $2 OR NOT $3) AND (lower(username) > $4 OR $4 IS NULL)"
    };
}
macro_rules! in_order {
    () => {
        " ORDER BY lower(username), id LIMIT $5"
    };
}

statements! {
    // If two create at the same moment, the unique index on names decides.
    INSERT = [
        "INSERT INTO streamers (", (streamer_columns!()), ") SELECT ", (streamer_columns!()), " FROM ",
        [rows "$1" id uuid, username text, display_name text, is_active bool, user_id int, channel_id int,
         chatroom_id int, status text, last_status_update int, last_seen_online int, session_id text,
         session_started_at int, session_ended_at int, session_title text, session_category text,
         session_viewers int, ended_watermark int, contradicted_at int, offline_due int, problem text, created_at int,
         updated_at int],
        " WHERE id IS NOT NULL ON CONFLICT (lower(username)) DO NOTHING",
    ];
    GET = ["SELECT ", (streamer_columns!()), " FROM streamers WHERE id = $1"];
    GET_LOCKED = ["SELECT ", (streamer_columns!()), " FROM streamers WHERE id = $1", [lock]];
    LIST = ["SELECT ", (streamer_columns!()), " FROM streamers WHERE ", (passes!()), (in_order!())];
    LIST_NAMED = [
        "SELECT ", (streamer_columns!()), " FROM streamers WHERE lower(username) = $6 AND ", (passes!()), (in_order!()),
    ];
    LIST_OF_USER = [
        "SELECT ", (streamer_columns!()), " FROM streamers WHERE user_id = $6 \
         AND (lower(username) = $7 OR $7 IS NULL) AND ", (passes!()), (in_order!()),
    ];
    // A growing revision marks the change as ours (see the triggers in the migration).
    UPDATE = [
        "UPDATE streamers SET username = r.username, display_name = r.display_name, is_active = r.is_active, \
         user_id = r.user_id, channel_id = r.channel_id, chatroom_id = r.chatroom_id, status = r.status, \
         last_status_update = r.last_status_update, last_seen_online = r.last_seen_online, \
         session_id = r.session_id, session_started_at = r.session_started_at, \
         session_ended_at = r.session_ended_at, session_title = r.session_title, \
         session_category = r.session_category, session_viewers = r.session_viewers, \
         ended_watermark = r.ended_watermark, contradicted_at = r.contradicted_at, offline_due = r.offline_due, problem = r.problem, \
         updated_at = r.updated_at, revision = streamers.revision + 1 FROM ",
        [rows "$1" id uuid, username text, display_name text, is_active bool, user_id int, channel_id int,
         chatroom_id int, status text, last_status_update int, last_seen_online int, session_id text,
         session_started_at int, session_ended_at int, session_title text, session_category text,
         session_viewers int, ended_watermark int, contradicted_at int, offline_due int, problem text, updated_at int],
        " WHERE streamers.id = r.id",
    ];
    // This also deletes the history.
    DELETE = ["DELETE FROM streamers WHERE id = $1"];
    EXISTS = ["SELECT id FROM streamers WHERE id = $1"];
    HISTORY = [
        "SELECT ", (status_event_columns!()), " FROM status_events WHERE streamer_id = $1 AND seq < $2 \
         ORDER BY seq DESC LIMIT $3",
    ];
    PRUNE = [
        "DELETE FROM status_events WHERE seq IN (SELECT seq FROM status_events AS one WHERE recorded_at < $1 \
         AND EXISTS (SELECT 1 FROM status_events AS later WHERE later.streamer_id = one.streamer_id \
         AND later.seq > one.seq) ORDER BY recorded_at LIMIT $2)",
    ];
    KEEP_WATCH = [
        "INSERT INTO watch_status (name, at, status) VALUES ($1, $2, $3) \
         ON CONFLICT (name) DO UPDATE SET at = excluded.at, status = excluded.status",
    ];
    WATCH_STATUS = ["SELECT status FROM watch_status WHERE name = $1"];
}

#[derive(FromRow)]
struct Text(String);

/// Updates whole rows of existing streamers. Returns false if another row already has one of the names.
pub(super) async fn write(tx: &mut Tx, streamers: &[Streamer]) -> Result<bool, StoreError> {
    let rows: Vec<_> = streamers.iter().map(streamer_row).collect();
    tx.run_if_free(UPDATE, args![json!(rows).to_string()]).await
}

async fn lock(tx: &mut Tx, id: StreamerId) -> Result<Option<Streamer>, StoreError> {
    tx.row::<StreamerRow>(GET_LOCKED, args![id]).await?.map(Streamer::try_from).transpose()
}

fn values(filter: &StreamerFilter) -> Args {
    args![
        filter.status.map(<&str>::from),
        filter.is_active.unwrap_or_default(),
        filter.is_active.is_some(),
        filter.after.as_deref(),
        filter.limit.map_or(i64::MAX, i64::from),
    ]
}

#[async_trait]
impl StreamerStore for SqlStore {
    async fn create_streamer(
        &self,
        _: &Scope,
        streamer: &Streamer,
        audit: &AuditEntry,
    ) -> Result<Written<()>, StoreError> {
        let mut tx = self.db.begin().await?;
        if tx.run(INSERT, args![json!([streamer_row(streamer)]).to_string()]).await? == 0 {
            tx.rollback().await?;
            return Ok(Written::NameTaken);
        }
        audit_log::record(&mut tx, std::slice::from_ref(audit)).await?;
        let event = EventBody::streamer(StreamerEventKind::Created, streamer, None);
        events::append(&mut tx, streamer.created_at, &[event]).await?;
        tx.commit().await?;
        Ok(Written::Done(()))
    }

    async fn streamer(&self, _: &Scope, id: StreamerId) -> Result<Option<Streamer>, StoreError> {
        self.db.row::<StreamerRow>(GET, args![id]).await?.map(Streamer::try_from).transpose()
    }

    async fn streamers(&self, _: &Scope, filter: &StreamerFilter) -> Result<Vec<Streamer>, StoreError> {
        let mut values = values(filter);
        let name = filter.username.as_ref().map(|name| name.to_ascii_lowercase());
        let statement = match (filter.user, name) {
            (None, None) => LIST,
            (None, Some(name)) => {
                values.extend(args![name]);
                LIST_NAMED
            }
            (Some(user), name) => {
                values.extend(args![signed(user.get()), name.as_deref()]);
                LIST_OF_USER
            }
        };
        all(self.db.rows::<StreamerRow>(statement, values).await?)
    }

    async fn update_streamer(
        &self,
        _: &Scope,
        id: StreamerId,
        patch: &StreamerPatch,
        now: Timestamp,
        audit: &AuditEntry,
    ) -> Result<Written<Streamer>, StoreError> {
        let mut tx = self.db.begin().await?;
        let Some(streamer) = lock(&mut tx, id).await? else {
            tx.rollback().await?;
            return Ok(Written::NotFound);
        };
        let streamer = streamer.patched(patch, now);
        if !write(&mut tx, std::slice::from_ref(&streamer)).await? {
            tx.rollback().await?;
            return Ok(Written::NameTaken);
        }
        audit_log::record(&mut tx, std::slice::from_ref(audit)).await?;
        let event = EventBody::streamer(StreamerEventKind::Updated, &streamer, None);
        events::append(&mut tx, now, &[event]).await?;
        tx.commit().await?;
        Ok(Written::Done(streamer))
    }

    async fn delete_streamer(
        &self,
        _: &Scope,
        id: StreamerId,
        now: Timestamp,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let mut tx = self.db.begin().await?;
        let Some(streamer) = lock(&mut tx, id).await? else {
            tx.rollback().await?;
            return Ok(false);
        };
        tx.run(DELETE, args![id]).await?;
        audit_log::record(&mut tx, std::slice::from_ref(audit)).await?;
        let event = EventBody::streamer(StreamerEventKind::Deleted, &streamer, None);
        events::append(&mut tx, now, &[event]).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn status_events(
        &self,
        _: &Scope,
        id: StreamerId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Option<Vec<StatusEvent>>, StoreError> {
        let values = args![id, before.unwrap_or(i64::MAX), i64::from(limit)];
        let events = self.db.rows::<StatusEventRow>(HISTORY, values).await?;
        if events.is_empty() && self.db.row::<Id>(EXISTS, args![id]).await?.is_none() {
            return Ok(None);
        }
        all(events).map(Some)
    }

    async fn record_reports(
        &self,
        reports: &[Report],
        flap_window: Duration,
        now: Timestamp,
    ) -> Result<Vec<Recorded>, StoreError> {
        streamer_reports::record(&self.db, reports, flap_window, now).await
    }

    async fn learn(&self, learned: &[Learned], now: Timestamp) -> Result<(), StoreError> {
        streamer_reports::learn(&self.db, learned, now).await
    }

    async fn announce_offline(&self, now: Timestamp) -> Result<u64, StoreError> {
        streamer_reports::announce_offline(&self.db, now).await
    }

    async fn prune_status_events(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.prune(PRUNE, before).await
    }

    async fn keep_watch_status(&self, status: &WatchStatus) -> Result<(), StoreError> {
        let values = args![WATCH, status.at, json!(status).to_string()];
        self.db.write::<()>(KEEP_WATCH, values).await.map(drop)
    }

    async fn watch_status(&self, _: &Scope) -> Result<Option<WatchStatus>, StoreError> {
        let kept: Option<Text> = self.db.row(WATCH_STATUS, args![WATCH]).await?;
        // Another version may have written it. This version will write its own soon.
        Ok(kept.and_then(|Text(status)| serde_json::from_str(&status).ok()))
    }
}
