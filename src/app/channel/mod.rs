//! Use-cases of channels, and the tasks that run their programmes.

mod decisions;
mod destinations;
mod draft;
mod keys;
mod limits;
mod metrics;
mod mp4;
mod names;
mod playlist;
mod programme;
mod rehearse;
mod renditions;
mod reports;
mod run;

use std::sync::Arc;

use async_trait::async_trait;

pub use decisions::Decisions;
pub use destinations::{DestinationTest, Destinations};
pub use draft::{ChannelDraft, DestinationDraft, ModeDraft};
pub use keys::unusable_keys;
pub use playlist::{PlaylistDraft, SlotDraft};
pub use renditions::Renditions;
pub use reports::{ProgrammeProblem, ReportBuffer, ReportWriter};
pub use run::{ChannelTasks, Running};

use super::error::Conflict;
use super::list::List;
use super::media_server::MediaServerSettings;
use super::stream_key::{KeyWithSecret, StreamKeys};
use super::{AppError, Core, Result};
use crate::domain::access::{Action, Actor, Resource, Scope};
use crate::domain::audit::AuditEntry;
use crate::domain::broadcaster::{Broadcaster, DisplayName, Metadata};
use crate::domain::channel::{
    Backup, Channel, ChannelId, ChannelName, ChannelPatch, Destination, Engine, Failover, Hold, Inputs,
    Playlist, Profile, ProgrammeStatus, Rehearsal, RehearsalId, RehearsalState,
};
use crate::domain::page::{Newest, Page};
use crate::domain::path::StreamPath;
use crate::domain::secret::{KeySecret, SecretHash};
use crate::domain::stream_key::{Holder, Label, OnConflict, StreamKey, Takeovers};
use crate::domain::{BroadcasterId, Invalid, OrganizationId, StreamKeyId, Timestamp};
use crate::ports::{Change, ChannelCreation, ChannelWrite, RehearsalCreation, WakeUp};

const RESOURCE: Resource = Resource::READ_BY_ALL;

const KIND: &str = "channel";
/// A status that is older than this was not written by a running programme.
const STALE: std::time::Duration = std::time::Duration::from_secs(10);

/// A channel that was just created, with the secrets that are shown once.
#[derive(Clone, Debug)]
pub struct NewChannel {
    /// The channel.
    pub channel: ChannelNow,
    /// The key of the live encoder.
    pub live_key: KeyWithSecret,
    /// The key of the backup encoder, if the backup is a stream.
    pub backup_key: Option<KeyWithSecret>,
}

/// A channel as it was read.
#[derive(Clone, Debug)]
pub struct ChannelNow {
    /// The channel.
    pub channel: Channel,
    /// When it was read: what `mode` refers to.
    pub at: Timestamp,
}

impl crate::domain::page::Placed for ChannelNow {
    type Place = Newest;

    fn place(&self) -> Newest {
        self.channel.place()
    }
}

/// What is known of a channel's programme.
#[derive(Clone, Debug)]
pub struct ChannelStatus {
    /// The channel.
    pub channel: ChannelNow,
    /// What the programme last reported; `None` if it never ran.
    pub status: Option<ProgrammeStatus>,
    /// All destinations, newest first.
    pub destinations: Vec<Destination>,
}

impl ChannelStatus {
    /// Whether the programme is running: it is enabled, and its report is fresh.
    pub fn is_running(&self) -> bool {
        let ChannelNow { channel, at } = &self.channel;
        channel.enabled && self.status.as_ref().is_some_and(|status| at.since(status.at) <= STALE)
    }
}

/// Programmes that never go dark.
pub struct Channels {
    core: Arc<Core>,
    keys: Arc<StreamKeys>,
    server: Option<MediaServerSettings>,
}

impl Channels {
    /// Encoders publish to `server`. Changed keys are announced through `keys`.
    pub fn new(core: Arc<Core>, keys: Arc<StreamKeys>, server: Option<MediaServerSettings>) -> Self {
        Self { core, keys, server }
    }

