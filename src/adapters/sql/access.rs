//! API tokens, and the signatures of requests that were already used.

use async_trait::async_trait;

use super::args::newest;
use super::commit::record_audit;
use super::db::Tx;
use super::row::{NewRow, rows};
use super::scope::in_scope;
use super::store::SqlStore;
use crate::domain::access::{ApiToken, Role, Scope};
use crate::domain::audit::AuditEntry;
use crate::domain::page::{Newest, Page};
use crate::domain::secret::SecretHash;
use crate::domain::{ApiTokenId, Timestamp};
use crate::ports::{AccessStore, Change, Result};

ids!(ApiTokenId);
texts!(Role);

table! {
    api_tokens: ApiToken {
        id uuid, organization_id uuid, name text, role text, created_at int, expires_at int,
    } extra { token_hash bytes }
}

statements! {
    INSERT = [[insert api_tokens]];
    PAGE = [
        [select api_tokens], " WHERE ", [in_scope "$4"], " AND (created_at, id) < ($1, $2) \
         ORDER BY created_at DESC, id DESC LIMIT $3",
    ];
    PAGE_OF_ORGANIZATION = [
        [select api_tokens], " WHERE organization_id = $4 AND (created_at, id) < ($1, $2) \
         ORDER BY created_at DESC, id DESC LIMIT $3",
    ];
    GET_LOCKED = [[select api_tokens], " WHERE id = $1 AND ", [in_scope "$2"], [lock]];
    BY_HASH = [[select api_tokens], " WHERE token_hash = $1"];
    EXCHANGE = ["UPDATE api_tokens SET token_hash = $2, expires_at = $4 WHERE token_hash = $1 AND expires_at > $3"];
    DELETE = ["DELETE FROM api_tokens WHERE id = $1"];
    REMEMBER = ["INSERT INTO signed_requests (signature, at) VALUES ($1, $2) ON CONFLICT (signature) DO NOTHING"];
    PRUNE = [
        "DELETE FROM signed_requests WHERE signature IN \
         (SELECT signature FROM signed_requests WHERE at < $1 ORDER BY at LIMIT $2)",
    ];
}

/// Writes the audit entry of a change of `token`, and commits it.
async fn finish(mut tx: Tx, token: &ApiToken, by: Change<'_>) -> Result<()> {
    let organization_id = token.organization_id.or(by.audit.organization_id);
    record_audit(&mut tx, &[AuditEntry { organization_id, ..by.audit.clone() }]).await?;
    tx.commit().await
}

#[async_trait]
impl AccessStore for SqlStore {
    async fn create_api_token(&self, token: &ApiToken, hash: &SecretHash, by: Change<'_>) -> Result<()> {
        let mut tx = self.db.begin().await?;
        tx.run(INSERT, args![rows([NewRow::of(token).with("token_hash", hash)])]).await?;
        finish(tx, token, by).await
    }

    async fn api_tokens(&self, scope: &Scope, page: &Page<Newest>) -> Result<Vec<ApiToken>> {
        let (statement, scope) = in_scope(scope, PAGE, PAGE_OF_ORGANIZATION);
        self.db.rows(statement, [newest(page), vec![scope]].concat()).await
    }

    async fn api_token_by_hash(&self, hash: &SecretHash) -> Result<Option<ApiToken>> {
        self.db.row(BY_HASH, args![hash]).await
    }

    async fn exchange_api_token(
        &self,
        old: &SecretHash,
        new: &SecretHash,
        now: Timestamp,
        expires_at: Timestamp,
        audit: &AuditEntry,
    ) -> Result<bool> {
        let mut tx = self.db.begin().await?;
        if tx.run(EXCHANGE, args![old, new, now, expires_at]).await? == 0 {
            return tx.rollback(false).await;
        }
        let Some(token) = tx.row::<ApiToken>(BY_HASH, args![new]).await? else {
            return tx.rollback(false).await;
        };
        record_audit(&mut tx, &[audit.clone().on(&token.id)]).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn delete_api_token(&self, id: ApiTokenId, by: Change<'_>) -> Result<bool> {
        let mut tx = self.db.begin().await?;
        let Some(token) = tx.row::<ApiToken>(GET_LOCKED, args![id, by.scope]).await? else {
            return tx.rollback(false).await;
        };
        tx.run(DELETE, args![id]).await?;
        finish(tx, &token, by).await?;
        Ok(true)
    }

    async fn remember_signature(&self, signature: &SecretHash, now: Timestamp) -> Result<bool> {
        // One statement in a transaction, because it must not run twice when a connection breaks.
        let mut tx = self.db.begin().await?;
        let new = tx.run(REMEMBER, args![signature, now]).await? == 1;
        tx.commit().await?;
        Ok(new)
    }

    async fn prune_signatures(&self, before: Timestamp) -> Result<u64> {
        self.prune(PRUNE, before).await
    }
}
