//! Stream keys, and the one statement that decides who may publish.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::FromRow;

use super::SqlStore;
use super::args::id_list;
use super::db::{Db, Tx};
use super::rows::{HolderColumns, KeyRow, all, hash as to_hash};
use super::{audit_log, broadcasters, events, group_commit, streams};
use crate::domain::access::Scope;
use crate::domain::audit::AuditEntry;
use crate::domain::event::{EventBody, StreamKeyEventKind};
use crate::domain::path::StreamPath;
use crate::domain::publish::PublishRequest;
use crate::domain::secret::SecretHash;
use crate::domain::stream::EndReason;
use crate::domain::stream_key::{KeyStatus, StreamKey};
use crate::domain::{BroadcasterId, StreamKeyId, Timestamp};
use crate::ports::{KeyCreation, KeyFilter, KeyHashStore, Revocation, Rotation, StoreError, StreamKeyStore};

// `decide_publish` as SQL. $2 is now, $3 the requested path, $4 and $5 the requesting connection, $6 the end of its
// claim. A property test (`tests/contract`) proves that both decide the same.
macro_rules! may_publish {
    () => {
        "revoked_at IS NULL AND (expires_at > $2 OR expires_at IS NULL) AND (path = $3 OR $3 IS NULL) \
         AND (holder_kind IS NULL OR holder_kind = 'evicted' OR on_conflict = 'takeover' \
              OR (holder_kind = 'claimed' AND holder_until <= $2) OR (holder_server = $4 AND holder_conn = $5))"
    };
}
macro_rules! is_live {
    () => {
        "holder_kind = 'live' AND holder_server = $4 AND holder_conn = $5"
    };
}

statements! {
    // One statement: its row lock makes simultaneous requests pass one after the other, and each sees the result of the
    // one before (PostgreSQL's READ COMMITTED evaluates the condition again on the new row).
    CLAIM = [
        "UPDATE stream_keys SET \
         holder_kind = CASE WHEN ", (may_publish!()), " AND ", (is_live!()), " THEN 'live' \
           WHEN ", (may_publish!()), " THEN 'claimed' ELSE holder_kind END, \
         holder_server = CASE WHEN ", (may_publish!()), " THEN $4 ELSE holder_server END, \
         holder_conn = CASE WHEN ", (may_publish!()), " THEN $5 ELSE holder_conn END, \
         holder_until = CASE WHEN ", (may_publish!()), " AND ", (is_live!()), " THEN NULL \
           WHEN ", (may_publish!()), " THEN $6 ELSE holder_until END, \
         last_used_at = CASE WHEN ", (may_publish!()), " THEN $2 ELSE last_used_at END \
         WHERE key_hash = $1 RETURNING ", (key_columns!()),
    ];
    BY_HASH = ["SELECT ", (key_columns!()), " FROM stream_keys WHERE key_hash = $1"];
    GET = ["SELECT ", (key_columns!()), " FROM stream_keys WHERE id = $1"];
    GET_LOCKED = ["SELECT ", (key_columns!()), " FROM stream_keys WHERE id = $1", [lock]];
    LIST = [
        "SELECT ", (key_columns!()), " FROM stream_keys \
         WHERE (broadcaster_id = $1 OR NOT $2) AND (path = $3 OR $3 IS NULL) ORDER BY created_at DESC, id DESC",
    ];
    RELEASE_PATH = ["UPDATE stream_keys SET path_held = $3 WHERE path = $1 AND path_held AND expires_at <= $2"];
    INSERT = [
        "INSERT INTO stream_keys (", (key_columns!()), ", key_hash, path_held) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, NULL, NULL, NULL, NULL, $11, $12) \
         ON CONFLICT (path) WHERE path_held DO NOTHING",
    ];
    ROTATE = [
        "UPDATE stream_keys SET key_hash = $2, key_prefix = $3, holder_until = NULL, \
         holder_kind = CASE WHEN holder_kind IS NULL THEN NULL ELSE 'evicted' END WHERE id = $1",
    ];
    REVOKE = ["UPDATE stream_keys SET revoked_at = $2, path_held = $3 WHERE id = $1"];
    HASHES = ["SELECT key_hash FROM stream_keys WHERE revoked_at IS NULL"];
    HASHES_OF = ["SELECT key_hash FROM stream_keys WHERE revoked_at IS NULL AND id IN ", [ids "$1"]];
    LOCK_OF_BROADCASTER = ["SELECT id FROM stream_keys WHERE broadcaster_id = $1 ORDER BY id", [lock]];
    DELETE_OF_BROADCASTER = ["DELETE FROM stream_keys WHERE broadcaster_id = $1"];
}

