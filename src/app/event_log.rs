//! The event log as a list: what happened, the newest first.

use std::sync::Arc;

use async_trait::async_trait;

use super::list::List;
use super::{Core, Result};
use crate::domain::access::{Action, Actor, Resource};
use crate::domain::event::{Event, StoredEvent};
use crate::domain::page::{Page, Placed};
use crate::ports::EventFilter;

const RESOURCE: Resource = Resource::READ_BY_ALL;

/// Lists the event log.
pub struct EventLog {
    core: Arc<Core>,
}

impl EventLog {
    /// Over the stores of `core`.
    pub fn new(core: Arc<Core>) -> Self {
        Self { core }
    }
}

/// A row of the log.
#[derive(Clone, Debug)]
pub struct LoggedEvent {
    /// The row.
    pub stored: StoredEvent,
    /// What it says; `None` if another version of the program wrote it.
    pub event: Option<Event>,
}

/// The place of an event: its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventPlace(pub i64);

impl Placed for LoggedEvent {
    type Place = EventPlace;

    fn place(&self) -> EventPlace {
        EventPlace(self.stored.seq)
    }
}

#[async_trait]
impl List for EventLog {
    type Filter = EventFilter;
    type Row = LoggedEvent;

    /// The newest first.
    async fn list(
        &self,
        actor: &Actor,
        filter: &EventFilter,
        page: &Page<EventPlace>,
    ) -> Result<Vec<LoggedEvent>> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        let before = page.after.map_or(i64::MAX, |place| place.0);
        let limit = page.limit.unwrap_or(u32::MAX);
        let rows = self.core.lists.turn().await.events_before(&scope, filter, before, limit).await?;
        Ok(rows.into_iter().map(|stored| LoggedEvent { event: stored.decode().ok(), stored }).collect())
    }
}
