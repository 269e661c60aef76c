//! The background work of a slice: a task, or a set of them.

use async_trait::async_trait;

use crate::app::task::{AnyTask, TaskError, TaskSet};
use crate::runtime::tasks::{Tasks, supervise};

/// Something that is done in the background.
pub enum Work {
    /// One task.
    Task(AnyTask),
    /// One task for each row of some kind.
    Set(Box<dyn AnyTaskSet>),
}

impl Work {
    /// Starts it.
    pub(in crate::runtime) fn start(self, tasks: &Tasks) {
        match self {
            Self::Task(task) => drop(tasks.start(task)),
            Self::Set(set) => set.supervise(tasks),
        }
    }

    /// The tasks that are desired now.
    pub async fn into_tasks(self) -> Result<Vec<AnyTask>, TaskError> {
        match self {
            Self::Task(task) => Ok(vec![task]),
            Self::Set(mut set) => set.desired_tasks().await,
        }
    }
}

/// A [`TaskSet`] with any key.
#[async_trait]
pub trait AnyTaskSet: Send {
    /// Keeps its tasks running.
    fn supervise(self: Box<Self>, tasks: &Tasks);

    /// The tasks that are desired now.
    async fn desired_tasks(&mut self) -> Result<Vec<AnyTask>, TaskError>;
}

#[async_trait]
impl<T: TaskSet + 'static> AnyTaskSet for T {
    fn supervise(self: Box<Self>, tasks: &Tasks) {
        supervise(tasks, *self);
    }

    async fn desired_tasks(&mut self) -> Result<Vec<AnyTask>, TaskError> {
        Ok(self.desired().await?.iter().filter_map(|key| self.task(key)).collect())
    }
}
