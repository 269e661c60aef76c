//! API tokens, and the signatures of requests that were already used.

use async_trait::async_trait;

use super::args::newest;
use super::commit::commit;
use super::row::{NewRow, rows};
use super::store::SqlStore;
use crate::domain::access::{ApiToken, Role, Scope};
use crate::domain::page::{Newest, Page};
use crate::domain::secret::SecretHash;
use crate::domain::{ApiTokenId, Timestamp};
use crate::ports::{AccessStore, Change, Result};

ids!(ApiTokenId);
texts!(Role);

table! {
    api_tokens: ApiToken { id uuid, name text, role text, created_at int, expires_at int } extra { token_hash bytes }
}

statements! {
    INSERT = [[insert api_tokens]];
    PAGE = [[select api_tokens], " WHERE (created_at, id) < ($1, $2) ORDER BY created_at DESC, id DESC LIMIT $3"];
    BY_HASH = [[select api_tokens], " WHERE token_hash = $1"];
    DELETE = ["DELETE FROM api_tokens WHERE id = $1"];
    REMEMBER = ["INSERT INTO signed_requests (signature, at) VALUES ($1, $2) ON CONFLICT (signature) DO NOTHING"];
    PRUNE = [
        "DELETE FROM signed_requests WHERE signature IN \
         (SELECT signature FROM signed_requests WHERE at < $1 ORDER BY at LIMIT $2)",
    ];
}

#[async_trait]
impl AccessStore for SqlStore {
    async fn create_api_token(&self, token: &ApiToken, hash: &SecretHash, by: Change<'_>) -> Result<()> {
        let mut tx = self.db.begin().await?;
        tx.run(INSERT, args![rows([NewRow::of(token).with("token_hash", hash)])]).await?;
        commit(tx, token.created_at, by.audit, &[]).await
    }

    async fn api_tokens(&self, _: &Scope, page: &Page<Newest>) -> Result<Vec<ApiToken>> {
        self.db.rows(PAGE, newest(page)).await
    }

    async fn api_token_by_hash(&self, hash: &SecretHash) -> Result<Option<ApiToken>> {
        self.db.row(BY_HASH, args![hash]).await
    }

    async fn delete_api_token(&self, id: ApiTokenId, by: Change<'_>) -> Result<bool> {
        let mut tx = self.db.begin().await?;
        if tx.run(DELETE, args![id]).await? == 0 {
            return tx.rollback(false).await;
        }
        commit(tx, by.at(), by.audit, &[]).await?;
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
