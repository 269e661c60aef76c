//! Use-cases of stream keys. A key is invalid in the database first; then its session is ended.

use std::sync::Arc;

use async_trait::async_trait;

use super::error::Conflict;
use super::key_cache::KeyCache;
use super::list::List;
use super::media_server::{ConfiguredServers, MediaServerSettings};
use super::stream::Streams;
use super::{AppError, Core, Result};
use crate::domain::access::{Action, Actor, Resource, Scope};
use crate::domain::audit::AuditEntry;
use crate::domain::broadcaster::{Broadcaster, DisplayName};
use crate::domain::channel::Channel;
use crate::domain::invalid::{Checks, Invalid};
use crate::domain::media_server::{IngestUrls, MediaServerName, PlaybackUrls};
use crate::domain::page::{Newest, Page, Placed};
use crate::domain::path::StreamPath;
use crate::domain::playback::PlaybackAccess;
use crate::domain::secret::{KeySecret, SecretHash};
use crate::domain::stream::Stream;
use crate::domain::stream_key::{Holder, KeyStatus, Label, OnConflict, StreamKey, Takeovers, expires_at};
use crate::domain::{BroadcasterId, StreamKeyId, Timestamp};
use crate::ports::{Change, KeyCreation, KeyFilter, KeyUpdate, Rotation, WakeUp};

const RESOURCE: Resource = Resource::READ_BY_ALL;

/// A key as a client describes it, not checked yet.
#[derive(Clone, Debug, Default)]
pub struct StreamKeyDraft {
    /// Its broadcaster.
    pub broadcaster_id: String,
    /// Its public path; `live/<name>` if absent.
    pub path: Option<String>,
    /// A note.
    pub label: Option<String>,
    /// RFC 3339.
    pub expires_at: Option<String>,
    /// `reject` (default) or `takeover`.
    pub on_conflict: Option<String>,
    /// `public` or `token`; without it, as the installation says.
    pub playback_access: Option<String>,
}

/// What means "as the installation says" in a change of a key.
const AS_INSTALLATION: &str = "installation";

/// A key with its secret, which is shown once.
#[derive(Clone, Debug)]
pub struct KeyWithSecret {
    /// The key.
    pub key: StreamKey,
    /// When it was made or rotated: what `status` and `in_use` refer to.
    pub at: Timestamp,
    /// Its secret.
    pub secret: KeySecret,
    /// Ready settings for encoders, of the default media server.
    pub ingest: Option<IngestUrls>,
    /// The URLs for viewers, without a secret.
    pub playback: Option<PlaybackUrls>,
    /// The same for each media server that takes the key, by name.
    pub servers: Vec<ServerUrls>,
}

/// The URLs of a key on one media server.
#[derive(Clone, Debug)]
pub struct ServerUrls {
    /// The media server.
    pub server: MediaServerName,
    /// For the encoder.
    pub ingest: IngestUrls,
    /// For viewers.
    pub playback: PlaybackUrls,
}

/// A key as it was read.
#[derive(Clone, Debug)]
pub struct KeyNow {
    /// The key.
    pub key: StreamKey,
    /// When it was read: what `status` and `in_use` refer to.
    pub at: Timestamp,
}

impl Placed for KeyNow {
    type Place = Newest;

    fn place(&self) -> Newest {
        self.key.place()
    }
}

const KIND: &str = "stream_key";

struct Checked {
    broadcaster_id: BroadcasterId,
    path: Option<StreamPath>,
    label: Option<Label>,
    expires_at: Option<Timestamp>,
    on_conflict: OnConflict,
    playback_access: Option<PlaybackAccess>,
}

impl StreamKeyDraft {
    fn check(&self, now: Timestamp) -> Result<Checked> {
        let mut checks = Checks::default();
        let broadcaster_id = checks
            .take(self.broadcaster_id.parse().map_err(|_| Invalid::one("broadcaster_id", "must be a UUID")));
        let path = checks.take_opt(self.path.as_deref().map(StreamPath::parse));
        let label = checks.take_opt(self.label.as_deref().map(Label::parse));
        let expires_at = checks.take_opt(self.expires_at.as_deref().map(|text| expires_at(text, now)));
        let on_conflict =
            checks.take_opt(self.on_conflict.as_deref().map(OnConflict::parse)).unwrap_or_default();
        let playback_access = checks.take_opt(self.playback_access.as_deref().map(PlaybackAccess::parse));
        checks.finish()?;
        let Some(broadcaster_id) = broadcaster_id else { return Err(AppError::NotFound("broadcaster")) };
        Ok(Checked { broadcaster_id, path, label, expires_at, on_conflict, playback_access })
    }
}

/// The keys that broadcasters publish with.
pub struct StreamKeys {
    core: Arc<Core>,
    servers: Arc<ConfiguredServers>,
    streams: Arc<Streams>,
    cache: Arc<KeyCache>,
}

