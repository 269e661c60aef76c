//! Hooks that arrived and have not been handled yet. A counter row, locked until the commit, numbers them like events.
//! So deleting up to a number never deletes a hook event that the reader has not seen.

use async_trait::async_trait;
use sqlx::FromRow;

use super::error::corrupt;
use super::rows::{Number, all, hash};
use super::{SqlStore, leases};
use crate::domain::Timestamp;
use crate::domain::media_server::{MediaServerName, SourceId, SourceKind};
use crate::domain::path::StreamPath;
use crate::domain::reconcile::{HookEvent, HookKind};
use crate::ports::{Assignment, HookEventStore, StoreError, StoredHookEvent};

/// How many hook events are kept per server.
const KEPT: i64 = 10_000;
/// After this many hook events, the surplus is deleted.
const DROP_EVERY: i64 = 256;

statements! {
    TAKE = ["UPDATE counters SET value = value + 1 WHERE name = 'hook_events' RETURNING value"];
    INSERT = [
        "INSERT INTO hook_events (seq, media_server, kind, path, key_hash, source_id, source_kind, at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    ];
    LIST = [
        "SELECT seq, media_server, kind, path, key_hash, source_id, source_kind, at FROM hook_events \
         WHERE media_server = $1 ORDER BY seq",
    ];
    DROP = ["DELETE FROM hook_events WHERE media_server = $1 AND seq <= $2"];
    DROP_OLDEST = [
        "DELETE FROM hook_events WHERE media_server = $1 AND seq <= \
         (SELECT seq FROM hook_events WHERE media_server = $1 ORDER BY seq DESC LIMIT 1 OFFSET $2)",
    ];
}

#[derive(FromRow)]
struct HookEventRow {
    seq: i64,
    media_server: String,
    kind: String,
    path: Option<String>,
    key_hash: Option<Vec<u8>>,
    source_id: Option<String>,
    source_kind: Option<String>,
    at: i64,
}

impl TryFrom<HookEventRow> for StoredHookEvent {
    type Error = StoreError;

    fn try_from(row: HookEventRow) -> Result<Self, StoreError> {
        let hook_event = HookEvent {
            server: MediaServerName::parse(&row.media_server).map_err(corrupt)?,
            kind: HookKind::parse(&row.kind)
                .ok_or_else(|| corrupt(format!("hook event kind {:?}", row.kind)))?,
            path: row.path.map(|path| StreamPath::parse(&path)).transpose().map_err(corrupt)?,
            hash: row.key_hash.map(hash).transpose()?,
            source_id: row.source_id.as_deref().and_then(SourceId::parse),
            source_kind: row.source_kind.as_deref().map(SourceKind::from_name),
            at: Timestamp::from_micros(row.at),
        };
        Ok(Self { seq: row.seq, hook_event })
    }
}

#[async_trait]
impl HookEventStore for SqlStore {
    async fn record_hook_event(&self, hook_event: &HookEvent) -> Result<(), StoreError> {
        // If a database crash loses a hook event, the next poll finds the change.
        let mut tx = self.db.begin_relaxed().await?;
        let seq: Option<Number> = tx.row(TAKE, args![]).await?;
        let Number(seq) = seq.ok_or_else(|| corrupt("the counter of hook_events is missing"))?;
        let server = hook_event.server.as_str();
        let source_kind = hook_event.source_kind.as_ref().map(SourceKind::to_string);
        let values = args![
            seq,
            server,
            hook_event.kind.as_str(),
            hook_event.path.as_ref().map(StreamPath::as_str),
            hook_event.hash,
            hook_event.source_id.as_ref().map(SourceId::as_str),
            source_kind.as_deref(),
            hook_event.at,
        ];
        tx.run(INSERT, values).await?;
        if seq % DROP_EVERY == 0 {
            tx.run(DROP_OLDEST, args![server, KEPT]).await?;
        }
        tx.commit().await
    }

    async fn hook_events(&self, server: &MediaServerName) -> Result<Vec<StoredHookEvent>, StoreError> {
        all(self.db.rows::<HookEventRow>(LIST, args![server.as_str()]).await?)
    }

    async fn delete_hook_events(
        &self,
        assignment: &Assignment,
        server: &MediaServerName,
        seq: i64,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin_relaxed().await?;
        leases::guard(&mut tx, assignment).await?;
        tx.run(DROP, args![server.as_str(), seq]).await?;
        tx.commit().await
    }
}
