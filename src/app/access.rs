//! Authentication with API tokens and signed requests, and the use-cases of tokens.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::error::{Conflict, Unauthenticated};
use super::list::List;
use super::media_server::ConfiguredServers;
use super::request_lines::LineKind;
use super::{AppError, Core, Result};
use crate::domain::access::{
    Action, Actor, ApiToken, Origin, Permissions, Resource, Role, TOKEN_PREFIX, TokenSecret, token_name,
};
use crate::domain::invalid::Checks;
use crate::domain::media_server::MediaServerName;
use crate::domain::page::{Newest, Page};
use crate::domain::secret::{Secret, SecretHash, keyed_hash};
use crate::domain::stream_key::expires_at;
use crate::domain::{ApiTokenId, Timestamp};
use crate::ports::Change;

const RESOURCE: Resource = Resource::read_by(Role::Admin);

/// How far a signed request's time may be from ours, in seconds.
pub const SIGNATURE_WINDOW: i64 = 300;

/// A signed request.
#[derive(Clone, Copy, Debug)]
pub struct SignedRequest<'a> {
    /// `X-API-Key`: which secret, or merely a label.
    pub key_id: &'a str,
    /// `X-Timestamp`, as it was sent.
    pub timestamp: &'a str,
    /// `X-Signature`, as it was sent.
    pub signature: &'a str,
    /// The method.
    pub method: &'a str,
    /// The path without the query, as it was sent.
    pub path: &'a str,
    /// The raw body.
    pub body: &'a [u8],
}

/// A token as a client describes it, not checked yet.
#[derive(Clone, Debug, Default)]
pub struct ApiTokenDraft {
    /// What it is for.
    pub name: String,
    /// `viewer`, `operator` or `admin`.
    pub role: String,
    /// RFC 3339.
    pub expires_at: Option<String>,
    /// Where it counts; needed if the client belongs to several organizations. Without it, as widely as the client may manage
    /// tokens: in the whole installation, or in its only organization.
    pub organization_id: Option<String>,
}

const KIND: &str = "api_token";

/// How long a setup link is valid.
const SETUP_LINK: Duration = Duration::from_secs(72 * 3_600);

/// The configured secrets. API tokens are in the database.
#[derive(Clone, Debug, Default)]
pub struct AccessSettings {
    /// An admin token from the configuration (`api.admin_token`).
    pub admin_token: Option<Secret>,
    /// Signs requests under any key id (`api.hmac_secret`), unless `hmac_keys` names some.
    pub hmac_secret: Option<Secret>,
    /// Signs requests under one key id each (`api.hmac_keys`).
    pub hmac_keys: BTreeMap<String, Secret>,
    /// Media servers send one of these; there are two during a rotation (`hooks.secret`).
    pub hook_secrets: Vec<Secret>,
}

/// Authenticates clients and media servers, and manages the API tokens.
pub struct Access {
    core: Arc<Core>,
    settings: AccessSettings,
    servers: Arc<ConfiguredServers>,
}

impl Access {
    /// Media servers must also have a name in `servers`.
    pub fn new(core: Arc<Core>, settings: AccessSettings, servers: Arc<ConfiguredServers>) -> Self {
        Self { core, settings, servers }
    }

    /// The present time, for durations that a client gives.
    pub fn now(&self) -> Timestamp {
        self.core.now()
    }

    /// Recognises the holder of a token.
    pub async fn actor_of_token(&self, token: &str, origin: Origin) -> Result<Actor> {
        let is_admin_token = self.settings.admin_token.as_ref().is_some_and(|admin| admin.matches(token));
        if !is_admin_token && TokenSecret::parse(token).is_none() {
            return Err(Unauthenticated::Malformed.into());
        }
        self.actor_of_token_hash(&self.token_hash(token), origin).await
    }

    /// What stands for a token where the token itself is not kept.
    pub fn token_hash(&self, token: &str) -> SecretHash {
        self.core.hasher.hash("token", token)
    }

    /// Recognises the holder of a token by [`Access::token_hash`].
    pub async fn actor_of_token_hash(&self, hash: &SecretHash, origin: Origin) -> Result<Actor> {
        let admin_token = self.settings.admin_token.as_ref();
        if admin_token.is_some_and(|admin| self.token_hash(admin.expose()) == *hash) {
            return Ok(Actor {
                name: "admin_token".into(),
                permissions: Permissions::of_installation(Role::Admin),
                origin,
            });
        }
        let found = self.core.store.api_token_by_hash(hash).await?;
        let found = found.ok_or(Unauthenticated::Unknown)?;
        if found.expires_at.is_some_and(|at| at <= self.core.now()) {
            return Err(Unauthenticated::Expired.into());
        }
        let origin = Origin { token: Some(found.id), ..origin };
        Ok(Actor { name: format!("token:{}", found.name), permissions: found.permissions(), origin })
    }

