//! Users, their passwords, second factors, one-time links and attempts, in memory.

use std::time::Duration;

use async_trait::async_trait;

use super::stored_user::StoredUser;
use super::{MemoryStore, State, newest_first};
use crate::domain::access::Scope;
use crate::domain::audit::AuditEntry;
use crate::domain::page::{Newest, Page};
use crate::domain::secret::SecretHash;
use crate::domain::user::{
    AttemptKeys, Credentials, Email, Identity, OneTimeLink, PasswordHash, SessionOwner, StoredTotp, User,
    UserPatch,
};
use crate::domain::{OrganizationId, Timestamp, UserId};
use crate::ports::{Change, Result, UserStore, UserWrite};

impl State {
    fn has_email(&self, email: &Email, except: UserId) -> bool {
        self.users.values().any(|stored| stored.user.email == *email && stored.user.id != except)
    }

    fn has_identity(&self, identity: Option<&Identity>) -> bool {
        identity.is_some() && self.users.values().any(|stored| stored.user.identity.as_ref() == identity)
    }

    fn missing_organization(&self, user: &User) -> Option<OrganizationId> {
        user.roles.keys().find(|id| !self.organizations.contains_key(id)).copied()
    }

    fn is_last_administrator(&self, id: UserId) -> bool {
        !self.users.values().any(|stored| stored.user.administrator && stored.user.id != id)
    }

    fn end_sessions(&mut self, id: UserId) {
        self.sessions.retain(|_, (_, session)| session.owner != SessionOwner::User(id));
    }

    fn set_password(&mut self, id: UserId, password: &PasswordHash, now: Timestamp) -> bool {
        let Some(stored) = self.users.get_mut(&id) else { return false };
        stored.password = Some(password.clone());
        (stored.user.has_password, stored.user.updated_at) = (true, now);
        self.end_sessions(id);
        self.links.retain(|_, link| link.user_id != Some(id));
        true
    }
}

#[async_trait]
impl UserStore for MemoryStore {
    async fn create_user(
        &self,
        user: &User,
        password: Option<&PasswordHash>,
        by: Change<'_>,
    ) -> Result<UserWrite<()>> {
        let mut state = self.state();
        if let Some(missing) = state.missing_organization(user) {
            return Ok(UserWrite::NoOrganization(missing));
        }
        if state.has_email(&user.email, user.id) || state.has_identity(user.identity.as_ref()) {
            return Ok(UserWrite::EmailTaken);
        }
        state.users.insert(user.id, StoredUser::new(user, password));
        state.audit.push(by.audit.clone());
        Ok(UserWrite::Done(()))
    }

    async fn user(&self, _: &Scope, id: UserId) -> Result<Option<User>> {
        Ok(self.state().users.get(&id).map(|stored| stored.user.clone()))
    }

    async fn users(&self, _: &Scope, page: &Page<Newest>) -> Result<Vec<User>> {
        Ok(newest_first(self.state().users.values().map(|stored| &stored.user), page))
    }

    async fn user_of(&self, identity: &Identity) -> Result<Option<User>> {
        let state = self.state();
        let found = state.users.values().find(|stored| stored.user.identity.as_ref() == Some(identity));
        Ok(found.map(|stored| stored.user.clone()))
    }

    async fn credentials_of(&self, email: &Email) -> Result<Option<Credentials>> {
        let state = self.state();
        let found = state.users.values().find(|stored| stored.user.email == *email);
        Ok(found.map(StoredUser::credentials))
    }

    async fn credentials(&self, id: UserId) -> Result<Option<Credentials>> {
        Ok(self.state().users.get(&id).map(StoredUser::credentials))
    }

    async fn update_user(&self, id: UserId, patch: &UserPatch, by: Change<'_>) -> Result<UserWrite<User>> {
        let mut state = self.state();
        let Some(stored) = state.users.get(&id) else { return Ok(UserWrite::Absent) };
        let (before, after) = (stored.user.clone(), stored.user.clone().patched(patch, by.at()));
        if before.administrator && !after.administrator && state.is_last_administrator(id) {
            return Ok(UserWrite::LastAdministrator);
        }
        if let Some(missing) = state.missing_organization(&after) {
            return Ok(UserWrite::NoOrganization(missing));
        }
        if state.has_email(&after.email, id) {
            return Ok(UserWrite::EmailTaken);
        }
        if before.permissions() != after.permissions() {
            state.end_sessions(id);
        }
        if let Some(stored) = state.users.get_mut(&id) {
            stored.user = after.clone();
        }
        state.audit.push(by.audit.clone());
        Ok(UserWrite::Done(after))
    }

    async fn delete_user(&self, id: UserId, by: Change<'_>) -> Result<UserWrite<()>> {
        let mut state = self.state();
        let Some(stored) = state.users.get(&id) else { return Ok(UserWrite::Absent) };
        if stored.user.administrator && state.is_last_administrator(id) {
            return Ok(UserWrite::LastAdministrator);
        }
        state.users.remove(&id);
        state.end_sessions(id);
        state.links.retain(|_, link| link.user_id != Some(id));
        state.audit.push(by.audit.clone());
        Ok(UserWrite::Done(()))
    }

    async fn set_password(&self, id: UserId, password: &PasswordHash, by: Change<'_>) -> Result<bool> {
        let mut state = self.state();
        let done = state.set_password(id, password, by.at());
        if done {
            state.audit.push(by.audit.clone());
        }
        Ok(done)
    }

