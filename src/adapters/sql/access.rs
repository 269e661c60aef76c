//! API tokens, and the signatures of requests that were already used.

use async_trait::async_trait;
use sqlx::FromRow;
use uuid::Uuid;

use super::error::corrupt;
use super::rows::all;
use super::{SqlStore, audit_log};
use crate::domain::access::{ApiToken, Role, Scope};
use crate::domain::audit::AuditEntry;
use crate::domain::secret::SecretHash;
use crate::domain::{ApiTokenId, Timestamp};
use crate::ports::{SignatureStore, StoreError, TokenStore};

statements! {
    INSERT = [
        "INSERT INTO api_tokens (id, name, role, token_hash, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)",
    ];
    LIST = ["SELECT id, name, role, created_at, expires_at FROM api_tokens ORDER BY created_at DESC, id DESC"];
    BY_HASH = ["SELECT id, name, role, created_at, expires_at FROM api_tokens WHERE token_hash = $1"];
    DELETE = ["DELETE FROM api_tokens WHERE id = $1"];
    REMEMBER = ["INSERT INTO signed_requests (signature, at) VALUES ($1, $2) ON CONFLICT (signature) DO NOTHING"];
    PRUNE = [
        "DELETE FROM signed_requests WHERE signature IN \
         (SELECT signature FROM signed_requests WHERE at < $1 ORDER BY at LIMIT $2)",
    ];
}

#[derive(FromRow)]
struct TokenRow {
    id: Uuid,
    name: String,
    role: String,
    created_at: i64,
    expires_at: Option<i64>,
}

impl TryFrom<TokenRow> for ApiToken {
    type Error = StoreError;

    fn try_from(row: TokenRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: ApiTokenId(row.id),
            name: row.name,
            role: Role::parse(&row.role).map_err(corrupt)?,
            created_at: Timestamp::from_micros(row.created_at),
            expires_at: row.expires_at.map(Timestamp::from_micros),
        })
    }
}

#[async_trait]
impl TokenStore for SqlStore {
    async fn create_api_token(
        &self,
        _: &Scope,
        token: &ApiToken,
        hash: &SecretHash,
        audit: &AuditEntry,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.begin().await?;
        let values = args![
            token.id,
            token.name.as_str(),
            token.role.as_str(),
            hash,
            token.created_at,
            token.expires_at,
        ];
        tx.run(INSERT, values).await?;
        audit_log::record(&mut tx, std::slice::from_ref(audit)).await?;
        tx.commit().await
    }

    async fn api_tokens(&self, _: &Scope) -> Result<Vec<ApiToken>, StoreError> {
        all(self.db.rows::<TokenRow>(LIST, args![]).await?)
    }

    async fn api_token_by_hash(&self, hash: &SecretHash) -> Result<Option<ApiToken>, StoreError> {
        self.db.row::<TokenRow>(BY_HASH, args![hash]).await?.map(ApiToken::try_from).transpose()
    }

    async fn delete_api_token(
        &self,
        _: &Scope,
        id: ApiTokenId,
        audit: &AuditEntry,
    ) -> Result<bool, StoreError> {
        let mut tx = self.db.begin().await?;
        if tx.run(DELETE, args![id]).await? == 0 {
            tx.rollback().await?;
            return Ok(false);
        }
        audit_log::record(&mut tx, std::slice::from_ref(audit)).await?;
        tx.commit().await?;
        Ok(true)
    }
}

#[async_trait]
impl SignatureStore for SqlStore {
    async fn remember_signature(&self, signature: &SecretHash, now: Timestamp) -> Result<bool, StoreError> {
        // One statement in a transaction, because it must not run twice when a connection breaks.
        let mut tx = self.db.begin().await?;
        let new = tx.run(REMEMBER, args![signature, now]).await? == 1;
        tx.commit().await?;
        Ok(new)
    }

    async fn prune_signatures(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.prune(PRUNE, before).await
    }
}
