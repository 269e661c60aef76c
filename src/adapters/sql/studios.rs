//! Studios and their history. `studio_reports.rs` stores what their supervisors report.

use async_trait::async_trait;

use super::args::{arg, newest};
use super::commit::commit;
use super::db::Tx;
use super::row::{NewRow, rows};
use super::store::SqlStore;
use super::studio_reports;
use crate::domain::Timestamp;
use crate::domain::access::Scope;
use crate::domain::event::{EventBody, OrderDetails, StudioEvent};
use crate::domain::page::{Newest, Page};
use crate::domain::studio::{
    ContentName, Drill, HealthSample, Ledger, Library, Order, OrderKind, Record, RecordKind, Snapshot,
    Studio, StudioDecision, StudioId, StudioName, Verification,
};
use crate::ports::{Change, DrillCreation, Result, StudioReport, StudioStore};

statements! {
    // If two configure it at the same moment, the unique index on names decides.
    INSERT = [
        [insert studios], " WHERE true ON CONFLICT (name) DO UPDATE SET organization_id = excluded.organization_id \
         WHERE studios.organization_id <> excluded.organization_id",
    ];
    NAMED = [[select studios], " WHERE name = $1 AND ", [in_scope "$2"]];
    NAMED_LOCKED = [[select studios], " WHERE name = $1 AND ", [in_scope "$2"], [lock]];
    GET = [[select studios], " WHERE id = $1 AND ", [in_scope "$2"]];
    GET_LOCKED = [[select studios], " WHERE id = $1", [lock]];
    UPDATE = [[update studios]];
    // If two order one at the same moment, the unique index on open drills decides.
    INSERT_DRILL = [[insert studio_drills], " WHERE true ON CONFLICT (studio_id) WHERE ended_at IS NULL DO NOTHING"];
    OPEN_DRILL = [[select studio_drills], " WHERE studio_id = $1 AND ended_at IS NULL"];
    PAGE_OF_DRILLS = [
        [select studio_drills], " WHERE studio_id = $1 AND ", [owner_in_scope studios "$1" "$5"],
        " AND (created_at, id) < ($2, $3) ORDER BY created_at DESC, id DESC LIMIT $4",
    ];
    SNAPSHOT = [
        "SELECT snapshot FROM studio_snapshots WHERE studio_id = $1 AND ", [owner_in_scope studios "$1" "$2"],
    ];
    HEARTBEAT = [
        "SELECT heartbeat FROM studio_snapshots WHERE studio_id = $1 AND ", [owner_in_scope studios "$1" "$2"],
    ];
    SESSIONS = [
        [select studio_sessions], " WHERE studio_id = $1 AND ", [owner_in_scope studios "$1" "$3"],
        " AND (ended_at IS NULL OR ended_at >= $2) ORDER BY started_at",
    ];
    DOWNTIMES = [
        [select studio_downtimes], " WHERE studio_id = $1 AND ", [owner_in_scope studios "$1" "$3"],
        " AND (ended_at IS NULL OR ended_at >= $2) ORDER BY started_at",
    ];
    LIBRARY = [
        "SELECT content, verification FROM studio_verifications WHERE studio_id = $1 AND ",
        [owner_in_scope studios "$1" "$2"],
    ];
    PAGE_OF_RECORDS = [
        "SELECT record FROM studio_records WHERE studio_id = $1 AND ", [owner_in_scope studios "$1" "$5"],
        " AND kind = $2 AND began_at >= $3 ORDER BY began_at DESC LIMIT $4",
    ];
    PAGE_OF_SAMPLES = [
        "SELECT sample FROM studio_samples WHERE studio_id = $1 AND ", [owner_in_scope studios "$1" "$5"],
        " AND at >= $2 AND at < $3 ORDER BY at DESC LIMIT $4",
    ];
    COUNT_OF_SAMPLES = [
        "SELECT COUNT(*) FROM studio_samples WHERE studio_id = $1 AND ", [owner_in_scope studios "$1" "$4"],
        " AND at >= $2 AND at < $3",
    ];
    PAGE_OF_DECISIONS = [
        [select studio_decisions], " WHERE studio_id = $1 AND ", [owner_in_scope studios "$1" "$5"],
        " AND (at, id) < ($2, $3) ORDER BY at DESC, id DESC LIMIT $4",
    ];
    PRUNE_SAMPLES = [
        "DELETE FROM studio_samples WHERE (studio_id, at) IN (SELECT studio_id, at FROM studio_samples \
         WHERE at < $1 ORDER BY at LIMIT $2)",
    ];
    PRUNE_SESSIONS = [
        "DELETE FROM studio_sessions WHERE (studio_id, started_at) IN (SELECT studio_id, started_at \
         FROM studio_sessions WHERE ended_at < $1 ORDER BY ended_at LIMIT $2)",
    ];
    PRUNE_DOWNTIMES = [
        "DELETE FROM studio_downtimes WHERE (studio_id, started_at) IN (SELECT studio_id, started_at \
         FROM studio_downtimes WHERE ended_at < $1 ORDER BY ended_at LIMIT $2)",
    ];
    PRUNE_DRILLS = [
        "DELETE FROM studio_drills WHERE id IN (SELECT id FROM studio_drills WHERE ended_at < $1 \
         ORDER BY ended_at LIMIT $2)",
    ];
    PRUNE_DECISIONS = [
        "DELETE FROM studio_decisions WHERE id IN (SELECT id FROM studio_decisions WHERE at < $1 \
         ORDER BY at LIMIT $2)",
    ];
    PRUNE_RECORDS = [
        "DELETE FROM studio_records WHERE (studio_id, kind, began_at) IN (SELECT studio_id, kind, began_at \
         FROM studio_records WHERE began_at < $1 ORDER BY began_at LIMIT $2)",
    ];
}

