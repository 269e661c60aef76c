//! How a transaction that changes a resource ends: with its audit entry, its events, and the commit.
//!
//! Every such transaction locks one counter row last and keeps it until it ends. So the numbers of events are in commit
//! order, without gaps, and never used twice.

use std::slice;

use super::db::Tx;
use super::error::corrupt;
use super::row::{NewRow, rows};
use crate::domain::audit::AuditEntry;
use crate::domain::event::EventBody;
use crate::domain::{OrganizationId, Timestamp};
use crate::ports::Result;

statements! {
    INSERT_AUDIT = [[insert audit_log]];
    TAKE = ["UPDATE counters SET value = value + $1 WHERE name = 'events' RETURNING value"];
    INSERT_EVENTS = [[insert events]];
}

/// Writes the audit entry and the events of a change of what `owner` owns, and commits it.
pub(super) async fn commit(
    mut tx: Tx,
    at: Timestamp,
    audit: &AuditEntry,
    owner: OrganizationId,
    events: &[EventBody],
) -> Result<()> {
    record_audit(&mut tx, &[audit.clone().owned_by(owner)]).await?;
    append(&mut tx, at, events.iter().map(|event| (owner, event)).collect()).await?;
    tx.commit().await
}

/// Writes the audit entry of a change of what belongs to no organization, which has no events, and commits it.
pub(super) async fn commit_of_installation(mut tx: Tx, audit: &AuditEntry) -> Result<()> {
    record_audit(&mut tx, slice::from_ref(audit)).await?;
    tx.commit().await
}

pub(super) async fn record_audit(tx: &mut Tx, entries: &[AuditEntry]) -> Result<()> {
    if !entries.is_empty() {
        tx.run(INSERT_AUDIT, args![rows(entries.iter().map(NewRow::of))]).await?;
    }
    Ok(())
}

/// Writes events, each with the owner of what it is about, at the end of a transaction. Returns the number of the first; the
/// others count up from it.
pub(super) async fn append_events(
    tx: &mut Tx,
    at: Timestamp,
    events: &[(OrganizationId, EventBody)],
) -> Result<i64> {
    append(tx, at, events.iter().map(|(owner, event)| (*owner, event)).collect()).await
}

async fn append(tx: &mut Tx, at: Timestamp, events: Vec<(OrganizationId, &EventBody)>) -> Result<i64> {
    if events.is_empty() {
        return Ok(0);
    }
    let count = i64::try_from(events.len()).map_err(corrupt)?;
    let last: Option<i64> = tx.row(TAKE, args![count]).await?;
    let last = last.ok_or_else(|| corrupt("the counter of events is missing"))?;
    let first = last - count + 1;
    let numbered =
        (first..).zip(events).map(|(seq, (owner, event))| NewRow::of(&event.stored(seq, at, owner)));
    tx.run(INSERT_EVENTS, args![rows(numbered)]).await?;
    Ok(first)
}
