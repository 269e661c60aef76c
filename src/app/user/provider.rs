//! Signing in with a provider (OpenID Connect). The provider says who a person is and, by a claim, which roles they have.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::providers::Provider;
use super::service::{KIND, Users, written};
use super::sign_in::OpenedSession;
use crate::app::error::{Conflict, SignInRefusal};
use crate::app::request_lines::LineKind;
use crate::app::{AppError, Result};
use crate::domain::access::{Actor, Origin, Scope};
use crate::domain::secret::{Secret, masked_line};
use crate::domain::user::{
    Email, Granted, Identity, Person, ProviderName, ReturnPath, SessionSecret, User, UserPatch,
};
use crate::domain::{Timestamp, UserId};
use crate::ports::{Change, IdentityError, SignInRequest, UserWrite};

/// How long a person may take at the provider.
pub(super) const PATIENCE: Duration = Duration::from_secs(600);

/// A sign-in that was begun.
#[derive(Clone, Debug)]
pub struct BegunSignIn {
    /// Where the browser goes.
    pub url: String,
    /// What the browser keeps until it is back.
    pub cookie: Secret,
    /// How long.
    pub valid: Duration,
}

/// What a browser brings back from the provider.
#[derive(Clone, Debug, Default)]
pub struct ProviderAnswer {
    /// What we sent along.
    pub state: Option<Secret>,
    /// What stands for the person.
    pub code: Option<Secret>,
    /// Why there is no code.
    pub error: Option<String>,
    /// Who answers (RFC 9207).
    pub issuer: Option<String>,
    /// What the browser kept.
    pub cookie: Option<Secret>,
    /// What the browser calls itself.
    pub user_agent: Option<String>,
}

/// What the cookie contains, sealed: so any instance can continue, and nothing is stored for those who never come back.
#[derive(Serialize, Deserialize)]
struct Kept {
    state: String,
    nonce: String,
    verifier: String,
    return_to: String,
    /// In microseconds.
    until: i64,
}

/// The place that a sign-in with this provider is sealed for.
fn place(name: &ProviderName) -> String {
    format!("cookie|sign_in|{name}")
}

impl Users {
    fn provider(&self, name: &str) -> Result<(&ProviderName, &Provider)> {
        let name = ProviderName::parse(name).ok();
        let found = name.and_then(|name| self.providers.get_key_value(&name));
        found.ok_or(AppError::NotFound("sign-in provider"))
    }

    fn redirect_uri(&self, name: &ProviderName) -> String {
        format!("{}/session/oidc/{name}/callback", self.settings.public_url)
    }

    /// Begins to sign in with a provider.
    pub async fn begin_sign_in(&self, name: &str, return_to: Option<&str>) -> Result<BegunSignIn> {
        let (name, provider) = self.provider(name)?;
        let return_to = return_to.map(ReturnPath::parse).transpose()?.unwrap_or_default();
        let random = || Secret::new(SessionSecret::from_random(self.core.ids.random32()).expose());
        let (state, nonce, verifier) = (random(), random(), random());
        let redirect_uri = self.redirect_uri(name);
        let request =
            SignInRequest { redirect_uri: &redirect_uri, state: &state, nonce: &nonce, verifier: &verifier };
        let url = provider.client.sign_in_url(&request).await;
        let url = url.map_err(|error| self.unusable(name, &error.into()))?;
        let kept = Kept {
            state: state.expose().to_owned(),
            nonce: nonce.expose().to_owned(),
            verifier: verifier.expose().to_owned(),
            return_to: return_to.into(),
            until: self.core.now().plus(PATIENCE).micros(),
        };
        // Texts and a number always have a JSON form.
        let kept = Secret::new(serde_json::to_string(&kept).unwrap_or_default());
        let cookie = Secret::new(self.core.sealer.seal(&place(name), &kept, self.core.ids.random32()));
        Ok(BegunSignIn { url, cookie, valid: PATIENCE })
    }

    /// Opens a session for the person who is back from a provider. Returns where the browser goes, too.
    pub async fn finish_sign_in(
        &self,
        name: &str,
        answer: &ProviderAnswer,
        origin: &Origin,
    ) -> Result<(OpenedSession, ReturnPath)> {
        let (name, provider) = self.provider(name)?;
        let done = self.finish(name, provider, answer, origin).await;
        if let Err(AppError::SignIn(_)) = &done {
            metrics::counter!("streamward_sign_ins_total", "outcome" => "failure").increment(1);
        }
        done
    }