/// A row in a form that another version may have written. It is left out if this version cannot read it.
type Readable<T> = std::result::Result<T, sqlx::Error>;

async fn update(tx: &mut Tx, studio: &Studio) -> Result<()> {
    tx.run(UPDATE, args![rows([NewRow::of(studio)])]).await.map(drop)
}

#[async_trait]
impl StudioStore for SqlStore {
    async fn open_studio(&self, studio: &Studio) -> Result<Studio> {
        let mut tx = self.db.begin().await?;
        tx.run(INSERT, args![rows([NewRow::of(studio)])]).await?;
        let stored = tx.row(NAMED, args![&studio.name, Scope::system()]).await?;
        tx.commit().await?;
        stored.ok_or_else(|| super::error::corrupt("a studio that was just stored is missing"))
    }

    async fn studio(&self, scope: &Scope, name: &StudioName) -> Result<Option<Studio>> {
        self.db.row(NAMED, args![name, scope]).await
    }

    async fn order_studio(
        &self,
        name: &StudioName,
        order: &Order,
        reason: Option<&str>,
        by: Change<'_>,
    ) -> Result<Option<Studio>> {
        let mut tx = self.db.begin().await?;
        let Some(studio) = tx.row::<Studio>(NAMED_LOCKED, args![name, by.scope]).await? else {
            return tx.rollback(None).await;
        };
        let studio = studio.ordered(order, by.actor(), by.at());
        update(&mut tx, &studio).await?;
        let details = OrderDetails {
            order: order.kind(),
            by: by.actor().to_owned(),
            reason: reason.map(ToOwned::to_owned),
        };
        let event = EventBody::studio(StudioEvent::ordered(&studio, details));
        commit(tx, by.at(), by.audit, studio.organization_id, &[event]).await?;
        Ok(Some(studio))
    }

