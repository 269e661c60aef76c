//! Changing a password.

use super::service::{KIND, Users, is_oneself, visible};
use super::sign_in::OpenedSession;
use crate::app::error::Unauthenticated;
use crate::app::{AppError, Result};
use crate::domain::UserId;
use crate::domain::access::Actor;
use crate::domain::invalid::Invalid;
use crate::domain::secret::Secret;
use crate::domain::user::{AttemptKeys, Credentials, Password};
use crate::ports::Change;

/// A new password.
#[derive(Clone, Debug)]
pub struct PasswordForm {
    /// The new one.
    pub password: Secret,
    /// The present one. A person needs it for their own.
    pub current_password: Option<Secret>,
    /// What the browser calls itself.
    pub user_agent: Option<String>,
}

impl Users {
    /// Sets a password, and ends all sessions of the user. Who changes their own gets a new session.
    pub async fn set_password(
        &self,
        actor: &Actor,
        id: UserId,
        form: &PasswordForm,
    ) -> Result<Option<OpenedSession>> {
        let entry = self.core.entry(actor, "set_password", KIND).on(&id);
        self.core
            .audited(&entry, async {
                let scope = visible(actor, id)?;
                let found = self.core.store.credentials(id).await?;
                let credentials = found.ok_or(AppError::NotFound(KIND))?;
                self.must_have_password(id).await?;
                let email = &credentials.email;
                let password = Password::parse("password", form.password.expose(), Some(email))?;
                let is_oneself = is_oneself(actor, id);
                if is_oneself {
                    let current = ("current_password", form.current_password.as_ref());
                    self.check_password(actor, &credentials, current).await?;
                }
                let hash = self.hasher.hash(password.secret()).await?;
                let change = Change::new(&scope, &entry);
                if !self.core.store.set_password(id, &hash, change).await? {
                    return Err(AppError::NotFound(KIND));
                }
                let user = self.core.store.user(&scope, id).await?;
                match user.filter(|_| is_oneself) {
                    Some(user) => {
                        let agent = form.user_agent.as_deref();
                        self.open(&user, Some(&hash), &actor.origin, agent).await.map(Some)
                    }
                    None => Ok(None),
                }
            })
            .await
    }

    /// Checks the password of a person who has signed in: somebody else may have found the browser open.
    pub(super) async fn check_password(
        &self,
        actor: &Actor,
        credentials: &Credentials,
        (field, given): (&str, Option<&Secret>),
    ) -> Result<()> {
        let given = given.ok_or_else(|| Invalid::one(field, "must be given"))?;
        let what = ("password of a session", &credentials.email);
        let keys = AttemptKeys::new(&self.core.hasher, what, actor.origin.ip, None);
        self.count_password(&keys, &actor.origin).await?;
        if !self.hasher.verify(given, credentials.password.as_ref()).await? {
            self.access.note_wrong(&Unauthenticated::SignIn, actor.origin.ip);
            return Err(Invalid::one(field, "is wrong").into());
        }
        self.core.store.give_attempt_back(&keys, self.core.now()).await?;
        Ok(())
    }
}
