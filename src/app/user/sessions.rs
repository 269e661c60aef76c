//! Sessions: recognised by their cookie, listed, and ended.

use super::service::{KIND, Users, visible};
use crate::app::error::Unauthenticated;
use crate::app::{AppError, Result};
use crate::domain::access::{Actor, Origin, Scope, SignedIn};
use crate::domain::secret::SecretHash;
use crate::domain::user::{Session, SessionOwner, SessionSecret, User};
use crate::domain::{SessionId, UserId};
use crate::ports::Change;

const SESSION: &str = "session";

/// Who the caller is.
#[derive(Clone, Debug)]
pub struct CurrentSession {
    /// The caller.
    pub actor: Actor,
    /// The user, if a person signed in.
    pub user: Option<User>,
}

impl Users {
    pub(super) fn session_hash(&self, secret: &SessionSecret) -> SecretHash {
        self.core.hasher.hash("session", secret.expose())
    }

    async fn find(&self, cookie: &str) -> Result<Option<Session>> {
        let Some(secret) = SessionSecret::parse(cookie) else { return Ok(None) };
        let found = self.core.store.session_by_hash(&self.session_hash(&secret)).await?;
        Ok(found.filter(|session| self.core.now() < session.expires_at))
    }

    /// Recognises the owner of a session by its cookie, and prolongs the session.
    pub async fn actor_of_session(&self, cookie: &str, origin: Origin) -> Result<Actor> {
        let session = self.find(cookie).await?.ok_or(Unauthenticated::Session)?;
        let mut actor = self.actor(&session, origin).await?;
        if let Some(expires_at) = self.settings.terms.renewal(&session, self.core.now()) {
            actor.origin.session = actor.origin.session.map(|session| SignedIn { expires_at, ..session });
            let renewed = self.core.store.renew_session(session.id, self.core.now(), expires_at).await;
            if let Err(error) = renewed {
                tracing::warn!(%error, session = %session.id, "a session was not prolonged");
            }
        }
        Ok(actor)
    }

    async fn actor(&self, session: &Session, origin: Origin) -> Result<Actor> {
        let signed_in = |user| Some(SignedIn { session: session.id, user, expires_at: session.expires_at });
        match session.owner {
            SessionOwner::User(id) => {
                let user = self.core.store.user(&Scope::system(), id).await?;
                let user = user.ok_or(Unauthenticated::Session)?;
                let origin = Origin { session: signed_in(Some(id)), ..origin };
                Ok(Actor { name: user.actor_name(), permissions: user.permissions(), origin })
            }
            SessionOwner::Token(hash) => {
                let origin = Origin { session: signed_in(None), ..origin };
                self.access.actor_of_token_hash(&hash, origin).await
            }
        }
    }

    /// Who the caller is.
    pub async fn current(&self, actor: &Actor) -> Result<CurrentSession> {
        let user = match actor.origin.session.and_then(|session| session.user) {
            Some(id) => self.core.store.user(&Scope::system(), id).await?,
            None => None,
        };
        Ok(CurrentSession { actor: actor.clone(), user })
    }

    /// Ends the session of this cookie, if there is one.
    pub async fn sign_out(&self, cookie: &str, origin: Origin) -> Result<()> {
        let Some(session) = self.find(cookie).await? else { return Ok(()) };
        match self.actor(&session, origin).await {
            Ok(actor) => {
                let entry = self.core.entry(&actor, "sign_out", SESSION).on(&session.id);
                let scope = Scope::system();
                self.core.store.end_session(session.id, None, Change::new(&scope, &entry)).await?;
                Ok(())
            }
            // The user or the token is gone, and the session with it.
            Err(AppError::Unauthenticated(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The sessions of a user, the last used first. Everybody may see their own.
    pub async fn sessions(&self, actor: &Actor, id: UserId) -> Result<Vec<Session>> {
        let scope = visible(actor, id)?;
        self.core.store.user(&scope, id).await?.ok_or(AppError::NotFound(KIND))?;
        Ok(self.core.store.sessions_of(id, self.core.now()).await?)
    }

    /// Ends a session of a user.
    pub async fn end_session(&self, actor: &Actor, id: UserId, session: SessionId) -> Result<()> {
        let entry = self.core.entry(actor, "delete", SESSION).on(&session);
        self.core
            .audited(&entry, async {
                let scope = visible(actor, id)?;
                let change = Change::new(&scope, &entry);
                let ended = self.core.store.end_session(session, Some(id), change).await?;
                if ended { Ok(()) } else { Err(AppError::NotFound(SESSION)) }
            })
            .await
    }

    /// Ends all sessions of a user.
    pub async fn end_sessions(&self, actor: &Actor, id: UserId) -> Result<u64> {
        let entry = self.core.entry(actor, "end_sessions", KIND).on(&id);
        self.core
            .audited(&entry, async {
                let scope = visible(actor, id)?;
                self.core.store.user(&scope, id).await?.ok_or(AppError::NotFound(KIND))?;
                Ok(self.core.store.end_sessions_of(id, Change::new(&scope, &entry)).await?)
            })
            .await
    }
}
