//! Writes what slices and the log have counted, and removes old rows.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::Core;
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

/// What a slice does every few seconds and at the stop, such as writing counts. Every instance does it.
#[async_trait]
pub trait Chore: Send + Sync {
    /// Does it once.
    async fn run(&self) -> Result<(), StoreError>;

    /// Does it for the last time: nothing may wait for the next time.
    async fn run_at_stop(&self) -> Result<(), StoreError> {
        self.run().await
    }
}

/// Runs the chores every few seconds, and removes old rows every ten minutes. Runs on every instance: each has its own
/// counts, and removing twice does no harm.
pub struct Housekeeping {
    core: Arc<Core>,
    chores: Vec<Arc<dyn Chore>>,
    retentions: Vec<Retention>,
    pruned: Option<Timestamp>,
}

impl Housekeeping {
    /// One that has not run yet.
    pub fn new(core: Arc<Core>, chores: Vec<Arc<dyn Chore>>, retentions: Vec<Retention>) -> Self {
        Self { core, chores, retentions, pruned: None }
    }

    /// Runs the chores for the last time.
    pub async fn run_at_stop(&self) -> Result<(), StoreError> {
        self.core.lines.summarize(self.core.now());
        let mut done = Ok(());
        for chore in &self.chores {
            done = done.and(chore.run_at_stop().await);
        }
        done
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
        self.core.lines.summarize(self.core.now());
        let mut done = Ok(());
        for chore in &self.chores {
            done = done.and(chore.run().await);
        }
        done?;
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
