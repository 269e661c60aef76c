//! Runs one task until it is stopped.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::broadcast;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::instance::AssignmentGuard;
use super::schedule::Schedule;
use super::status::{Outcome, Recorder};
use crate::app::task::{
    Activation, LongRunningTask, OnLeaseDoubt, PeriodicTask, Placement, Task, TaskContext, TaskState, Tick,
};
use crate::ports::{LeaseCheck, WakeUp};

/// How long a long-running task may take to finish when its assignment ends.
const HAND_OVER: Duration = Duration::from_secs(10);
/// The same when the process stops.
const LAST: Duration = Duration::from_millis(1_500);
/// How often the status of a long-running task is updated.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
/// The first pause before a task that ended or panicked is started again. It doubles each time.
const RESTART_PAUSE: Duration = Duration::from_secs(1);
/// The longest such pause. A task that worked for longer than this starts with the first pause again.
const RESTART_PAUSE_MAX: Duration = Duration::from_secs(30);

/// What a task does.
pub(super) enum Work {
    /// It ticks.
    Ticks(Box<dyn PeriodicTask>),
    /// It runs.
    Runs(Box<dyn LongRunningTask>),
}

impl Work {
    /// What both kinds have.
    pub(super) fn task(&self) -> &dyn Task {
        match self {
            Self::Ticks(task) => &**task,
            Self::Runs(task) => &**task,
        }
    }
}

/// A task and what it is run with.
pub(super) struct Driver {
    pub(super) work: Work,
    pub(super) record: Recorder,
    pub(super) wake_ups: broadcast::Receiver<WakeUp>,
    pub(super) stop: CancellationToken,
}

impl Driver {
    /// Works until the stop, under `guard` if one instance at a time runs the task. A panic ends no more than one tick or
    /// run.
    pub(super) async fn drive(mut self, guard: Option<AssignmentGuard>) {
        let (stop, mut pause, mut is_restart) = (self.stop.clone(), RESTART_PAUSE, false);
        while !stop.is_cancelled() {
            let mut why = if is_restart { Activation::Restart } else { Activation::Start };
            if let Some(guard) = &guard {
                let (record, overdue) = (&self.record, |waited| self.record.waits_too_long(waited));
                let held = guard.held(|elsewhere| record.runs_on(elsewhere), overdue);
                let Some(assignment) = stop.run_until_cancelled(held).await else { break };
                if !is_restart {
                    why = Activation::Assigned;
                }
                self.record.assigned(assignment);
            }
            let begun = Instant::now();
            let ended = AssertUnwindSafe(self.run(guard.as_ref(), why)).catch_unwind().await;
            is_restart = ended.unwrap_or_else(|panic| {
                self.record.ended(Outcome::panicked(&*panic), begun.elapsed());
                true
            });
            self.record.stopped(if is_restart { TaskState::Restarting } else { TaskState::Waiting });
            if is_restart {
                pause = if begun.elapsed() < RESTART_PAUSE_MAX { pause } else { RESTART_PAUSE };
                stop.run_until_cancelled(sleep(pause)).await;
                pause = (2 * pause).min(RESTART_PAUSE_MAX);
            }
        }
    }

    /// Works under one assignment, or none. Returns whether the work ended by itself; otherwise it was stopped, or it is
    /// not assigned to this instance any more.
    async fn run(&mut self, guard: Option<&AssignmentGuard>, why: Activation) -> bool {
        let Self { work, record, wake_ups, stop } = self;
        let doubt = pin!(assignment_ends(work.task().placement(), guard, record));
        let lease = lease_check(work.task().placement(), guard);
        match work {
            Work::Ticks(task) => {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => false,
                    () = doubt => false,
                    never = ticks(&mut **task, record, Schedule::new(wake_ups), guard, why) => never,
                }
            }
            Work::Runs(task) => run_until(&mut **task, (record, lease), stop, doubt, why).await,
        }
    }
}

/// Returns when work must end because the assignment is lost or in doubt.
async fn assignment_ends(placement: Placement, guard: Option<&AssignmentGuard>, record: &Recorder) {
    let ours = record.status.borrow().assignment.clone();
    match (guard, placement, ours) {
        (Some(guard), Placement::OneInstance(on_doubt), Some(ours)) => {
            guard.ends(ours, on_doubt, |assignment| record.assigned(assignment)).await;
        }
        _ => std::future::pending().await,
    }
}

/// What a task checks its assignment with.
fn lease_check(placement: Placement, guard: Option<&AssignmentGuard>) -> LeaseCheck {
    match (guard, placement) {
        (Some(guard), Placement::OneInstance(on_doubt)) => guard.check(on_doubt),
        _ => LeaseCheck::default(),
    }
}

/// Ticks for as long as it is polled.
async fn ticks(
    task: &mut dyn PeriodicTask,
    record: &Recorder,
    mut schedule: Schedule<'_>,
    guard: Option<&AssignmentGuard>,
    mut why: Activation,
) -> ! {
    let context = TaskContext::new(record.status.clone(), CancellationToken::new());
    loop {
        schedule.tick_starts();
        record.activated(why);
        let span = tracing::info_span!("tick", task = %record.name);
        let (start, limit) = (Instant::now(), task.limit());
        let tick = AssertUnwindSafe(task.tick(&context)).catch_unwind().instrument(span);
        let too_long = || format!("took longer than {limit:?}");
        let outcome = Outcome::of(timeout(limit, tick).await, too_long);
        record.ended(outcome.clone(), start.elapsed());
        match (outcome, guard) {
            (Outcome::Done(Tick { again: true }), _) => schedule.schedule_follow_ups(),
            (Outcome::Fenced, Some(guard)) => guard.lose(),
            _ => {}
        }
        why = schedule.next(task).await;
    }
}

/// Runs until it ends, or until the stop or the end of the assignment, after which it has some time to finish. Returns
/// whether it ended by itself.
async fn run_until(
    task: &mut dyn LongRunningTask,
    (record, lease): (&Recorder, LeaseCheck),
    stop: &CancellationToken,
    assignment_ends: impl Future<Output = ()>,
    why: Activation,
) -> bool {
    record.activated(why);
    record.is_at_work();
    let hand_over = match task.placement() {
        Placement::OneInstance(OnLeaseDoubt::Stop | OnLeaseDoubt::StopUnlessAlone) => Duration::ZERO,
        _ => HAND_OVER,
    };
    let begun = Instant::now();
    let context = TaskContext::new(record.status.clone(), CancellationToken::new()).with_lease(lease);
    let span = tracing::info_span!("run", task = %record.name);
    let work = AssertUnwindSafe(task.run(&context)).catch_unwind().instrument(span);
    let mut work = pin!(work.map(|caught| caught.map(|done| done.map(|()| Tick::default()))));
    let at_work = async {
        loop {
            sleep(SIGN_OF_LIFE).await;
            record.is_at_work();
        }
    };
    let limit = tokio::select! {
        biased;
        () = stop.cancelled() => Err(LAST),
        () = assignment_ends => Err(hand_over),
        ended = &mut work => Ok(ended),
        never = at_work => never,
    };
    let (by_itself, ended) = match limit {
        Ok(ended) => (true, Ok(ended)),
        Err(limit) => {
            context.stop.cancel();
            (false, timeout(limit, work).await)
        }
    };
    let outcome = Outcome::of(ended, || "it did not finish in time after it was stopped".to_owned());
    record.ended(outcome, begun.elapsed());
    by_itself
}