    async fn finish(
        &self,
        name: &ProviderName,
        provider: &Provider,
        answer: &ProviderAnswer,
        origin: &Origin,
    ) -> Result<(OpenedSession, ReturnPath)> {
        let kept = self.kept(name, answer).await?;
        if let Some(error) = &answer.error {
            let error = masked_line(error, 100);
            return Err(self.unusable(name, &IdentityError::Invalid(format!("it answered {error}"))));
        }
        let issuer = answer.issuer.as_deref().map(|issuer| issuer.trim_end_matches('/'));
        if issuer.is_some_and(|issuer| issuer != provider.client.issuer()) {
            let why = "the answer is of another issuer".to_owned();
            return Err(self.unusable(name, &IdentityError::Invalid(why)));
        }
        let code = answer.code.as_ref().ok_or(SignInRefusal::Expired)?;
        let (state, nonce, verifier) =
            (Secret::new(kept.state), Secret::new(kept.nonce), Secret::new(kept.verifier));
        let redirect_uri = self.redirect_uri(name);
        let request =
            SignInRequest { redirect_uri: &redirect_uri, state: &state, nonce: &nonce, verifier: &verifier };
        let person = provider.client.person(code, &request, self.core.now()).await;
        let person = person.map_err(|error| self.unusable(name, &error))?;
        let user = self.admit(name, provider, &person, origin).await?;
        let opened = self.open(&user, None, origin, answer.user_agent.as_deref()).await?;
        Ok((opened, ReturnPath::parse(&kept.return_to).unwrap_or_default()))
    }

    /// What this browser kept since it began, once.
    async fn kept(&self, name: &ProviderName, answer: &ProviderAnswer) -> Result<Kept> {
        let now = self.core.now();
        let (cookie, state) =
            answer.cookie.as_ref().zip(answer.state.as_ref()).ok_or(SignInRefusal::Expired)?;
        let kept = self.core.sealer.open(&place(name), cookie.expose()).ok();
        let kept: Option<Kept> = kept.and_then(|kept| serde_json::from_str(kept.expose()).ok());
        let kept = kept.filter(|kept| now < Timestamp::from_micros(kept.until) && state.matches(&kept.state));
        let kept = kept.ok_or(SignInRefusal::Expired)?;
        let used = self.core.hasher.hash("sign-in state", &kept.state);
        if !self.core.store.remember_signature(&used, now).await? {
            return Err(SignInRefusal::Expired.into());
        }
        Ok(kept)
    }

    /// Why a person cannot sign in with this provider now. The operator learns it from the log.
    fn unusable(&self, name: &ProviderName, error: &IdentityError) -> AppError {
        let (line, cause) = match error {
            IdentityError::Provider(_) => ("people cannot sign in with a provider", "provider"),
            IdentityError::Invalid(_) => ("a person was not let in by a provider", "invalid"),
        };
        if self.core.lines.allow(&LineKind { line, cause, ..LineKind::default() }, self.core.now()) {
            tracing::warn!(provider = %name, %error, "{line}; `streamward doctor` checks users.oidc");
        }
        match error {
            IdentityError::Provider(_) => SignInRefusal::Unavailable(name.to_string()).into(),
            IdentityError::Invalid(why) => SignInRefusal::Refused(name.to_string(), why.clone()).into(),
        }
    }

    /// The user of this person, with the roles that the claim gives now.
    async fn admit(
        &self,
        name: &ProviderName,
        provider: &Provider,
        person: &Person,
        origin: &Origin,
    ) -> Result<User> {
        let granted = self.existing(provider.grants.granted(&person.values)).await?;
        let known = self.core.store.user_of(&person.identity).await?;
        if granted.is_nothing() {
            return Err(self.without_role(name, person, known, origin).await);
        }
        let email = person.email.as_deref().and_then(|email| Email::parse(email).ok());
        let email = email.ok_or_else(|| SignInRefusal::NoEmail(name.to_string()))?;
        match known {
            Some(user) => self.follow(user, person, email, granted, origin).await,
            None => self.join(person, email, granted, origin).await,
        }
    }

    /// Roles in organizations that do not exist are none.
    async fn existing(&self, mut granted: Granted) -> Result<Granted> {
        for id in granted.roles.keys().copied().collect::<Vec<_>>() {
            if self.core.store.organization(&Scope::system(), id).await?.is_none() {
                tracing::warn!(organization = %id, "users.oidc gives a role in an organization that does not exist");
                granted.roles.remove(&id);
            }
        }
        Ok(granted)
    }

