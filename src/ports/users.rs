//! The store of users, how they prove who they are, and how often they tried.

use std::time::Duration;

use async_trait::async_trait;

use super::{Change, Result};
use crate::domain::access::Scope;
use crate::domain::audit::AuditEntry;
use crate::domain::page::{Newest, Page};
use crate::domain::secret::SecretHash;
use crate::domain::user::{
    AttemptKeys, Credentials, Email, Identity, OneTimeLink, PasswordHash, User, UserPatch,
};
use crate::domain::{OrganizationId, Timestamp, UserId};

/// What became of a write to a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserWrite<T> {
    /// It is done.
    Done(T),
    /// There is no such user. Nothing was written.
    Absent,
    /// Another user has the address, or the identity at a provider. Nothing was written.
    EmailTaken,
    /// No administrator would be left. Nothing was written.
    LastAdministrator,
    /// A role is for an organization that does not exist. Nothing was written.
    NoOrganization(OrganizationId),
}

/// Users, passwords, second factors, one-time links, attempts to sign in.
#[async_trait]
pub trait UserStore: Send + Sync {
    /// MUST store the user with its roles and password, with the audit entry, unless another user has the address or the
    /// identity at a provider.
    async fn create_user(
        &self,
        user: &User,
        password: Option<&PasswordHash>,
        by: Change<'_>,
    ) -> Result<UserWrite<()>>;

    /// MUST return the user with its roles, or `None`.
    async fn user(&self, scope: &Scope, id: UserId) -> Result<Option<User>>;

    /// MUST return the page of all users, newest first, ties by id.
    async fn users(&self, scope: &Scope, page: &Page<Newest>) -> Result<Vec<User>>;

    /// MUST return the user with this identity at a provider, with its roles, or `None`.
    async fn user_of(&self, identity: &Identity) -> Result<Option<User>>;

    /// MUST return how the user with this address proves who they are, or `None`.
    async fn credentials_of(&self, email: &Email) -> Result<Option<Credentials>>;

    /// MUST return how this user proves who they are, or `None`.
    async fn credentials(&self, id: UserId) -> Result<Option<Credentials>>;

    /// MUST store the patched user, with the audit entry. MUST end its sessions if its permissions change. MUST NOT leave an
    /// installation that had an administrator without one, also if two calls at once remove two of them.
    async fn update_user(&self, id: UserId, patch: &UserPatch, by: Change<'_>) -> Result<UserWrite<User>>;

    /// MUST remove the user, its roles, sessions, links and recovery codes, with the audit entry. MUST NOT leave an
    /// installation that had an administrator without one.
    async fn delete_user(&self, id: UserId, by: Change<'_>) -> Result<UserWrite<()>>;

    /// MUST set the password, end all sessions of the user, and remove its links, with the audit entry. Returns whether the
    /// user existed; if not, nothing is written.
    async fn set_password(&self, id: UserId, password: &PasswordHash, by: Change<'_>) -> Result<bool>;

    /// MUST store a second factor that is not confirmed, in place of another one that is not, with the audit entry. Returns
    /// `false`, and writes nothing, if there is no such user or one is confirmed.
    async fn offer_totp(&self, id: UserId, sealed: &str, by: Change<'_>) -> Result<bool>;

    /// MUST confirm the second factor, note the step of its first code, and store the recovery codes in place of others, with
    /// the audit entry. Returns `false`, and writes nothing, if none waits for it.
    async fn confirm_totp(&self, id: UserId, step: i64, codes: &[SecretHash], by: Change<'_>)
    -> Result<bool>;

    /// MUST remove the second factor and the recovery codes, with the audit entry. Returns `false`, and writes nothing, if
    /// there is none.
    async fn remove_totp(&self, id: UserId, by: Change<'_>) -> Result<bool>;

    /// MUST note the step of a code, and return `true` exactly once for a step and never for an earlier one.
    async fn use_totp_step(&self, id: UserId, step: i64) -> Result<bool>;

    /// MUST remove a recovery code, and return `true` exactly once for it.
    async fn use_recovery_code(&self, id: UserId, code: &SecretHash) -> Result<bool>;

    /// MUST store the link under the hash of its secret, with the audit entry, unless its user is gone: then `false`.
    async fn create_link(&self, link: &OneTimeLink, hash: &SecretHash, by: Change<'_>) -> Result<bool>;

    /// MUST return the link, expired or not, or `None`.
    async fn link(&self, hash: &SecretHash) -> Result<Option<OneTimeLink>>;

    /// MUST use the link of a user up, and set the password as [`UserStore::set_password`] does, with the audit entry.
    /// Returns `false`, and writes nothing, if the link is gone.
    async fn redeem_link(
        &self,
        hash: &SecretHash,
        id: UserId,
        password: &PasswordHash,
        audit: &AuditEntry,
    ) -> Result<bool>;

    /// MUST use the link without a user up, and create this user, with the audit entry. Returns `Absent`, and writes
    /// nothing, if the link is gone or there is an administrator.
    async fn redeem_first_link(
        &self,
        hash: &SecretHash,
        user: &User,
        password: &PasswordHash,
        audit: &AuditEntry,
    ) -> Result<UserWrite<()>>;

    /// MUST forget links that expired before `before`; returns how many.
    async fn prune_links(&self, before: Timestamp) -> Result<u64>;

    /// MUST count an attempt as [`AttemptKeys::count`] says, and return how long it has to wait, if it has to. Attempts at
    /// once MUST be counted one after the other.
    async fn count_attempt(&self, keys: &AttemptKeys, now: Timestamp) -> Result<Option<Duration>>;

    /// MUST give a counted attempt back as [`AttemptKeys::give_back`] says.
    async fn give_attempt_back(&self, keys: &AttemptKeys, now: Timestamp) -> Result<()>;

    /// MUST forget what was counted before `before` and names no known address any more; returns how many rows.
    async fn prune_attempts(&self, before: Timestamp) -> Result<u64>;
}
