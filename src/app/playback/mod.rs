//! Use-cases of playback tokens: who may watch where `playback.access` or a stream key demands a token.
//!
//! [`PlaybackGuard`] decides in memory; [`PlaybackRefresh`] keeps it up to date; [`ReaderWatch`] ends the sessions of tokens
//! that are no longer valid.

mod guard;
mod readers;
mod refresh;
mod rules;

use std::sync::Arc;

use async_trait::async_trait;

use super::list::List;
use super::media_server::{ConfiguredServers, MediaServerSettings};
use super::{AppError, Core, Result};
use crate::domain::access::{Action, Actor, Resource, Role, Scope};
use crate::domain::audit::AuditEntry;
use crate::domain::invalid::{Checks, Invalid};
use crate::domain::media_server::{MediaServerName, TokenUrls};
use crate::domain::network::CidrBlock;
use crate::domain::page::{Newest, Page, Placed};
use crate::domain::path::StreamPath;
use crate::domain::path_pattern::PathPattern;
use crate::domain::playback::{
    LONGEST, MAX_PATHS, MAX_SESSIONS, PlaybackKey, PlaybackToken, PlaybackTokenId, PublicKey, RevokedToken,
    SealedKey, sign,
};
use crate::domain::secret::Secret;
use crate::domain::{OrganizationId, Timestamp};
use crate::ports::{Change, KeyFilter, StoreError, WakeUp};

pub use guard::PlaybackGuard;
pub use readers::ReaderWatch;
pub use refresh::PlaybackRefresh;

const RESOURCE: Resource = Resource::read_by(Role::Operator);
/// The keys sign for all organizations.
const KEYS: Resource = Resource::read_by(Role::Admin).of_installation();
const KIND: &str = "playback_token";

/// A token as a client describes it, not checked yet.
#[derive(Clone, Debug, Default)]
pub struct PlaybackTokenDraft {
    /// What it opens: paths, or `prefix/*`.
    pub paths: Vec<String>,
    /// How long it is valid.
    pub ttl_seconds: Option<u64>,
    /// An address or a network of its viewers.
    pub address: Option<String>,
    /// How many sessions it allows at the same time.
    pub max_sessions: Option<u32>,
    /// Whose streams it opens. Without it: everybody's, or those of the only organization of the client.
    pub organization_id: Option<String>,
}

/// A token that was just made.
#[derive(Clone, Debug)]
pub struct NewPlaybackToken {
    /// What is stored of it.
    pub token: TokenNow,
    /// The token itself.
    pub secret: Secret,
    /// Ready links for each path that it names.
    pub links: Vec<PathLinks>,
}

/// Links for one path, with the token in them.
#[derive(Clone, Debug)]
pub struct PathLinks {
    /// The path.
    pub path: StreamPath,
    /// On the default media server.
    pub urls: Option<TokenUrls>,
    /// On each media server.
    pub servers: Vec<(MediaServerName, TokenUrls)>,
}

/// A token as it was read.
#[derive(Clone, Debug)]
pub struct TokenNow {
    /// The token.
    pub token: PlaybackToken,
    /// When it was read: what its status refers to.
    pub at: Timestamp,
}

impl Placed for TokenNow {
    type Place = Newest;

    fn place(&self) -> Newest {
        self.token.place()
    }
}

/// A signing key that was just made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSigningKey {
    /// Its `kid`.
    pub id: String,
    /// From when on tokens are signed by it.
    pub signs_from: Timestamp,
}

/// The playback tokens, and the keys that sign them.
pub struct Playback {
    core: Arc<Core>,
    servers: Arc<ConfiguredServers>,
    guard: Arc<PlaybackGuard>,
}

struct Checked {
    paths: Vec<PathPattern>,
    ttl: i64,
    address: Option<CidrBlock>,
    max_sessions: Option<u32>,
}