    async fn expire_studio_hold(&self, id: StudioId, now: Timestamp) -> Result<bool> {
        let mut tx = self.db.begin().await?;
        let Some(studio) = tx.row::<Studio>(GET_LOCKED, args![id]).await? else {
            return tx.rollback(false).await;
        };
        if !studio.hold.as_ref().is_some_and(|hold| hold.has_expired(now)) {
            return tx.rollback(false).await;
        }
        update(&mut tx, &Studio { hold: None, ..studio }).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn create_drill(&self, drill: &Drill, by: Change<'_>) -> Result<DrillCreation> {
        let mut tx = self.db.begin().await?;
        let Some(studio) = tx.row::<Studio>(GET, args![drill.studio, by.scope]).await? else {
            return tx.rollback(DrillCreation::NotFound).await;
        };
        if tx.run(INSERT_DRILL, args![rows([NewRow::of(drill)])]).await? == 0 {
            return tx.rollback(DrillCreation::Busy).await;
        }
        let details = OrderDetails { order: OrderKind::Drill, by: drill.by.clone(), reason: None };
        let event = EventBody::studio(StudioEvent::ordered(&studio, details));
        commit(tx, by.at(), by.audit, studio.organization_id, &[event]).await?;
        Ok(DrillCreation::Created)
    }

    async fn open_drill(&self, id: StudioId) -> Result<Option<Drill>> {
        self.db.row(OPEN_DRILL, args![id]).await
    }

    async fn drills(&self, scope: &Scope, id: StudioId, page: &Page<Newest>) -> Result<Vec<Drill>> {
        let mut values = args![id];
        values.extend(newest(page));
        values.push(arg(scope));
        self.db.rows(PAGE_OF_DRILLS, values).await
    }

    async fn record_studio(&self, id: StudioId, report: &StudioReport, now: Timestamp) -> Result<()> {
        studio_reports::record(self, id, report, now).await
    }

    async fn studio_snapshot(&self, scope: &Scope, id: StudioId) -> Result<Option<Snapshot>> {
        let stored: Option<Readable<Snapshot>> = self.db.row(SNAPSHOT, args![id, scope]).await?;
        // A running supervisor writes its own soon.
        Ok(stored.and_then(std::result::Result::ok))
    }

    async fn studio_ledger(&self, scope: &Scope, id: StudioId, since: Timestamp) -> Result<Ledger> {
        let mut tx = self.db.snapshot().await?;
        let sessions = tx.rows(SESSIONS, args![id, since, scope]).await?;
        let downtimes = tx.rows(DOWNTIMES, args![id, since, scope]).await?;
        let heartbeat: Option<Option<Timestamp>> = tx.row(HEARTBEAT, args![id, scope]).await?;
        tx.rollback(Ledger::restored(sessions, downtimes, heartbeat.flatten())).await
    }

    async fn studio_library(&self, scope: &Scope, id: StudioId) -> Result<Library> {
        let found: Vec<Readable<(ContentName, Verification)>> =
            self.db.rows(LIBRARY, args![id, scope]).await?;
        let mut library = Library::default();
        found.into_iter().flatten().for_each(|(name, found)| library.record(name, found));
        Ok(library)
    }

    async fn studio_records(
        &self,
        scope: &Scope,
        id: StudioId,
        kind: RecordKind,
        since: Timestamp,
        most: u32,
    ) -> Result<Vec<Record>> {
        let values = args![id, kind, since, i64::from(most), scope];
        let last: Vec<Readable<Record>> = self.db.rows(PAGE_OF_RECORDS, values).await?;
        Ok(last.into_iter().rev().flatten().collect())
    }

    async fn studio_samples(
        &self,
        scope: &Scope,
        id: StudioId,
        (from, to): (Timestamp, Timestamp),
        most: u32,
    ) -> Result<(Vec<HealthSample>, u64)> {
        let mut tx = self.db.snapshot().await?;
        let values = args![id, from, to, i64::from(most), scope];
        let last: Vec<Readable<HealthSample>> = tx.rows(PAGE_OF_SAMPLES, values).await?;
        let count: Option<u64> = tx.row(COUNT_OF_SAMPLES, args![id, from, to, scope]).await?;
        let samples = last.into_iter().rev().flatten().collect();
        tx.rollback((samples, count.unwrap_or(0))).await
    }

    async fn studio_decisions(
        &self,
        scope: &Scope,
        id: StudioId,
        page: &Page<Newest>,
    ) -> Result<Vec<StudioDecision>> {
        let mut values = args![id];
        values.extend(newest(page));
        values.push(arg(scope));
        self.db.rows(PAGE_OF_DECISIONS, values).await
    }

    async fn prune_studio_samples(&self, before: Timestamp) -> Result<u64> {
        self.prune(PRUNE_SAMPLES, before).await
    }

    async fn prune_studio_history(&self, before: Timestamp) -> Result<u64> {
        let mut removed = 0;
        for batch in [PRUNE_SESSIONS, PRUNE_DOWNTIMES, PRUNE_DRILLS, PRUNE_DECISIONS, PRUNE_RECORDS] {
            removed += self.prune(batch, before).await?;
        }
        Ok(removed)
    }
}
