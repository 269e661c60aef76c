//! The answer to an auth request of a media server.
//!
//! A publisher with a usable key costs one database statement, a refused one at most two, anything else (also a viewer) none. It never
//! calls a media server. MediaMTX handles one connection after the other while it waits for this answer.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, timeout};
use tracing::Instrument as _;

use super::Core;
use super::auth_failures::AuthFailures;
use super::auth_rollup::{AuthRollup, RollupKey};
use super::grace::Grace;
use super::housekeeping::Chore;
use super::key_cache::{KeyCache, KeyLookup};
use super::media_server::{ConfiguredServers, MediaServers};
use super::playback::PlaybackGuard;
use super::poll_requests::PollRequests;
use super::request_lines::LineKind;
use crate::domain::Timestamp;
use crate::domain::auth_failure::{KeyOfAttempt, RefusedAttempt};
use crate::domain::credentials::{Action, AuthRequest};
use crate::domain::media_server::MediaServerName;
use crate::domain::nearest::nearest;
use crate::domain::path::{IngestPath, StreamPath};
use crate::domain::publish::{
    AllowReason, Decision, DenyReason, PublishRequest, decide_other, decide_publish,
};
use crate::domain::secret::SecretHash;
use crate::domain::stream_key::{OnConflict, StreamKey};
use crate::ports::{Contact, StoreError};

/// How long claims hold and decisions take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishSettings {
    /// How long a claim holds before the encoder is live (`auth.claim_ttl`, default 15 s).
    pub claim_ttl: Duration,
    /// How long the database may take; then the decision is made without it. Below the 1 s that is promised to media
    /// servers. Nothing else in a decision waits.
    pub deadline: Duration,
}

impl Default for PublishSettings {
    fn default() -> Self {
        Self { claim_ttl: Duration::from_secs(15), deadline: Duration::from_millis(600) }
    }
}

/// Decides who may publish.
pub struct PublishAuth {
    core: Arc<Core>,
    settings: PublishSettings,
    servers: Arc<ConfiguredServers>,
    media_servers: Arc<MediaServers>,
    polls: Arc<PollRequests>,
    cache: Arc<KeyCache>,
    grace: Arc<Grace>,
    playback: Arc<PlaybackGuard>,
    failures: Arc<AuthFailures>,
    rollup: AuthRollup,
}

#[async_trait]
impl Chore for PublishAuth {
    /// Writes the counted decisions to the audit log.
    async fn run(&self) -> Result<(), StoreError> {
        self.write(false).await
    }

    async fn run_at_stop(&self) -> Result<(), StoreError> {
        self.write(true).await
    }
}

impl PublishAuth {
    /// Keys that do not exist according to `cache` are denied without the database. While the database is
    /// unreachable, `grace` decides. `playback` decides who may watch. Refused attempts are listed in `failures`.
    pub fn new(
        core: Arc<Core>,
        settings: PublishSettings,
        servers: Arc<ConfiguredServers>,
        media_servers: Arc<MediaServers>,
        polls: Arc<PollRequests>,
        (cache, grace): (Arc<KeyCache>, Arc<Grace>),
        (playback, failures): (Arc<PlaybackGuard>, Arc<AuthFailures>),
    ) -> Self {
        let rollup = AuthRollup::default();
        Self { core, settings, servers, media_servers, polls, cache, grace, playback, failures, rollup }
    }

    async fn write(&self, is_last: bool) -> Result<(), StoreError> {
        self.rollup.write(&*self.core.worker_store, &*self.core.ids, self.core.now(), is_last).await
    }

    /// Decides `request` of `server`. Always answers, within
    /// [`deadline`](PublishSettings::deadline). A request that cannot be decided is denied.
    pub async fn decide(&self, server: &MediaServerName, request: &AuthRequest) -> Decision {
        let started = Instant::now();
        let decision = match request.action {
            Action::Publish => self.publish(server, request).await,
            _ => self.decide_other(server, request).await,
        };
        self.record(server, request, &decision, started.elapsed());
        decision
    }

    async fn decide_other(&self, server: &MediaServerName, request: &AuthRequest) -> Decision {
        let path = request.path.public().map(str::to_owned);
        let Some(known) = self.servers.get(server) else { return deny(DenyReason::Undecided, request) };
        let (control, relay) = (&known.control_secret, &known.relay_secret);
        let (result, organization_id) = match decide_other(request, control, relay) {
            Ok(AllowReason::PublicRead) => {
                let is_own = || request.credentials.show(relay) | request.credentials.show(control);
                self.playback.decide(server, request, is_own, self.core.now()).await
            }
            result => (result, None),
        };
        Decision { path, organization_id, ..Decision::without_key(result) }
    }

