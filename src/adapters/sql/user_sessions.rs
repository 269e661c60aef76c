//! Sessions.

use async_trait::async_trait;

use super::commit::commit_of_installation;
use super::row::{NewRow, Record, Row, Stored, rows, unreadable};
use super::store::SqlStore;
use crate::domain::audit::AuditEntry;
use crate::domain::secret::SecretHash;
use crate::domain::user::{PasswordHash, Session, SessionOwner};
use crate::domain::{SessionId, Timestamp, UserId};
use crate::ports::{Change, Result, UserSessionStore};

ids!(SessionId);

table! {
    user_sessions: Session {
        id uuid, created_at int, used_at int, expires_at int, ip_address text, user_agent text;
        owner: manual SessionOwner { user_id uuid, token_hash bytes },
    } extra { secret_hash bytes }
}

statements! {
    SIGNED_IN = [
        "UPDATE users SET signed_in_at = $2 WHERE id = $1 AND (CAST($3 AS TEXT) IS NULL OR password = $3)",
    ];
    INSERT = [[insert user_sessions]];
    BY_HASH = [[select user_sessions], " WHERE secret_hash = $1"];
    RENEW = ["UPDATE user_sessions SET used_at = $2, expires_at = $3 WHERE id = $1"];
    OF_USER = [
        [select user_sessions], " WHERE user_id = $1 AND expires_at > $2 ORDER BY used_at DESC, id DESC",
    ];
    END = ["DELETE FROM user_sessions WHERE id = $1"];
    END_OF_USER = ["DELETE FROM user_sessions WHERE id = $1 AND user_id = $2"];
    END_ALL = ["DELETE FROM user_sessions WHERE user_id = $1"];
    PRUNE = [
        "DELETE FROM user_sessions WHERE id IN \
         (SELECT id FROM user_sessions WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
    ];
}

impl Record for SessionOwner {
    fn read(row: &Row<'_>) -> Result<Self, sqlx::Error> {
        match (row.get("user_id")?, row.get("token_hash")?) {
            (Some(user), None) => Ok(Self::User(user)),
            (None, Some(token)) => Ok(Self::Token(token)),
            _ => Err(unreadable("a session that is not one user's or token's")),
        }
    }
}

impl Stored for SessionOwner {
    fn write(&self, row: &mut NewRow) {
        let (user, token) = match self {
            Self::User(user) => (Some(user), None),
            Self::Token(token) => (None, Some(token)),
        };
        row.set("user_id", &user);
        row.set("token_hash", &token);
    }
}

#[async_trait]
impl UserSessionStore for SqlStore {
    async fn create_session(
        &self,
        session: &Session,
        hash: &SecretHash,
        password: Option<&PasswordHash>,
        audit: &AuditEntry,
    ) -> Result<bool> {
        let mut tx = self.db.begin().await?;
        if let SessionOwner::User(user) = session.owner
            && tx.run(SIGNED_IN, args![user, session.created_at, password]).await? == 0
        {
            return tx.rollback(false).await;
        }
        tx.run(INSERT, args![rows([NewRow::of(session).with("secret_hash", hash)])]).await?;
        commit_of_installation(tx, audit).await?;
        Ok(true)
    }

    async fn session_by_hash(&self, hash: &SecretHash) -> Result<Option<Session>> {
        self.db.row(BY_HASH, args![hash]).await
    }

    async fn renew_session(&self, id: SessionId, now: Timestamp, expires_at: Timestamp) -> Result<()> {
        self.db.write::<()>(RENEW, args![id, now, expires_at]).await.map(drop)
    }

    async fn sessions_of(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>> {
        self.db.rows(OF_USER, args![user, now]).await
    }

    async fn end_session(&self, id: SessionId, user: Option<UserId>, by: Change<'_>) -> Result<bool> {
        let mut tx = self.db.begin().await?;
        let ended = match user {
            Some(user) => tx.run(END_OF_USER, args![id, user]).await?,
            None => tx.run(END, args![id]).await?,
        };
        if ended == 0 {
            return tx.rollback(false).await;
        }
        commit_of_installation(tx, by.audit).await?;
        Ok(true)
    }

    async fn end_sessions_of(&self, user: UserId, by: Change<'_>) -> Result<u64> {
        let mut tx = self.db.begin().await?;
        let ended = tx.run(END_ALL, args![user]).await?;
        commit_of_installation(tx, by.audit).await?;
        Ok(ended)
    }

    async fn prune_sessions(&self, before: Timestamp) -> Result<u64> {
        self.prune(PRUNE, before).await
    }
}
