//! Keeps one task per row: compares the rows with the running tasks, and starts and stops tasks.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;

use super::running::{TaskHandle, Tasks};
use crate::app::task::{AnyTask, PeriodicTask, Task, TaskContext, TaskError, TaskSet, Tick};
use crate::ports::WakeUp;

/// How often rows and tasks are compared without a wake-up.
const INTERVAL: Duration = Duration::from_secs(5);

/// Keeps one of `tasks` running for each row that `set` desires.
pub fn supervise(tasks: &Tasks, set: impl TaskSet + 'static) -> TaskHandle {
    tasks.start_one(AnyTask::periodic(Supervisor::new(set, tasks.clone())), true)
}

/// Starts and stops the tasks of a set. A task that ends or panics is restarted by its own driver; one whose driver is
/// gone is started again here.
pub(super) struct Supervisor<S: TaskSet> {
    set: S,
    tasks: Tasks,
    pub(super) running: BTreeMap<S::Key, TaskHandle>,
}

impl<S: TaskSet> Supervisor<S> {
    pub(super) fn new(set: S, tasks: Tasks) -> Self {
        Self { set, tasks, running: BTreeMap::new() }
    }
}

impl<S: TaskSet> Task for Supervisor<S> {
    fn name(&self) -> String {
        self.set.name()
    }

    fn description(&self) -> &'static str {
        self.set.description()
    }
}

#[async_trait]
impl<S: TaskSet> PeriodicTask for Supervisor<S> {
    fn interval(&self) -> Duration {
        INTERVAL
    }

    fn wakes_on(&self, wake_up: &WakeUp) -> bool {
        self.set.wakes_on(wake_up)
    }

    async fn tick(&mut self, context: &TaskContext) -> Result<Tick, TaskError> {
        let desired = self.set.desired().await?;
        for (key, task) in &self.running {
            if !desired.contains(key) {
                task.stop.cancel();
            }
        }
        self.running.retain(|_, task| !task.driver.is_finished());
        for key in &desired {
            // A task that is still stopping is started again afterwards.
            if !self.running.contains_key(key)
                && let Some(task) = self.set.task(key)
            {
                self.running.insert(key.clone(), self.tasks.start(task));
            }
        }
        let stopping = self.running.values().filter(|task| task.stop.is_cancelled()).count();
        context.show(
            json!({"desired": desired.len(), "running": self.running.len() - stopping, "stopping": stopping}),
        );
        Ok(Tick { again: stopping > 0 })
    }
}
