//! Users: created, changed, deleted.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::providers::Providers;
use super::reset_queue::ResetQueue;
use crate::app::access::Access;
use crate::app::error::Conflict;
use crate::app::list::List;
use crate::app::{AppError, Core, Result};
use crate::domain::access::{Action, Actor, Resource, Role, Scope};
use crate::domain::invalid::{Checks, Invalid};
use crate::domain::page::{Newest, Page};
use crate::domain::user::{Email, Password, SessionTerms, User, UserPatch};
use crate::domain::{OrganizationId, UserId};
use crate::ports::{Change, Mailer, PasswordHasher, UserWrite};

/// Users belong to no organization: they have roles in them.
pub(super) const RESOURCE: Resource = Resource::read_by(Role::Admin).of_installation();

pub(super) const KIND: &str = "user";

/// A user as a client describes it, not checked yet.
#[derive(Clone, Debug, Default)]
pub struct UserDraft {
    /// The address to sign in with; needed to create one.
    pub email: Option<String>,
    /// The name; by default the address.
    pub display_name: Option<String>,
    /// Whether the person is an admin of the whole installation.
    pub administrator: Option<bool>,
    /// The roles in organizations.
    pub roles: Option<Vec<RoleDraft>>,
}

/// A role in an organization, not checked yet.
#[derive(Clone, Debug, Default)]
pub struct RoleDraft {
    /// The organization; by default the one that is there from the start.
    pub organization_id: Option<String>,
    /// `viewer`, `operator` or `admin`.
    pub role: String,
}

/// Settings of the slice.
#[derive(Clone, Debug)]
pub struct UserSettings {
    /// How long sessions last.
    pub terms: SessionTerms,
    /// Where browsers reach this installation, without a slash at the end.
    pub public_url: String,
}

/// People who sign in.
pub struct Users {
    pub(super) core: Arc<Core>,
    pub(super) access: Arc<Access>,
    pub(super) hasher: Arc<dyn PasswordHasher>,
    pub(super) mailer: Option<Arc<dyn Mailer>>,
    pub(super) providers: Providers,
    pub(super) resets: ResetQueue,
    pub(super) settings: UserSettings,
}

impl Users {
    /// Sessions of API tokens are checked by `access`. Without a `mailer` no e-mail is sent. People may sign in with
    /// `providers`, too.
    pub fn new(
        core: Arc<Core>,
        access: Arc<Access>,
        hasher: Arc<dyn PasswordHasher>,
        mailer: Option<Arc<dyn Mailer>>,
        providers: Providers,
        settings: UserSettings,
    ) -> Self {
        Self { core, access, hasher, mailer, providers, resets: ResetQueue::default(), settings }
    }

    /// How long sessions last.
    pub fn terms(&self) -> SessionTerms {
        self.settings.terms
    }

