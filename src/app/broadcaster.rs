//! Use-cases of broadcasters.

use serde_json::Value;

use super::{App, AppError, Result};
use crate::domain::BroadcasterId;
use crate::domain::access::{Actor, Role};
use crate::domain::broadcaster::{Broadcaster, BroadcasterPatch, DisplayName, Metadata};
use crate::domain::invalid::Checks;
use crate::ports::WakeUp;

/// A broadcaster as a caller describes it, not checked yet.
#[derive(Clone, Debug, Default)]
pub struct BroadcasterDraft {
    /// The name; needed to create one.
    pub display_name: Option<String>,
    /// What the owner keeps beside it.
    pub metadata: Option<Value>,
}

const KIND: &str = "broadcaster";

impl App {
    /// Creates a broadcaster.
    ///
    /// # Errors
    /// Forbidden below admin; invalid fields; the store.
    pub async fn create_broadcaster(&self, actor: &Actor, draft: BroadcasterDraft) -> Result<Broadcaster> {
        let id = BroadcasterId(self.parts.ids.uuid());
        let entry = self.act(actor, "create", KIND).on(&id);
        self.audited(&entry, async {
            actor.require(Role::Admin)?;
            let mut checks = Checks::default();
            let name = checks.take(DisplayName::parse(draft.display_name.as_deref().unwrap_or_default()));
            let metadata = checks.take_opt(draft.metadata.map(Metadata::parse));
            checks.finish()?;
            let Some(display_name) = name else { return Err(AppError::NotFound(KIND)) };
            let now = self.now();
            let metadata = metadata.unwrap_or_default();
            let broadcaster = Broadcaster { id, display_name, metadata, created_at: now, updated_at: now };
            self.store().create_broadcaster(&broadcaster, &entry).await?;
            self.parts.wake_ups.send(WakeUp::Events);
            Ok(broadcaster)
        })
        .await
    }

    /// One broadcaster.
    ///
    /// # Errors
    /// Forbidden; not found; the store.
    pub async fn broadcaster(&self, actor: &Actor, id: BroadcasterId) -> Result<Broadcaster> {
        actor.require(Role::Viewer)?;
        self.store().broadcaster(id).await?.ok_or(AppError::NotFound(KIND))
    }

    /// All broadcasters, newest first.
    ///
    /// # Errors
    /// Forbidden; the store.
    pub async fn broadcasters(&self, actor: &Actor) -> Result<Vec<Broadcaster>> {
        actor.require(Role::Viewer)?;
        Ok(self.store().broadcasters().await?)
    }

    /// Changes what the draft names.
    ///
    /// # Errors
    /// Forbidden below admin; invalid fields; not found; the store.
    pub async fn update_broadcaster(
        &self,
        actor: &Actor,
        id: BroadcasterId,
        draft: BroadcasterDraft,
    ) -> Result<Broadcaster> {
        let entry = self.act(actor, "update", KIND).on(&id);
        self.audited(&entry, async {
            actor.require(Role::Admin)?;
            let mut checks = Checks::default();
            let display_name = checks.take_opt(draft.display_name.as_deref().map(DisplayName::parse));
            let metadata = checks.take_opt(draft.metadata.map(Metadata::parse));
            checks.finish()?;
            let patch = BroadcasterPatch { display_name, metadata };
            let updated = self.store().update_broadcaster(id, &patch, self.now(), &entry).await?;
            self.parts.wake_ups.send(WakeUp::Events);
            updated.ok_or(AppError::NotFound(KIND))
        })
        .await
    }

    /// Deletes a broadcaster and its keys, and ends its sessions. Its streams stay as history.
    ///
    /// # Errors
    /// Forbidden below admin; not found; the store.
    pub async fn delete_broadcaster(&self, actor: &Actor, id: BroadcasterId) -> Result<()> {
        let entry = self.act(actor, "delete", KIND).on(&id);
        let ending = self
            .audited(&entry, async {
                actor.require(Role::Admin)?;
                let ending = self.store().delete_broadcaster(id, self.now(), &entry).await?;
                ending.ok_or(AppError::NotFound(KIND))
            })
            .await?;
        self.keys_changed();
        self.end_sessions(&ending).await;
        Ok(())
    }
}
