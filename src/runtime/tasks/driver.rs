//! Runs one task, of either kind, until it is stopped.

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
    Activation, AnyTask, LongRunningTask, OnLeaseDoubt, PeriodicTask, Placement, TaskContext, TaskState, Tick,
};
use crate::ports::WakeUp;

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

/// A task and what it is run with.
pub(super) struct Driver {
    pub(super) task: AnyTask,
    pub(super) record: Recorder,
    pub(super) wake_ups: broadcast::Receiver<WakeUp>,
    pub(super) tick_limit: Duration,
    pub(super) stop: CancellationToken,
}

/// Why the work is over.
enum Over {
    /// It was stopped, or it is not assigned to this instance any more.
    Stopped,
    /// It ended by itself.
    Ended,
}

impl Driver {
    /// Works until the stop, under `guard` if one instance at a time runs the task. A panic ends no more than one tick or
    /// run.
    pub(super) async fn drive(mut self, guard: Option<AssignmentGuard>) {
        let (stop, mut pause, mut is_restart) = (self.stop.clone(), RESTART_PAUSE, false);
        while !stop.is_cancelled() {
            let mut why = if is_restart { Activation::Restart } else { Activation::Start };
            if let Some(guard) = &guard {
                let held = guard.held(|elsewhere| self.record.runs_on(Some(elsewhere.to_owned())));
                let Some(assignment) = stop.run_until_cancelled(held).await else { break };
                if !is_restart {
                    why = Activation::Assigned;
                }
                self.record.assigned(assignment);
            }
            let begun = Instant::now();
            let over = AssertUnwindSafe(self.run(guard.as_ref(), why)).catch_unwind().await.unwrap_or_else(
                |panic| {
                    self.record.ended(Outcome::panicked(&*panic), begun.elapsed());
                    Over::Ended
                },
            );
            is_restart = matches!(over, Over::Ended);
            let state = if is_restart { TaskState::Restarting } else { TaskState::Waiting };
            self.record.stopped(state);
            if is_restart {
                pause = if begun.elapsed() < RESTART_PAUSE_MAX { pause } else { RESTART_PAUSE };
                stop.run_until_cancelled(sleep(pause)).await;
                pause = (2 * pause).min(RESTART_PAUSE_MAX);
            }
        }
    }

    /// Works under one assignment, or none.
    async fn run(&mut self, guard: Option<&AssignmentGuard>, why: Activation) -> Over {
        let Self { task, record, wake_ups, tick_limit, stop } = self;
        let doubt = pin!(assignment_ends(task.as_task().placement(), guard, record));
        match task {
            AnyTask::Periodic(task) => {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => {}
                    () = doubt => {}
                    never = ticks(&mut **task, record, Schedule::new(wake_ups), *tick_limit, guard, why) => never,
                }
                Over::Stopped
            }
            AnyTask::LongRunning(task) => run_until(&mut **task, record, stop, doubt, why).await,
        }
    }
}

/// Returns when work must end because the assignment is lost or in doubt.
async fn assignment_ends(placement: Placement, guard: Option<&AssignmentGuard>, record: &Recorder) {
    let (Some(guard), Placement::OneInstance(on_doubt)) = (guard, placement) else {
        return std::future::pending().await;
    };
    match on_doubt {
        OnLeaseDoubt::Stop => {
            let ours = record.status.borrow().assignment.clone();
            guard.lost(ours).await;
        }
        OnLeaseDoubt::Continue => {
            guard.taken(|assignment| record.assigned(assignment)).await;
        }
    }
}

/// Ticks for as long as it is polled.
async fn ticks(
    task: &mut dyn PeriodicTask,
    record: &Recorder,
    mut schedule: Schedule<'_>,
    limit: Duration,
    guard: Option<&AssignmentGuard>,
    mut why: Activation,
) -> ! {
    let context = TaskContext::new(record.status.clone(), CancellationToken::new());
    loop {
        schedule.tick_starts();
        record.activated(why);
        let span = tracing::info_span!("tick", task = %record.name);
        let start = Instant::now();
        let tick = AssertUnwindSafe(task.tick(&context)).catch_unwind().instrument(span);
        let outcome = Outcome::of(timeout(limit, tick).await, || format!("took longer than {limit:?}"));
        record.ended(outcome.clone(), start.elapsed());
        match (outcome, guard) {
            (Outcome::Done(Tick { again: true }), _) => schedule.schedule_follow_ups(),
            (Outcome::Fenced, Some(guard)) => guard.lose(),
            _ => {}
        }
        why = schedule.next(task).await;
    }
}

/// Runs until it ends, or until the stop or the end of the assignment, after which it has some time to finish.
async fn run_until(
    task: &mut dyn LongRunningTask,
    record: &Recorder,
    stop: &CancellationToken,
    assignment_ends: impl Future<Output = ()>,
    why: Activation,
) -> Over {
    record.activated(why);
    record.is_at_work();
    let hand_over = match task.placement() {
        Placement::OneInstance(OnLeaseDoubt::Stop) => Duration::ZERO,
        _ => HAND_OVER,
    };
    let (begun, context) =
        (Instant::now(), TaskContext::new(record.status.clone(), CancellationToken::new()));
    let span = tracing::info_span!("run", task = %record.name);
    let mut work = pin!(AssertUnwindSafe(task.run(&context)).catch_unwind().instrument(span));
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
    let (over, ended) = match limit {
        Ok(ended) => (Over::Ended, Ok(ended)),
        Err(limit) => {
            context.stop.cancel();
            (Over::Stopped, timeout(limit, work).await)
        }
    };
    let ended = ended.map(|caught| caught.map(|done| done.map(|()| Tick::default())));
    let outcome = Outcome::of(ended, || "it did not finish in time after it was stopped".to_owned());
    record.ended(outcome, begun.elapsed());
    over
}