async fn lock(tx: &mut Tx, id: StreamKeyId) -> Result<Option<StreamKey>, StoreError> {
    tx.row::<KeyRow>(GET_LOCKED, args![id]).await?.map(StreamKey::try_from).transpose()
}

pub(super) async fn lock_of_broadcaster(tx: &mut Tx, id: BroadcasterId) -> Result<(), StoreError> {
    tx.run(LOCK_OF_BROADCASTER, args![id]).await.map(drop)
}

pub(super) async fn delete_of_broadcaster(tx: &mut Tx, id: BroadcasterId) -> Result<(), StoreError> {
    tx.run(DELETE_OF_BROADCASTER, args![id]).await.map(drop)
}

#[derive(FromRow)]
struct HashRow(Vec<u8>);

#[async_trait]
impl StreamKeyStore for SqlStore {
    async fn create_stream_key(
        &self,
        _: &Scope,
        key: &StreamKey,
        hash: &SecretHash,
        audit: &AuditEntry,
    ) -> Result<KeyCreation, StoreError> {
        let mut tx = self.db.begin().await?;
        if !broadcasters::hold(&mut tx, key.broadcaster_id).await? {
            tx.rollback().await?;
            return Ok(KeyCreation::UnknownBroadcaster);
        }
        tx.run(RELEASE_PATH, args![key.path.as_str(), key.created_at, false]).await?;
        let usable = key.is_usable(key.created_at);
        let values = args![
            key.id,
            key.broadcaster_id,
            key.label.as_ref().map(crate::domain::stream_key::Label::as_str),
            key.path.as_str(),
            key.key_prefix.as_str(),
            key.on_conflict.as_str(),
            key.created_at,
            key.expires_at,
            key.revoked_at,
            key.last_used_at,
            hash,
            usable,
        ];
        // If two create at the same moment, the unique index on held paths decides.
        if tx.run(INSERT, values).await? == 0 {
            tx.rollback().await?;
            return Ok(KeyCreation::PathTaken);
        }
        audit_log::record(&mut tx, std::slice::from_ref(audit)).await?;
        events::append(&mut tx, key.created_at, &[EventBody::stream_key(StreamKeyEventKind::Created, key)])
            .await?;
        tx.commit().await?;
        Ok(KeyCreation::Created)
    }

    async fn stream_key(&self, _: &Scope, id: StreamKeyId) -> Result<Option<StreamKey>, StoreError> {
        self.db.row::<KeyRow>(GET, args![id]).await?.map(StreamKey::try_from).transpose()
    }

    async fn stream_keys(&self, _: &Scope, filter: &KeyFilter) -> Result<Vec<StreamKey>, StoreError> {
        let broadcaster = filter.broadcaster_id.unwrap_or(BroadcasterId(uuid::Uuid::nil()));
        let values =
            args![broadcaster, filter.broadcaster_id.is_some(), filter.path.as_ref().map(StreamPath::as_str)];
        all(self.db.rows::<KeyRow>(LIST, values).await?)
    }