    /// The secret for a signed request. Needs only its headers, so that it is known before the body is read.
    pub fn signing_secret(&self, key_id: &str, timestamp: &str) -> Result<&Secret> {
        let settings = &self.settings;
        // Names of environment variables come in lower case.
        let named = settings.hmac_keys.get(key_id);
        let named = named.or_else(|| settings.hmac_keys.get(&key_id.to_ascii_lowercase()));
        let secret = match (named, &settings.hmac_secret) {
            (Some(secret), _) => secret,
            (None, _) if !settings.hmac_keys.is_empty() => return Err(Unauthenticated::UnknownKeyId.into()),
            (None, Some(secret)) => secret,
            (None, None) => return Err(Unauthenticated::SigningOff.into()),
        };
        let stated: i64 = timestamp.parse().map_err(|_| Unauthenticated::Clock)?;
        let now = self.core.now().micros().div_euclid(1_000_000);
        if now.saturating_sub(stated).saturating_abs() > SIGNATURE_WINDOW {
            return Err(Unauthenticated::Clock.into());
        }
        Ok(secret)
    }

    /// Recognises the signer of a request. Before a write, call [`Access::accept_once`] too.
    pub fn actor_of_signature(&self, request: &SignedRequest<'_>, origin: Origin) -> Result<Actor> {
        let secret = self.signing_secret(request.key_id, request.timestamp)?;
        let expected = Secret::new(hex::encode(sign(secret, request)));
        if !expected.matches(&request.signature.to_ascii_lowercase()) {
            return Err(Unauthenticated::Signature.into());
        }
        // With one shared secret, any signer can name any key id.
        let label: String = request.key_id.chars().filter(|c| !c.is_control()).take(64).collect();
        Ok(Actor {
            name: format!("signed:{label}"),
            permissions: Permissions::of_installation(Role::Admin),
            origin,
        })
    }

    /// Refuses a signed write that was received before. `signature` was verified.
    pub async fn accept_once(&self, actor: &Actor, signature: &str) -> Result<()> {
        let signature = self.core.hasher.hash("signature", &signature.to_ascii_lowercase());
        if !self.core.store.remember_signature(&signature, self.core.now()).await? {
            let entry = self.core.entry(actor, "replay", "request");
            self.core.record_refusal(entry.failed(Conflict::Replayed.to_string())).await;
            return Err(Conflict::Replayed.into());
        }
        Ok(())
    }

    /// Whether the log line `line` about a refused caller may be written. Otherwise it is counted.
    pub fn may_log(&self, line: &'static str, why: &AppError) -> bool {
        let cause = match why {
            AppError::Unauthenticated(why) => why.into(),
            _ => "",
        };
        self.core.lines.allow(&LineKind { line, cause, ..LineKind::default() }, self.core.now())
    }

    /// Recognises a media server by the hook secret and the name it gives.
    pub fn media_server_of(&self, shown: &[&str], name: Option<&str>) -> Result<MediaServerName> {
        // Compare every pair, so that the time does not reveal which one came close.
        let matches = self.settings.hook_secrets.iter().flat_map(|s| shown.iter().map(|t| s.matches(t)));
        if !matches.fold(false, |any, one| any | one) {
            return Err(Unauthenticated::HookSecret.into());
        }
        let name = MediaServerName::parse(name.unwrap_or(MediaServerName::DEFAULT)).ok();
        name.filter(|name| self.servers.get(name).is_some()).ok_or_else(|| Unauthenticated::HookSecret.into())
    }

