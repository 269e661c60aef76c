//! The event log. Every writing transaction locks one counter row last and keeps it until it ends. So the numbers are
//! in commit order, without gaps, and never used twice.

use async_trait::async_trait;
use serde_json::json;
use sqlx::FromRow;
use uuid::Uuid;

use super::SqlStore;
use super::db::Tx;
use super::error::corrupt;
use super::rows::Number;
use crate::domain::Timestamp;
use crate::domain::event::{EventBody, StoredEvent, Topic};
use crate::ports::{EventStore, StoreError};

/// How many rows one statement deletes. This keeps it below its time limit.
pub(super) const PRUNE_BATCH: i64 = 5_000;

macro_rules! columns {
    () => {
        "seq, at, topic, kind, version, subject, data"
    };
}

statements! {
    TAKE = ["UPDATE counters SET value = value + $1 WHERE name = 'events' RETURNING value"];
    INSERT = [
        "INSERT INTO events (", (columns!()), ") SELECT ", (columns!()), " FROM ",
        [rows "$1" seq int, at int, topic text, kind text, version int, subject uuid, data text],
    ];
    AFTER = ["SELECT ", (columns!()), " FROM events WHERE seq > $1 ORDER BY seq LIMIT $2"];
    AFTER_OF_TOPIC = ["SELECT ", (columns!()), " FROM events WHERE topic = $3 AND seq > $1 ORDER BY seq LIMIT $2"];
    LAST = ["SELECT value FROM counters WHERE name = 'events'"];
    FIRST = ["SELECT seq FROM events ORDER BY seq LIMIT 1"];
    PRUNE = ["DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE at < $1 ORDER BY at LIMIT $2)"];
}

/// Writes events at the end of a transaction. Returns the number of the first; the others count up from it.
pub(super) async fn append(tx: &mut Tx, at: Timestamp, events: &[EventBody]) -> Result<i64, StoreError> {
    if events.is_empty() {
        return Ok(0);
    }
    let count = i64::try_from(events.len()).map_err(corrupt)?;
    let last: Option<Number> = tx.row(TAKE, args![count]).await?;
    let Number(last) = last.ok_or_else(|| corrupt("the counter of events is missing"))?;
    let first = last - count + 1;
    let rows: Vec<_> = (first..)
        .zip(events)
        .map(|(seq, event)| {
            let StoredEvent { topic, kind, version, subject, data, .. } = event.stored(seq, at);
            json!({
                "seq": seq,
                "at": at.micros(),
                "topic": topic,
                "kind": kind,
                "version": version,
                "subject": subject,
                "data": data.to_string(),
            })
        })
        .collect();
    tx.run(INSERT, args![json!(rows).to_string()]).await?;
    Ok(first)
}

#[derive(FromRow)]
struct EventRow {
    seq: i64,
    at: i64,
    topic: String,
    kind: String,
    version: i64,
    subject: Uuid,
    data: String,
}

impl From<EventRow> for StoredEvent {
    fn from(row: EventRow) -> Self {
        let EventRow { seq, at, topic, kind, version, subject, data } = row;
        // Rows that are not JSON are skipped when decoded. An error here would stop the log.
        let data = serde_json::from_str(&data).unwrap_or_default();
        Self { seq, at: Timestamp::from_micros(at), topic, kind, version, subject, data }
    }
}

#[async_trait]
impl EventStore for SqlStore {
    async fn events_after(
        &self,
        topic: Option<Topic>,
        seq: i64,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let limit = i64::from(limit);
        let rows: Vec<EventRow> = match topic {
            None => self.db.rows(AFTER, args![seq, limit]).await?,
            Some(topic) => self.db.rows(AFTER_OF_TOPIC, args![seq, limit, topic.as_str()]).await?,
        };
        Ok(rows.into_iter().map(StoredEvent::from).collect())
    }

    async fn last_event(&self) -> Result<i64, StoreError> {
        let last: Option<Number> = self.db.row(LAST, args![]).await?;
        last.map(|Number(last)| last).ok_or_else(|| corrupt("the counter of events is missing"))
    }

    async fn first_event(&self) -> Result<Option<i64>, StoreError> {
        let first: Option<Number> = self.db.row(FIRST, args![]).await?;
        Ok(first.map(|Number(first)| first))
    }

    async fn prune_events(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.prune(PRUNE, before).await
    }
}

impl SqlStore {
    /// Deletes events older than `before`, in batches.
    pub(super) async fn prune(
        &self,
        batch: super::dialect::Sql,
        before: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut removed = 0;
        loop {
            let done = self.db.write::<()>(batch, args![before, PRUNE_BATCH]).await?;
            removed += done.affected;
            if done.affected < PRUNE_BATCH.unsigned_abs() {
                return Ok(removed);
            }
        }
    }
}