impl PlaybackTokenDraft {
    fn check(&self) -> Result<Checked> {
        let mut checks = Checks::default();
        let mut paths = Vec::new();
        for text in &self.paths {
            let path = checks.take(PathPattern::parse(text));
            paths.extend(path.filter(|path| !paths.contains(path)));
        }
        if self.paths.is_empty() || self.paths.len() > MAX_PATHS {
            let rule = format!("must be 1 to {MAX_PATHS} paths, got {}", self.paths.len());
            checks.take(Err::<(), _>(Invalid::one("paths", rule)));
        }
        let longest = LONGEST.as_secs();
        let ttl = self
            .ttl_seconds
            .filter(|ttl| (1..=longest).contains(ttl))
            .and_then(|ttl| i64::try_from(ttl).ok());
        let rule = || format!("must be 1 to {longest} (12 hours): make a new token for longer");
        let ttl = checks.take(ttl.ok_or_else(|| Invalid::one("ttl_seconds", rule())));
        let address = checks.take_opt(self.address.as_deref().map(CidrBlock::parse));
        checks.take(crate::domain::invalid::within("max_sessions", self.max_sessions, 1, MAX_SESSIONS));
        checks.finish()?;
        Ok(Checked { paths, ttl: ttl.unwrap_or_default(), address, max_sessions: self.max_sessions })
    }
}

impl Playback {
    /// What is revoked is refused by `guard` at once.
    pub fn new(core: Arc<Core>, servers: Arc<ConfiguredServers>, guard: Arc<PlaybackGuard>) -> Self {
        Self { core, servers, guard }
    }

    /// Makes a token. Only this answer contains it.
    pub async fn create(&self, actor: &Actor, draft: &PlaybackTokenDraft) -> Result<NewPlaybackToken> {
        let id = PlaybackTokenId(self.core.id());
        let entry = self.core.entry(actor, "create", KIND).on(&id);
        self.core.audited(&entry, self.create_checked(actor, id, draft, &entry)).await
    }

    async fn create_checked(
        &self,
        actor: &Actor,
        id: PlaybackTokenId,
        draft: &PlaybackTokenDraft,
        entry: &AuditEntry,
    ) -> Result<NewPlaybackToken> {
        let scope = actor.authorize(Action::Operate, &RESOURCE)?;
        let Checked { paths, ttl, address, max_sessions } = draft.check()?;
        let organization_id = match (draft.organization_id.as_deref(), scope.organizations()) {
            (None, None) => None,
            (named, _) => Some(self.core.owner_of_new(&scope, named).await?),
        };
        if let Some(owner) = organization_id {
            self.must_own(owner, &paths).await?;
        }
        let at = self.core.now();
        // A token has whole seconds.
        let expires_at = Timestamp::from_seconds(at.micros().div_euclid(1_000_000) + ttl);
        let token = PlaybackToken {
            id,
            organization_id,
            paths,
            address,
            max_sessions,
            created_at: at,
            expires_at,
            revoked_at: None,
        };
        let secret = sign(&self.signing_key(at).await?, &token, self.guard.audience());
        self.core.store.create_playback_token(&token, Change::new(&scope, entry)).await?;
        let links = self.links(&token, &secret);
        Ok(NewPlaybackToken { token: TokenNow { token, at }, secret, links })
    }

    /// Refuses a path that is not of this organization. Of those below a path, the token opens only its own.
    async fn must_own(&self, owner: OrganizationId, paths: &[PathPattern]) -> Result<()> {
        for path in paths {
            let PathPattern::Exact(path) = path else { continue };
            let filter = KeyFilter { broadcaster_id: None, path: Some(path.clone()) };
            let newest = Page { limit: Some(1), after: None };
            let keys = self.core.store.stream_keys(&Scope::system(), &filter, &newest).await?;
            if keys.first().is_none_or(|key| key.organization_id != owner) {
                let rule =
                    format!("no stream key of your organization has the path {path}: create one first");
                return Err(Invalid::one("paths", rule).into());
            }
        }
        Ok(())
    }

    /// The key that signs at `now`. The first one is made here.
    async fn signing_key(&self, now: Timestamp) -> Result<PlaybackKey> {
        let mut keys = self.core.store.playback_keys().await?;
        if keys.is_empty() {
            let first = self.new_key(None, false, now);
            self.core.store.add_playback_key(&first, false, None).await?;
            // That of another instance, if it was faster.
            keys = self.core.store.playback_keys().await?;
            self.changed();
        }
        self.guard.take_keys(&self.core.sealer, &keys);
        let key = SealedKey::signing(&keys, now).ok_or_else(|| unusable("there is none"))?;
        Ok(key.open(&self.core.sealer).map_err(unusable)?)
    }

