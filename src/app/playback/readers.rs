//! Ends the reading sessions of tokens that have expired or were revoked.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::PlaybackGuard;
use crate::app::Core;
use crate::app::task::{PeriodicTask, Task, TaskContext, TaskError, Tick};
use crate::domain::media_server::MediaServerName;
use crate::ports::{MediaServer, RemoteError, WakeUp};

/// How often the sessions of a media server are listed if nothing is due.
const LISTED_EVERY: Duration = Duration::from_secs(10);
/// The same while sessions are counted: a place becomes free when one has ended.
const COUNTED_EVERY: Duration = Duration::from_secs(2);

/// Lists who reads on the media servers, and ends who may not any more. No auth decision waits for it.
pub struct ReaderWatch {
    core: Arc<Core>,
    guard: Arc<PlaybackGuard>,
    servers: BTreeMap<MediaServerName, Arc<dyn MediaServer>>,
    listed_at: HashMap<MediaServerName, Instant>,
}

impl ReaderWatch {
    /// Watches these media servers.
    pub fn new(
        core: Arc<Core>,
        guard: Arc<PlaybackGuard>,
        servers: BTreeMap<MediaServerName, Arc<dyn MediaServer>>,
    ) -> Self {
        Self { core, guard, servers, listed_at: HashMap::new() }
    }

    fn must_list(&self, name: &MediaServerName) -> bool {
        let elapsed = self.listed_at.get(name).map(Instant::elapsed);
        let is_counted = || self.guard.sessions().must_be_counted(name);
        let is_due = || !self.guard.due(name, self.core.now()).is_empty();
        match elapsed {
            Some(elapsed) if elapsed < COUNTED_EVERY => is_due(),
            Some(elapsed) if elapsed < LISTED_EVERY => is_counted() || is_due(),
            _ => true,
        }
    }

    async fn watch(&self, name: &MediaServerName, server: &dyn MediaServer) -> Result<(), RemoteError> {
        let readers = server.readers().await?;
        let now = self.core.now();
        let mut outcome = Ok(());
        for reader in self.guard.must_end(name, &readers, now) {
            let (path, kind) = (reader.path.public(), &reader.source.kind);
            match server.disconnect(&reader.source).await {
                Ok(()) => {
                    tracing::info!(server = %name, path, %kind, "ended a session: its playback token is no longer valid");
                }
                Err(error) => outcome = Err(error),
            }
        }
        let ids = readers.iter().flat_map(|reader| reader.source.id.iter().chain(&reader.source.aliases));
        self.guard.sessions().take_list(name, &ids.cloned().collect(), now);
        outcome
    }
}

impl Task for ReaderWatch {
    fn name(&self) -> String {
        "playback-sessions".into()
    }

    fn description(&self) -> &'static str {
        "Ends the sessions of viewers whose playback token has expired or was revoked."
    }
}

#[async_trait]
impl PeriodicTask for ReaderWatch {
    fn interval(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn limit(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn wakes_on(&self, wake_up: &WakeUp) -> bool {
        *wake_up == WakeUp::Playback
    }

    async fn tick(&mut self, _: &TaskContext) -> Result<Tick, TaskError> {
        if !self.guard.is_used() {
            return Ok(Tick::default());
        }
        let mut outcome = Ok(Tick::default());
        for (name, server) in &self.servers {
            if !self.must_list(name) {
                continue;
            }
            self.listed_at.insert(name.clone(), Instant::now());
            match self.watch(name, &**server).await {
                // That media server's own task reports it.
                Ok(()) | Err(RemoteError::Unsupported(_)) => {}
                Err(error) => outcome = Err(error.into()),
            }
        }
        outcome
    }
}
