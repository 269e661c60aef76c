//! Playback tokens, the keys that sign them, and what stream keys say about who may watch.

use async_trait::async_trait;
use uuid::Uuid;

use super::args::{list, newest};
use super::commit::record_audit;
use super::db::Tx;
use super::error::corrupt;
use super::row::{NewRow, Record, Row, rows};
use super::scope::in_scope;
use super::store::SqlStore;
use crate::domain::access::Scope;
use crate::domain::audit::AuditEntry;
use crate::domain::network::CidrBlock;
use crate::domain::page::{Newest, Page};
use crate::domain::path_pattern::PathPattern;
use crate::domain::playback::{PathRule, PlaybackToken, PlaybackTokenId, RevokedToken, SealedKey};
use crate::domain::{OrganizationId, StreamKeyId, Timestamp};
use crate::ports::{Change, PlaybackChanges, PlaybackStore, Result};

ids!(PlaybackTokenId);
as_json!(Vec<PathPattern>);

column! {
    CidrBlock: Text String, |network| network.to_string(), |raw| Ok(Self::parse(&raw)?);
}

table! {
    playback_tokens: PlaybackToken {
        id uuid, organization_id uuid, paths text, address text, max_sessions int, created_at int, expires_at int,
        revoked_at int,
    } extra { revoked_in int }
}

table! {
    playback_keys: SealedKey { number int, sealed text, created_at int, signs_from int }
}

macro_rules! rule {
    () => {
        "SELECT id, path, organization_id, playback_access FROM stream_keys WHERE "
    };
}

statements! {
    INSERT = [[insert playback_tokens]];
    PAGE = [
        [select playback_tokens], " WHERE ", [in_scope "$4"], " AND (created_at, id) < ($1, $2) \
         ORDER BY created_at DESC, id DESC LIMIT $3",
    ];
    PAGE_OF_ORGANIZATION = [
        [select playback_tokens], " WHERE organization_id = $4 AND (created_at, id) < ($1, $2) \
         ORDER BY created_at DESC, id DESC LIMIT $3",
    ];
    GET_LOCKED = [[select playback_tokens], " WHERE id = $1 AND ", [in_scope "$2"], [lock]];
    ACTIVE_LOCKED = [
        [select playback_tokens], " WHERE revoked_at IS NULL AND expires_at > $1 AND ", [in_scope "$2"], [lock],
    ];
    REVOKE = [
        "UPDATE playback_tokens SET revoked_at = $2, revoked_in = $3 WHERE id IN ", [ids "$1"],
    ];
    REVOKE_ALL = [
        "UPDATE playback_tokens SET revoked_at = $1, revoked_in = $2 WHERE revoked_at IS NULL AND expires_at > $1",
    ];
    // Keeps the row locked until the change is visible.
    NEXT_CHANGE = ["UPDATE counters SET value = value + 1 WHERE name = 'playback' RETURNING value"];
    LAST_CHANGE = ["SELECT value FROM counters WHERE name = 'playback'"];
    REVOKED = ["SELECT id, expires_at FROM playback_tokens WHERE revoked_in > $1 AND expires_at > $2"];
    KEYS = [[select playback_keys], " ORDER BY number"];
    INSERT_KEY = [
        [insert playback_keys], " WHERE NOT EXISTS (SELECT 1 FROM playback_keys WHERE number >= r.number) \
         ON CONFLICT (number) DO NOTHING",
    ];
    REMOVE_OTHER_KEYS = ["DELETE FROM playback_keys WHERE number <> $1"];
    REMOVE_KEYS = ["DELETE FROM playback_keys WHERE number < $1"];
    PRUNE = [
        "DELETE FROM playback_tokens WHERE id IN \
         (SELECT id FROM playback_tokens WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
    ];
    RULES = [(rule!()), "id > $1 ORDER BY id LIMIT $2"];
    RULES_OF = [(rule!()), "id IN ", [ids "$1"], " ORDER BY id"];
}

impl Record for PathRule {
    fn read(row: &Row<'_>) -> std::result::Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.get("id")?,
            path: row.get("path")?,
            organization_id: row.get("organization_id")?,
            access: row.get("playback_access")?,
        })
    }
}

impl Record for RevokedToken {
    fn read(row: &Row<'_>) -> std::result::Result<Self, sqlx::Error> {
        Ok(Self { id: row.get("id")?, expires_at: row.get("expires_at")? })
    }
}

async fn next_change(tx: &mut Tx) -> Result<i64> {
    let number: Option<i64> = tx.row(NEXT_CHANGE, args![]).await?;
    number.ok_or_else(|| corrupt("the counter of changes of playback is missing"))
}

/// Writes the audit entry of a change of what `owner` owns, and commits it.
async fn finish(mut tx: Tx, owner: Option<OrganizationId>, audit: &AuditEntry) -> Result<()> {
    let organization_id = owner.or(audit.organization_id);
    record_audit(&mut tx, &[AuditEntry { organization_id, ..audit.clone() }]).await?;
    tx.commit().await
}

