//! Users, their roles, passwords, second factors and one-time links.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

use super::args::{list, newest};
use super::commit::commit_of_installation;
use super::db::Tx;
use super::row::{NewRow, Record, Row, rows};
use super::store::SqlStore;
use super::user_attempts;
use crate::domain::access::{Role, Scope};
use crate::domain::audit::AuditEntry;
use crate::domain::page::{Newest, Page};
use crate::domain::secret::SecretHash;
use crate::domain::user::{
    AttemptKeys, Credentials, Email, Identity, OneTimeLink, PasswordHash, StoredTotp, User, UserPatch,
};
use crate::domain::{OrganizationId, Timestamp, UserId};
use crate::ports::{Change, Result, UserStore, UserWrite};

ids!(UserId);
texts!(Email);
column! {
    PasswordHash: Text String, |hash| hash.0.clone(), |raw| Ok(Self(raw));
}

/// A row of `users`.
struct StoredUser {
    id: UserId,
    email: Email,
    display_name: String,
    administrator: bool,
    password: Option<PasswordHash>,
    totp_confirmed: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
    signed_in_at: Option<Timestamp>,
    issuer: Option<String>,
    subject: Option<String>,
}

table! {
    users: StoredUser {
        id uuid, email text, display_name text, administrator bool, password text, totp_confirmed bool,
        created_at int, updated_at int, signed_in_at int, issuer text, subject text,
    } extra { totp_sealed text, totp_step int }
}

/// A role of a user.
struct StoredRole {
    user_id: UserId,
    organization_id: OrganizationId,
    role: Role,
}

table! {
    user_roles: StoredRole { user_id uuid, organization_id uuid, role text }
}

/// A recovery code of a user.
struct StoredCode {
    user_id: UserId,
    code_hash: SecretHash,
}

table! {
    user_recovery_codes: StoredCode { user_id uuid, code_hash bytes }
}

table! {
    user_links: OneTimeLink { user_id uuid, created_at int, expires_at int } extra { secret_hash bytes }
}

statements! {
    INSERT = [[insert users]];
    GET = [[select users], " WHERE id = $1"];
    OF_IDENTITY = [[select users], " WHERE issuer = $1 AND subject = $2"];
    GET_LOCKED = [[select users], " WHERE id = $1", [lock]];
    PAGE = [[select users], " WHERE (created_at, id) < ($1, $2) ORDER BY created_at DESC, id DESC LIMIT $3"];
    UPDATE = [[update users email display_name administrator updated_at]];
    DELETE = ["DELETE FROM users WHERE id = $1"];
    ROLES = [[select user_roles], " WHERE user_id IN ", [ids "$1"]];
    INSERT_ROLES = [[insert user_roles]];
    DELETE_ROLES = ["DELETE FROM user_roles WHERE user_id = $1"];
    ORGANIZATIONS = ["SELECT id FROM organizations WHERE id IN ", [ids "$1"]];
    LOCK_ADMINISTRATORS = ["UPDATE counters SET value = value + 1 WHERE name = 'administrators'"];
    OTHER_ADMINISTRATORS = ["SELECT COUNT(*) FROM users WHERE administrator AND id <> $1"];
    END_SESSIONS = ["DELETE FROM user_sessions WHERE user_id = $1"];
    DELETE_LINKS = ["DELETE FROM user_links WHERE user_id = $1"];
    CREDENTIALS = [
        "SELECT id, email, password, totp_sealed, totp_confirmed, totp_step FROM users WHERE id = $1",
    ];
    CREDENTIALS_OF = [
        "SELECT id, email, password, totp_sealed, totp_confirmed, totp_step FROM users WHERE email = $1",
    ];
    SET_PASSWORD = ["UPDATE users SET password = $2, updated_at = $3 WHERE id = $1"];
    OFFER_TOTP = [
        "UPDATE users SET totp_sealed = $2, totp_step = NULL, updated_at = $3 WHERE id = $1 AND NOT totp_confirmed",
    ];
    CONFIRM_TOTP = [
        "UPDATE users SET totp_confirmed = true, totp_step = $2, updated_at = $3 \
         WHERE id = $1 AND NOT totp_confirmed AND totp_sealed IS NOT NULL",
    ];
    REMOVE_TOTP = [
        "UPDATE users SET totp_confirmed = false, totp_sealed = NULL, totp_step = NULL, updated_at = $2 \
         WHERE id = $1 AND totp_sealed IS NOT NULL",
    ];
    USE_STEP = ["UPDATE users SET totp_step = $2 WHERE id = $1 AND (totp_step IS NULL OR totp_step < $2)"];
    INSERT_CODES = [[insert user_recovery_codes]];
    DELETE_CODES = ["DELETE FROM user_recovery_codes WHERE user_id = $1"];
    USE_CODE = ["DELETE FROM user_recovery_codes WHERE user_id = $1 AND code_hash = $2"];
    INSERT_LINK = [[insert user_links]];
    LINK = [[select user_links], " WHERE secret_hash = $1"];
    USE_LINK = ["DELETE FROM user_links WHERE secret_hash = $1 AND user_id = $2"];
    USE_FIRST_LINK = ["DELETE FROM user_links WHERE secret_hash = $1 AND user_id IS NULL"];
    DELETE_FIRST_LINKS = ["DELETE FROM user_links WHERE user_id IS NULL"];
    PRUNE_LINKS = [
        "DELETE FROM user_links WHERE secret_hash IN \
         (SELECT secret_hash FROM user_links WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
    ];
}

