//! Stores what supervisors of studios report. In most seconds that is one snapshot.

use std::collections::{BTreeMap, HashSet};

use super::commit::append_events;
use super::db::Tx;
use super::row::{NewRow, Record, Row, rows};
use super::store::SqlStore;
use super::studio_tables::{StoredRecord, StoredSample, StoredSnapshot, StoredVerification};
use crate::domain::event::{EventBody, StudioEvent};
use crate::domain::studio::{StudioDecision, StudioDecisionId, StudioId, StudioName};
use crate::domain::{OrganizationId, Timestamp};
use crate::ports::{Result, StudioReport};

statements! {
    NAME = ["SELECT name, organization_id FROM studios WHERE id = $1"];
    // One from after $2, which is now, was stored before the clock was set back.
    SAVE_SNAPSHOT = [
        [insert studio_snapshots], " WHERE true ON CONFLICT (studio_id) DO UPDATE SET at = excluded.at, \
         heartbeat = excluded.heartbeat, snapshot = excluded.snapshot \
         WHERE studio_snapshots.at <= excluded.at OR studio_snapshots.at > $2",
    ];
    SAVE_SESSIONS = [
        [insert studio_sessions], " WHERE true ON CONFLICT (studio_id, started_at) DO UPDATE \
         SET ended_at = excluded.ended_at",
    ];
    WITHDRAW = ["DELETE FROM studio_downtimes WHERE studio_id = $1 AND started_at = $2"];
    SAVE_DOWNTIMES = [
        [insert studio_downtimes], " WHERE true ON CONFLICT (studio_id, started_at) DO UPDATE \
         SET ended_at = excluded.ended_at, cause = excluded.cause",
    ];
    INSERT_DECISIONS = [
        [insert studio_decisions], " WHERE true ON CONFLICT (id) DO NOTHING RETURNING studio_decisions.id",
    ];
    SAVE_RECORDS = [
        [insert studio_records], " WHERE true ON CONFLICT (studio_id, kind, began_at) DO UPDATE \
         SET record = excluded.record",
    ];
    INSERT_SAMPLES = [[insert studio_samples], " WHERE true ON CONFLICT (studio_id, at) DO NOTHING"];
    SAVE_VERIFICATIONS = [
        [insert studio_verifications], " WHERE true ON CONFLICT (studio_id, content) DO UPDATE \
         SET verification = excluded.verification",
    ];
    SAVE_DRILL = [[update studio_drills state started_at ended_at report error]];
}

/// The name and the owner of a studio.
struct Named(StudioName, OrganizationId);

impl Record for Named {
    fn read(row: &Row<'_>) -> std::result::Result<Self, sqlx::Error> {
        Ok(Self(row.get("name")?, row.get("organization_id")?))
    }
}

pub(super) async fn record(
    store: &SqlStore,
    id: StudioId,
    report: &StudioReport,
    now: Timestamp,
) -> Result<()> {
    let mut tx = store.db.begin().await?;
    let Some(named) = tx.row::<Named>(NAME, args![id]).await? else { return tx.rollback(()).await };
    let Named(name, owner) = named;
    if let Some(snapshot) = report.snapshot.clone() {
        let (at, heartbeat) = (snapshot.at, snapshot.heartbeat);
        let row = NewRow::of(&StoredSnapshot { studio_id: id, at, heartbeat, snapshot });
        tx.run(SAVE_SNAPSHOT, args![rows([row]), now]).await?;
    }
    save_ledger(&mut tx, id, report).await?;
    save_history(&mut tx, id, report).await?;
    if let Some(drill) = &report.drill {
        tx.run(SAVE_DRILL, args![rows([NewRow::of(drill)])]).await?;
    }
    let mut events = save_decisions(&mut tx, &name, &report.decisions).await?;
    events.extend(report.events.iter().cloned().map(EventBody::studio));
    let events: Vec<_> = events.into_iter().map(|event| (owner, event)).collect();
    append_events(&mut tx, now, &events).await?;
    tx.commit().await
}

async fn save_ledger(tx: &mut Tx, id: StudioId, report: &StudioReport) -> Result<()> {
    let sessions = last_of_each(&report.sessions, |one| one.started_at);
    if !sessions.is_empty() {
        let sessions = sessions.into_iter().map(|one| NewRow::of(one).with("studio_id", &id));
        tx.run(SAVE_SESSIONS, args![rows(sessions)]).await?;
    }
    for began_at in &report.withdrawn {
        tx.run(WITHDRAW, args![id, *began_at]).await?;
    }
    let downtimes = last_of_each(&report.downtimes, |one| one.started_at);
    if !downtimes.is_empty() {
        let downtimes = downtimes.into_iter().map(|one| NewRow::of(one).with("studio_id", &id));
        tx.run(SAVE_DOWNTIMES, args![rows(downtimes)]).await?;
    }
    Ok(())
}

async fn save_history(tx: &mut Tx, studio_id: StudioId, report: &StudioReport) -> Result<()> {
    let records = last_of_each(&report.records, |one| (one.kind().as_str(), one.began_at()));
    if !records.is_empty() {
        let records = records.into_iter().map(|one| {
            let (kind, began_at) = (one.kind(), one.began_at());
            NewRow::of(&StoredRecord { studio_id, kind, began_at, record: one.clone() })
        });
        tx.run(SAVE_RECORDS, args![rows(records)]).await?;
    }
    if !report.samples.is_empty() {
        let samples = report.samples.iter();
        let samples = samples.map(|one| StoredSample { studio_id, at: one.at, sample: one.clone() });
        tx.run(INSERT_SAMPLES, args![rows(samples.map(|one| NewRow::of(&one)))]).await?;
    }
    let verified = last_of_each(&report.verified, |(content, _)| content);
    if !verified.is_empty() {
        let verified = verified.into_iter().cloned().map(|(content, verification)| {
            NewRow::of(&StoredVerification { studio_id, content, verification })
        });
        tx.run(SAVE_VERIFICATIONS, args![rows(verified)]).await?;
    }
    Ok(())
}

/// Stores the decisions; returns an event for each that was not stored before.
async fn save_decisions(
    tx: &mut Tx,
    name: &StudioName,
    decisions: &[StudioDecision],
) -> Result<Vec<EventBody>> {
    if decisions.is_empty() {
        return Ok(Vec::new());
    }
    let all = decisions.iter().map(NewRow::of);
    let stored: Vec<StudioDecisionId> = tx.rows(INSERT_DECISIONS, args![rows(all)]).await?;
    let mut stored: HashSet<StudioDecisionId> = stored.into_iter().collect();
    let new = decisions.iter().filter(|one| stored.remove(&one.id));
    Ok(new.map(|one| EventBody::studio(StudioEvent::decided(name, one))).collect())
}

/// One statement cannot write the same row twice.
fn last_of_each<'a, T, K: Ord>(all: &'a [T], key: impl Fn(&'a T) -> K) -> Vec<&'a T> {
    let last: BTreeMap<K, &T> = all.iter().map(|one| (key(one), one)).collect();
    last.into_values().collect()
}
