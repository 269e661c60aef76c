//! What was decided about a studio, newest first.

use std::sync::Arc;

use async_trait::async_trait;

use super::{RESOURCE, Studios};
use crate::app::Result;
use crate::app::list::List;
use crate::domain::access::{Action, Actor};
use crate::domain::page::{Newest, Page};
use crate::domain::studio::{StudioDecision, StudioName};

/// The decisions of studios.
pub struct StudioDecisions(pub Arc<Studios>);

#[async_trait]
impl List for StudioDecisions {
    type Filter = StudioName;
    type Row = StudioDecision;

    /// Those of one studio, newest first.
    async fn list(&self, actor: &Actor, of: &StudioName, page: &Page<Newest>) -> Result<Vec<StudioDecision>> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        let (_, studio) = self.0.stored(&scope, of).await?;
        Ok(self.0.core.lists.turn().await.studio_decisions(&scope, studio.id, page).await?)
    }
}
