//! Stores reports of streamers and the results of lookups, with a fixed number of statements for each batch.
//!
//! Most reports change nothing. So a batch is first applied to a plain read. Only the rows that it changes are then
//! locked, in the order of their ids, and the batch is applied to them again.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use async_trait::async_trait;

use super::args::list;
use super::commit::append_events;
use super::db::{Db, Tx};
use super::error::corrupt;
use super::row::{NewRow, rows};
use super::store::SqlStore;
use super::streamers;
use crate::domain::event::{EventBody, StreamerEventKind};
use crate::domain::streamer::apply::{Applied, apply_reports};
use crate::domain::streamer::decide::Report;
use crate::domain::streamer::{Change, Found, Learned, Slug, Status, StatusEvent, Streamer};
use crate::domain::{OrganizationId, StreamerId, Timestamp};
use crate::ports::{Recorded, ReportStore, Result};

/// How many reports one transaction writes: enough to be quick, few enough not to block others.
const CHUNK: usize = 500;
/// How often to retry when another writer takes a name between the read and the write.
const ATTEMPTS: usize = 5;

statements! {
    NAMED = [[select streamers], " WHERE id IN ", [ids "$1"]];
    LOCK = [[select streamers], " WHERE id IN ", [ids "$1"], " ORDER BY id", [lock]];
    LOCK_DUE = [[select streamers], " WHERE offline_due <= $1 ORDER BY id LIMIT $2", [lock]];
    ANY_DUE = ["SELECT id FROM streamers WHERE offline_due <= $1 LIMIT 1"];
    HOLDERS = [[select streamers], " WHERE lower(username) IN ", [texts "$1"]];
    // Sets none of the columns that the triggers in the migration watch.
    TRACK = [
        [update streamers status last_status_update last_seen_online session_id session_started_at session_ended_at
         session_title session_category session_viewers ended_watermark contradicted_at offline_due],
    ];
    INSERT_HISTORY = [[insert status_events]];
}

#[async_trait]
impl ReportStore for SqlStore {
    async fn record_reports(
        &self,
        reports: &[Report],
        flap_window: Duration,
        now: Timestamp,
    ) -> Result<Vec<Recorded>> {
        let mut recorded = Vec::with_capacity(reports.len());
        for reports in reports.chunks(CHUNK) {
            let named: HashSet<StreamerId> = reports.iter().map(|report| report.streamer).collect();
            let seen: Vec<Streamer> = self.db.rows(NAMED, args![list(named)]).await?;
            let mut applied = apply_reports(seen, reports, flap_window);
            let changed: HashSet<StreamerId> = applied.changed.iter().map(|streamer| streamer.id).collect();
            if !changed.is_empty() {
                let mut tx = self.db.begin().await?;
                let locked: Vec<Streamer> = tx.rows(LOCK, args![list(&changed)]).await?;
                let certain = apply_reports(locked, reports, flap_window);
                write(&mut tx, &certain, now).await?;
                tx.commit().await?;
                let decisions = applied.decisions.iter_mut().zip(certain.decisions);
                let decisions =
                    reports.iter().zip(decisions).filter(|(report, _)| changed.contains(&report.streamer));
                decisions.for_each(|(_, (first, second))| *first = second);
            }
            let decisions = reports.iter().zip(applied.decisions);
            recorded.extend(decisions.map(|(report, decision)| Recorded::new(report.streamer, decision)));
        }
        Ok(recorded)
    }

    async fn learn(&self, learned: &[Learned], now: Timestamp) -> Result<()> {
        for chunk in learned.chunks(CHUNK) {
            let mut attempts = 0..ATTEMPTS;
            while !learn_chunk(&self.db, chunk, now).await? {
                attempts.next().ok_or_else(|| corrupt("a name is taken, but no row has it"))?;
            }
        }
        Ok(())
    }

    async fn announce_offline(&self, now: Timestamp) -> Result<u64> {
        let mut announced = 0;
        while self.db.row::<StreamerId>(ANY_DUE, args![now]).await?.is_some() {
            let mut tx = self.db.begin().await?;
            let most = i64::try_from(CHUNK).map_err(corrupt)?;
            let mut due: Vec<Streamer> = tx.rows(LOCK_DUE, args![now, most]).await?;
            for streamer in &mut due {
                streamer.track.offline_due = None;
            }
            write_tracks(&mut tx, &due).await?;
            // Another program may have changed the row.
            let offline = due.iter().filter(|streamer| streamer.track.status == Status::Offline);
            let events = offline.map(|streamer| owned(streamer, StreamerEventKind::Offline, None));
            let events: Vec<_> = events.collect();
            append_events(&mut tx, now, &events).await?;
            tx.commit().await?;
            announced += events.len() as u64;
        }
        Ok(announced)
    }
}

/// An event, with the owner of its streamer.
fn owned(of: &Streamer, kind: StreamerEventKind, change: Option<&Change>) -> (OrganizationId, EventBody) {
    (of.organization_id, EventBody::streamer(kind, of, change))
}