    /// Creates a channel with its keys. Only this answer contains their secrets.
    pub async fn create(&self, actor: &Actor, draft: ChannelDraft) -> Result<NewChannel> {
        let id = ChannelId(self.core.id());
        let entry = self.core.entry(actor, "create", KIND).on(&id);
        let created = self.core.audited(&entry, self.create_checked(actor, id, &draft, &entry)).await?;
        self.keys.changed(&[]).await;
        self.changed();
        Ok(created)
    }

    async fn create_checked(
        &self,
        actor: &Actor,
        id: ChannelId,
        draft: &ChannelDraft,
        entry: &AuditEntry,
    ) -> Result<NewChannel> {
        let scope = actor.authorize(Action::Manage, &RESOURCE)?;
        let draft::Creation { name, display_name, path, backup_is_stream, patch } = draft.creation()?;
        let organization_id = self.core.owner_of_new(&scope, draft.organization_id.as_deref()).await?;
        let now = self.core.now();
        let broadcaster = self.owner(organization_id, &name, now)?;
        let engine = patch.engine.unwrap_or_default();
        limits::check_engine(engine, self.server.as_ref().map(|server| server.capabilities))?;
        limits::check_settings(engine, &patch, backup_is_stream)?;
        let live = self.key(&broadcaster, Inputs::live_path(engine, &path)?, "live", now)?;
        // With the engine media_server nobody publishes the programme: the live encoder is at its path.
        let programme = match engine {
            Engine::Mixer => Some(self.key(&broadcaster, path.clone(), "programme", now)?),
            Engine::MediaServer => None,
        };
        let backup = if backup_is_stream {
            Some(self.key(&broadcaster, Inputs::backup_path(&path)?, "backup", now)?)
        } else {
            None
        };
        let inputs = Inputs {
            broadcaster: broadcaster.id,
            live_key: live.0.id,
            programme_key: programme.as_ref().map_or(live.0.id, |(key, _)| key.id),
            backup: match &backup {
                Some((key, _)) => Backup::Stream(key.id),
                None => Backup::Playlist(Playlist::default()),
            },
        };
        let (created_at, updated_at) = (now, now);
        let channel = Channel {
            id,
            organization_id,
            name,
            display_name,
            path,
            enabled: true,
            hold: Hold::default(),
            inputs,
            failover: Failover::default(),
            profile: Profile::default(),
            mismatch: patch.mismatch.unwrap_or_default(),
            engine,
            created_at,
            updated_at,
        };
        let channel = channel.patched(&patch, now);
        let random = self.core.ids.random32();
        let unused = KeySecret::from_random(self.core.ids.random32());
        let programme_secret = programme.as_ref().map_or(&unused, |(_, secret)| secret);
        let sealed_programme_key = keys::seal_programme_key(&self.core.sealer, id, programme_secret, random);
        let hashed = |(key, secret): &(StreamKey, KeySecret)| -> (StreamKey, SecretHash) {
            (key.clone(), self.core.hasher.key(secret))
        };
        let keys =
            [Some(&live), programme.as_ref(), backup.as_ref()].into_iter().flatten().map(hashed).collect();
        let creation = ChannelCreation { channel, broadcaster, keys, sealed_programme_key };
        let done = self.core.store.create_channel(&creation, Change::new(&scope, entry)).await?;
        written(done, &creation.channel.name)?;
        self.keys.created(&creation.keys);
        Ok(NewChannel {
            channel: ChannelNow { channel: creation.channel, at: now },
            live_key: self.with_secret(live, now),
            backup_key: backup.map(|backup| self.with_secret(backup, now)),
        })
    }

    fn owner(
        &self,
        organization_id: OrganizationId,
        name: &ChannelName,
        now: Timestamp,
    ) -> Result<Broadcaster> {
        let display_name = DisplayName::parse(&format!("Channel {name}"))?;
        let id = BroadcasterId(self.core.id());
        let metadata = Metadata::default();
        Ok(Broadcaster { id, organization_id, display_name, metadata, created_at: now, updated_at: now })
    }