impl StreamKeys {
    /// Sessions of invalid keys end through `streams`. Changed keys clear the negative entries of `cache`.
    pub fn new(
        core: Arc<Core>,
        servers: Arc<ConfiguredServers>,
        streams: Arc<Streams>,
        cache: Arc<KeyCache>,
    ) -> Self {
        Self { core, servers, streams, cache }
    }

    /// The present time, for durations that a client gives.
    pub fn now(&self) -> Timestamp {
        self.core.now()
    }

    /// The media servers that take the keys.
    pub fn media_servers(&self) -> impl Iterator<Item = &MediaServerName> {
        self.servers.names()
    }

    /// Creates a key. Only this answer contains the secret.
    pub async fn create(&self, actor: &Actor, draft: StreamKeyDraft) -> Result<KeyWithSecret> {
        let id = StreamKeyId(self.core.id());
        let entry = self.core.entry(actor, "create", KIND).on(&id);
        let created = self.core.audited(&entry, self.create_checked(actor, id, &draft, &entry)).await?;
        self.changed(&[]).await;
        Ok(created)
    }

    async fn create_checked(
        &self,
        actor: &Actor,
        id: StreamKeyId,
        draft: &StreamKeyDraft,
        entry: &AuditEntry,
    ) -> Result<KeyWithSecret> {
        let scope = actor.authorize(Action::Manage, &RESOURCE)?;
        let now = self.core.now();
        let Checked { broadcaster_id, path, label, expires_at, on_conflict, playback_access } =
            draft.check(now)?;
        let broadcaster = self.core.store.broadcaster(&scope, broadcaster_id).await?;
        let broadcaster = broadcaster.ok_or(AppError::NotFound("broadcaster"))?;
        let paths = path.map_or_else(|| path_candidates(&broadcaster, id), |path| vec![path]);
        let secret = KeySecret::from_random(self.core.ids.random32());
        let hash = self.core.hasher.key(&secret);
        let mut taken = None;
        for path in paths {
            let key = StreamKey {
                id,
                organization_id: broadcaster.organization_id,
                broadcaster_id,
                label: label.clone(),
                path: path.clone(),
                key_prefix: secret.prefix(),
                on_conflict,
                playback_access,
                created_at: now,
                expires_at,
                revoked_at: None,
                last_used_at: None,
                holder: Holder::Free,
                takeovers: Takeovers::default(),
            };
            match self.core.store.create_stream_key(&key, &hash, Change::new(&scope, entry)).await? {
                KeyCreation::Created => {
                    self.created(&[(key.clone(), hash)]);
                    return Ok(self.with_secret(key, secret));
                }
                KeyCreation::UnknownBroadcaster => return Err(AppError::NotFound("broadcaster")),
                KeyCreation::PathTaken => taken = Some(path),
            }
        }
        Err(Conflict::PathTaken(taken.map(|p| p.to_string()).unwrap_or_default()).into())
    }

    fn with_secret(&self, key: StreamKey, secret: KeySecret) -> KeyWithSecret {
        let urls = self.servers.default_server().map(|server| &server.urls);
        let ingest = urls.map(|urls| urls.ingest(&key.path, &secret));
        let playback = urls.map(|urls| urls.playback(&key.path));
        let of_server = |(server, settings): (&MediaServerName, &MediaServerSettings)| ServerUrls {
            server: server.clone(),
            ingest: settings.urls.ingest(&key.path, &secret),
            playback: settings.urls.playback(&key.path),
        };
        let servers = self.servers.0.iter().map(of_server).collect();
        KeyWithSecret { key, at: self.core.now(), secret, ingest, playback, servers }
    }

