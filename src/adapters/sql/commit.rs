//! How a transaction that changes a resource ends: with its audit entry, its events, and the commit.
//!
//! Every such transaction locks one counter row last and keeps it until it ends. So the numbers of events are in commit
//! order, without gaps, and never used twice.

use super::db::Tx;
use super::error::corrupt;
use super::row::{NewRow, rows};
use crate::domain::Timestamp;
use crate::domain::audit::AuditEntry;
use crate::domain::event::EventBody;
use crate::ports::Result;

statements! {
    INSERT_AUDIT = [[insert audit_log]];
    TAKE = ["UPDATE counters SET value = value + $1 WHERE name = 'events' RETURNING value"];
    INSERT_EVENTS = [[insert events]];
}

/// Writes the audit entry and the events of a change, and commits it.
pub(super) async fn commit(
    mut tx: Tx,
    at: Timestamp,
    audit: &AuditEntry,
    events: &[EventBody],
) -> Result<()> {
    record_audit(&mut tx, std::slice::from_ref(audit)).await?;
    append_events(&mut tx, at, events).await?;
    tx.commit().await
}

pub(super) async fn record_audit(tx: &mut Tx, entries: &[AuditEntry]) -> Result<()> {
    if !entries.is_empty() {
        tx.run(INSERT_AUDIT, args![rows(entries.iter().map(NewRow::of))]).await?;
    }
    Ok(())
}

/// Writes events at the end of a transaction. Returns the number of the first; the others count up from it.
pub(super) async fn append_events(tx: &mut Tx, at: Timestamp, events: &[EventBody]) -> Result<i64> {
    if events.is_empty() {
        return Ok(0);
    }
    let count = i64::try_from(events.len()).map_err(corrupt)?;
    let last: Option<i64> = tx.row(TAKE, args![count]).await?;
    let last = last.ok_or_else(|| corrupt("the counter of events is missing"))?;
    let first = last - count + 1;
    let numbered = (first..).zip(events).map(|(seq, event)| NewRow::of(&event.stored(seq, at)));
    tx.run(INSERT_EVENTS, args![rows(numbered)]).await?;
    Ok(first)
}
