//! Decides in memory who may watch: a question costs no statement, however often HLS asks.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use tokio::sync::SetOnce;
use tokio::time::timeout;

use super::rules::{PathRules, Rule};
use crate::domain::credentials::{AuthRequest, Credentials};
use crate::domain::media_server::{MediaServerName, ObservedReader, SourceId};
use crate::domain::playback::{
    Claims, PlaybackAccess, PlaybackTokenId, PublicKey, Question, ReadingSessions, RevokedToken, SealedKey,
    TokenFault, verify,
};
use crate::domain::publish::{AllowReason, AuthResult, DenyReason};
use crate::domain::seal::Sealer;
use crate::domain::{OrganizationId, Timestamp};

/// How long a decision may wait for the first load, right after the start.
const FIRST_LOAD: Duration = Duration::from_millis(600);

/// What is known of keys, tokens and paths.
#[derive(Debug, Default)]
struct Known {
    keys: Vec<PublicKey>,
    /// And when they expire.
    revoked: HashMap<PlaybackTokenId, Timestamp>,
    rules: PathRules,
}

/// Decides who may watch.
#[derive(Debug)]
pub struct PlaybackGuard {
    /// Unless the key of a path says otherwise.
    access: PlaybackAccess,
    audience: String,
    known: RwLock<Known>,
    sessions: Mutex<ReadingSessions>,
    first_load: SetOnce<()>,
}

impl PlaybackGuard {
    /// `access` counts where no key says otherwise. Tokens are for `audience`.
    pub fn new(access: PlaybackAccess, audience: String) -> Self {
        let (known, sessions) = (RwLock::default(), Mutex::default());
        Self { access, audience, known, sessions, first_load: SetOnce::new() }
    }

    /// The `aud` of the tokens.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// Waits for the first load.
    pub async fn loaded(&self) {
        self.first_load.wait().await;
    }

    /// Decides a request to watch a path that is not private. Returns who owns the path, too. `is_own` tells whether we are
    /// the reader.
    pub(in crate::app) async fn decide(
        &self,
        server: &MediaServerName,
        request: &AuthRequest,
        is_own: impl FnOnce() -> bool,
        now: Timestamp,
    ) -> (AuthResult, Option<OrganizationId>) {
        if timeout(FIRST_LOAD, self.loaded()).await.is_err() {
            return (Err(DenyReason::Undecided), None);
        }
        let path = request.path.public().unwrap_or_default();
        let rule = self.known().rules.find(path);
        let owner = rule.map(|rule| rule.organization);
        if self.access_of(rule) == PlaybackAccess::Public {
            return (Ok(AllowReason::PublicRead), owner);
        }
        if is_own() {
            return (Ok(AllowReason::Relay), owner);
        }
        (self.decide_token(server, request, path, owner, now), owner)
    }

    fn access_of(&self, rule: Option<Rule>) -> PlaybackAccess {
        rule.and_then(|rule| rule.access).unwrap_or(self.access)
    }

    fn decide_token(
        &self,
        server: &MediaServerName,
        request: &AuthRequest,
        path: &str,
        owner: Option<OrganizationId>,
        now: Timestamp,
    ) -> AuthResult {
        let Some(token) = request.credentials.playback_token() else {
            let is_absent = request.credentials.are_absent();
            return Err(match (is_absent, request.protocol) {
                (true, "rtsp") => DenyReason::NoCredentials,
                (true, _) => DenyReason::NoPlaybackToken,
                (false, _) => DenyReason::PlaybackTokenInvalid,
            });
        };
        let claims = self.check(token.expose(), path, request.ip, owner, now)?;
        let connection = request.connection.as_ref();
        let question = Question { server, protocol: request.protocol, connection, ip: request.ip, path };
        if self.sessions().admit(&claims, &question, now) {
            Ok(AllowReason::PlaybackToken)
        } else {
            Err(DenyReason::PlaybackTokenInUse)
        }
    }

