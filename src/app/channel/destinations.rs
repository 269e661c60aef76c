//! Use-cases of destinations: where a channel's programme is pushed. Their keys go in and never come out.

use std::sync::Arc;

use async_trait::async_trait;

use super::draft::DestinationDraft;
use super::limits::check_destination;
use super::{KIND as CHANNEL, RESOURCE, keys};
use crate::app::list::List;
use crate::app::{AppError, Core, Result};
use crate::domain::access::{Action, Actor, Scope};
use crate::domain::channel::{ChannelId, Destination, DestinationId};
use crate::domain::invalid::Invalid;
use crate::domain::page::{Newest, Page};
use crate::domain::secret::Secret;
use crate::ports::{Change, DestinationProbe, ProbedStep, WakeUp};

const KIND: &str = "destination";

/// The result of a test.
#[derive(Clone, Debug)]
pub struct DestinationTest {
    /// The address.
    pub url: Vec<ProbedStep>,
    /// The second address, if there is one.
    pub backup_url: Option<Vec<ProbedStep>>,
}

impl DestinationTest {
    /// Whether the programme can be sent to one of the addresses.
    pub fn works(&self) -> bool {
        let works =
            |steps: &Vec<ProbedStep>| !steps.is_empty() && steps.iter().all(|one| one.error.is_none());
        works(&self.url) || self.backup_url.as_ref().is_some_and(works)
    }
}

/// Where programmes are pushed.
pub struct Destinations {
    core: Arc<Core>,
    probe: Option<Arc<dyn DestinationProbe>>,
}

impl Destinations {
    /// Tests need a `probe`.
    pub fn new(core: Arc<Core>, probe: Option<Arc<dyn DestinationProbe>>) -> Self {
        Self { core, probe }
    }

