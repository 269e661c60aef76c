//! Use-cases of broadcasters.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::error::Conflict;
use super::list::List;
use super::stream_key::StreamKeys;
use super::{AppError, Core, Result};
use crate::domain::BroadcasterId;
use crate::domain::access::{Action, Actor, Resource};
use crate::domain::broadcaster::{Broadcaster, BroadcasterPatch, DisplayName, Metadata};
use crate::domain::invalid::Checks;
use crate::domain::page::{Newest, Page};
use crate::ports::{Change, WakeUp};

const RESOURCE: Resource = Resource::READ_BY_ALL;

/// A broadcaster as a client describes it, not checked yet.
#[derive(Clone, Debug, Default)]
pub struct BroadcasterDraft {
    /// The name; needed to create one.
    pub display_name: Option<String>,
    /// The owner's data.
    pub metadata: Option<Value>,
    /// Whose it is; needed if the client belongs to several organizations. Only at the creation.
    pub organization_id: Option<String>,
}

const KIND: &str = "broadcaster";

/// Who may publish.
pub struct Broadcasters {
    core: Arc<Core>,
    keys: Arc<StreamKeys>,
}

impl Broadcasters {
    /// Deleting a broadcaster deletes its `keys` too.
    pub fn new(core: Arc<Core>, keys: Arc<StreamKeys>) -> Self {
        Self { core, keys }
    }

    /// Creates a broadcaster.
    pub async fn create(&self, actor: &Actor, draft: BroadcasterDraft) -> Result<Broadcaster> {
        let id = BroadcasterId(self.core.id());
        let entry = self.core.entry(actor, "create", KIND).on(&id);
        self.core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Manage, &RESOURCE)?;
                let mut checks = Checks::default();
                let name = checks.take(DisplayName::parse(draft.display_name.as_deref().unwrap_or_default()));
                let metadata = checks.take_opt(draft.metadata.map(Metadata::parse));
                checks.finish()?;
                let Some(display_name) = name else { return Err(AppError::NotFound(KIND)) };
                let owner = self.core.owner_of_new(&scope, draft.organization_id.as_deref()).await?;
                let now = self.core.now();
                let metadata = metadata.unwrap_or_default();
                let broadcaster = Broadcaster {
                    id,
                    organization_id: owner,
                    display_name,
                    metadata,
                    created_at: now,
                    updated_at: now,
                };
                self.core.store.create_broadcaster(&broadcaster, Change::new(&scope, &entry)).await?;
                self.core.wake_ups.send(WakeUp::Events);
                Ok(broadcaster)
            })
            .await
    }

    /// One broadcaster.
    pub async fn get(&self, actor: &Actor, id: BroadcasterId) -> Result<Broadcaster> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        self.core.store.broadcaster(&scope, id).await?.ok_or(AppError::NotFound(KIND))
    }

    /// Changes what the draft names.
    pub async fn update(
        &self,
        actor: &Actor,
        id: BroadcasterId,
        draft: BroadcasterDraft,
    ) -> Result<Broadcaster> {
        let entry = self.core.entry(actor, "update", KIND).on(&id);
        self.core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Manage, &RESOURCE)?;
                let mut checks = Checks::default();
                let display_name = checks.take_opt(draft.display_name.as_deref().map(DisplayName::parse));
                let metadata = checks.take_opt(draft.metadata.map(Metadata::parse));
                checks.finish()?;
                let patch = BroadcasterPatch { display_name, metadata };
                let updated =
                    self.core.store.update_broadcaster(id, &patch, Change::new(&scope, &entry)).await?;
                self.core.wake_ups.send(WakeUp::Events);
                updated.ok_or(AppError::NotFound(KIND))
            })
            .await
    }

    /// Deletes a broadcaster and its keys, and ends its sessions. Its streams stay as history.
    pub async fn delete(&self, actor: &Actor, id: BroadcasterId) -> Result<()> {
        let entry = self.core.entry(actor, "delete", KIND).on(&id);
        let ending = self
            .core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Manage, &RESOURCE)?;
                if let Some(channel) = self.core.store.channel_of(&scope, id.0).await? {
                    return Err(Conflict::OfChannel(channel.name.to_string()).into());
                }
                let ending = self.core.store.delete_broadcaster(id, Change::new(&scope, &entry)).await?;
                ending.ok_or(AppError::NotFound(KIND))
            })
            .await?;
        self.keys.changed(&ending).await;
        Ok(())
    }
}

#[async_trait]
impl List for Broadcasters {
    type Filter = ();
    type Row = Broadcaster;

    /// Newest first.
    async fn list(&self, actor: &Actor, (): &(), page: &Page<Newest>) -> Result<Vec<Broadcaster>> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        Ok(self.core.lists.turn().await.broadcasters(&scope, page).await?)
    }
}
