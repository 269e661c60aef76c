//! One-time links: who has one sets a password, once.

use std::collections::BTreeMap;
use std::time::Duration;

use super::service::{KIND, RESOURCE, Users, written};
use crate::app::error::Unauthenticated;
use crate::app::{AppError, Result};
use crate::domain::access::{Action, Actor, Origin, Permissions, Scope};
use crate::domain::invalid::{Checks, Invalid};
use crate::domain::secret::{Secret, SecretHash};
use crate::domain::user::{DeviceCookie, Email, LinkSecret, OneTimeLink, Password, User};
use crate::domain::{Timestamp, UserId};
use crate::ports::Change;

/// A new link. Only this contains its secret.
#[derive(Clone, Debug)]
pub struct NewLink {
    /// The address to open in a browser.
    pub url: Secret,
    /// From when on it is invalid.
    pub expires_at: Timestamp,
}

/// What a person who opened a link sends.
#[derive(Clone, Debug)]
pub struct LinkForm {
    /// The secret of the link.
    pub link: Secret,
    /// The new password.
    pub password: Secret,
    /// The address of the first administrator; only for a link that makes one.
    pub email: Option<String>,
    /// The name of the first administrator.
    pub display_name: Option<String>,
}

impl Users {
    /// Makes a link with which a user sets a password.
    pub async fn create_link(&self, actor: &Actor, id: UserId) -> Result<NewLink> {
        let entry = self.core.entry(actor, "create_link", KIND).on(&id);
        self.core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Manage, &RESOURCE)?;
                self.must_have_password(id).await?;
                let link = OneTimeLink::new(Some(id), self.core.now(), OneTimeLink::PASSED_ON);
                self.store_link(&link, Change::new(&scope, &entry)).await?.ok_or(AppError::NotFound(KIND))
            })
            .await
    }

    /// Makes a link with which the first administrator is made. It is void as soon as there is one.
    pub async fn create_first_link(&self, actor: &Actor) -> Result<NewLink> {
        let entry = self.core.entry(actor, "create_link", KIND);
        let scope = actor.authorize(Action::Manage, &RESOURCE)?;
        let link = OneTimeLink::new(None, self.core.now(), OneTimeLink::PASSED_ON);
        self.store_link(&link, Change::new(&scope, &entry)).await?.ok_or(AppError::NotFound(KIND))
    }

    /// A link that is sent by e-mail.
    pub(super) async fn create_sent_link(&self, user: UserId, valid: Duration) -> Result<Option<NewLink>> {
        let actor = Actor {
            name: "password reset".to_owned(),
            permissions: Permissions::default(),
            origin: Origin::default(),
        };
        let entry = self.core.entry(&actor, "create_link", KIND).on(&user);
        let link = OneTimeLink::new(Some(user), self.core.now(), valid);
        self.store_link(&link, Change::new(&Scope::system(), &entry)).await
    }

    async fn store_link(&self, link: &OneTimeLink, by: Change<'_>) -> Result<Option<NewLink>> {
        let secret = LinkSecret::from_random(self.core.ids.random32());
        let stored = self.core.store.create_link(link, &self.link_hash(&secret), by).await?;
        // Behind `#`, because browsers send that to no server.
        let kind = if link.user_id.is_none() { "&first" } else { "" };
        let url = Secret::new(format!("{}/link#{}{kind}", self.settings.public_url, secret.expose()));
        Ok(stored.then_some(NewLink { url, expires_at: link.expires_at }))
    }

    fn link_hash(&self, secret: &LinkSecret) -> SecretHash {
        self.core.hasher.hash("link", secret.expose())
    }

    /// Uses a link up: sets the password, ends all sessions of the user. The person signs in with the new password. Returns
    /// their address, and the cookie of their device.
    pub async fn redeem_link(&self, form: &LinkForm, origin: &Origin) -> Result<(Email, DeviceCookie)> {
        let secret = LinkSecret::parse(form.link.expose()).ok_or(Unauthenticated::Link)?;
        let hash = self.link_hash(&secret);
        let link = self.core.store.link(&hash).await?;
        let link = link.filter(|link| link.is_valid(self.core.now())).ok_or(Unauthenticated::Link)?;
        let email = match link.user_id {
            Some(id) => self.redeem(&hash, id, form, origin).await?,
            None => self.redeem_first(&hash, form, origin).await?,
        };
        let device = DeviceCookie::new(&self.core.hasher, &email, self.core.ids.random32());
        Ok((email, device))
    }

    async fn redeem(&self, hash: &SecretHash, id: UserId, form: &LinkForm, origin: &Origin) -> Result<Email> {
        let user = self.core.store.user(&Scope::system(), id).await?.ok_or(Unauthenticated::Link)?;
        let mut checks = Checks::default();
        let of_first = |field| Err::<(), _>(Invalid::one(field, "must not be given: this link is a user's"));
        checks.take_opt(form.email.as_ref().map(|_| of_first("email")));
        checks.take_opt(form.display_name.as_ref().map(|_| of_first("display_name")));
        let password = checks.take(Password::parse("password", form.password.expose(), Some(&user.email)));
        checks.finish()?;
        let Some(password) = password else { return Err(AppError::NotFound(KIND)) };
        let password = self.hasher.hash(password.secret()).await?;
        let actor =
            Actor { name: user.actor_name(), permissions: user.permissions(), origin: origin.clone() };
        let entry = self.core.entry(&actor, "redeem_link", KIND).on(&id);
        if !self.core.store.redeem_link(hash, id, &password, &entry).await? {
            return Err(Unauthenticated::Link.into());
        }
        Ok(user.email)
    }

    async fn redeem_first(&self, hash: &SecretHash, form: &LinkForm, origin: &Origin) -> Result<Email> {
        let mut checks = Checks::default();
        let email = checks.take(Email::parse(form.email.as_deref().unwrap_or_default()));
        let name = checks.take_opt(form.display_name.as_deref().map(User::display_name));
        let password = checks.take(Password::parse("password", form.password.expose(), email.as_ref()));
        checks.finish()?;
        let (Some(email), Some(password)) = (email, password) else { return Err(AppError::NotFound(KIND)) };
        let password = self.hasher.hash(password.secret()).await?;
        let (id, now) = (UserId(self.core.id()), self.core.now());
        let user = User {
            id,
            display_name: name.unwrap_or_else(|| email.to_string()),
            email,
            administrator: true,
            roles: BTreeMap::new(),
            identity: None,
            has_password: true,
            has_totp: false,
            created_at: now,
            updated_at: now,
            signed_in_at: None,
        };
        let actor =
            Actor { name: user.actor_name(), permissions: user.permissions(), origin: origin.clone() };
        let entry = self.core.entry(&actor, "redeem_link", KIND).on(&id);
        let made = self.core.store.redeem_first_link(hash, &user, &password, &entry).await?;
        match written(made, &user.email) {
            Ok(()) => Ok(user.email),
            Err(AppError::NotFound(_)) => Err(Unauthenticated::Link.into()),
            Err(error) => Err(error),
        }
    }
}