    /// Adds a destination to a channel. What the draft does not say comes from the platform.
    pub async fn create(
        &self,
        actor: &Actor,
        channel: ChannelId,
        mut draft: DestinationDraft,
    ) -> Result<Destination> {
        let id = DestinationId(self.core.id());
        let entry = self.core.entry(actor, "create", KIND).on(&id);
        let created = self
            .core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Manage, &RESOURCE)?;
                let now = self.core.now();
                let blank = |platform, url| Destination {
                    id,
                    channel,
                    name: String::new(),
                    platform,
                    url,
                    backup_url: None,
                    enabled: true,
                    rotate_session_every_seconds: None,
                    created_at: now,
                    updated_at: now,
                };
                self.require_engine(&scope, channel, &mut draft).await?;
                let (destination, key) = draft.creation(blank, now)?;
                self.require_other_key(&scope, &destination, &key).await?;
                let sealed = keys::seal_key(&self.core.sealer, id, &key, self.core.ids.random32());
                let by = Change::new(&scope, &entry);
                if !self.core.store.create_destination(&destination, &sealed, by).await? {
                    return Err(AppError::NotFound(CHANNEL));
                }
                Ok(destination)
            })
            .await?;
        self.changed();
        Ok(created)
    }

    /// One destination of a channel.
    pub async fn get(&self, actor: &Actor, channel: ChannelId, id: DestinationId) -> Result<Destination> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        self.found(&scope, channel, id).await
    }

    /// The destination of a channel with this id, or the only one with this name.
    pub async fn find(&self, actor: &Actor, channel: ChannelId, id_or_name: &str) -> Result<Destination> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        if let Ok(id) = id_or_name.parse() {
            return self.found(&scope, channel, id).await;
        }
        let mut all = self.core.store.destinations(&scope, channel, &Page::default()).await?;
        all.retain(|one| one.name == id_or_name);
        match all.len() {
            1 => Ok(all.remove(0)),
            _ => Err(AppError::NotFound(KIND)),
        }
    }

    async fn found(&self, scope: &Scope, channel: ChannelId, id: DestinationId) -> Result<Destination> {
        let found = self.core.store.destination(scope, channel, id).await?;
        found.ok_or(AppError::NotFound(KIND))
    }

    /// Changes what the draft names. No other destination is interrupted.
    pub async fn update(
        &self,
        actor: &Actor,
        channel: ChannelId,
        id: DestinationId,
        mut draft: DestinationDraft,
    ) -> Result<Destination> {
        let entry = self.core.entry(actor, "update", KIND).on(&id);
        let updated = self
            .core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Manage, &RESOURCE)?;
                self.require_engine(&scope, channel, &mut draft).await?;
                let present = self.found(&scope, channel, id).await?;
                let (patch, key) = draft.patch(&present)?;
                if let Some(key) = &key {
                    self.require_other_key(&scope, &present.patched(&patch, entry.timestamp), key).await?;
                }
                let random = self.core.ids.random32();
                let sealed = key.map(|key| keys::seal_key(&self.core.sealer, id, &key, random));
                let by = Change::new(&scope, &entry);
                let updated =
                    self.core.store.update_destination(channel, id, &patch, sealed.as_deref(), by).await?;
                updated.ok_or(AppError::NotFound(KIND))
            })
            .await?;
        self.changed();
        Ok(updated)
    }

    /// Refuses the key of another destination of the channel at the same address: a platform takes one publisher for a
    /// key, so both would end each other's sessions again and again.
    async fn require_other_key(&self, scope: &Scope, destination: &Destination, key: &Secret) -> Result<()> {
        // The refusal names the other destination.
        let channel = self.core.store.channel(scope, destination.channel).await?;
        channel.ok_or(AppError::NotFound(CHANNEL))?;
        let stored = self.core.store.programme(destination.channel).await?;
        let is_same = |(one, sealed): &&(Destination, String)| {
            one.id != destination.id
                && one.url == destination.url
                && keys::open_key(&self.core.sealer, one.id, sealed)
                    .is_ok_and(|theirs| theirs.matches(key.expose()))
        };
        match stored.iter().flat_map(|stored| &stored.destinations).find(is_same) {
            None => Ok(()),
            Some((other, _)) => {
                let rule = format!(
                    "is that of the destination {} already: a platform takes one publisher for a key",
                    other.name
                );
                Err(Invalid::one("key", rule).into())
            }
        }
    }

    /// Refuses what the channel's engine cannot do.
    async fn require_engine(
        &self,
        scope: &Scope,
        channel: ChannelId,
        draft: &mut DestinationDraft,
    ) -> Result<()> {
        match self.core.store.channel(scope, channel).await? {
            Some(channel) => Ok(check_destination(channel.engine, draft)?),
            None => Ok(()),
        }
    }

    /// Deletes a destination. Its session ends.
    pub async fn delete(&self, actor: &Actor, channel: ChannelId, id: DestinationId) -> Result<()> {
        let entry = self.core.entry(actor, "delete", KIND).on(&id);
        self.core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Manage, &RESOURCE)?;
                let by = Change::new(&scope, &entry);
                if !self.core.store.delete_destination(channel, id, by).await? {
                    return Err(AppError::NotFound(KIND));
                }
                Ok(())
            })
            .await?;
        self.changed();
        Ok(())
    }

    /// Reaches the destination without publishing.
    pub async fn test(
        &self,
        actor: &Actor,
        channel: ChannelId,
        id: DestinationId,
    ) -> Result<DestinationTest> {
        let entry = self.core.entry(actor, "test", KIND).on(&id);
        let (destination, owner) = self
            .core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Operate, &RESOURCE)?;
                let destination = self.found(&scope, channel, id).await?;
                let channel = self.core.store.channel(&scope, channel).await?;
                let channel = channel.ok_or(AppError::NotFound(CHANNEL))?;
                Ok((destination, channel.organization_id))
            })
            .await?;
        let probe = self.probe.as_ref().ok_or(AppError::Unsupported("test of destinations"))?;
        self.core.store.record_audit(&[entry.owned_by(owner)]).await?;
        let url = probe.probe(&destination.url).await;
        let backup_url = match &destination.backup_url {
            Some(url) => Some(probe.probe(url).await),
            None => None,
        };
        Ok(DestinationTest { url, backup_url })
    }

    fn changed(&self) {
        self.core.wake_ups.send(WakeUp::Events);
        self.core.wake_ups.send(WakeUp::Channels);
    }
}

#[async_trait]
impl List for Destinations {
    type Filter = ChannelId;
    type Row = Destination;

    /// Those of one channel, newest first.
    async fn list(&self, actor: &Actor, of: &ChannelId, page: &Page<Newest>) -> Result<Vec<Destination>> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        let turn = self.core.lists.turn().await;
        let found = turn.destinations(&scope, *of, page).await?;
        if found.is_empty() && turn.channel(&scope, *of).await?.is_none() {
            return Err(AppError::NotFound(CHANNEL));
        }
        Ok(found)
    }
}