    async fn publish(&self, server: &MediaServerName, request: &AuthRequest) -> Decision {
        let publish = match PublishRequest::from_auth_request(request, server) {
            Ok(publish) => publish,
            Err(reason) => return deny(reason, request),
        };
        let now = self.core.now();
        let hash = self.core.hasher.key(&publish.secret);
        if self.grace.is_unreachable() {
            return self.decide_in_grace(&hash, &publish, request);
        }
        let permit = match self.cache.look_up(&hash, now) {
            // Before the permit is used, so that whoever guesses takes no look-up from others.
            KeyLookup::Query(Some(_))
                if self.failures.are_guessed(publish.ip, publish.path.as_ref(), now) =>
            {
                return deny(DenyReason::UnknownKey, request);
            }
            KeyLookup::Query(permit) => permit,
            KeyLookup::Reject => return deny(DenyReason::UnknownKey, request),
        };
        let PublishSettings { claim_ttl: ttl, deadline } = self.settings;
        let claim = self.claim(&hash, &publish, now, permit.is_some());
        let claim = timeout(deadline, claim.instrument(tracing::info_span!("store.claim_for_publish"))).await;
        let timed_out = || Err(StoreError::Unavailable("it did not answer in time".to_owned()));
        let key = match claim.unwrap_or_else(|_| timed_out()) {
            Ok(Some(key)) => key,
            Ok(None) => {
                self.cache.insert_negative(hash, now);
                return deny(DenyReason::UnknownKey, request);
            }
            Err(error @ (StoreError::Unavailable(_) | StoreError::Damaged(_))) => {
                tracing::error!(%error, "a publish request is decided without the database");
                self.grace.note_failure();
                return self.decide_in_grace(&hash, &publish, request);
            }
            Err(error) => {
                let kind = LineKind { line: "a publish request could not be decided", ..LineKind::default() };
                if self.core.lines.allow(&kind, now) {
                    tracing::error!(%error, "a publish request could not be decided");
                }
                return deny(DenyReason::Undecided, request);
            }
        };
        if key.revoked_at.is_some() {
            self.cache.remove(&hash);
        }
        let result = decide_publish(&key, &publish, now, ttl).and_then(|_| match &publish.connection {
            None => Ok(AllowReason::KeyValid),
            // The row is as it is after the claim, so an allowed connection is the holder.
            Some(connection) if key.holder.connection() == Some(connection) => Ok(AllowReason::KeyClaimed),
            Some(_) => Err(DenyReason::KeyInUse),
        });
        let may_replace = result == Ok(AllowReason::KeyClaimed) && key.on_conflict == OnConflict::Takeover;
        if may_replace {
            // Another session may have lost the key, so poll at once. Only within this instance: this answer must not
            // wait for a database's notification lock, and the other instances poll every two seconds.
            self.servers.names().for_each(|name| self.polls.request_local(name));
        }
        let organization_id = Some(key.organization_id);
        let (id, path) = (Some(key.id), Some(key.path.to_string()));
        let refused_key = result.is_err().then(|| Box::new(key));
        Decision { result, key: id, organization_id, path, refused_key, may_replace }
    }

    /// Claims the key. One that the cache lacks is read first, so that guessing keys writes nothing.
    async fn claim(
        &self,
        hash: &SecretHash,
        publish: &PublishRequest,
        now: Timestamp,
        read_first: bool,
    ) -> Result<Option<StreamKey>, StoreError> {
        let (store, ttl) = (&self.core.auth_store, self.settings.claim_ttl);
        if read_first {
            let read = PublishRequest { connection: None, ..publish.clone() };
            if store.claim_for_publish(hash, &read, now, ttl).await?.is_none() {
                return Ok(None);
            }
        }
        store.claim_for_publish(hash, publish, now, ttl).await
    }

    fn decide_in_grace(
        &self,
        hash: &SecretHash,
        publish: &PublishRequest,
        request: &AuthRequest,
    ) -> Decision {
        match self.grace.decide(hash, publish, self.core.now()) {
            Ok((reason, id)) => Decision {
                key: Some(id),
                path: request.path.public().map(str::to_owned),
                ..Decision::without_key(Ok(reason))
            },
            Err(reason) => deny(reason, request),
        }
    }

