//! Signing in: from credentials to a session.

use super::links::NewLink;
use super::second_factor::place;
use super::service::{KIND, Users};
use crate::app::error::Unauthenticated;
use crate::app::{AppError, Result};
use crate::domain::SessionId;
use crate::domain::access::{Actor, Origin, Permissions, Scope, SignedIn};
use crate::domain::secret::{Secret, masked_line};
use crate::domain::user::{
    AttemptKeys, Credentials, DeviceCookie, Email, PasswordHash, RecoveryCode, Session, SessionOwner,
    SessionSecret, TotpSecret, User,
};

/// What attempts to sign in are counted as.
pub(super) const SIGN_IN: &str = "sign in";

/// The longest name of a browser that is kept, in characters.
const USER_AGENT: usize = 200;

/// What a person shows to sign in.
#[derive(Clone, Debug)]
pub struct SignInForm {
    /// The address.
    pub email: String,
    /// The password.
    pub password: Secret,
    /// A code of the second factor, or a recovery code.
    pub code: Option<Secret>,
    /// The cookie of the device, if it has one.
    pub device: Option<String>,
    /// What the browser calls itself.
    pub user_agent: Option<String>,
}

/// An API token that is exchanged for a cookie.
#[derive(Clone, Debug)]
pub struct TokenForm {
    /// The token.
    pub token: Secret,
    /// What the browser calls itself.
    pub user_agent: Option<String>,
}

/// A new session.
#[derive(Clone, Debug)]
pub struct OpenedSession {
    /// The session.
    pub session: Session,
    /// Its secret, for the cookie.
    pub secret: SessionSecret,
    /// Who it is.
    pub actor: Actor,
    /// The user; `None` for an API token.
    pub user: Option<User>,
    /// The cookie of the device, if it needs a new one.
    pub device: Option<DeviceCookie>,
}

impl Users {
    /// Opens a session for a person. The answer and its time do not tell whether there is such a user.
    pub async fn sign_in(&self, form: &SignInForm, origin: &Origin) -> Result<OpenedSession> {
        let email = Email::parse(&form.email)?;
        let device = form.device.as_deref();
        let device = device.and_then(|text| DeviceCookie::parse(&self.core.hasher, &email, text));
        let keys = AttemptKeys::new(&self.core.hasher, (SIGN_IN, &email), origin.ip, device.as_ref());
        self.count(&keys).await?;
        let found = self.core.store.credentials_of(&email).await?;
        let password = found.as_ref().and_then(|credentials| credentials.password.clone());
        let is_right = self.hasher.verify(&form.password, password.as_ref()).await?;
        let (Some(credentials), Some(password), true) = (found.clone(), password, is_right) else {
            return Err(self.refused(found.as_ref(), origin, Unauthenticated::SignIn));
        };
        if let Err(error) = self.check_code(&credentials, form.code.as_ref()).await {
            return match error {
                AppError::Unauthenticated(why) => Err(self.refused(Some(&credentials), origin, why)),
                other => Err(other),
            };
        }
        self.core.store.give_attempt_back(&keys, self.core.now()).await?;
        let random = self.core.ids.random32();
        let device = device.is_none().then(|| DeviceCookie::new(&self.core.hasher, &email, random));
        let user = self.core.store.user(&Scope::system(), credentials.user_id).await?;
        let user = user.ok_or(Unauthenticated::SignIn)?;
        let opened = self.open(&user, Some(&password), origin, form.user_agent.as_deref()).await?;
        Ok(OpenedSession { device, ..opened })
    }

    /// Opens a session for the holder of an API token. It ends with the token.
    pub async fn sign_in_with_token(&self, form: &TokenForm, origin: &Origin) -> Result<OpenedSession> {
        let token = form.token.expose();
        let Actor { name, permissions, .. } = self.access.actor_of_token(token, origin.clone()).await?;
        let owner = SessionOwner::Token(self.access.token_hash(token));
        self.store_session(owner, (name, permissions), None, origin, form.user_agent.as_deref()).await
    }

    /// Opens a session for who opened a setup link. It uses the link up.
    pub async fn sign_in_with_setup_link(&self, form: &TokenForm, origin: &Origin) -> Result<OpenedSession> {
        let longest = self.settings.terms.longest;
        let token = self.access.use_setup_link(form.token.expose(), longest, origin.clone()).await?;
        self.sign_in_with_token(&TokenForm { token, ..form.clone() }, origin).await
    }

