//! Use-cases of media servers.

use super::{App, Result};
use crate::domain::access::{Actor, Role};
use crate::domain::media_server::{MediaServerName, MediaServerStatus};
use crate::ports::{StatusFilter, StreamFilter};

/// A configured media server and what is known about it.
#[derive(Clone, Debug)]
pub struct MediaServerOverview {
    /// Its name.
    pub name: MediaServerName,
    /// What is known; `None` before the first look.
    pub status: Option<MediaServerStatus>,
    /// How many streams are recorded as live on it.
    pub streams: usize,
}

impl App {
    /// All configured media servers, by name.
    ///
    /// # Errors
    /// Forbidden; the store.
    pub async fn media_servers(&self, actor: &Actor) -> Result<Vec<MediaServerOverview>> {
        actor.require(Role::Viewer)?;
        let known = self.store().media_servers().await?;
        let filter = StreamFilter { status: StatusFilter::Active, ..StreamFilter::default() };
        let live = self.store().streams(&filter).await?;
        let overview = |name: &MediaServerName| MediaServerOverview {
            name: name.clone(),
            status: known.iter().find(|s| s.name == *name).cloned(),
            streams: live.iter().filter(|s| s.media_server == *name).count(),
        };
        Ok(self.settings().media_servers.keys().map(overview).collect())
    }
}
