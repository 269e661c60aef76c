//! Stream keys.

use std::time::Duration;

use async_trait::async_trait;

use super::args::{Arg, arg, list, newest};
use super::commit::commit;
use super::db::Tx;
use super::dialect::Sql;
use super::ending::end_of_key;
use super::group_commit::Claim;
use super::row::{NewRow, Record, Row, rows};
use super::scope::in_scope;
use super::store::SqlStore;
use crate::domain::access::Scope;
use crate::domain::event::{EventBody, StreamKeyEventKind};
use crate::domain::page::{Newest, Page};
use crate::domain::path::StreamPath;
use crate::domain::playback::PlaybackAccess;
use crate::domain::publish::PublishRequest;
use crate::domain::secret::SecretHash;
use crate::domain::stream::EndReason;
use crate::domain::stream_key::{CachedKey, KeyStatus, StreamKey};
use crate::domain::{BroadcasterId, StreamKeyId, Timestamp};
use crate::ports::{
    CachedKeyStore, Change, KeyCreation, KeyFilter, KeyUpdate, Result, Revocation, Rotation, StreamKeyStore,
};

// As in `streams.rs`: always a range of an index.
macro_rules! passes {
    () => {
        "(broadcaster_id = $1 OR $1 IS NULL) AND (path = $2 OR $2 IS NULL) \
         AND (created_at, id) < ($3, $4) ORDER BY created_at DESC, id DESC LIMIT $5"
    };
}

statements! {
    BY_HASH = [[select stream_keys], " WHERE key_hash = $1"];
    GET = [[select stream_keys], " WHERE id = $1 AND ", [in_scope "$2"]];
    GET_LOCKED = [[select stream_keys], " WHERE id = $1 AND ", [in_scope "$2"], [lock]];
    PAGE = [[select stream_keys], " WHERE ", [in_scope "$6"], " AND ", (passes!())];
    PAGE_OF_ORGANIZATION = [[select stream_keys], " WHERE organization_id = $6 AND ", (passes!())];
    PAGE_OF_BROADCASTER = [
        [select stream_keys], " WHERE broadcaster_id = $1 AND ", [in_scope "$6"], " AND ", (passes!()),
    ];
    PAGE_ON_PATH = [[select stream_keys], " WHERE path = $2 AND ", [in_scope "$6"], " AND ", (passes!())];
    HOLD_BROADCASTER = ["SELECT id FROM broadcasters WHERE id = $1 AND organization_id = $2", [share]];
    RELEASE_PATH = ["UPDATE stream_keys SET path_held = $3 WHERE path = $1 AND path_held AND expires_at <= $2"];
    INSERT = [[insert stream_keys], " WHERE true ON CONFLICT (path) WHERE path_held DO NOTHING"];
    ROTATE = [
        "UPDATE stream_keys SET key_hash = $2, key_prefix = $3, holder_until = NULL, \
         holder_kind = CASE WHEN holder_kind IS NULL THEN NULL ELSE 'evicted' END WHERE id = $1",
    ];
    SET_PLAYBACK_ACCESS = ["UPDATE stream_keys SET playback_access = $2 WHERE id = $1"];
    PATHS_FROM = ["SELECT path FROM stream_keys WHERE path_held AND path >= $1 ORDER BY path LIMIT $2"];
    PATHS_BEFORE = ["SELECT path FROM stream_keys WHERE path_held AND path < $1 ORDER BY path DESC LIMIT $2"];
    REVOKE = ["UPDATE stream_keys SET revoked_at = $2, path_held = $3 WHERE id = $1"];
    CACHED = [
        "SELECT key_hash, id, path, expires_at FROM stream_keys WHERE revoked_at IS NULL AND key_hash > $1 \
         ORDER BY key_hash LIMIT $2",
    ];
    CACHED_OF = [
        "SELECT key_hash, id, path, expires_at FROM stream_keys WHERE revoked_at IS NULL AND id IN ", [ids "$1"],
        " ORDER BY key_hash",
    ];
}