async fn revoke(tx: &mut Tx, ids: &[PlaybackTokenId], at: Timestamp) -> Result<()> {
    let number = next_change(tx).await?;
    tx.run(REVOKE, args![list(ids), at, number]).await.map(drop)
}

#[async_trait]
impl PlaybackStore for SqlStore {
    async fn create_playback_token(&self, token: &PlaybackToken, by: Change<'_>) -> Result<()> {
        let mut tx = self.db.begin().await?;
        tx.run(INSERT, args![rows([NewRow::of(token)])]).await?;
        finish(tx, token.organization_id, by.audit).await
    }

    async fn playback_tokens(&self, scope: &Scope, page: &Page<Newest>) -> Result<Vec<PlaybackToken>> {
        let (statement, scope) = in_scope(scope, PAGE, PAGE_OF_ORGANIZATION);
        self.db.rows(statement, [newest(page), vec![scope]].concat()).await
    }

    async fn revoke_playback_token(
        &self,
        id: PlaybackTokenId,
        by: Change<'_>,
    ) -> Result<Option<PlaybackToken>> {
        let mut tx = self.db.begin().await?;
        let Some(mut token) = tx.row::<PlaybackToken>(GET_LOCKED, args![id, by.scope]).await? else {
            return tx.rollback(None).await;
        };
        if token.revoked_at.is_some() {
            return tx.rollback(Some(token)).await;
        }
        revoke(&mut tx, &[id], by.at()).await?;
        token.revoked_at = Some(by.at());
        finish(tx, token.organization_id, by.audit).await?;
        Ok(Some(token))
    }

    async fn revoke_playback_tokens_for(
        &self,
        path: &PathPattern,
        by: Change<'_>,
    ) -> Result<Vec<RevokedToken>> {
        let mut tx = self.db.begin().await?;
        let mut found = tx.rows::<PlaybackToken>(ACTIVE_LOCKED, args![by.at(), by.scope]).await?;
        found.retain(|token| token.opens_any_of(path));
        let Some(first) = found.first() else { return tx.rollback(Vec::new()).await };
        let owner = first
            .organization_id
            .filter(|_| found.iter().all(|t| t.organization_id == first.organization_id));
        let ids: Vec<PlaybackTokenId> = found.iter().map(|token| token.id).collect();
        revoke(&mut tx, &ids, by.at()).await?;
        finish(tx, owner, by.audit).await?;
        Ok(found.iter().map(|token| RevokedToken { id: token.id, expires_at: token.expires_at }).collect())
    }

    async fn playback_changes(&self, after: i64, now: Timestamp) -> Result<PlaybackChanges> {
        let last: Option<i64> = self.db.row(LAST_CHANGE, args![]).await?;
        let last = last.ok_or_else(|| corrupt("the counter of changes of playback is missing"))?;
        if last == after {
            return Ok(PlaybackChanges { last, revoked: Vec::new() });
        }
        Ok(PlaybackChanges { last, revoked: self.db.rows(REVOKED, args![after, now]).await? })
    }

    async fn playback_keys(&self) -> Result<Vec<SealedKey>> {
        self.db.rows(KEYS, args![]).await
    }

    async fn add_playback_key(
        &self,
        key: &SealedKey,
        alone: bool,
        audit: Option<&AuditEntry>,
    ) -> Result<bool> {
        let mut tx = self.db.begin().await?;
        // First, so that concurrent calls pass one after the other.
        let number = next_change(&mut tx).await?;
        if tx.run(INSERT_KEY, args![rows([NewRow::of(key)])]).await? == 0 {
            return tx.rollback(false).await;
        }
        if alone {
            tx.run(REMOVE_OTHER_KEYS, args![key.number]).await?;
            tx.run(REVOKE_ALL, args![key.created_at, number]).await?;
        }
        record_audit(&mut tx, audit.map(std::slice::from_ref).unwrap_or_default()).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn remove_playback_keys(&self, first: i64) -> Result<u64> {
        let mut tx = self.db.begin().await?;
        next_change(&mut tx).await?;
        let removed = tx.run(REMOVE_KEYS, args![first]).await?;
        if removed == 0 {
            return tx.rollback(0).await;
        }
        tx.commit().await?;
        Ok(removed)
    }

    async fn prune_playback_tokens(&self, before: Timestamp) -> Result<u64> {
        self.prune(PRUNE, before).await
    }

    async fn path_rules(&self, after: Option<StreamKeyId>, limit: u32) -> Result<Vec<PathRule>> {
        // No id is all zeros.
        self.db.rows(RULES, args![after.unwrap_or(StreamKeyId(Uuid::nil())), limit]).await
    }

    async fn path_rules_of(&self, ids: &[StreamKeyId]) -> Result<Vec<PathRule>> {
        self.db.rows(RULES_OF, args![list(ids)]).await
    }
}