    /// Makes the user of a person who was never here.
    async fn join(&self, person: &Person, email: Email, granted: Granted, origin: &Origin) -> Result<User> {
        let (id, now) = (UserId(self.core.id()), self.core.now());
        let user = User {
            id,
            display_name: display_name(person, &email),
            email,
            administrator: granted.administrator,
            roles: granted.roles.clone(),
            identity: Some(person.identity.clone()),
            has_password: false,
            has_totp: false,
            created_at: now,
            updated_at: now,
            signed_in_at: None,
        };
        let actor = actor_of(&user, origin);
        let entry = self.core.entry(&actor, "create", KIND).on(&id);
        let scope = Scope::system();
        let made = self
            .core
            .audited(&entry, async {
                let made = self.core.store.create_user(&user, None, Change::new(&scope, &entry)).await?;
                match (made, self.core.store.user_of(&person.identity).await?) {
                    // The same person on another device, at the same moment.
                    (UserWrite::EmailTaken, Some(other)) => Ok(Some(other)),
                    (made, _) => written(made, &user.email).map(|()| None),
                }
            })
            .await?;
        match made {
            Some(other) => self.follow(other, person, user.email, granted, origin).await,
            None => Ok(user),
        }
    }

    /// Takes over what the provider says now. If the roles change, older sessions end.
    async fn follow(
        &self,
        user: User,
        person: &Person,
        email: Email,
        granted: Granted,
        origin: &Origin,
    ) -> Result<User> {
        let display_name = display_name(person, &email);
        if user.is_as_granted(&email, &display_name, &granted) {
            return Ok(user);
        }
        let patch = UserPatch {
            email: Some(email.clone()),
            display_name: Some(display_name),
            administrator: Some(granted.administrator),
            roles: Some(granted.roles),
        };
        let changed = self.change(&user, &patch, origin).await?;
        written(changed, &email)
    }

    /// Changes the user as the provider says. Whoever must stay administrator, because nobody else is, is signed out.
    async fn change(&self, user: &User, patch: &UserPatch, origin: &Origin) -> Result<UserWrite<User>> {
        let (actor, scope) = (actor_of(user, origin), Scope::system());
        let entry = self.core.entry(&actor, "update", KIND).on(&user.id);
        let change = Change::new(&scope, &entry);
        let changed = self.core.store.update_user(user.id, patch, change).await?;
        if changed == UserWrite::LastAdministrator {
            let entry = self.core.entry(&actor, "end_sessions", KIND).on(&user.id);
            self.core.store.end_sessions_of(user.id, Change::new(&scope, &entry)).await?;
        }
        Ok(changed)
    }

    /// Refuses a person whom the claim gives nothing. If they had roles, these and their sessions end.
    async fn without_role(
        &self,
        name: &ProviderName,
        person: &Person,
        known: Option<User>,
        origin: &Origin,
    ) -> AppError {
        let refusal = SignInRefusal::NoRole(name.to_string());
        let Some(user) = known else {
            let who = masked_line(person.email.as_deref().unwrap_or(&person.identity.subject), 254);
            tracing::info!(provider = %name, person = who, "a person without a role was refused");
            return refusal.into();
        };
        let none =
            UserPatch { administrator: Some(false), roles: Some(BTreeMap::new()), ..UserPatch::default() };
        if (user.administrator || !user.roles.is_empty())
            && let Err(error) = self.change(&user, &none, origin).await
        {
            return error;
        }
        let entry = self.core.entry(&actor_of(&user, origin), "sign_in", KIND).on(&user.id);
        self.core.record_refusal(entry.failed(refusal.to_string())).await;
        refusal.into()
    }

    /// Refuses what needs a password, for a user who signs in with a provider.
    pub(super) async fn must_have_password(&self, id: UserId) -> Result<()> {
        let user = self.core.store.user(&Scope::system(), id).await?.ok_or(AppError::NotFound(KIND))?;
        match user.identity {
            Some(Identity { issuer, .. }) => Err(Conflict::NoPassword(issuer).into()),
            None => Ok(()),
        }
    }
}

/// The person themselves.
fn actor_of(user: &User, origin: &Origin) -> Actor {
    Actor { name: user.actor_name(), permissions: user.permissions(), origin: origin.clone() }
}

fn display_name(person: &Person, email: &Email) -> String {
    let name = person.name.as_deref().and_then(|name| User::display_name(name).ok());
    name.unwrap_or_else(|| email.to_string())
}