/// Inserts a key; false if another usable key has its path.
pub(super) async fn insert_key(tx: &mut Tx, key: &StreamKey, hash: &SecretHash) -> Result<bool> {
    tx.run(RELEASE_PATH, args![key.path, key.created_at, false]).await?;
    let path_held = key.is_usable(key.created_at);
    let row = NewRow::of(key).with("key_hash", hash).with("path_held", &path_held);
    // If two create at the same moment, the unique index on held paths decides.
    Ok(tx.run(INSERT, args![rows([row])]).await? > 0)
}

/// The statement that reads a page by the filter that finds the fewest keys, and its argument for the scope.
fn page_of(KeyFilter { broadcaster_id, path }: &KeyFilter, scope: &Scope) -> (Sql, Arg) {
    match (path, broadcaster_id) {
        (Some(_), _) => (PAGE_ON_PATH, arg(scope)),
        (None, Some(_)) => (PAGE_OF_BROADCASTER, arg(scope)),
        (None, None) => in_scope(scope, PAGE, PAGE_OF_ORGANIZATION),
    }
}

#[async_trait]
impl StreamKeyStore for SqlStore {
    async fn create_stream_key(
        &self,
        key: &StreamKey,
        hash: &SecretHash,
        by: Change<'_>,
    ) -> Result<KeyCreation> {
        let mut tx = self.db.begin().await?;
        // Keeps the broadcaster from being deleted meanwhile.
        let owner = args![key.broadcaster_id, key.organization_id];
        if tx.row::<BroadcasterId>(HOLD_BROADCASTER, owner).await?.is_none() {
            return tx.rollback(KeyCreation::UnknownBroadcaster).await;
        }
        if !insert_key(&mut tx, key, hash).await? {
            return tx.rollback(KeyCreation::PathTaken).await;
        }
        let event = EventBody::stream_key(StreamKeyEventKind::Created, key);
        commit(tx, key.created_at, by.audit, key.organization_id, &[event]).await?;
        Ok(KeyCreation::Created)
    }

    async fn stream_key(&self, scope: &Scope, id: StreamKeyId) -> Result<Option<StreamKey>> {
        self.db.row(GET, args![id, scope]).await
    }

    async fn stream_keys(
        &self,
        scope: &Scope,
        filter: &KeyFilter,
        page: &Page<Newest>,
    ) -> Result<Vec<StreamKey>> {
        let mut values = args![filter.broadcaster_id, filter.path];
        values.extend(newest(page));
        let (statement, scope) = page_of(filter, scope);
        values.push(scope);
        self.db.rows(statement, values).await
    }

    async fn rotate_stream_key(
        &self,
        id: StreamKeyId,
        hash: &SecretHash,
        key_prefix: &str,
        by: Change<'_>,
    ) -> Result<Rotation> {
        let mut tx = self.db.begin().await?;
        let Some(mut key) = tx.row::<StreamKey>(GET_LOCKED, args![id, by.scope]).await? else {
            return tx.rollback(Rotation::NotFound).await;
        };
        let status = key.status(by.at());
        if status != KeyStatus::Active {
            return tx.rollback(Rotation::NotUsable(status)).await;
        }
        tx.run(ROTATE, args![id, hash, key_prefix]).await?;
        key_prefix.clone_into(&mut key.key_prefix);
        key.holder = key.holder.evicted();
        let ending = end_of_key(&mut tx, id, EndReason::KeyRotated).await?;
        let event = EventBody::stream_key(StreamKeyEventKind::Rotated, &key);
        commit(tx, by.at(), by.audit, key.organization_id, &[event]).await?;
        Ok(Rotation::Rotated { key: Box::new(key), ending })
    }

    async fn set_playback_access(
        &self,
        id: StreamKeyId,
        access: Option<PlaybackAccess>,
        by: Change<'_>,
    ) -> Result<KeyUpdate> {
        let mut tx = self.db.begin().await?;
        let Some(mut key) = tx.row::<StreamKey>(GET_LOCKED, args![id, by.scope]).await? else {
            return tx.rollback(KeyUpdate::NotFound).await;
        };
        let status = key.status(by.at());
        if status != KeyStatus::Active {
            return tx.rollback(KeyUpdate::NotUsable(status)).await;
        }
        tx.run(SET_PLAYBACK_ACCESS, args![id, access]).await?;
        key.playback_access = access;
        let event = EventBody::stream_key(StreamKeyEventKind::Updated, &key);
        commit(tx, by.at(), by.audit, key.organization_id, &[event]).await?;
        Ok(KeyUpdate::Updated(Box::new(key)))
    }