    fn new_key(&self, last: Option<&SealedKey>, at_once: bool, now: Timestamp) -> SealedKey {
        let random = [self.core.ids.random32(), self.core.ids.random32()];
        SealedKey::after(last, at_once, &self.core.sealer, random, now)
    }

    fn links(&self, token: &PlaybackToken, secret: &Secret) -> Vec<PathLinks> {
        let exact = token.paths.iter().filter_map(|path| match path {
            PathPattern::Exact(path) => Some(path),
            PathPattern::Below(_) => None,
        });
        let of = |path: &StreamPath| PathLinks {
            path: path.clone(),
            urls: self.servers.default_server().map(|server| server.urls.with_token(path, secret)),
            servers: self
                .servers
                .0
                .iter()
                .map(|(name, server): (_, &MediaServerSettings)| {
                    (name.clone(), server.urls.with_token(path, secret))
                })
                .collect(),
        };
        exact.map(of).collect()
    }

    /// Revokes a token and ends its sessions. Idempotent.
    pub async fn revoke(&self, actor: &Actor, id: PlaybackTokenId) -> Result<()> {
        let entry = self.core.entry(actor, "delete", KIND).on(&id);
        let token = self
            .core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Operate, &RESOURCE)?;
                let token = self.core.store.revoke_playback_token(id, Change::new(&scope, &entry)).await?;
                token.ok_or(AppError::NotFound("playback token"))
            })
            .await?;
        self.guard.revoke(&[RevokedToken { id, expires_at: token.expires_at }]);
        self.changed();
        Ok(())
    }

    /// Revokes all tokens that open `path` (or, of `prefix/*`, any path below), and ends their sessions. Returns how many.
    pub async fn revoke_for(&self, actor: &Actor, path: &str) -> Result<u64> {
        let entry = self.core.entry(actor, "delete", KIND);
        let revoked = self
            .core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Operate, &RESOURCE)?;
                let path = PathPattern::parse(path).map_err(|invalid| invalid.of("path"))?;
                let entry = entry.clone().on(&path);
                Ok(self.core.store.revoke_playback_tokens_for(&path, Change::new(&scope, &entry)).await?)
            })
            .await?;
        self.guard.revoke(&revoked);
        self.changed();
        Ok(revoked.len() as u64)
    }

    /// Makes a new signing key. It signs after it was published for an hour; the old one stays as long as its tokens. With
    /// `at_once` it signs at once, and nothing that the old ones signed counts any more.
    pub async fn rotate_key(&self, actor: &Actor, at_once: bool) -> Result<NewSigningKey> {
        let entry = self.core.entry(actor, "rotate", "playback_key");
        let made = self
            .core
            .audited(&entry, async {
                actor.authorize(Action::Manage, &KEYS)?;
                loop {
                    let keys = self.core.store.playback_keys().await?;
                    let key = self.new_key(keys.last(), at_once, self.core.now());
                    let opened = key.open(&self.core.sealer).map_err(unusable)?;
                    let entry = entry.clone().on(&opened.public.id);
                    if self.core.store.add_playback_key(&key, at_once, Some(&entry)).await? {
                        return Ok(NewSigningKey { id: opened.public.id, signs_from: key.signs_from });
                    }
                }
            })
            .await?;
        self.guard.take_keys(&self.core.sealer, &self.core.store.playback_keys().await?);
        self.changed();
        Ok(made)
    }

    /// The public keys, from memory: anyone may ask.
    pub fn public_keys(&self) -> Vec<PublicKey> {
        self.guard.public_keys()
    }

    fn changed(&self) {
        self.core.wake_ups.send(WakeUp::Playback);
    }
}

fn unusable(why: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(format!("the key that signs playback tokens cannot be used: {why}"))
}

#[async_trait]
impl List for Playback {
    type Filter = ();
    type Row = TokenNow;

    /// The tokens, newest first.
    async fn list(&self, actor: &Actor, (): &(), page: &Page<Newest>) -> Result<Vec<TokenNow>> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        let tokens = self.core.lists.turn().await.playback_tokens(&scope, page).await?;
        let at = self.core.now();
        Ok(tokens.into_iter().map(|token| TokenNow { token, at }).collect())
    }
}