    /// A key with its secret. A second connection takes over: an encoder that reconnects must not wait for its frozen
    /// connection.
    fn key(
        &self,
        owner: &Broadcaster,
        path: StreamPath,
        role: &str,
        now: Timestamp,
    ) -> Result<(StreamKey, KeySecret)> {
        let secret = KeySecret::from_random(self.core.ids.random32());
        let key = StreamKey {
            id: StreamKeyId(self.core.id()),
            organization_id: owner.organization_id,
            broadcaster_id: owner.id,
            label: Some(Label::parse(role)?),
            path,
            key_prefix: secret.prefix(),
            on_conflict: OnConflict::Takeover,
            playback_access: None,
            created_at: now,
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
            holder: Holder::Free,
            takeovers: Takeovers::default(),
        };
        Ok((key, secret))
    }

    fn with_secret(&self, (key, secret): (StreamKey, KeySecret), at: Timestamp) -> KeyWithSecret {
        let ingest = self.server.as_ref().map(|server| server.urls.ingest(&key.path, &secret));
        KeyWithSecret { key, at, secret, ingest, playback: None, servers: Vec::new() }
    }

    /// One channel.
    pub async fn get(&self, actor: &Actor, id: ChannelId) -> Result<ChannelNow> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        self.found(self.core.store.channel(&scope, id).await?)
    }

    /// The channel with this id or name.
    pub async fn find(&self, actor: &Actor, id_or_name: &str) -> Result<ChannelNow> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        if let Ok(id) = id_or_name.parse() {
            return self.found(self.core.store.channel(&scope, id).await?);
        }
        let Ok(name) = ChannelName::parse(id_or_name) else { return Err(AppError::NotFound(KIND)) };
        self.found(self.core.store.channel_named(&scope, &name).await?)
    }

    fn found(&self, channel: Option<Channel>) -> Result<ChannelNow> {
        let channel = channel.ok_or(AppError::NotFound(KIND))?;
        Ok(ChannelNow { channel, at: self.core.now() })
    }

    /// Changes what the draft names.
    pub async fn update(&self, actor: &Actor, id: ChannelId, draft: ChannelDraft) -> Result<ChannelNow> {
        let entry = self.core.entry(actor, "update", KIND).on(&id);
        let updated = self
            .core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Manage, &RESOURCE)?;
                let patch = draft.patch()?;
                self.require_engine(&scope, id, &patch).await?;
                let done = self.core.store.update_channel(id, &patch, Change::new(&scope, &entry)).await?;
                match patch.name {
                    Some(name) => written(done, &name),
                    None => written(done, &ChannelName::parse("-")?),
                }
            })
            .await?;
        self.changed();
        Ok(ChannelNow { channel: updated, at: self.core.now() })
    }

    /// Refuses what the channel cannot have.
    async fn require_engine(&self, scope: &Scope, id: ChannelId, patch: &ChannelPatch) -> Result<()> {
        let channel = self.core.store.channel(scope, id).await?.ok_or(AppError::NotFound(KIND))?;
        let is_stream = matches!(channel.inputs.backup, Backup::Stream(_));
        if patch.playlist.is_some() && is_stream {
            let rule = "cannot be set, because the backup is a stream";
            return Err(Invalid::one("inputs.backup.playlist", rule).into());
        }
        if patch.engine.is_some_and(|engine| engine != channel.engine) {
            return Err(Invalid::one("engine", "cannot be changed: create another channel").into());
        }
        Ok(limits::check_settings(channel.engine, patch, is_stream)?)
    }

    /// Deletes a channel and all that belongs to it: the programme ends, then its destinations.
    pub async fn delete(&self, actor: &Actor, id: ChannelId) -> Result<()> {
        let entry = self.core.entry(actor, "delete", KIND).on(&id);
        let ending = self
            .core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Manage, &RESOURCE)?;
                let ending = self.core.store.delete_channel(id, Change::new(&scope, &entry)).await?;
                ending.ok_or(AppError::NotFound(KIND))
            })
            .await?;
        self.changed();
        self.keys.changed(&ending).await;
        Ok(())
    }

    /// Sets who chooses what is on air. It survives restarts.
    pub async fn set_mode(&self, actor: &Actor, id: ChannelId, draft: ModeDraft) -> Result<ChannelNow> {
        let entry = self.core.entry(actor, "mode", KIND).on(&id);
        let held = self
            .core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Operate, &RESOURCE)?;
                let hold = draft.hold(self.core.now())?;
                if let Some(channel) = self.core.store.channel(&scope, id).await? {
                    limits::check_mode(channel.engine, hold.mode)?;
                }
                let held = self.core.store.set_hold(id, &hold, Change::new(&scope, &entry)).await?;
                held.ok_or(AppError::NotFound(KIND))
            })
            .await?;
        self.changed();
        Ok(ChannelNow { channel: held, at: self.core.now() })
    }

    /// Requests that the live input is treated as lost for some seconds.
    pub async fn rehearse(&self, actor: &Actor, id: ChannelId, seconds: u32) -> Result<Rehearsal> {
        let entry = self.core.entry(actor, "rehearse", KIND).on(&id);
        let rehearsal = Rehearsal {
            id: RehearsalId(self.core.id()),
            channel: id,
            cut_live_for_seconds: seconds,
            state: RehearsalState::Requested,
            created_at: self.core.now(),
            started_at: None,
            ended_at: None,
            report: None,
            error: None,
        };
        self.core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Operate, &RESOURCE)?;
                Rehearsal::check_seconds(seconds)?;
                let status = self.status(actor, id).await?;
                limits::check_rehearsal(status.channel.channel.engine)?;
                if !status.is_running() {
                    return Err(Conflict::ChannelNotRunning.into());
                }
                let by = Change::new(&scope, &entry);
                match self.core.store.create_rehearsal(&rehearsal, by).await? {
                    RehearsalCreation::Created => Ok(()),
                    RehearsalCreation::NotFound => Err(AppError::NotFound(KIND)),
                    RehearsalCreation::Busy => Err(Conflict::RehearsalOpen.into()),
                }
            })
            .await?;
        self.changed();
        Ok(rehearsal)
    }

    /// One rehearsal, with its report when it is done.
    pub async fn rehearsal(&self, actor: &Actor, id: ChannelId, rehearsal: RehearsalId) -> Result<Rehearsal> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        let found = self.core.store.rehearsal(&scope, id, rehearsal).await?;
        found.ok_or(AppError::NotFound("rehearsal"))
    }

    /// What is on air, and the state of each input and destination.
    pub async fn status(&self, actor: &Actor, id: ChannelId) -> Result<ChannelStatus> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        let channel = self.found(self.core.store.channel(&scope, id).await?)?;
        let status = self.core.store.channel_status(&scope, id).await?;
        let destinations = self.core.store.destinations(&scope, id, &Page::default()).await?;
        Ok(ChannelStatus { channel, status, destinations })
    }

    fn changed(&self) {
        self.core.wake_ups.send(WakeUp::Events);
        self.core.wake_ups.send(WakeUp::Channels);
    }
}

#[async_trait]
impl List for Channels {
    type Filter = ();
    type Row = ChannelNow;

    /// Newest first.
    async fn list(&self, actor: &Actor, (): &(), page: &Page<Newest>) -> Result<Vec<ChannelNow>> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        let channels = self.core.lists.turn().await.channels(&scope, page).await?;
        let at = self.core.now();
        Ok(channels.into_iter().map(|channel| ChannelNow { channel, at }).collect())
    }
}

fn written<T>(done: ChannelWrite<T>, name: &ChannelName) -> Result<T> {
    match done {
        ChannelWrite::Done(done) => Ok(done),
        ChannelWrite::NotFound => Err(AppError::NotFound(KIND)),
        ChannelWrite::NameTaken => Err(Conflict::ChannelTaken(name.to_string()).into()),
        ChannelWrite::PathTaken(path) => Err(Conflict::PathTaken(path.to_string()).into()),
        ChannelWrite::NoClip(clip) => {
            let rule = format!("must be ids of clips; there is no clip {clip}");
            Err(Invalid::one("inputs.backup.playlist.clips", rule).into())
        }
    }
}