    async fn revoke_stream_key(&self, id: StreamKeyId, by: Change<'_>) -> Result<Option<Revocation>> {
        let mut tx = self.db.begin().await?;
        let Some(mut key) = tx.row::<StreamKey>(GET_LOCKED, args![id, by.scope]).await? else {
            return tx.rollback(None).await;
        };
        let newly = key.revoked_at.is_none();
        if newly {
            tx.run(REVOKE, args![id, by.at(), false]).await?;
            key.revoked_at = Some(by.at());
        }
        let ending = end_of_key(&mut tx, id, EndReason::KeyRevoked).await?;
        if newly {
            let event = EventBody::stream_key(StreamKeyEventKind::Revoked, &key);
            commit(tx, by.at(), by.audit, key.organization_id, &[event]).await?;
        } else {
            tx.commit().await?;
        }
        Ok(Some(Revocation { key, ending, newly }))
    }

    async fn paths_near(&self, path: &str, limit: u32) -> Result<Vec<StreamPath>> {
        let mut paths = self.db.rows(PATHS_FROM, args![path, limit]).await?;
        paths.extend(self.db.rows::<StreamPath>(PATHS_BEFORE, args![path, limit]).await?);
        Ok(paths)
    }

    async fn claim_for_publish(
        &self,
        hash: &SecretHash,
        request: &PublishRequest,
        now: Timestamp,
        claim_ttl: Duration,
    ) -> Result<Option<StreamKey>> {
        let Some(connection) = &request.connection else {
            return self.db.row(BY_HASH, args![hash]).await;
        };
        match self.claim(Claim::new(*hash, request, connection, now, claim_ttl)).await? {
            Some(key) => Ok(Some(key)),
            // There is no such key, or it may not publish. The reason is read from the row.
            None => self.db.row(BY_HASH, args![hash]).await,
        }
    }
}

#[async_trait]
impl CachedKeyStore for SqlStore {
    async fn cached_keys(&self, after: Option<SecretHash>, limit: u32) -> Result<Vec<CachedKey>> {
        // No HMAC is all zeros.
        self.db.rows(CACHED, args![after.unwrap_or(SecretHash([0; 32])), limit]).await
    }

    async fn cached_keys_of(&self, ids: &[StreamKeyId]) -> Result<Vec<CachedKey>> {
        self.db.rows(CACHED_OF, args![list(ids)]).await
    }
}

impl Record for CachedKey {
    fn read(row: &Row<'_>) -> Result<Self, sqlx::Error> {
        Ok(Self {
            hash: row.get("key_hash")?,
            id: row.get("id")?,
            path: row.get("path")?,
            expires_at: row.get("expires_at")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::OrganizationId;
    use crate::domain::access::{Action, Actor, Permissions, Resource, Role};

    #[test]
    fn page_is_read_by_the_filter_that_finds_the_fewest() {
        let of_broadcaster = KeyFilter { broadcaster_id: Some(BroadcasterId(Uuid::nil())), path: None };
        let on_path = KeyFilter { path: StreamPath::parse("a").ok(), ..of_broadcaster.clone() };
        for (filter, by) in [(of_broadcaster, "broadcaster_id = $1"), (on_path, "path = $2")] {
            let page = page_of(&filter, &Scope::system()).0.sqlite;
            assert!(page.contains(&format!(" WHERE {by} AND ")), "{filter:?}: {page}");
        }
        let all = KeyFilter::default();
        assert_eq!(page_of(&all, &Scope::system()).0.sqlite, PAGE.sqlite);
        let permissions = Permissions::in_organizations([(OrganizationId::DEFAULT, Role::Viewer)]);
        let actor = Actor { permissions, ..Actor::cli("test") };
        let of_one = actor.authorize(Action::Read, &Resource::READ_BY_ALL).unwrap();
        assert_eq!(page_of(&all, &of_one).0.sqlite, PAGE_OF_ORGANIZATION.sqlite);
    }
}
