//! Streams, active and ended.

use async_trait::async_trait;
use serde_json::json;
use uuid::Uuid;

use super::args::Args;
use super::db::Tx;
use super::rows::{StreamRow, all};
use super::{SqlStore, audit_log, reconcile};
use crate::domain::access::Scope;
use crate::domain::audit::AuditEntry;
use crate::domain::media_server::MediaServerName;
use crate::domain::path::StreamPath;
use crate::domain::reconcile::{Changes, HookEvent, Observation, View};
use crate::domain::stream::{EndReason, Stream};
use crate::domain::{BroadcasterId, StreamId, StreamKeyId, Timestamp};
use crate::ports::{Applied, Assignment, StatusFilter, StoreError, StreamCursor, StreamFilter, StreamStore};

// A start position is always given (the earliest time and the highest id, if there is none), so this is a range of the
// index. No SQL for both engines compares an id with NULL, so a flag is passed beside it.
macro_rules! passes {
    () => {
        "(broadcaster_id = $1 OR NOT $2) AND (path = $3 OR $3 IS NULL) AND (media_server = $4 OR $4 IS NULL) \
         AND (started_at, id) < ($5, $6) ORDER BY started_at DESC, id DESC LIMIT $7"
    };
}

statements! {
    ACTIVE = ["SELECT ", (stream_columns!()), " FROM streams WHERE ended_at IS NULL AND ", (passes!())];
    ENDED = ["SELECT ", (stream_columns!()), " FROM streams WHERE ended_at IS NOT NULL AND ", (passes!())];
    EVERY = ["SELECT ", (stream_columns!()), " FROM streams WHERE ", (passes!())];
    GET = ["SELECT ", (stream_columns!()), " FROM streams WHERE id = $1"];
    GET_LOCKED = ["SELECT ", (stream_columns!()), " FROM streams WHERE id = $1", [lock]];
    LOCK_OF_KEY = [
        "SELECT ", (stream_columns!()), " FROM streams WHERE ended_at IS NULL AND stream_key_id = $1 ORDER BY id", [lock],
    ];
    LOCK_OF_BROADCASTER = [
        "SELECT ", (stream_columns!()), " FROM streams WHERE ended_at IS NULL AND broadcaster_id = $1 ORDER BY id",
        [lock],
    ];
    MARK = [
        "UPDATE streams SET end_reason = r.end_reason FROM ", [rows "$1" id uuid, end_reason text],
        " WHERE streams.id = r.id",
    ];
}

/// Marks the active streams of a key as ending.
pub(super) async fn end_of_key(
    tx: &mut Tx,
    id: StreamKeyId,
    reason: EndReason,
) -> Result<Vec<Stream>, StoreError> {
    let rows = tx.rows(LOCK_OF_KEY, args![id]).await?;
    mark(tx, rows, reason).await
}

/// Marks the active streams of a broadcaster as ending.
pub(super) async fn end_of_broadcaster(
    tx: &mut Tx,
    id: BroadcasterId,
    reason: EndReason,
) -> Result<Vec<Stream>, StoreError> {
    let rows = tx.rows(LOCK_OF_BROADCASTER, args![id]).await?;
    mark(tx, rows, reason).await
}

async fn mark(tx: &mut Tx, rows: Vec<StreamRow>, reason: EndReason) -> Result<Vec<Stream>, StoreError> {
    let streams: Vec<Stream> =
        all::<Stream, _>(rows)?.into_iter().filter_map(|stream| stream.end_requested(reason).ok()).collect();
    let rows: Vec<_> = streams
        .iter()
        .filter_map(|stream| Some(json!({"id": stream.id, "end_reason": stream.ending()?.as_str()})))
        .collect();
    if !rows.is_empty() {
        tx.run(MARK, args![json!(rows).to_string()]).await?;
    }
    Ok(streams)
}

fn values(filter: &StreamFilter) -> Args {
    let end = StreamCursor { started_at: Timestamp::from_micros(i64::MAX), id: StreamId(Uuid::max()) };
    let after = filter.after.unwrap_or(end);
    args![
        filter.broadcaster_id.unwrap_or(BroadcasterId(Uuid::nil())),
        filter.broadcaster_id.is_some(),
        filter.path.as_ref().map(StreamPath::as_str),
        filter.media_server.as_ref().map(MediaServerName::as_str),
        after.started_at,
        after.id,
        filter.limit.map_or(i64::MAX, i64::from),
    ]
}

#[async_trait]
impl StreamStore for SqlStore {
    async fn streams(&self, _: &Scope, filter: &StreamFilter) -> Result<Vec<Stream>, StoreError> {
        let statement = match filter.status {
            StatusFilter::Active => ACTIVE,
            StatusFilter::Ended => ENDED,
            StatusFilter::All => EVERY,
        };
        all(self.db.rows::<StreamRow>(statement, values(filter)).await?)
    }

    async fn stream(&self, _: &Scope, id: StreamId) -> Result<Option<Stream>, StoreError> {
        self.db.row::<StreamRow>(GET, args![id]).await?.map(Stream::try_from).transpose()
    }

    async fn request_end(
        &self,
        _: &Scope,
        id: StreamId,
        reason: EndReason,
        audit: &AuditEntry,
    ) -> Result<Option<Stream>, StoreError> {
        let mut tx = self.db.begin().await?;
        let Some(row) = tx.row::<StreamRow>(GET_LOCKED, args![id]).await? else {
            tx.rollback().await?;
            return Ok(None);
        };
        let mut stream = Stream::try_from(row)?;
        if let Ok(ending) = stream.clone().end_requested(reason) {
            let reason = ending.ending().map(EndReason::as_str);
            tx.run(MARK, args![json!([{"id": id, "end_reason": reason}]).to_string()]).await?;
            stream = ending;
        }
        audit_log::record(&mut tx, std::slice::from_ref(audit)).await?;
        tx.commit().await?;
        Ok(Some(stream))
    }

    async fn reconcile_view(
        &self,
        server: &MediaServerName,
        observations: &[Observation],
        hook_events: &[HookEvent],
    ) -> Result<View, StoreError> {
        reconcile::view(&self.db, server, observations, hook_events).await
    }

    async fn apply_changes(
        &self,
        assignment: &Assignment,
        server: &MediaServerName,
        changes: &Changes,
        now: Timestamp,
        new_id: &(dyn Fn() -> StreamId + Send + Sync),
    ) -> Result<Applied, StoreError> {
        let mut applied = Applied::default();
        for chunk in reconcile::chunks(changes) {
            reconcile::apply_chunk(&self.db, assignment, server, &chunk, now, new_id, &mut applied).await?;
        }
        Ok(applied)
    }

    async fn release_holders(
        &self,
        assignment: &Assignment,
        server: &MediaServerName,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        reconcile::release(&self.db, assignment, server, now).await
    }
}
