//! The tasks of studios: one for each configured studio, each on one instance.

mod checks;
mod clock;
mod commands;
mod drill;
mod observer;
mod orders;
mod outside;
mod player;
mod preflight;
mod report;
mod rounds;
mod scenes;
mod snapshot;
mod supervisor;
mod watchers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;

use super::setup::StudioSetup;
use crate::app::Core;
use crate::app::task::{
    AnyTask, LongRunningTask, OnLeaseDoubt, Placement, Task, TaskContext, TaskError, TaskSet,
};
use crate::ports::WakeUp;
use supervisor::Supervisor;

/// One task for each configured studio.
pub struct StudioTasks {
    core: Arc<Core>,
    setups: BTreeMap<String, StudioSetup>,
    on_lease_doubt: OnLeaseDoubt,
}

impl StudioTasks {
    /// For these studios. `on_lease_doubt` says what their tasks do while the database is unreachable.
    pub fn new(core: Arc<Core>, setups: Vec<StudioSetup>, on_lease_doubt: OnLeaseDoubt) -> Self {
        let setups = setups.into_iter().map(|setup| (setup.name.to_string(), setup)).collect();
        Self { core, setups, on_lease_doubt }
    }
}

impl Task for StudioTasks {
    fn name(&self) -> String {
        "studios".into()
    }

    fn description(&self) -> &'static str {
        "Keeps one task running for each configured studio."
    }
}

#[async_trait]
impl TaskSet for StudioTasks {
    fn wakes_on(&self, _: &WakeUp) -> bool {
        // Studios come from the configuration.
        false
    }

    async fn desired(&mut self) -> Result<BTreeSet<String>, TaskError> {
        Ok(self.setups.keys().cloned().collect())
    }

    fn task(&self, key: &str) -> Option<AnyTask> {
        let setup = self.setups.get(key)?.clone();
        let (core, on_lease_doubt) = (Arc::clone(&self.core), self.on_lease_doubt);
        Some(AnyTask::long_running(StudioTask { core, setup, on_lease_doubt }))
    }
}

/// Supervises one studio.
struct StudioTask {
    core: Arc<Core>,
    setup: StudioSetup,
    on_lease_doubt: OnLeaseDoubt,
}

impl Task for StudioTask {
    fn name(&self) -> String {
        format!("studio:{}", self.setup.name)
    }

    fn description(&self) -> &'static str {
        "Keeps one OBS on air."
    }

    fn placement(&self) -> Placement {
        Placement::OneInstance(self.on_lease_doubt)
    }
}

#[async_trait]
impl LongRunningTask for StudioTask {
    async fn run(&mut self, context: &TaskContext) -> Result<(), TaskError> {
        // Listen first, so that no order between reading and listening is missed.
        let wake_ups = self.core.wake_ups.listen();
        let supervisor = Supervisor::load(Arc::clone(&self.core), self.setup.clone(), context).await?;
        supervisor.run(wake_ups).await
    }
}