impl StoredUser {
    fn of(user: &User, password: Option<&PasswordHash>) -> Self {
        Self {
            id: user.id,
            email: user.email.clone(),
            display_name: user.display_name.clone(),
            administrator: user.administrator,
            password: password.cloned(),
            totp_confirmed: user.has_totp,
            created_at: user.created_at,
            updated_at: user.updated_at,
            signed_in_at: user.signed_in_at,
            issuer: user.identity.as_ref().map(|identity| identity.issuer.clone()),
            subject: user.identity.as_ref().map(|identity| identity.subject.clone()),
        }
    }

    fn with(self, roles: BTreeMap<OrganizationId, Role>) -> User {
        let Self { id, email, display_name, administrator, created_at, updated_at, signed_in_at, .. } = self;
        let (has_password, has_totp) = (self.password.is_some(), self.totp_confirmed);
        let identity = self.issuer.zip(self.subject);
        let identity = identity.map(|(issuer, subject)| Identity { issuer, subject });
        User {
            id,
            email,
            display_name,
            administrator,
            roles,
            identity,
            has_password,
            has_totp,
            created_at,
            updated_at,
            signed_in_at,
        }
    }
}

/// The users with their roles.
fn joined(users: Vec<StoredUser>, roles: Vec<StoredRole>) -> Vec<User> {
    let mut of_user: BTreeMap<UserId, BTreeMap<OrganizationId, Role>> = BTreeMap::new();
    for StoredRole { user_id, organization_id, role } in roles {
        of_user.entry(user_id).or_default().insert(organization_id, role);
    }
    let with_roles = |user: StoredUser| {
        let roles = of_user.remove(&user.id).unwrap_or_default();
        user.with(roles)
    };
    users.into_iter().map(with_roles).collect()
}

impl Record for Credentials {
    fn read(row: &Row<'_>) -> Result<Self, sqlx::Error> {
        let sealed: Option<String> = row.get("totp_sealed")?;
        let (confirmed, last_step) = (row.get("totp_confirmed")?, row.get("totp_step")?);
        Ok(Self {
            user_id: row.get("id")?,
            email: row.get("email")?,
            password: row.get("password")?,
            totp: sealed.map(|sealed| StoredTotp { sealed, confirmed, last_step }),
        })
    }
}