    /// Checks all that a token alone decides.
    fn check(
        &self,
        token: &str,
        path: &str,
        ip: Option<IpAddr>,
        owner: Option<OrganizationId>,
        now: Timestamp,
    ) -> Result<Claims, DenyReason> {
        let known = self.known();
        let claims = verify(token, &known.keys, &self.audience, now).map_err(|fault| match fault {
            TokenFault::Invalid => DenyReason::PlaybackTokenInvalid,
            TokenFault::Expired => DenyReason::PlaybackTokenExpired,
        })?;
        if known.revoked.contains_key(&claims.id) {
            return Err(DenyReason::PlaybackTokenRevoked);
        }
        let is_of_owner = claims.organization_id.is_none() || claims.organization_id == owner;
        if !is_of_owner || !claims.paths.iter().any(|own| own.covers(path)) {
            return Err(DenyReason::PlaybackTokenWrongPath);
        }
        let is_there = |network: crate::domain::network::CidrBlock| ip.is_some_and(|ip| network.contains(ip));
        if !claims.address.is_none_or(is_there) {
            return Err(DenyReason::PlaybackTokenWrongAddress);
        }
        Ok(claims)
    }

    /// Of the connections that `server` lists as reading, those that must end. A token in the URL of a session is also
    /// checked if another instance, or this one before a restart, let it in.
    pub(super) fn must_end<'a>(
        &self,
        server: &MediaServerName,
        readers: &'a [ObservedReader],
        now: Timestamp,
    ) -> Vec<&'a ObservedReader> {
        let due = self.due(server, now);
        let is_due = |reader: &ObservedReader| due.iter().any(|id| reader.source.is(id));
        let shows_an_invalid_one = |reader: &ObservedReader| {
            let Some(path) = reader.path.public() else { return false };
            let shown = Credentials::of_query(reader.query.clone());
            let Some(token) = shown.playback_token() else { return false };
            let rule = self.known().rules.find(path);
            let owner = rule.map(|rule| rule.organization);
            // Its address is not checked: that of the list may be of a proxy.
            let checked = || self.check(token.expose(), path, None, owner, now);
            self.access_of(rule) == PlaybackAccess::Token
                && checked().is_err_and(|reason| reason != DenyReason::PlaybackTokenWrongAddress)
        };
        readers.iter().filter(|reader| is_due(reader) || shows_an_invalid_one(reader)).collect()
    }

    /// The connections on `server` whose token has expired or was revoked.
    pub(super) fn due(&self, server: &MediaServerName, now: Timestamp) -> HashSet<SourceId> {
        let known = self.known();
        self.sessions().due(server, now, |token| known.revoked.contains_key(token))
    }

    /// Who reads by which token.
    pub(super) fn sessions(&self) -> MutexGuard<'_, ReadingSessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn public_keys(&self) -> Vec<PublicKey> {
        self.known().keys.clone()
    }

    /// Whether there can be tokens at all.
    pub(super) fn is_used(&self) -> bool {
        !self.known().keys.is_empty()
    }

    /// Takes over the keys. One that cannot be opened is left out, and named in the log.
    pub(super) fn take_keys(&self, sealer: &Sealer, keys: &[SealedKey]) {
        let opened = keys.iter().filter_map(|key| match key.open(sealer) {
            Ok(opened) => Some(opened.public),
            Err(error) => {
                let number = key.number;
                tracing::error!(%error, number, "a key that signs playback tokens cannot be opened; its tokens are refused");
                None
            }
        });
        self.write().keys = opened.collect();
    }

    /// These tokens are refused from now on.
    pub(super) fn revoke(&self, tokens: &[RevokedToken]) {
        self.write().revoked.extend(tokens.iter().map(|token| (token.id, token.expires_at)));
    }

    /// Forgets revoked tokens that are refused as expired.
    pub(super) fn forget_expired(&self, now: Timestamp) {
        self.write().revoked.retain(|_, expires_at| *expires_at > now);
    }

    pub(super) fn replace_rules(&self, rules: PathRules) {
        // The old ones are dropped after the lock.
        let _old = std::mem::replace(&mut self.write().rules, rules);
    }

    pub(super) fn change_rules(&self, rules: &[crate::domain::playback::PathRule]) {
        let mut known = self.write();
        rules.iter().for_each(|rule| known.rules.change(rule));
    }

    /// Everything was read once.
    pub(super) fn set_loaded(&self) {
        // Later loads find it set.
        let _ = self.first_load.set(());
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}