    /// Makes a link that signs in once, as an admin of the installation.
    pub async fn create_setup_link(&self, actor: &Actor) -> Result<NewLink> {
        let (secret, expires_at) = self.access.create_setup_link(actor).await?;
        // Behind `#`, because browsers send that to no server.
        let url = Secret::new(format!("{}/ui/#setup={}", self.settings.public_url, secret.expose()));
        Ok(NewLink { url, expires_at })
    }

    /// Opens a session for a user who proved who they are: if with a password, with this one.
    pub(super) async fn open(
        &self,
        user: &User,
        password: Option<&PasswordHash>,
        origin: &Origin,
        user_agent: Option<&str>,
    ) -> Result<OpenedSession> {
        let who = (user.actor_name(), user.permissions());
        let owner = SessionOwner::User(user.id);
        let opened = self.store_session(owner, who, password, origin, user_agent).await?;
        Ok(OpenedSession { user: Some(user.clone()), ..opened })
    }

    async fn store_session(
        &self,
        owner: SessionOwner,
        (name, permissions): (String, Permissions),
        password: Option<&PasswordHash>,
        origin: &Origin,
        user_agent: Option<&str>,
    ) -> Result<OpenedSession> {
        let (id, now) = (SessionId(self.core.id()), self.core.now());
        let secret = SessionSecret::from_random(self.core.ids.random32());
        let session = Session {
            id,
            owner,
            created_at: now,
            used_at: now,
            expires_at: self.settings.terms.expiry(now, now),
            ip_address: origin.ip.map(|ip| ip.to_string()),
            user_agent: user_agent.map(|text| masked_line(text, USER_AGENT)),
        };
        let user = match owner {
            SessionOwner::User(user) => Some(user),
            SessionOwner::Token(_) => None,
        };
        let origin = Origin {
            session: Some(SignedIn { session: id, user, expires_at: session.expires_at }),
            ..origin.clone()
        };
        let actor = Actor { name, permissions, origin };
        let entry = self.core.entry(&actor, "sign_in", "session").on(&id);
        let hash = self.session_hash(&secret);
        if !self.core.store.create_session(&session, &hash, password, &entry).await? {
            return Err(Unauthenticated::SignIn.into());
        }
        metrics::counter!("streamward_sign_ins_total", "outcome" => "success").increment(1);
        Ok(OpenedSession { session, secret, actor, user: None, device: None })
    }

    /// Counts an attempt before it is made.
    pub(super) async fn count(&self, keys: &AttemptKeys) -> Result<()> {
        match self.core.store.count_attempt(keys, self.core.now()).await? {
            None => Ok(()),
            Some(wait) => {
                metrics::counter!("streamward_sign_ins_total", "outcome" => "delayed").increment(1);
                Err(AppError::TooManyAttempts(wait))
            }
        }
    }

    /// Checks the code of the second factor, if the user has one, and uses it up.
    async fn check_code(&self, credentials: &Credentials, code: Option<&Secret>) -> Result<()> {
        let user = credentials.user_id;
        let Some(totp) = credentials.totp.as_ref().filter(|totp| totp.confirmed) else { return Ok(()) };
        let code = code.ok_or(Unauthenticated::CodeNeeded)?.expose();
        let secret = self.core.sealer.open(&place(user), &totp.sealed);
        let accepted = match secret {
            Ok(secret) => TotpSecret::from_stored(secret).accept(code, self.core.now(), totp.last_step),
            Err(error) => {
                tracing::error!(%user, %error, "the second factor of a user cannot be read: remove it with `streamward user update --no-second-factor`");
                None
            }
        };
        let is_right = match (accepted, RecoveryCode::parse(code)) {
            (Some(step), _) => self.core.store.use_totp_step(user, step).await?,
            (None, Some(code)) => {
                let hash = code.hash(&self.core.hasher, user);
                self.core.store.use_recovery_code(user, &hash).await?
            }
            (None, None) => false,
        };
        if is_right { Ok(()) } else { Err(Unauthenticated::Code.into()) }
    }

    /// Notes a failed attempt. If there is such a user, the audit log gets it later: a write now would take time, which
    /// would tell that there is.
    fn refused(&self, credentials: Option<&Credentials>, origin: &Origin, why: Unauthenticated) -> AppError {
        metrics::counter!("streamward_sign_ins_total", "outcome" => "failure").increment(1);
        if let Some(credentials) = credentials.filter(|_| why != Unauthenticated::CodeNeeded) {
            let (permissions, origin) = (Permissions::default(), origin.clone());
            let actor = Actor { name: String::new(), permissions, origin };
            let mut entry = self.core.entry(&actor, "sign_in", KIND).on(&credentials.user_id);
            // Nobody has proved to be this user.
            entry.actor = None;
            self.core.refusals.count(entry.failed(why.to_string()));
        }
        why.into()
    }
}