    /// One key.
    pub async fn get(&self, actor: &Actor, id: StreamKeyId) -> Result<KeyNow> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        let key = self.core.store.stream_key(&scope, id).await?.ok_or(AppError::NotFound("stream key"))?;
        Ok(KeyNow { key, at: self.core.now() })
    }

    /// Replaces the secret and ends the session on the old one.
    pub async fn rotate(&self, actor: &Actor, id: StreamKeyId) -> Result<KeyWithSecret> {
        let entry = self.core.entry(actor, "rotate", KIND).on(&id);
        let secret = KeySecret::from_random(self.core.ids.random32());
        let hash = self.core.hasher.key(&secret);
        let (key, ending) = self
            .core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Manage, &RESOURCE)?;
                // The encoder of a channel gets a new key in this way. The engine does not.
                let is_engines =
                    |channel: &Channel| channel.inputs.programme_key == id && channel.inputs.live_key != id;
                self.refuse_of_channel(&scope, id, is_engines).await?;
                match self
                    .core
                    .store
                    .rotate_stream_key(id, &hash, &secret.prefix(), Change::new(&scope, &entry))
                    .await?
                {
                    Rotation::Rotated { key, ending } => Ok((*key, ending)),
                    Rotation::NotFound => Err(AppError::NotFound("stream key")),
                    Rotation::NotUsable(KeyStatus::Expired) => Err(Conflict::KeyNotUsable("expired").into()),
                    Rotation::NotUsable(_) => Err(Conflict::KeyNotUsable("revoked").into()),
                }
            })
            .await?;
        self.cache.revoke(id);
        self.changed(&ending).await;
        Ok(self.with_secret(key, secret))
    }

    /// Says who may watch the path of a key: `public`, `token` or `installation`. Who watches already is not disturbed.
    pub async fn set_playback_access(&self, actor: &Actor, id: StreamKeyId, access: &str) -> Result<KeyNow> {
        let entry = self.core.entry(actor, "update", KIND).on(&id);
        let key = self
            .core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Manage, &RESOURCE)?;
                let rule = "must be public, token or installation";
                let access =
                    Some(access).filter(|access| *access != AS_INSTALLATION).map(PlaybackAccess::parse);
                let access = access.transpose().map_err(|_| Invalid::one("playback_access", rule))?;
                match self.core.store.set_playback_access(id, access, Change::new(&scope, &entry)).await? {
                    KeyUpdate::Updated(key) => Ok(*key),
                    KeyUpdate::NotFound => Err(AppError::NotFound("stream key")),
                    KeyUpdate::NotUsable(KeyStatus::Expired) => Err(Conflict::KeyNotUsable("expired").into()),
                    KeyUpdate::NotUsable(_) => Err(Conflict::KeyNotUsable("revoked").into()),
                }
            })
            .await?;
        self.core.wake_ups.send(WakeUp::Events);
        Ok(KeyNow { key, at: self.core.now() })
    }

    /// Revokes a key and ends its session. Idempotent.
    pub async fn revoke(&self, actor: &Actor, id: StreamKeyId) -> Result<()> {
        let entry = self.core.entry(actor, "delete", KIND).on(&id);
        let revoked = self
            .core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Manage, &RESOURCE)?;
                self.refuse_of_channel(&scope, id, |_| true).await?;
                let revoked = self.core.store.revoke_stream_key(id, Change::new(&scope, &entry)).await?;
                revoked.ok_or(AppError::NotFound("stream key"))
            })
            .await?;
        // At once: should the database be lost now, the event of this may never be read, and the key not be refused.
        self.cache.revoke(id);
        self.changed(&revoked.ending).await;
        Ok(())
    }

    /// Refuses to change a key that a channel needs as it is.
    async fn refuse_of_channel(
        &self,
        scope: &Scope,
        id: StreamKeyId,
        is_needed: impl Fn(&Channel) -> bool,
    ) -> Result<()> {
        match self.core.store.channel_of(scope, id.0).await? {
            Some(channel) if is_needed(&channel) => Err(Conflict::OfChannel(channel.name.to_string()).into()),
            _ => Ok(()),
        }
    }

    /// Keys with these hashes were stored.
    pub(super) fn created(&self, keys: &[(StreamKey, SecretHash)]) {
        for (key, hash) in keys {
            self.cache.add_created(key, *hash);
        }
    }

    /// Clears the negative entries of this instance's cache (other instances do that when they read the event), and
    /// requests the end of sessions.
    pub(super) async fn changed(&self, ending: &[Stream]) {
        self.cache.clear_negative();
        self.core.wake_ups.send(WakeUp::Events);
        self.streams.end_sessions(ending).await;
    }
}

#[async_trait]
impl List for StreamKeys {
    type Filter = KeyFilter;
    type Row = KeyNow;

    /// Newest first.
    async fn list(&self, actor: &Actor, filter: &KeyFilter, page: &Page<Newest>) -> Result<Vec<KeyNow>> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        let keys = self.core.lists.turn().await.stream_keys(&scope, filter, page).await?;
        let at = self.core.now();
        Ok(keys.into_iter().map(|key| KeyNow { key, at }).collect())
    }
}

/// Paths for a key that was created without one: the broadcaster's name, then the name made unique, then the id.
fn path_candidates(broadcaster: &Broadcaster, id: StreamKeyId) -> Vec<StreamPath> {
    let unique: String = id.0.simple().to_string().chars().rev().take(8).collect();
    let names = match slug(&broadcaster.display_name) {
        Some(slug) => vec![slug.clone(), format!("{slug}-{unique}")],
        None => vec![unique],
    };
    names.iter().filter_map(|name| StreamPath::parse(&format!("live/{name}")).ok()).collect()
}

/// A name as part of a path: ASCII letters and digits in lower case, dashes between; `None` if it would be empty.
fn slug(name: &DisplayName) -> Option<String> {
    let words = name.as_str().split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let slug: String = words.collect::<Vec<_>>().join("-").to_ascii_lowercase().chars().take(60).collect();
    (!slug.is_empty()).then_some(slug)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_paths_if_possible() {
        for (name, expected) in
            [("Alice", Some("alice")), ("Rescue Team 7!", Some("rescue-team-7")), ("วัด", None)]
        {
            assert_eq!(slug(&DisplayName::parse(name).unwrap()).as_deref(), expected, "{name}");
        }
    }
}