    async fn rotate_stream_key(
        &self,
        _: &Scope,
        id: StreamKeyId,
        hash: &SecretHash,
        key_prefix: &str,
        now: Timestamp,
        audit: &AuditEntry,
    ) -> Result<Rotation, StoreError> {
        let mut tx = self.db.begin().await?;
        let Some(mut key) = lock(&mut tx, id).await? else {
            tx.rollback().await?;
            return Ok(Rotation::NotFound);
        };
        let status = key.status(now);
        if status != KeyStatus::Active {
            tx.rollback().await?;
            return Ok(Rotation::NotUsable(status));
        }
        tx.run(ROTATE, args![id, hash, key_prefix]).await?;
        key_prefix.clone_into(&mut key.key_prefix);
        key.holder = key.holder.evicted();
        let ending = streams::end_of_key(&mut tx, id, EndReason::KeyRotated).await?;
        audit_log::record(&mut tx, std::slice::from_ref(audit)).await?;
        events::append(&mut tx, now, &[EventBody::stream_key(StreamKeyEventKind::Rotated, &key)]).await?;
        tx.commit().await?;
        Ok(Rotation::Rotated { key: Box::new(key), ending })
    }

    async fn revoke_stream_key(
        &self,
        _: &Scope,
        id: StreamKeyId,
        now: Timestamp,
        audit: &AuditEntry,
    ) -> Result<Option<Revocation>, StoreError> {
        let mut tx = self.db.begin().await?;
        let Some(mut key) = lock(&mut tx, id).await? else {
            tx.rollback().await?;
            return Ok(None);
        };
        let newly = key.revoked_at.is_none();
        if newly {
            tx.run(REVOKE, args![id, now, false]).await?;
            key.revoked_at = Some(now);
        }
        let ending = streams::end_of_key(&mut tx, id, EndReason::KeyRevoked).await?;
        if newly {
            audit_log::record(&mut tx, std::slice::from_ref(audit)).await?;
            events::append(&mut tx, now, &[EventBody::stream_key(StreamKeyEventKind::Revoked, &key)]).await?;
        }
        tx.commit().await?;
        Ok(Some(Revocation { key, ending, newly }))
    }

    async fn claim_for_publish(
        &self,
        hash: &SecretHash,
        request: &PublishRequest,
        now: Timestamp,
        claim_ttl: Duration,
    ) -> Result<Option<StreamKey>, StoreError> {
        let row = match &request.connection {
            None => self.db.row::<KeyRow>(BY_HASH, args![hash]).await?,
            Some(connection) => {
                let values = || {
                    args![
                        hash,
                        now,
                        request.path.as_ref().map(StreamPath::as_str),
                        connection.server.as_str(),
                        connection.id.as_str(),
                        now.plus(claim_ttl),
                    ]
                };
                match &self.db {
                    // Running this twice is harmless: the second time, the requester already holds the key.
                    Db::Pg(_) => self.db.write::<KeyRow>(CLAIM, values()).await?.rows.pop(),
                    Db::Sqlite(sqlite) => group_commit::claim(sqlite, CLAIM, values).await?,
                }
            }
        };
        row.map(StreamKey::try_from).transpose()
    }
}

#[async_trait]
impl KeyHashStore for SqlStore {
    async fn key_hashes(&self) -> Result<Vec<SecretHash>, StoreError> {
        let rows: Vec<HashRow> = self.db.rows(HASHES, args![]).await?;
        rows.into_iter().map(|HashRow(bytes)| to_hash(bytes)).collect()
    }

    async fn key_hashes_of(&self, ids: &[StreamKeyId]) -> Result<Vec<SecretHash>, StoreError> {
        let rows: Vec<HashRow> = self.db.rows(HASHES_OF, args![id_list(ids.iter().map(|id| id.0))]).await?;
        rows.into_iter().map(|HashRow(bytes)| to_hash(bytes)).collect()
    }
}

/// A holder as a JSON row for `[rows … holder_kind text, holder_server text, holder_conn text, holder_until int]`.
pub(super) fn holder_row(id: StreamKeyId, holder: &crate::domain::stream_key::Holder) -> serde_json::Value {
    let columns = HolderColumns::from(holder);
    serde_json::json!({
        "id": id,
        "holder_kind": columns.kind,
        "holder_server": columns.server,
        "holder_conn": columns.conn,
        "holder_until": columns.until.map(Timestamp::micros),
    })
}
