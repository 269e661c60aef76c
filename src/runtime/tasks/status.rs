//! Records the state of a task: in its status, the metrics and the log.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, error::Elapsed};

use crate::app::task::{Activation, TaskError, TaskFailure, TaskState, TaskStatus, Tick};
use crate::ports::{Assignment, Clock, StoreError};

/// The outcome of a tick or a run.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    /// The work is done.
    Done(Tick),
    /// It failed. The text holds the reason and no secret.
    Failed(String),
    /// The work panicked.
    Panicked(String),
    /// A write was refused because the task is not assigned to this instance any more.
    Fenced,
}

impl Outcome {
    /// The outcome of work with a time limit that may panic. `too_long`: the message when it took too long.
    pub(super) fn of(
        ended: Result<std::thread::Result<Result<Tick, TaskError>>, Elapsed>,
        too_long: impl FnOnce() -> String,
    ) -> Self {
        match ended {
            Ok(Ok(Ok(tick))) => Self::Done(tick),
            Ok(Ok(Err(TaskError::Store(StoreError::Fenced(_))))) => Self::Fenced,
            Ok(Ok(Err(error))) => Self::Failed(error.to_string()),
            Ok(Err(panic)) => Self::panicked(&*panic),
            Err(_) => Self::Failed(too_long()),
        }
    }

    pub(super) fn panicked(panic: &(dyn Any + Send)) -> Self {
        Self::Panicked(panic_text(panic))
    }
}

/// The message of a panic.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("(no message)"))
}

/// Where the status of one task is written.
pub(super) struct Recorder {
    pub(super) name: String,
    pub(super) status: watch::Sender<TaskStatus>,
    pub(super) clock: Arc<dyn Clock>,
    log: FailureLog,
}

/// How long a task may fail after its start before that is worth a warning: what it needs may be starting too, such as the
/// media server that `up` runs.
const START: Duration = Duration::from_secs(10);

/// Which failures of a task are logged.
struct FailureLog {
    began: Instant,
    /// Whether the log says that the task fails.
    is_reported: AtomicBool,
}

impl FailureLog {
    /// Whether this failure is to be logged as a warning.
    fn reports(&self, has_worked: bool, is_new: bool, panicked: bool) -> bool {
        if !has_worked && !panicked && self.began.elapsed() < START {
            return false;
        }
        !self.is_reported.swap(true, Ordering::Relaxed) || is_new || panicked
    }

    /// Whether it was failing according to the log.
    fn works_again(&self) -> bool {
        self.is_reported.swap(false, Ordering::Relaxed)
    }
}

impl Recorder {
    pub(super) fn new(status: TaskStatus, clock: Arc<dyn Clock>) -> Self {
        let log = FailureLog { began: Instant::now(), is_reported: AtomicBool::new(false) };
        Self { name: status.name.clone(), status: watch::Sender::new(status), clock, log }
    }

    pub(super) fn activated(&self, why: Activation) {
        let at = self.clock.now();
        self.status.send_modify(|status| {
            status.state = TaskState::Running;
            status.last_activation = Some((at, why));
        });
    }

    /// The task is assigned to this instance.
    pub(super) fn assigned(&self, assignment: Assignment) {
        self.runs_on(&assignment.instance);
        self.status.send_modify(|status| status.assignment = Some(assignment));
    }

    /// The instance that runs the task.
    pub(super) fn runs_on(&self, instance: &str) {
        self.status.send_modify(|status| {
            status.instance = Some(instance.to_owned());
            if status.waiting_since.take().is_some() {
                status.failing = false;
            }
        });
    }

    /// The task has waited this long for its assignment, and no instance is known to run it.
    pub(super) fn waits_too_long(&self, waited: Duration) {
        let at = self.clock.now();
        let since = at.minus(waited);
        self.status.send_modify(|status| {
            let mut message =
                format!("waits for its assignment since {since}: no instance is known to run it");
            if let Some(last) = status.instance.take() {
                message.push_str("; the last one was ");
                message.push_str(&last);
            }
            tracing::warn!(task = self.name, error = message, "nobody runs the task");
            (status.failing, status.waiting_since) = (true, Some(since));
            status.last_error = Some(TaskFailure { at, message });
        });
    }

    /// The work is over for now.
    pub(super) fn stopped(&self, state: TaskState) {
        self.status.send_modify(|status| {
            (status.state, status.details) = (state, None);
            if status.assignment.take().is_some() {
                status.instance = None;
            }
        });
    }

    /// A long-running task is at work. It has no ticks, so this clears the failure of an earlier run.
    pub(super) fn is_at_work(&self) {
        let now = (self.clock.now(), Instant::now());
        self.status.send_modify(|status| (status.failing, status.last_ok) = (false, Some(now)));
    }

    /// The end of a tick or a run.
    pub(super) fn ended(&self, outcome: Outcome, took: Duration) {
        let (label, failure) = match outcome {
            Outcome::Done(_) => ("done", None),
            Outcome::Failed(why) => ("failed", Some(why)),
            Outcome::Panicked(why) => ("panicked", Some(why)),
            Outcome::Fenced => ("fenced", Some("it is not assigned to this instance any more".to_owned())),
        };
        let (task, panicked) = (&self.name, label == "panicked");
        metrics::counter!("streamward_task_iterations_total", "task" => task.clone(), "outcome" => label)
            .increment(1);
        metrics::histogram!("streamward_task_seconds", "task" => task.clone()).record(took);
        let (at, now) = (self.clock.now(), Instant::now());
        self.status.send_modify(|status| {
            status.state = TaskState::Idle;
            status.iterations += 1;
            status.duration = Some(took);
            status.failing = failure.is_some();
            let Some(message) = failure else {
                status.last_ok = Some((at, now));
                if self.log.works_again() {
                    tracing::info!(task, "the task works again");
                }
                return;
            };
            let is_new = status.last_error.as_ref().is_none_or(|last| last.message != message);
            if self.log.reports(status.last_ok.is_some(), is_new, panicked) {
                tracing::warn!(task, error = message, "the task failed; it is tried again");
            } else {
                tracing::debug!(task, error = message, "the task failed; it is tried again");
            }
            status.failures += 1;
            status.panics += u64::from(panicked);
            status.last_error = Some(TaskFailure { at, message });
        });
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn failures_right_after_the_start_are_no_warning_unless_they_last() {
        let log = || FailureLog { began: Instant::now(), is_reported: AtomicBool::new(false) };
        let starting = log();
        assert!(!starting.reports(false, true, false) && !starting.works_again());
        assert!(starting.reports(false, true, true), "a panic");
        let starting = log();
        advance(START).await;
        assert!(starting.reports(false, false, false), "the same failure for ten seconds");
        assert!(!starting.reports(false, false, false) && starting.reports(false, true, false));
        assert!(starting.works_again() && !starting.works_again());
        let working = log();
        assert!(working.reports(true, false, false), "it has worked before");
    }
}