/// Locks the user, and returns it.
async fn locked(tx: &mut Tx, id: UserId) -> Result<Option<User>> {
    let Some(user) = tx.row::<StoredUser>(GET_LOCKED, args![id]).await? else { return Ok(None) };
    let roles = tx.rows(ROLES, args![list([id])]).await?;
    Ok(joined(vec![user], roles).pop())
}

async fn insert(tx: &mut Tx, user: &User, password: Option<&PasswordHash>) -> Result<bool> {
    let row = NewRow::of(&StoredUser::of(user, password));
    if !tx.run_if_free(INSERT, args![rows([row])]).await? {
        return Ok(false);
    }
    write_roles(tx, user).await?;
    Ok(true)
}

/// An organization that the user has a role in, and that does not exist.
async fn missing_organization(tx: &mut Tx, user: &User) -> Result<Option<OrganizationId>> {
    if user.roles.is_empty() {
        return Ok(None);
    }
    let known: Vec<uuid::Uuid> = tx.rows(ORGANIZATIONS, args![list(user.roles.keys().copied())]).await?;
    Ok(user.roles.keys().find(|id| !known.contains(&id.0)).copied())
}

async fn write_roles(tx: &mut Tx, user: &User) -> Result<()> {
    tx.run(DELETE_ROLES, args![user.id]).await?;
    let role = |(organization_id, role): (&OrganizationId, &Role)| {
        NewRow::of(&StoredRole { user_id: user.id, organization_id: *organization_id, role: *role })
    };
    if !user.roles.is_empty() {
        tx.run(INSERT_ROLES, args![rows(user.roles.iter().map(role))]).await?;
    }
    Ok(())
}

/// Whether nobody but this user is an administrator. The caller holds the lock of administrators.
async fn is_last(tx: &mut Tx, id: UserId) -> Result<bool> {
    let others: Option<i64> = tx.row(OTHER_ADMINISTRATORS, args![id]).await?;
    Ok(others == Some(0))
}

/// Sets the password, ends all sessions of the user, and removes its links. Returns whether the user existed.
async fn set_password(tx: &mut Tx, id: UserId, password: &PasswordHash, now: Timestamp) -> Result<bool> {
    if tx.run(SET_PASSWORD, args![id, password, now]).await? == 0 {
        return Ok(false);
    }
    tx.run(END_SESSIONS, args![id]).await?;
    tx.run(DELETE_LINKS, args![id]).await?;
    Ok(true)
}

#[async_trait]
impl UserStore for SqlStore {
    async fn create_user(
        &self,
        user: &User,
        password: Option<&PasswordHash>,
        by: Change<'_>,
    ) -> Result<UserWrite<()>> {
        let mut tx = self.db.begin().await?;
        if let Some(missing) = missing_organization(&mut tx, user).await? {
            return tx.rollback(UserWrite::NoOrganization(missing)).await;
        }
        if !insert(&mut tx, user, password).await? {
            return tx.rollback(UserWrite::EmailTaken).await;
        }
        commit_of_installation(tx, by.audit).await?;
        Ok(UserWrite::Done(()))
    }

    async fn user(&self, _: &Scope, id: UserId) -> Result<Option<User>> {
        let Some(user) = self.db.row::<StoredUser>(GET, args![id]).await? else { return Ok(None) };
        let roles = self.db.rows(ROLES, args![list([id])]).await?;
        Ok(joined(vec![user], roles).pop())
    }

    async fn user_of(&self, identity: &Identity) -> Result<Option<User>> {
        let found = self.db.row::<StoredUser>(OF_IDENTITY, args![identity.issuer, identity.subject]).await?;
        let Some(user) = found else { return Ok(None) };
        let roles = self.db.rows(ROLES, args![list([user.id])]).await?;
        Ok(joined(vec![user], roles).pop())
    }

