//! The store of sessions.

use async_trait::async_trait;

use super::{Change, Result};
use crate::domain::audit::AuditEntry;
use crate::domain::secret::SecretHash;
use crate::domain::user::{PasswordHash, Session};
use crate::domain::{SessionId, Timestamp, UserId};

/// The sessions of people, and of API tokens that were exchanged for a cookie.
#[async_trait]
pub trait UserSessionStore: Send + Sync {
    /// MUST store the session under the hash of its secret, and when its user signed in, with the audit entry. Returns
    /// `false`, and MUST write nothing, if its user is gone, or no longer has the password that was checked, if one was.
    async fn create_session(
        &self,
        session: &Session,
        hash: &SecretHash,
        password: Option<&PasswordHash>,
        audit: &AuditEntry,
    ) -> Result<bool>;

    /// MUST return the session with this hash, expired or not, or `None`.
    async fn session_by_hash(&self, hash: &SecretHash) -> Result<Option<Session>>;

    /// MUST note that the session was used at `now`, and when it expires. Does nothing if it is gone.
    async fn renew_session(&self, id: SessionId, now: Timestamp, expires_at: Timestamp) -> Result<()>;

    /// MUST return the sessions of the user that have not expired at `now`, the last used first.
    async fn sessions_of(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>>;

    /// MUST remove the session, with the audit entry. With a user, only if it is that user's. Returns whether it existed; if
    /// not, nothing is written.
    async fn end_session(&self, id: SessionId, user: Option<UserId>, by: Change<'_>) -> Result<bool>;

    /// MUST remove all sessions of the user, with the audit entry; returns how many.
    async fn end_sessions_of(&self, user: UserId, by: Change<'_>) -> Result<u64>;

    /// MUST forget sessions that expired before `before`; returns how many.
    async fn prune_sessions(&self, before: Timestamp) -> Result<u64>;
}