async fn write(tx: &mut Tx, applied: &Applied, now: Timestamp) -> Result<()> {
    write_tracks(tx, &applied.changed).await?;
    let events = applied.events.iter();
    let events: Vec<_> = events
        .map(|event| owned(&event.streamer, event.announcement.into(), event.change.as_ref()))
        .collect();
    let first = append_events(tx, now, &events).await?;
    let history: Vec<_> = (first..)
        .zip(&applied.events)
        .filter_map(|(seq, event)| {
            let (streamer_id, change) = (event.streamer.id, event.change.clone()?);
            Some(NewRow::of(&StatusEvent { seq, streamer_id, change, recorded_at: now }))
        })
        .collect();
    if !history.is_empty() {
        tx.run(INSERT_HISTORY, args![rows(history)]).await?;
    }
    Ok(())
}

async fn write_tracks(tx: &mut Tx, streamers: &[Streamer]) -> Result<()> {
    if streamers.is_empty() {
        return Ok(());
    }
    let tracks = streamers.iter().map(|one| NewRow::of(&one.track).with("id", &one.id));
    tx.run(TRACK, args![rows(tracks)]).await.map(drop)
}

/// Returns false and writes nothing if another writer took a name at this moment.
async fn learn_chunk(db: &Db, learned: &[Learned], now: Timestamp) -> Result<bool> {
    let named: HashSet<StreamerId> = learned.iter().map(|one| one.streamer).collect();
    let names: Vec<&str> = learned.iter().filter_map(|one| new_name(&one.found)).map(Slug::as_str).collect();
    let mut seen: Vec<Streamer> = db.rows(NAMED, args![list(named)]).await?;
    if !names.is_empty() {
        seen.extend(db.rows::<Streamer>(HOLDERS, args![list(&names)]).await?);
    }
    let changed: HashSet<StreamerId> = apply(seen, learned, now).iter().map(|after| after.id).collect();
    if changed.is_empty() {
        return Ok(true);
    }
    let mut tx = db.begin().await?;
    let mut rows: Vec<Streamer> = tx.rows(LOCK, args![list(&changed)]).await?;
    let before: HashMap<StreamerId, String> = rows.iter().map(|row| (row.id, row.username.clone())).collect();
    if !names.is_empty() {
        let holders: Vec<Streamer> = tx.rows(HOLDERS, args![list(names)]).await?;
        rows.extend(holders.into_iter().filter(|holder| !before.contains_key(&holder.id)));
    }
    let of_locked: Vec<Learned> =
        learned.iter().filter(|one| before.contains_key(&one.streamer)).cloned().collect();
    let after = apply(rows, &of_locked, now);
    let is_renamed = |row: &&Streamer| before.get(&row.id) != Some(&row.username);
    let renamed: HashSet<StreamerId> = after.iter().filter(is_renamed).map(|row| row.id).collect();
    let (steps, others): (Vec<Streamer>, Vec<Streamer>) =
        after.iter().cloned().partition(|row| renamed.contains(&row.id));
    // One after the other, in order: one may take the name that an earlier one gave up.
    for row in steps {
        if !streamers::write(&mut tx, &[row]).await? {
            return tx.rollback(false).await;
        }
    }
    let others = last_of_each(&others);
    if !others.is_empty() {
        streamers::write(&mut tx, &others).await?;
    }
    let events: Vec<_> = after.iter().map(|row| owned(row, StreamerEventKind::Updated, None)).collect();
    append_events(&mut tx, now, &events).await?;
    tx.commit().await?;
    Ok(true)
}

fn new_name(found: &Found) -> Option<&Slug> {
    match found {
        Found::Ids { renamed, .. } => renamed.as_ref(),
        Found::Problem(_) => None,
    }
}

/// Applies the lookups in order, each to the result of the one before. Returns the row after each change.
fn apply(rows: Vec<Streamer>, learned: &[Learned], now: Timestamp) -> Vec<Streamer> {
    let mut rows: HashMap<StreamerId, Streamer> = rows.into_iter().map(|row| (row.id, row)).collect();
    let mut holders: HashMap<String, StreamerId> =
        rows.values().map(|row| (row.username.to_ascii_lowercase(), row.id)).collect();
    let mut changes = Vec::new();
    for one in learned {
        let Some(row) = rows.get_mut(&one.streamer) else { continue };
        let is_taken = |name: &Slug| holders.get(name.as_str()).is_some_and(|holder| *holder != row.id);
        let Some(after) = row.learned(&one.found, now, is_taken) else { continue };
        holders.remove(&row.username.to_ascii_lowercase());
        holders.insert(after.username.to_ascii_lowercase(), after.id);
        row.clone_from(&after);
        changes.push(after);
    }
    changes
}

/// The final state of each row.
fn last_of_each(changes: &[Streamer]) -> Vec<Streamer> {
    let mut seen = HashSet::new();
    changes.iter().rev().filter(|row| seen.insert(row.id)).cloned().collect()
}