    async fn users(&self, _: &Scope, page: &Page<Newest>) -> Result<Vec<User>> {
        let users: Vec<StoredUser> = self.db.rows(PAGE, newest(page)).await?;
        let roles = self.db.rows(ROLES, args![list(users.iter().map(|user| user.id))]).await?;
        Ok(joined(users, roles))
    }

    async fn credentials_of(&self, email: &Email) -> Result<Option<Credentials>> {
        self.db.row(CREDENTIALS_OF, args![email]).await
    }

    async fn credentials(&self, id: UserId) -> Result<Option<Credentials>> {
        self.db.row(CREDENTIALS, args![id]).await
    }

    async fn update_user(&self, id: UserId, patch: &UserPatch, by: Change<'_>) -> Result<UserWrite<User>> {
        let mut tx = self.db.begin().await?;
        if patch.administrator == Some(false) {
            tx.run(LOCK_ADMINISTRATORS, args![]).await?;
        }
        let Some(before) = locked(&mut tx, id).await? else { return tx.rollback(UserWrite::Absent).await };
        let after = before.clone().patched(patch, by.at());
        if before.administrator && !after.administrator && is_last(&mut tx, id).await? {
            return tx.rollback(UserWrite::LastAdministrator).await;
        }
        if patch.roles.is_some()
            && let Some(missing) = missing_organization(&mut tx, &after).await?
        {
            return tx.rollback(UserWrite::NoOrganization(missing)).await;
        }
        let row = NewRow::of(&StoredUser::of(&after, None));
        if !tx.run_if_free(UPDATE, args![rows([row])]).await? {
            return tx.rollback(UserWrite::EmailTaken).await;
        }
        if patch.roles.is_some() {
            write_roles(&mut tx, &after).await?;
        }
        if before.permissions() != after.permissions() {
            tx.run(END_SESSIONS, args![id]).await?;
        }
        commit_of_installation(tx, by.audit).await?;
        Ok(UserWrite::Done(after))
    }

    async fn delete_user(&self, id: UserId, by: Change<'_>) -> Result<UserWrite<()>> {
        let mut tx = self.db.begin().await?;
        tx.run(LOCK_ADMINISTRATORS, args![]).await?;
        let Some(user) = locked(&mut tx, id).await? else { return tx.rollback(UserWrite::Absent).await };
        if user.administrator && is_last(&mut tx, id).await? {
            return tx.rollback(UserWrite::LastAdministrator).await;
        }
        // The rest goes with it (ON DELETE CASCADE).
        tx.run(DELETE, args![id]).await?;
        commit_of_installation(tx, by.audit).await?;
        Ok(UserWrite::Done(()))
    }

    async fn set_password(&self, id: UserId, password: &PasswordHash, by: Change<'_>) -> Result<bool> {
        let mut tx = self.db.begin().await?;
        if !set_password(&mut tx, id, password, by.at()).await? {
            return tx.rollback(false).await;
        }
        commit_of_installation(tx, by.audit).await?;
        Ok(true)
    }

    async fn offer_totp(&self, id: UserId, sealed: &str, by: Change<'_>) -> Result<bool> {
        let mut tx = self.db.begin().await?;
        if tx.run(OFFER_TOTP, args![id, sealed, by.at()]).await? == 0 {
            return tx.rollback(false).await;
        }
        commit_of_installation(tx, by.audit).await?;
        Ok(true)
    }

    async fn confirm_totp(
        &self,
        id: UserId,
        step: i64,
        codes: &[SecretHash],
        by: Change<'_>,
    ) -> Result<bool> {
        let mut tx = self.db.begin().await?;
        if tx.run(CONFIRM_TOTP, args![id, step, by.at()]).await? == 0 {
            return tx.rollback(false).await;
        }
        tx.run(DELETE_CODES, args![id]).await?;
        let code = |code: &SecretHash| NewRow::of(&StoredCode { user_id: id, code_hash: *code });
        tx.run(INSERT_CODES, args![rows(codes.iter().map(code))]).await?;
        commit_of_installation(tx, by.audit).await?;
        Ok(true)
    }

