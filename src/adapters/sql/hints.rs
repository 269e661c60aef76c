//! Hooks that have arrived and were not acted upon yet. Numbered like events: by a row that is locked until the
//! commit, so that whoever drops hints up to a number drops none that it has not seen.

use async_trait::async_trait;
use sqlx::FromRow;

use super::error::corrupt;
use super::rows::{Number, all, hash};
use super::{SqlStore, leases};
use crate::domain::Timestamp;
use crate::domain::media_server::{MediaServerName, SourceId, SourceKind};
use crate::domain::path::StreamPath;
use crate::domain::reconcile::{Hint, HintKind};
use crate::ports::{Hints, Lease, StoreError, StoredHint};

/// How many hints of a server are kept.
const KEPT: i64 = 10_000;
/// Every so many hints, the ones beyond are dropped.
const DROP_EVERY: i64 = 256;

statements! {
    TAKE = ["UPDATE counters SET value = value + 1 WHERE name = 'hints' RETURNING value"];
    INSERT = [
        "INSERT INTO hints (seq, media_server, kind, path, key_hash, source_id, source_kind, at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    ];
    LIST = [
        "SELECT seq, media_server, kind, path, key_hash, source_id, source_kind, at FROM hints \
         WHERE media_server = $1 ORDER BY seq",
    ];
    DROP = ["DELETE FROM hints WHERE media_server = $1 AND seq <= $2"];
    DROP_OLDEST = [
        "DELETE FROM hints WHERE media_server = $1 AND seq <= \
         (SELECT seq FROM hints WHERE media_server = $1 ORDER BY seq DESC LIMIT 1 OFFSET $2)",
    ];
}

#[derive(FromRow)]
struct HintRow {
    seq: i64,
    media_server: String,
    kind: String,
    path: Option<String>,
    key_hash: Option<Vec<u8>>,
    source_id: Option<String>,
    source_kind: Option<String>,
    at: i64,
}

impl TryFrom<HintRow> for StoredHint {
    type Error = StoreError;

    fn try_from(row: HintRow) -> Result<Self, StoreError> {
        let hint = Hint {
            server: MediaServerName::parse(&row.media_server).map_err(corrupt)?,
            kind: HintKind::parse(&row.kind).ok_or_else(|| corrupt(format!("hint kind {:?}", row.kind)))?,
            path: row.path.map(|path| StreamPath::parse(&path)).transpose().map_err(corrupt)?,
            hash: row.key_hash.map(hash).transpose()?,
            source_id: row.source_id.as_deref().and_then(SourceId::parse),
            source_kind: row.source_kind.map(SourceKind),
            at: Timestamp::from_micros(row.at),
        };
        Ok(Self { seq: row.seq, hint })
    }
}

#[async_trait]
impl Hints for SqlStore {
    async fn push_hint(&self, hint: &Hint) -> Result<(), StoreError> {
        // A hint that a crash of the database loses is found by the next look.
        let mut tx = self.db.begin_relaxed().await?;
        let seq: Option<Number> = tx.row(TAKE, args![]).await?;
        let Number(seq) = seq.ok_or_else(|| corrupt("the counter of hints is missing"))?;
        let server = hint.server.as_str();
        let values = args![
            seq,
            server,
            hint.kind.as_str(),
            hint.path.as_ref().map(StreamPath::as_str),
            hint.hash,
            hint.source_id.as_ref().map(SourceId::as_str),
            hint.source_kind.as_ref().map(|kind| kind.0.as_str()),
            hint.at,
        ];
        tx.run(INSERT, values).await?;
        if seq % DROP_EVERY == 0 {
            tx.run(DROP_OLDEST, args![server, KEPT]).await?;
        }
        tx.commit().await
    }

    async fn hints(&self, server: &MediaServerName) -> Result<Vec<StoredHint>, StoreError> {
        all(self.db.rows::<HintRow>(LIST, args![server.as_str()]).await?)
    }

    async fn drop_hints(&self, lease: &Lease, server: &MediaServerName, seq: i64) -> Result<(), StoreError> {
        let mut tx = self.db.begin_relaxed().await?;
        leases::guard(&mut tx, lease).await?;
        tx.run(DROP, args![server.as_str(), seq]).await?;
        tx.commit().await
    }
}