    fn list_failure(
        &self,
        server: &MediaServerName,
        request: &AuthRequest,
        decision: &Decision,
        (cause, detail, ip_address): (&str, Option<String>, Option<String>),
        now: Timestamp,
    ) {
        let attempt = RefusedAttempt {
            organization_id: decision.organization_id,
            cause: cause.to_owned(),
            detail,
            media_server: Some(server.clone()),
            protocol: Some(request.protocol).filter(|name| *name != "none").map(str::to_owned),
            path: request.path.public().filter(|path| !path.is_empty()).map(str::to_owned),
            key: decision.refused_key.as_deref().map(KeyOfAttempt::from),
            ip_address,
        };
        self.failures.count(attempt, now);
    }

    fn record(&self, server: &MediaServerName, request: &AuthRequest, decision: &Decision, took: Duration) {
        let (outcome, reason) = match decision.result {
            Ok(reason) => ("allow", reason.as_str()),
            Err(reason) if reason.is_of_an_attempt() => ("deny", reason.as_str()),
            // The client is refused here too, but it does not count as a failure.
            Err(reason) => ("challenge", reason.as_str()),
        };
        let requested = requested_path(request, decision);
        let detail = detail(requested, decision);
        let (action, protocol) = (request.action.as_str(), request.protocol);
        metrics::counter!("streamward_auth_decisions_total",
            "action" => action, "protocol" => protocol, "outcome" => outcome, "reason" => reason)
        .increment(1);
        metrics::histogram!("streamward_auth_duration_seconds", "action" => action)
            .record(took.as_secs_f64());
        let now = self.core.now();
        let ip = || request.ip.map(|ip| ip.to_string());
        let is_guess = decision.result.is_err_and(DenyReason::is_guess);
        let is_one_of_many = is_guess && self.failures.count_guess(request.ip, path_of_keys(request), now);
        macro_rules! log {
            ($level:ident) => {
                tracing::$level!(
                    %server, action, protocol, outcome, reason, detail,
                    key_id = decision.key.map(tracing::field::display),
                    path = decision.path.as_deref(),
                    requested_path = requested,
                    ip = request.ip.map(tracing::field::display),
                    connection = request.connection.as_ref().map(tracing::field::display),
                    "auth"
                )
            };
        }
        // Our own polls, a channel that waits for its encoder, and viewers of HLS cause many requests. At info they would
        // hide the rest. Many guesses are one line.
        let is_routine = outcome == "challenge"
            || (outcome == "allow" && !matches!(request.action, Action::Publish | Action::Unknown));
        if is_routine || is_one_of_many {
            log!(debug);
        } else if self.core.lines.allow(&LineKind { line: "auth", cause: reason, ..LineKind::default() }, now)
        {
            log!(info);
        }
        // An unknown action may come from anything, so it is no sign of the media server.
        if !matches!(request.action, Action::Unknown | Action::Doctor) {
            self.media_servers.note_contact(server, Contact::Auth);
        }
        if outcome == "deny" {
            self.list_failure(server, request, decision, (reason, detail.clone(), ip()), now);
        }
        if request.action == Action::Publish && outcome != "challenge" {
            let (key, organization_id) = (decision.key, decision.organization_id);
            // An unknown publisher can choose any path.
            let path = decision.path.clone().filter(|_| key.is_some());
            self.rollup.count(
                RollupKey {
                    server: server.clone(),
                    protocol,
                    outcome,
                    reason,
                    detail,
                    key,
                    organization_id,
                    path,
                    requested_path: requested.map(str::to_owned),
                    ip: ip(),
                },
                now,
            );
        }
    }
}

/// The requested path, if a key can be for it.
fn path_of_keys(request: &AuthRequest) -> Option<&StreamPath> {
    match &request.path {
        IngestPath::Public(path) => Some(path),
        IngestPath::Private(_) | IngestPath::Other(_) => None,
    }
}

/// The requested path, if it is not that of the key that was sent.
fn requested_path<'a>(request: &'a AuthRequest, decision: &Decision) -> Option<&'a str> {
    let of_key = decision.refused_key.as_ref()?.path.as_str();
    request.path.public().filter(|requested| *requested != of_key)
}

/// What only operators see, beside the reason.
fn detail(requested: Option<&str>, decision: &Decision) -> Option<String> {
    let reason = decision.result.err()?;
    let (Some(requested), Some(key), DenyReason::WrongPath) = (requested, &decision.refused_key, reason)
    else {
        return reason.detail();
    };
    let meant = match nearest(requested, [key.path.as_str()]) {
        Some(path) => format!(": {path} is probably meant"),
        None => String::new(),
    };
    Some(format!("the key is for {}, and {requested} was requested{meant}", key.path))
}

fn deny(reason: DenyReason, request: &AuthRequest) -> Decision {
    Decision { path: request.path.public().map(str::to_owned), ..Decision::without_key(Err(reason)) }
}

#[cfg(test)]
mod tests;
