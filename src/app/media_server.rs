//! Use-cases of media servers.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{App, AppError};
use crate::domain::StreamId;
use crate::domain::access::{Actor, Role};
use crate::domain::media_server::{MediaServerName, MediaServerStatus};
use crate::domain::reconcile::Changes;
use crate::domain::stream::EndReason;
use crate::ports::{StatusFilter, StoreError, StreamFilter, WakeUp};

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

/// How long a former media server's lease is held while its records are put in order.
const LEASE: Duration = Duration::from_secs(3);

impl App {
    /// Ends the streams of media servers that are no longer configured, and frees their keys: nobody looks at them any
    /// more, so nobody else would. Leaves a server alone that another instance still reconciles. Done before anything is
    /// reconciled, so that a server under a new name keeps its sessions.
    ///
    /// # Errors
    /// The store.
    pub async fn retire_former_servers(&self, owner: &str) -> Result<(), StoreError> {
        let store = &self.parts.worker_store;
        let filter = StreamFilter { status: StatusFilter::Active, ..StreamFilter::default() };
        let mut former: BTreeMap<MediaServerName, Vec<StreamId>> = BTreeMap::new();
        for stream in store.streams(&filter).await? {
            if !self.settings().media_servers.contains_key(&stream.media_server) {
                former.entry(stream.media_server).or_default().push(stream.id);
            }
        }
        for (server, streams) in former {
            let name = format!("reconcile:{server}");
            let Some(lease) = store.acquire_lease(&name, owner, LEASE).await? else { continue };
            let ended = streams.iter().map(|id| (*id, EndReason::MediaServerRemoved)).collect();
            let changes = Changes { ended, ..Changes::default() };
            let new_id = || StreamId(self.parts.ids.uuid());
            store.apply_changes(&lease, &server, &changes, self.now(), &new_id).await?;
            store.release_holders(&lease, &server, self.now()).await?;
            store.release_lease(&lease).await?;
            tracing::warn!(%server, streams = streams.len(), "ended the streams of a media server that is no longer configured");
            self.parts.wake_ups.send(WakeUp::Events);
        }
        Ok(())
    }

    /// All configured media servers, by name.
    ///
    /// # Errors
    /// Forbidden; the store.
    pub async fn media_servers(&self, actor: &Actor) -> Result<Vec<MediaServerOverview>, AppError> {
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