    /// Creates a token. Only this answer contains the secret.
    pub async fn create_token(
        &self,
        actor: &Actor,
        draft: &ApiTokenDraft,
    ) -> Result<(ApiToken, TokenSecret)> {
        let id = ApiTokenId(self.core.id());
        let entry = self.core.entry(actor, "create", KIND).on(&id);
        self.core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Manage, &RESOURCE)?;
                let created_at = self.core.now();
                let mut checks = Checks::default();
                let name = checks.take(token_name(&draft.name));
                let role = checks.take(Role::parse(&draft.role));
                let expires_at = draft.expires_at.as_deref().map(|text| expires_at(text, created_at));
                let expires_at = checks.take_opt(expires_at);
                checks.finish()?;
                let (Some(name), Some(role)) = (name, role) else {
                    return Err(AppError::NotFound("api token"));
                };
                let named = draft.organization_id.as_deref();
                let organization_id = match (named, scope.organizations()) {
                    (None, None) => None,
                    _ => Some(self.core.owner_of_new(&scope, named).await?),
                };
                let token = ApiToken { id, organization_id, name, role, created_at, expires_at };
                let secret = TokenSecret::from_random(self.core.ids.random32());
                let hash = self.token_hash(secret.expose());
                self.core.store.create_api_token(&token, &hash, Change::new(&scope, &entry)).await?;
                Ok((token, secret))
            })
            .await
    }

    /// Makes the secret of a link that signs in once, as an admin of the installation. It is listed as a token, so that it
    /// can be deleted, but is none: it has no prefix, and is stored under another hash.
    pub async fn create_setup_link(&self, actor: &Actor) -> Result<(Secret, Timestamp)> {
        let id = ApiTokenId(self.core.id());
        let entry = self.core.entry(actor, "create_link", KIND).on(&id);
        self.core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Manage, &RESOURCE.of_installation())?;
                let created_at = self.core.now();
                let expires_at = created_at.plus(SETUP_LINK);
                let (name, role) = ("setup link".to_owned(), Role::Admin);
                let expiry = Some(expires_at);
                let token =
                    ApiToken { id, organization_id: None, name, role, created_at, expires_at: expiry };
                let secret = TokenSecret::from_random(self.core.ids.random32());
                let hash = self.setup_hash(&secret);
                self.core.store.create_api_token(&token, &hash, Change::new(&scope, &entry)).await?;
                let code = secret.expose().trim_start_matches(TOKEN_PREFIX);
                Ok((Secret::new(code), expires_at))
            })
            .await
    }

    /// Uses a setup link up, once over all instances. Returns a token that is valid for `valid`, in its place.
    pub async fn use_setup_link(&self, secret: &str, valid: Duration, origin: Origin) -> Result<Secret> {
        let secret =
            TokenSecret::parse(&format!("{TOKEN_PREFIX}{secret}")).ok_or(Unauthenticated::SetupLink)?;
        let (now, token) = (self.core.now(), TokenSecret::from_random(self.core.ids.random32()));
        let (old, new) = (self.setup_hash(&secret), self.token_hash(token.expose()));
        let permissions = Permissions::of_installation(Role::Admin);
        let actor = Actor { name: "setup link".to_owned(), permissions, origin };
        let entry = self.core.entry(&actor, "redeem_link", KIND);
        let used = self.core.store.exchange_api_token(&old, &new, now, now.plus(valid), &entry).await?;
        if used { Ok(Secret::new(token.expose())) } else { Err(Unauthenticated::SetupLink.into()) }
    }

    fn setup_hash(&self, secret: &TokenSecret) -> SecretHash {
        self.core.hasher.hash("setup", secret.expose())
    }

    /// Deletes a token. It is invalid at once.
    pub async fn delete_token(&self, actor: &Actor, id: ApiTokenId) -> Result<()> {
        let entry = self.core.entry(actor, "delete", KIND).on(&id);
        self.core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Manage, &RESOURCE)?;
                let deleted = self.core.store.delete_api_token(id, Change::new(&scope, &entry)).await?;
                if deleted { Ok(()) } else { Err(AppError::NotFound("api token")) }
            })
            .await
    }
}

#[async_trait]
impl List for Access {
    type Filter = ();
    type Row = ApiToken;

    /// The tokens, newest first.
    async fn list(&self, actor: &Actor, (): &(), page: &Page<Newest>) -> Result<Vec<ApiToken>> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        Ok(self.core.lists.turn().await.api_tokens(&scope, page).await?)
    }
}

/// HMAC-SHA256 over method, path, timestamp and raw body, joined by newlines.
fn sign(secret: &Secret, request: &SignedRequest<'_>) -> [u8; 32] {
    let mut message = format!("{}\n{}\n{}\n", request.method, request.path, request.timestamp).into_bytes();
    message.extend_from_slice(request.body);
    keyed_hash(secret.expose().as_bytes(), &message)
}
