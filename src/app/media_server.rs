//! Use-cases of media servers.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::housekeeping::Chore;
use super::list::List;
use super::{AppError, Core};
use crate::domain::access::{Action, Actor, Resource, Scope};
use crate::domain::media_server::{Capabilities, MediaServerName, MediaServerStatus, UrlTemplates};
use crate::domain::page::{Page, Placed};
use crate::domain::reconcile::Changes;
use crate::domain::secret::Secret;
use crate::domain::stream::EndReason;
use crate::domain::{StreamId, Timestamp};
use crate::ports::{Contact, StoreError, StreamFilter, WakeUp};

const RESOURCE: Resource = Resource::READ_BY_ALL.of_installation();

/// A configured media server and its record.
#[derive(Clone, Debug)]
pub struct MediaServerOverview {
    /// Its name.
    pub name: MediaServerName,
    /// Its record; `None` before the first poll.
    pub status: Option<MediaServerStatus>,
    /// How many streams are recorded as live on it.
    pub streams: u64,
}

impl Placed for MediaServerOverview {
    type Place = MediaServerName;

    fn place(&self) -> MediaServerName {
        self.name.clone()
    }
}

/// How long the lease lasts under which the records of former media servers are cleaned up.
const LEASE: Duration = Duration::from_secs(3);

/// The settings of one media server.
#[derive(Clone, Debug)]
pub struct MediaServerSettings {
    /// Where viewers and encoders reach it.
    pub urls: UrlTemplates,
    /// What it can do.
    pub capabilities: Capabilities,
    /// The secret for its control API, metrics and profiler.
    pub control_secret: Secret,
    /// The secret with which our relays read a private path.
    pub relay_secret: Secret,
}

/// The configured media servers by name. Never empty.
#[derive(Clone, Debug, Default)]
pub struct ConfiguredServers(pub BTreeMap<MediaServerName, MediaServerSettings>);

impl ConfiguredServers {
    /// The media server of this name.
    pub fn get(&self, name: &MediaServerName) -> Option<&MediaServerSettings> {
        self.0.get(name)
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &MediaServerName> {
        self.0.keys()
    }

    /// The media server of this name; without a name, [`default_server`](Self::default_server).
    pub fn chosen(&self, name: Option<&MediaServerName>) -> Option<&MediaServerSettings> {
        name.map_or_else(|| self.default_server(), |name| self.get(name))
    }

    /// The media server that is meant when none is named: `default`, or the first by name.
    pub fn default_server(&self) -> Option<&MediaServerSettings> {
        self.get(&MediaServerName::default()).or_else(|| self.0.values().next())
    }
}

/// Use-cases of media servers.
pub struct MediaServers {
    core: Arc<Core>,
    servers: Arc<ConfiguredServers>,
    /// When each last called us, if that is not written yet.
    contacts: Mutex<HashMap<(MediaServerName, Contact), Timestamp>>,
}

#[async_trait]
impl Chore for MediaServers {
    /// Stores the contacts that were noted since the last time, and retires former media servers.
    async fn run(&self) -> Result<(), StoreError> {
        let contacts = std::mem::take(&mut *self.contacts.lock().unwrap_or_else(PoisonError::into_inner));
        for ((server, contact), at) in contacts {
            self.core.worker_store.record_contact(&server, contact, at).await?;
        }
        self.retire_former_servers().await
    }
}

impl MediaServers {
    /// Over the stores of `core`.
    pub fn new(core: Arc<Core>, servers: Arc<ConfiguredServers>) -> Self {
        Self { core, servers, contacts: Mutex::default() }
    }

    /// Notes that `server` called us. [`Chore::run`] stores it.
    pub(super) fn note_contact(&self, server: &MediaServerName, contact: Contact) {
        let now = self.core.now();
        let mut contacts = self.contacts.lock().unwrap_or_else(PoisonError::into_inner);
        // No clone of the name on the common path.
        if let Some(at) = contacts.iter_mut().find(|((s, c), _)| s == server && *c == contact) {
            *at.1 = now;
        } else {
            contacts.insert((server.clone(), contact), now);
        }
    }

    /// Ends the streams of media servers that are no longer configured, and frees their keys, since
    /// nothing reconciles these servers any more. Skips a server that another instance still reconciles. Called before
    /// anything is reconciled, so that a server under a new name keeps its sessions.
    pub async fn retire_former_servers(&self) -> Result<(), StoreError> {
        let store = &self.core.worker_store;
        let mut former = store.live_streams(&Scope::system()).await?;
        former.retain(|server, _| self.servers.get(server).is_none());
        if former.is_empty() {
            return Ok(());
        }
        let instance = format!("housekeeping {}", self.core.id());
        let lease = store.renew_instance(&instance, u32::MAX, LEASE).await?;
        for server in former.into_keys() {
            let assigned = store.take_assignments(&lease, &[format!("reconcile:{server}")]).await?;
            let Some(ours) = assigned.iter().find(|one| one.instance == instance) else { continue };
            let filter = StreamFilter { media_server: Some(server.clone()), ..StreamFilter::default() };
            let streams = store.streams(&Scope::system(), &filter, &Page::default()).await?;
            let ended = streams.iter().map(|stream| (stream.id, EndReason::MediaServerRemoved)).collect();
            let changes = Changes { ended, ..Changes::default() };
            let new_id = || StreamId(self.core.id());
            store.apply_changes(ours, &server, &changes, self.core.now(), &new_id).await?;
            store.release_holders(ours, &server, self.core.now()).await?;
            tracing::warn!(%server, streams = streams.len(), "ended the streams of a media server that is no longer configured");
            self.core.wake_ups.send(WakeUp::Events);
        }
        store.release_instance(&lease).await
    }

    /// How many media servers are configured, and which of them did not answer the last poll.
    pub async fn reachability(&self) -> Result<(usize, Vec<MediaServerName>), StoreError> {
        let known = self.core.store.media_servers(&Scope::system()).await?;
        let unreachable = known.into_iter().filter(|s| !s.reachable && self.servers.get(&s.name).is_some());
        Ok((self.servers.names().count(), unreachable.map(|s| s.name).collect()))
    }

    /// All configured media servers, by name.
    pub async fn all(&self, actor: &Actor) -> Result<Vec<MediaServerOverview>, AppError> {
        self.list(actor, &(), &Page::default()).await
    }
}

#[async_trait]
impl List for MediaServers {
    type Filter = ();
    type Row = MediaServerOverview;

    /// The configured ones, by name.
    async fn list(
        &self,
        actor: &Actor,
        (): &(),
        page: &Page<MediaServerName>,
    ) -> Result<Vec<MediaServerOverview>, AppError> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        let turn = self.core.lists.turn().await;
        let (known, live) = (turn.media_servers(&scope).await?, turn.live_streams(&scope).await?);
        let overview = |name: &MediaServerName| MediaServerOverview {
            name: name.clone(),
            status: known.iter().find(|s| s.name == *name).cloned(),
            streams: live.get(name).copied().unwrap_or(0),
        };
        let names = self.servers.names().filter(|name| page.after.as_ref().is_none_or(|after| *name > after));
        let limit = page.limit.map_or(usize::MAX, |limit| limit as usize);
        Ok(names.take(limit).map(overview).collect())
    }
}
