//! Streamers and their history. `streamer_reports.rs` stores reports and lookups.

use async_trait::async_trait;

use super::args::{limit, to_json};
use super::commit::commit;
use super::db::Tx;
use super::row::{NewRow, rows};
use super::scope::in_scope;
use super::store::SqlStore;
use crate::domain::access::Scope;
use crate::domain::event::{EventBody, StreamerEventKind};
use crate::domain::page::Page;
use crate::domain::streamer::feed::WatchStatus;
use crate::domain::streamer::{StatusEvent, Streamer, StreamerPatch};
use crate::domain::{StreamerId, Timestamp};
use crate::ports::{Change, Result, StreamerFilter, StreamerStore, Written};

/// The key of the table's only row.
const WATCH: &str = "kick";

// As in `streams.rs`: always a range of an index. Another program may have stored an empty name, so the range begins with
// that, and $4 is the name that the page comes after, if any.
macro_rules! passes {
    () => {
        "(status = $1 OR $1 IS NULL) AND (is_active = $2 OR $2 IS NULL) \
         AND lower(username) >= $3 AND (lower(username) <> $4 OR $4 IS NULL) ORDER BY lower(username) LIMIT $5"
    };
}

statements! {
    // If two create at the same moment, the unique index on names decides.
    INSERT = [[insert streamers], " WHERE true ON CONFLICT (lower(username)) DO NOTHING"];
    GET = [[select streamers], " WHERE id = $1 AND ", [in_scope "$2"]];
    GET_LOCKED = [[select streamers], " WHERE id = $1 AND ", [in_scope "$2"], [lock]];
    PAGE = [[select streamers], " WHERE ", [in_scope "$6"], " AND ", (passes!())];
    PAGE_OF_ORGANIZATION = [[select streamers], " WHERE organization_id = $6 AND ", (passes!())];
    NAMED = [[select streamers], " WHERE lower(username) = $7 AND ", [in_scope "$6"], " AND ", (passes!())];
    OF_USER = [
        [select streamers], " WHERE user_id = $7 AND (lower(username) = $8 OR $8 IS NULL) AND ", [in_scope "$6"],
        " AND ", (passes!()),
    ];
    // A growing revision marks the change as ours (see the triggers in the migration).
    UPDATE = [[update streamers "revision = streamers.revision + 1, "]];
    // This also deletes the history.
    DELETE = ["DELETE FROM streamers WHERE id = $1"];
    EXISTS = ["SELECT id FROM streamers WHERE id = $1 AND ", [in_scope "$2"]];
    HISTORY = [
        [select status_events], " WHERE streamer_id = $1 AND ", [owner_in_scope streamers "$1" "$4"],
        " AND seq < $2 ORDER BY seq DESC LIMIT $3",
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

/// Updates whole rows of existing streamers. Returns false if another row already has one of the names.
pub(super) async fn write(tx: &mut Tx, streamers: &[Streamer]) -> Result<bool> {
    tx.run_if_free(UPDATE, args![rows(streamers.iter().map(NewRow::of))]).await
}

#[async_trait]
impl StreamerStore for SqlStore {
    async fn create_streamer(&self, streamer: &Streamer, by: Change<'_>) -> Result<Written<()>> {
        let mut tx = self.db.begin().await?;
        if tx.run(INSERT, args![rows([NewRow::of(streamer)])]).await? == 0 {
            return tx.rollback(Written::NameTaken).await;
        }
        let event = EventBody::streamer(StreamerEventKind::Created, streamer, None);
        commit(tx, streamer.created_at, by.audit, streamer.organization_id, &[event]).await?;
        Ok(Written::Done(()))
    }

    async fn streamer(&self, scope: &Scope, id: StreamerId) -> Result<Option<Streamer>> {
        self.db.row(GET, args![id, scope]).await
    }

    async fn streamers(
        &self,
        scope: &Scope,
        filter: &StreamerFilter,
        page: &Page<String>,
    ) -> Result<Vec<Streamer>> {
        let from = page.after.as_deref().unwrap_or_default();
        let mut values = args![filter.status, filter.is_active, *from, page.after, limit(page)];
        let name = filter.username.as_ref().map(|name| name.to_ascii_lowercase());
        let statement = match (filter.user, name) {
            (None, None) => {
                let (statement, scope) = in_scope(scope, PAGE, PAGE_OF_ORGANIZATION);
                values.push(scope);
                statement
            }
            (None, Some(name)) => {
                values.extend(args![scope, name]);
                NAMED
            }
            (Some(user), name) => {
                values.extend(args![scope, user, name]);
                OF_USER
            }
        };
        self.db.rows(statement, values).await
    }

    async fn update_streamer(
        &self,
        id: StreamerId,
        patch: &StreamerPatch,
        by: Change<'_>,
    ) -> Result<Written<Streamer>> {
        let mut tx = self.db.begin().await?;
        let Some(streamer) = tx.row::<Streamer>(GET_LOCKED, args![id, by.scope]).await? else {
            return tx.rollback(Written::NotFound).await;
        };
        let streamer = streamer.patched(patch, by.at());
        if !write(&mut tx, std::slice::from_ref(&streamer)).await? {
            return tx.rollback(Written::NameTaken).await;
        }
        let event = EventBody::streamer(StreamerEventKind::Updated, &streamer, None);
        commit(tx, by.at(), by.audit, streamer.organization_id, &[event]).await?;
        Ok(Written::Done(streamer))
    }

    async fn delete_streamer(&self, id: StreamerId, by: Change<'_>) -> Result<bool> {
        let mut tx = self.db.begin().await?;
        let Some(streamer) = tx.row::<Streamer>(GET_LOCKED, args![id, by.scope]).await? else {
            return tx.rollback(false).await;
        };
        tx.run(DELETE, args![id]).await?;
        let event = EventBody::streamer(StreamerEventKind::Deleted, &streamer, None);
        commit(tx, by.at(), by.audit, streamer.organization_id, &[event]).await?;
        Ok(true)
    }

    async fn status_events(
        &self,
        scope: &Scope,
        id: StreamerId,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Option<Vec<StatusEvent>>> {
        let events = self.db.rows(HISTORY, args![id, before.unwrap_or(i64::MAX), limit, scope]).await?;
        let exists =
            !events.is_empty() || self.db.row::<StreamerId>(EXISTS, args![id, scope]).await?.is_some();
        Ok(exists.then_some(events))
    }

    async fn prune_status_events(&self, before: Timestamp) -> Result<u64> {
        self.prune(PRUNE, before).await
    }

    async fn keep_watch_status(&self, status: &WatchStatus) -> Result<()> {
        self.db.write::<()>(KEEP_WATCH, args![WATCH, status.at, to_json(status)]).await.map(drop)
    }

    async fn watch_status(&self, _: &Scope) -> Result<Option<WatchStatus>> {
        let kept: Option<String> = self.db.row(WATCH_STATUS, args![WATCH]).await?;
        // Another version may have written it. This version will write its own soon.
        Ok(kept.and_then(|status| serde_json::from_str(&status).ok()))
    }
}