    /// Creates a user, with a password if one is given.
    pub async fn create(&self, actor: &Actor, draft: &UserDraft, password: Option<&str>) -> Result<User> {
        let id = UserId(self.core.id());
        let entry = self.core.entry(actor, "create", KIND).on(&id);
        self.core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Manage, &RESOURCE)?;
                let mut checks = Checks::default();
                let email = checks.take(Email::parse(draft.email.as_deref().unwrap_or_default()));
                let name = draft.display_name.as_deref().map(User::display_name);
                let name = checks.take_opt(name);
                let roles = checks.take_opt(draft.roles.as_deref().map(roles)).unwrap_or_default();
                let password = password.map(|text| Password::parse("password", text, email.as_ref()));
                let password = checks.take_opt(password);
                checks.finish()?;
                let Some(email) = email else { return Err(AppError::NotFound(KIND)) };
                let password = match password {
                    Some(password) => Some(self.hasher.hash(password.secret()).await?),
                    None => None,
                };
                let now = self.core.now();
                let user = User {
                    id,
                    display_name: name.unwrap_or_else(|| email.to_string()),
                    email,
                    administrator: draft.administrator.unwrap_or(false),
                    roles,
                    identity: None,
                    has_password: password.is_some(),
                    has_totp: false,
                    created_at: now,
                    updated_at: now,
                    signed_in_at: None,
                };
                let change = Change::new(&scope, &entry);
                written(self.core.store.create_user(&user, password.as_ref(), change).await?, &user.email)?;
                Ok(user)
            })
            .await
    }

    /// One user. Everybody may read themselves.
    pub async fn get(&self, actor: &Actor, id: UserId) -> Result<User> {
        let scope = visible(actor, id)?;
        self.core.store.user(&scope, id).await?.ok_or(AppError::NotFound(KIND))
    }

    /// Changes what the draft names. If the permissions change, the person has to sign in again.
    pub async fn update(&self, actor: &Actor, id: UserId, draft: &UserDraft) -> Result<User> {
        let entry = self.core.entry(actor, "update", KIND).on(&id);
        self.core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Manage, &RESOURCE)?;
                let mut checks = Checks::default();
                let email = checks.take_opt(draft.email.as_deref().map(Email::parse));
                let display_name = checks.take_opt(draft.display_name.as_deref().map(User::display_name));
                let roles = checks.take_opt(draft.roles.as_deref().map(roles));
                checks.finish()?;
                let patch = UserPatch { email, display_name, administrator: draft.administrator, roles };
                let updated = self.core.store.update_user(id, &patch, Change::new(&scope, &entry)).await?;
                match patch.email {
                    Some(email) => written(updated, &email),
                    None => written(updated, &""),
                }
            })
            .await
    }

    /// Deletes a user, and ends their sessions.
    pub async fn delete(&self, actor: &Actor, id: UserId) -> Result<()> {
        let entry = self.core.entry(actor, "delete", KIND).on(&id);
        self.core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Manage, &RESOURCE)?;
                let deleted = self.core.store.delete_user(id, Change::new(&scope, &entry)).await?;
                written(deleted, &"")
            })
            .await
    }
}

#[async_trait]
impl List for Users {
    type Filter = ();
    type Row = User;

    /// Newest first.
    async fn list(&self, actor: &Actor, (): &(), page: &Page<Newest>) -> Result<Vec<User>> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        Ok(self.core.lists.turn().await.users(&scope, page).await?)
    }
}

/// What a write made, or why nothing was written.
pub(super) fn written<T>(write: UserWrite<T>, email: &impl ToString) -> Result<T> {
    match write {
        UserWrite::Done(made) => Ok(made),
        UserWrite::Absent => Err(AppError::NotFound(KIND)),
        UserWrite::EmailTaken => Err(Conflict::EmailTaken(email.to_string()).into()),
        UserWrite::LastAdministrator => Err(Conflict::LastAdministrator.into()),
        UserWrite::NoOrganization(id) => {
            Err(Invalid::one("roles", format!("there is no organization {id}")).into())
        }
    }
}

/// Whether the actor has signed in as this user.
pub(super) fn is_oneself(actor: &Actor, id: UserId) -> bool {
    actor.origin.session.and_then(|session| session.user) == Some(id)
}

/// The scope of somebody who acts on this user: the person themselves, or who manages users. For all others there is no
/// such user.
pub(super) fn visible(actor: &Actor, id: UserId) -> Result<Scope> {
    if is_oneself(actor, id) {
        return Ok(Scope::system());
    }
    actor.authorize(Action::Manage, &RESOURCE).map_err(|_| AppError::NotFound(KIND))
}

/// Only the person themselves.
pub(super) fn oneself(actor: &Actor, id: UserId) -> Result<Scope> {
    if is_oneself(actor, id) { Ok(Scope::system()) } else { Err(AppError::NotFound(KIND)) }
}

fn roles(drafts: &[RoleDraft]) -> std::result::Result<BTreeMap<OrganizationId, Role>, Invalid> {
    let mut roles = BTreeMap::new();
    for draft in drafts {
        let organization = match draft.organization_id.as_deref() {
            None => Ok(OrganizationId::DEFAULT),
            Some(text) => text.parse().map_err(|_| Invalid::one("roles", "organization_id must be a UUID")),
        }?;
        let role = Role::parse(&draft.role).map_err(|invalid| invalid.of("roles"))?;
        if roles.insert(organization, role).is_some() {
            return Err(Invalid::one("roles", "must name each organization once"));
        }
    }
    Ok(roles)
}
