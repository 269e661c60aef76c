//! What was decided about a channel, newest first.

use std::sync::Arc;

use async_trait::async_trait;

use super::{KIND, RESOURCE};
use crate::app::list::List;
use crate::app::{AppError, Core, Result};
use crate::domain::access::{Action, Actor};
use crate::domain::channel::{ChannelId, Decision};
use crate::domain::page::{Newest, Page};

/// The decisions of channels.
pub struct Decisions {
    core: Arc<Core>,
}

impl Decisions {
    /// Over the stores of `core`.
    pub fn new(core: Arc<Core>) -> Self {
        Self { core }
    }
}

#[async_trait]
impl List for Decisions {
    type Filter = ChannelId;
    type Row = Decision;

    /// Those of one channel, newest first.
    async fn list(&self, actor: &Actor, of: &ChannelId, page: &Page<Newest>) -> Result<Vec<Decision>> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        let turn = self.core.lists.turn().await;
        let found = turn.decisions(&scope, *of, page).await?;
        if found.is_empty() && turn.channel(&scope, *of).await?.is_none() {
            return Err(AppError::NotFound(KIND));
        }
        Ok(found)
    }
}