    async fn remove_totp(&self, id: UserId, by: Change<'_>) -> Result<bool> {
        let mut tx = self.db.begin().await?;
        if tx.run(REMOVE_TOTP, args![id, by.at()]).await? == 0 {
            return tx.rollback(false).await;
        }
        tx.run(DELETE_CODES, args![id]).await?;
        commit_of_installation(tx, by.audit).await?;
        Ok(true)
    }

    async fn use_totp_step(&self, id: UserId, step: i64) -> Result<bool> {
        // In a transaction, because it must not run twice when a connection breaks.
        let mut tx = self.db.begin().await?;
        let used = tx.run(USE_STEP, args![id, step]).await? == 1;
        tx.commit().await?;
        Ok(used)
    }

    async fn use_recovery_code(&self, id: UserId, code: &SecretHash) -> Result<bool> {
        let mut tx = self.db.begin().await?;
        let used = tx.run(USE_CODE, args![id, code]).await? == 1;
        tx.commit().await?;
        Ok(used)
    }

    async fn create_link(&self, link: &OneTimeLink, hash: &SecretHash, by: Change<'_>) -> Result<bool> {
        let mut tx = self.db.begin().await?;
        if let Some(user) = link.user_id
            && tx.row::<StoredUser>(GET_LOCKED, args![user]).await?.is_none()
        {
            return tx.rollback(false).await;
        }
        tx.run(INSERT_LINK, args![rows([NewRow::of(link).with("secret_hash", hash)])]).await?;
        commit_of_installation(tx, by.audit).await?;
        Ok(true)
    }

    async fn link(&self, hash: &SecretHash) -> Result<Option<OneTimeLink>> {
        self.db.row(LINK, args![hash]).await
    }

    async fn redeem_link(
        &self,
        hash: &SecretHash,
        id: UserId,
        password: &PasswordHash,
        audit: &AuditEntry,
    ) -> Result<bool> {
        let mut tx = self.db.begin().await?;
        if tx.run(USE_LINK, args![hash, id]).await? == 0
            || !set_password(&mut tx, id, password, audit.timestamp).await?
        {
            return tx.rollback(false).await;
        }
        commit_of_installation(tx, audit).await?;
        Ok(true)
    }

    async fn redeem_first_link(
        &self,
        hash: &SecretHash,
        user: &User,
        password: &PasswordHash,
        audit: &AuditEntry,
    ) -> Result<UserWrite<()>> {
        let mut tx = self.db.begin().await?;
        tx.run(LOCK_ADMINISTRATORS, args![]).await?;
        if tx.run(USE_FIRST_LINK, args![hash]).await? == 0 || !is_last(&mut tx, user.id).await? {
            return tx.rollback(UserWrite::Absent).await;
        }
        if !insert(&mut tx, user, Some(password)).await? {
            return tx.rollback(UserWrite::EmailTaken).await;
        }
        tx.run(DELETE_FIRST_LINKS, args![]).await?;
        commit_of_installation(tx, audit).await?;
        Ok(UserWrite::Done(()))
    }

    async fn prune_links(&self, before: Timestamp) -> Result<u64> {
        self.prune(PRUNE_LINKS, before).await
    }

    async fn count_attempt(&self, keys: &AttemptKeys, now: Timestamp) -> Result<Option<Duration>> {
        user_attempts::count(&self.db, keys, now).await
    }

    async fn give_attempt_back(&self, keys: &AttemptKeys, now: Timestamp) -> Result<()> {
        user_attempts::give_back(&self.db, keys, now).await
    }

    async fn prune_attempts(&self, before: Timestamp) -> Result<u64> {
        user_attempts::prune(self, before).await
    }
}
