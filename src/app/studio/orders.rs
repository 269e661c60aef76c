//! A person's orders.

use super::draft::{HoldDraft, check_reason};
use super::{KIND, RESOURCE, StudioOverview, StudioSetup, Studios};
use crate::app::error::Conflict;
use crate::app::{AppError, Result};
use crate::domain::access::{Action, Actor};
use crate::domain::studio::{Order, StudioName};
use crate::ports::Change;

impl Studios {
    /// To be on air, as soon as the pre-flight checks pass.
    pub async fn start(&self, actor: &Actor, name: &StudioName, reason: &str) -> Result<StudioOverview> {
        let order = |setup: &StudioSetup| match &setup.platform {
            Some(_) => Ok(Order::Start),
            None => Err(Conflict::StudioWithoutPlatform(name.to_string()).into()),
        };
        self.order(actor, name, ("start", reason), order).await
    }

    /// Off air, until a person starts it.
    pub async fn stop(&self, actor: &Actor, name: &StudioName, reason: &str) -> Result<StudioOverview> {
        self.order(actor, name, ("stop", reason), |_| Ok(Order::Stop)).await
    }

    /// Leave the scene alone that is on air, or put one on air and leave it.
    pub async fn hold(&self, actor: &Actor, name: &StudioName, draft: HoldDraft) -> Result<StudioOverview> {
        let action = if draft.scene.is_some() { "scene" } else { "hold" };
        let order = |setup: &StudioSetup| {
            let scenes = &setup.settings.scenes;
            Ok(Order::Hold(draft.hold(scenes, &actor.name, self.core.now())?))
        };
        self.order(actor, name, (action, &draft.reason), order).await
    }

    /// End the hold.
    pub async fn release(&self, actor: &Actor, name: &StudioName, reason: &str) -> Result<StudioOverview> {
        self.order(actor, name, ("release", reason), |_| Ok(Order::Release)).await
    }

    /// Carries out an order, which is made when the actor is known to be allowed to.
    async fn order(
        &self,
        actor: &Actor,
        name: &StudioName,
        (word, reason): (&str, &str),
        order: impl FnOnce(&StudioSetup) -> Result<Order>,
    ) -> Result<StudioOverview> {
        let entry = self.core.entry(actor, word, KIND).on(name);
        self.core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Operate, &RESOURCE)?;
                let (setup, _) = self.stored(&scope, name).await?;
                let order = order(setup)?;
                let reason = check_reason(reason)?;
                let by = Change::new(&scope, &entry);
                let done = self.core.store.order_studio(name, &order, Some(&reason), by).await?;
                done.ok_or(AppError::NotFound(KIND))
            })
            .await?;
        self.changed();
        self.get(actor, name).await
    }
}
