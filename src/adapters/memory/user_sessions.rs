//! Sessions, in memory.

use std::cmp::Reverse;

use async_trait::async_trait;

use super::MemoryStore;
use crate::domain::audit::AuditEntry;
use crate::domain::secret::SecretHash;
use crate::domain::user::{PasswordHash, Session, SessionOwner};
use crate::domain::{SessionId, Timestamp, UserId};
use crate::ports::{Change, Result, UserSessionStore};

#[async_trait]
impl UserSessionStore for MemoryStore {
    async fn create_session(
        &self,
        session: &Session,
        hash: &SecretHash,
        password: Option<&PasswordHash>,
        audit: &AuditEntry,
    ) -> Result<bool> {
        let mut state = self.state();
        if let SessionOwner::User(user) = session.owner {
            let stored = state.users.get_mut(&user);
            let has_it = |known: Option<&PasswordHash>| password.is_none() || password == known;
            let Some(stored) = stored.filter(|stored| has_it(stored.password.as_ref())) else {
                return Ok(false);
            };
            stored.user.signed_in_at = Some(session.created_at);
        }
        state.sessions.insert(session.id, (*hash, session.clone()));
        state.audit.push(audit.clone());
        Ok(true)
    }

    async fn session_by_hash(&self, hash: &SecretHash) -> Result<Option<Session>> {
        let state = self.state();
        let found = state.sessions.values().find(|(known, _)| known == hash);
        Ok(found.map(|(_, session)| session.clone()))
    }

    async fn renew_session(&self, id: SessionId, now: Timestamp, expires_at: Timestamp) -> Result<()> {
        if let Some((_, session)) = self.state().sessions.get_mut(&id) {
            (session.used_at, session.expires_at) = (now, expires_at);
        }
        Ok(())
    }

    async fn sessions_of(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>> {
        let state = self.state();
        let sessions = state.sessions.values().map(|(_, session)| session);
        let mut sessions: Vec<Session> = sessions
            .filter(|session| session.owner == SessionOwner::User(user) && session.expires_at > now)
            .cloned()
            .collect();
        sessions.sort_by_key(|session| Reverse((session.used_at, session.id)));
        Ok(sessions)
    }

    async fn end_session(&self, id: SessionId, user: Option<UserId>, by: Change<'_>) -> Result<bool> {
        let mut state = self.state();
        let is_of = |session: &Session| user.is_none_or(|user| session.owner == SessionOwner::User(user));
        if !state.sessions.get(&id).is_some_and(|(_, session)| is_of(session)) {
            return Ok(false);
        }
        state.sessions.remove(&id);
        state.audit.push(by.audit.clone());
        Ok(true)
    }

    async fn end_sessions_of(&self, user: UserId, by: Change<'_>) -> Result<u64> {
        let mut state = self.state();
        let count = state.sessions.len();
        state.sessions.retain(|_, (_, session)| session.owner != SessionOwner::User(user));
        state.audit.push(by.audit.clone());
        Ok((count - state.sessions.len()) as u64)
    }

    async fn prune_sessions(&self, before: Timestamp) -> Result<u64> {
        let mut state = self.state();
        let count = state.sessions.len();
        state.sessions.retain(|_, (_, session)| session.expires_at >= before);
        Ok((count - state.sessions.len()) as u64)
    }
}
