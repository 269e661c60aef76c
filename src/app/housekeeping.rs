//! Writes counted decisions and contacts, and removes old rows.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::Core;
use super::media_server::MediaServers;
use super::publish::PublishAuth;
use super::task::{PeriodicTask, Task, TaskContext, TaskError, Tick};
use crate::domain::Timestamp;
use crate::ports::{Store, StoreError, WakeUp};

/// How often old rows are removed.
const PRUNE_EVERY: Duration = Duration::from_secs(600);

/// Removes rows from before a time; returns how many.
pub type Prune = for<'a> fn(
    &'a dyn Store,
    Timestamp,
) -> Pin<Box<dyn Future<Output = Result<u64, StoreError>> + Send + 'a>>;

/// How long rows of one kind are kept.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// How long.
    pub keep: Duration,
    /// Removes the older ones.
    pub prune: Prune,
}

/// Writes the counted auth decisions and contacts every few seconds, and removes old rows every ten minutes. Runs on
/// every instance: each has its own counts, and removing twice does no harm.
pub struct Housekeeping {
    core: Arc<Core>,
    publish: Arc<PublishAuth>,
    media_servers: Arc<MediaServers>,
    retentions: Vec<Retention>,
    pruned: Option<Timestamp>,
    /// The name on its own lease.
    instance: String,
}

impl Housekeeping {
    /// One that has not run yet.
    pub fn new(
        core: Arc<Core>,
        publish: Arc<PublishAuth>,
        media_servers: Arc<MediaServers>,
        retentions: Vec<Retention>,
    ) -> Self {
        let instance = format!("housekeeping {}", core.id());
        Self { core, publish, media_servers, retentions, pruned: None, instance }
    }
}

impl Task for Housekeeping {
    fn name(&self) -> String {
        "housekeeping".into()
    }

    fn description(&self) -> &'static str {
        "Writes counted decisions to the audit log, and removes old rows."
    }
}

#[async_trait]
impl PeriodicTask for Housekeeping {
    fn interval(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn wakes_on(&self, _: &WakeUp) -> bool {
        false
    }

    async fn tick(&mut self, _: &TaskContext) -> Result<Tick, TaskError> {
        self.media_servers.write_contacts().await?;
        self.publish.write_rollup().await?;
        self.media_servers.retire_former_servers(&self.instance).await?;
        let now = self.core.now();
        if self.pruned.is_none_or(|at| now.since(at) >= PRUNE_EVERY) {
            for Retention { keep, prune } in &self.retentions {
                prune(&*self.core.worker_store, now.minus(*keep)).await?;
            }
            self.pruned = Some(now);
        }
        Ok(Tick::default())
    }
}
