//! Hooks that arrived and have not been handled yet. A counter row, locked until the commit, numbers them like events.
//! So deleting up to a number never deletes a hook event that the reader has not seen.

use async_trait::async_trait;

use super::error::corrupt;
use super::leases;
use super::row::{NewRow, Record, Row, rows};
use super::store::SqlStore;
use crate::domain::media_server::MediaServerName;
use crate::domain::reconcile::HookEvent;
use crate::ports::{Assignment, HookEventStore, Result, StoredHookEvent};

/// How many hook events are kept per server.
const KEPT: i64 = 10_000;
/// After this many hook events, the surplus is deleted.
const DROP_EVERY: i64 = 256;

table! {
    hook_events: HookEvent {
        at int, server text as media_server, kind text, path text, hash bytes as key_hash, source_id text,
        source_kind text,
    } extra { seq int }
}

statements! {
    TAKE = ["UPDATE counters SET value = value + 1 WHERE name = 'hook_events' RETURNING value"];
    INSERT = [[insert hook_events]];
    LIST = ["SELECT seq, ", [columns hook_events], " FROM hook_events WHERE media_server = $1 ORDER BY seq"];
    DROP = ["DELETE FROM hook_events WHERE media_server = $1 AND seq <= $2"];
    DROP_OLDEST = [
        "DELETE FROM hook_events WHERE media_server = $1 AND seq <= \
         (SELECT seq FROM hook_events WHERE media_server = $1 ORDER BY seq DESC LIMIT 1 OFFSET $2)",
    ];
}

impl Record for StoredHookEvent {
    fn read(row: &Row<'_>) -> Result<Self, sqlx::Error> {
        Ok(Self { seq: row.get("seq")?, hook_event: row.record()? })
    }
}

#[async_trait]
impl HookEventStore for SqlStore {
    async fn record_hook_event(&self, hook_event: &HookEvent) -> Result<()> {
        // If a database crash loses a hook event, the next poll finds the change.
        let mut tx = self.db.begin_relaxed().await?;
        let seq: Option<i64> = tx.row(TAKE, args![]).await?;
        let seq = seq.ok_or_else(|| corrupt("the counter of hook_events is missing"))?;
        tx.run(INSERT, args![rows([NewRow::of(hook_event).with("seq", &seq)])]).await?;
        if seq % DROP_EVERY == 0 {
            tx.run(DROP_OLDEST, args![hook_event.server, KEPT]).await?;
        }
        tx.commit().await
    }

    async fn hook_events(&self, server: &MediaServerName) -> Result<Vec<StoredHookEvent>> {
        self.db.rows(LIST, args![server]).await
    }

    async fn delete_hook_events(
        &self,
        assignment: &Assignment,
        server: &MediaServerName,
        seq: i64,
    ) -> Result<()> {
        let mut tx = self.db.begin_relaxed().await?;
        leases::guard(&mut tx, assignment).await?;
        tx.run(DROP, args![server, seq]).await?;
        tx.commit().await
    }
}
