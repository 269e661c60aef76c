//! What live streams carried, for charts.

use std::time::Duration;

use async_trait::async_trait;

use super::row::{NewRow, Record, Row, rows};
use super::store::SqlStore;
use crate::domain::access::Scope;
use crate::domain::{StreamId, Timestamp};
use crate::ports::{LiveSample, Result, StreamSample, StreamSampleStore};

// No table: the rows of the JSON list.
table! {
    live_samples: LiveSample { media_server text, path text, at int, readers int, bytes_per_second int }
}

statements! {
    RECORD = [
        "INSERT INTO stream_samples (stream_id, at, readers, bytes_per_second) \
         SELECT s.id, r.at, r.readers, r.bytes_per_second FROM ", [rows live_samples],
        " JOIN streams s ON s.media_server = r.media_server AND s.path = r.path AND s.ended_at IS NULL \
         WHERE true ON CONFLICT (stream_id, at) DO NOTHING",
    ];
    STEPS = [
        "SELECT at / $4 * $4 AS began, MAX(readers), CAST(AVG(bytes_per_second) AS BIGINT) FROM stream_samples \
         WHERE stream_id = $1 AND ", [owner_in_scope streams "$1" "$5"],
        " AND at >= $2 AND at < $3 GROUP BY began ORDER BY began",
    ];
    PRUNE = [
        "DELETE FROM stream_samples WHERE (stream_id, at) IN (SELECT stream_id, at FROM stream_samples \
         WHERE at < $1 ORDER BY at LIMIT $2)",
    ];
}

impl Record for StreamSample {
    fn read(row: &Row<'_>) -> std::result::Result<Self, sqlx::Error> {
        Ok(Self { at: row.get(0)?, readers: row.get(1)?, bytes_per_second: row.get(2)? })
    }
}

#[async_trait]
impl StreamSampleStore for SqlStore {
    async fn record_stream_samples(&self, samples: &[LiveSample]) -> Result<()> {
        self.db.write::<()>(RECORD, args![rows(samples.iter().map(NewRow::of))]).await?;
        Ok(())
    }

    async fn stream_samples(
        &self,
        scope: &Scope,
        id: StreamId,
        (from, to): (Timestamp, Timestamp),
        step: Duration,
    ) -> Result<Vec<StreamSample>> {
        let step = i64::try_from(step.as_micros()).unwrap_or(i64::MAX).max(1);
        self.db.rows(STEPS, args![id, from, to, step, scope]).await
    }

    async fn prune_stream_samples(&self, before: Timestamp) -> Result<u64> {
        self.prune(PRUNE, before).await
    }
}
