//! The store of API tokens and of signed requests.

use async_trait::async_trait;

use super::{Change, Result};
use crate::domain::access::{ApiToken, Scope};
use crate::domain::audit::AuditEntry;
use crate::domain::page::{Newest, Page};
use crate::domain::secret::SecretHash;
use crate::domain::{ApiTokenId, Timestamp};

/// API tokens, and signatures of requests, so that none is accepted twice.
#[async_trait]
pub trait AccessStore: Send + Sync {
    /// MUST store the token under the hash of its secret, with the audit entry.
    async fn create_api_token(&self, token: &ApiToken, hash: &SecretHash, by: Change<'_>) -> Result<()>;

    /// MUST return the page of all tokens, newest first, ties by id.
    async fn api_tokens(&self, scope: &Scope, page: &Page<Newest>) -> Result<Vec<ApiToken>>;

    /// MUST return the token with this hash, expired or not, or `None`.
    async fn api_token_by_hash(&self, hash: &SecretHash) -> Result<Option<ApiToken>>;

    /// MUST store the token with the hash `old`, which expires after `now`, under the hash `new`, with this expiry and with the
    /// audit entry about it. Returns `false`, and MUST write nothing, if there is none. Of several callers, MUST return `true` to one.
    async fn exchange_api_token(
        &self,
        old: &SecretHash,
        new: &SecretHash,
        now: Timestamp,
        expires_at: Timestamp,
        audit: &AuditEntry,
    ) -> Result<bool>;

    /// MUST remove the token, with the audit entry. Returns whether it existed; if not, nothing is written.
    async fn delete_api_token(&self, id: ApiTokenId, by: Change<'_>) -> Result<bool>;

    /// MUST return `true` exactly once for a signature, over all instances and restarts.
    async fn remember_signature(&self, signature: &SecretHash, now: Timestamp) -> Result<bool>;

    /// MUST forget signatures remembered before `before`; returns how many.
    async fn prune_signatures(&self, before: Timestamp) -> Result<u64>;
}