    async fn offer_totp(&self, id: UserId, sealed: &str, by: Change<'_>) -> Result<bool> {
        let mut state = self.state();
        let Some(stored) = state.users.get_mut(&id).filter(|stored| !stored.user.has_totp) else {
            return Ok(false);
        };
        stored.totp = Some(StoredTotp { sealed: sealed.to_owned(), confirmed: false, last_step: None });
        stored.user.updated_at = by.at();
        state.audit.push(by.audit.clone());
        Ok(true)
    }

    async fn confirm_totp(
        &self,
        id: UserId,
        step: i64,
        codes: &[SecretHash],
        by: Change<'_>,
    ) -> Result<bool> {
        let mut state = self.state();
        let Some(stored) = state.users.get_mut(&id).filter(|stored| !stored.user.has_totp) else {
            return Ok(false);
        };
        let Some(totp) = &mut stored.totp else { return Ok(false) };
        (totp.confirmed, totp.last_step) = (true, Some(step));
        (stored.user.has_totp, stored.user.updated_at) = (true, by.at());
        stored.codes = codes.iter().copied().collect();
        state.audit.push(by.audit.clone());
        Ok(true)
    }

    async fn remove_totp(&self, id: UserId, by: Change<'_>) -> Result<bool> {
        let mut state = self.state();
        let Some(stored) = state.users.get_mut(&id).filter(|stored| stored.totp.is_some()) else {
            return Ok(false);
        };
        stored.totp = None;
        stored.codes.clear();
        (stored.user.has_totp, stored.user.updated_at) = (false, by.at());
        state.audit.push(by.audit.clone());
        Ok(true)
    }

    async fn use_totp_step(&self, id: UserId, step: i64) -> Result<bool> {
        let mut state = self.state();
        let Some(stored) = state.users.get_mut(&id) else { return Ok(false) };
        let Some(totp) = &mut stored.totp else { return Ok(false) };
        if totp.last_step.is_some_and(|last| last >= step) {
            return Ok(false);
        }
        totp.last_step = Some(step);
        Ok(true)
    }

    async fn use_recovery_code(&self, id: UserId, code: &SecretHash) -> Result<bool> {
        Ok(self.state().users.get_mut(&id).is_some_and(|stored| stored.codes.remove(code)))
    }

    async fn create_link(&self, link: &OneTimeLink, hash: &SecretHash, by: Change<'_>) -> Result<bool> {
        let mut state = self.state();
        if link.user_id.is_some_and(|id| !state.users.contains_key(&id)) {
            return Ok(false);
        }
        state.links.insert(*hash, *link);
        state.audit.push(by.audit.clone());
        Ok(true)
    }

    async fn link(&self, hash: &SecretHash) -> Result<Option<OneTimeLink>> {
        Ok(self.state().links.get(hash).copied())
    }

    async fn redeem_link(
        &self,
        hash: &SecretHash,
        id: UserId,
        password: &PasswordHash,
        audit: &AuditEntry,
    ) -> Result<bool> {
        let mut state = self.state();
        let is_there = state.links.get(hash).is_some_and(|link| link.user_id == Some(id));
        if !is_there || !state.set_password(id, password, audit.timestamp) {
            return Ok(false);
        }
        state.audit.push(audit.clone());
        Ok(true)
    }

    async fn redeem_first_link(
        &self,
        hash: &SecretHash,
        user: &User,
        password: &PasswordHash,
        audit: &AuditEntry,
    ) -> Result<UserWrite<()>> {
        let mut state = self.state();
        let is_there = state.links.get(hash).is_some_and(|link| link.user_id.is_none());
        if !is_there || !state.is_last_administrator(user.id) {
            return Ok(UserWrite::Absent);
        }
        if state.has_email(&user.email, user.id) {
            return Ok(UserWrite::EmailTaken);
        }
        state.users.insert(user.id, StoredUser::new(user, Some(password)));
        state.links.retain(|_, link| link.user_id.is_some());
        state.audit.push(audit.clone());
        Ok(UserWrite::Done(()))
    }

    async fn prune_links(&self, before: Timestamp) -> Result<u64> {
        let mut state = self.state();
        let count = state.links.len();
        state.links.retain(|_, link| link.expires_at >= before);
        Ok((count - state.links.len()) as u64)
    }

    async fn count_attempt(&self, keys: &AttemptKeys, now: Timestamp) -> Result<Option<Duration>> {
        let mut state = self.state();
        match keys.count(&state.attempts, now) {
            Err(wait) => Ok(Some(wait)),
            Ok(counted) => {
                state.attempts.extend(counted);
                Ok(None)
            }
        }
    }

    async fn give_attempt_back(&self, keys: &AttemptKeys, now: Timestamp) -> Result<()> {
        let mut state = self.state();
        let given_back = keys.give_back(&state.attempts, now);
        state.attempts.extend(given_back);
        Ok(())
    }

    async fn prune_attempts(&self, before: Timestamp) -> Result<u64> {
        let mut state = self.state();
        let count = state.attempts.len();
        state
            .attempts
            .retain(|_, row| row.at >= before || row.known_until.is_some_and(|until| until >= before));
        Ok((count - state.attempts.len()) as u64)
    }
}
