//! Tasks that run until they are stopped, and what both kinds do while their lease is in doubt.

use super::*;
use crate::app::task::LongRunningTask;

/// A long-running task that records its runs.
struct Runner {
    log: Log,
    placement: Placement,
    /// What it does after the stop, or instead of waiting for it.
    run: Run,
}

#[derive(Clone, Copy)]
enum Run {
    /// Takes this long to finish after the stop.
    Finish(Duration),
    /// Panics this many times, each time after 100 ms.
    Panic(u32),
    /// Returns at once.
    Return,
}

impl Task for Runner {
    fn name(&self) -> String {
        "runner".to_owned()
    }

    fn description(&self) -> &'static str {
        "Runs."
    }

    fn placement(&self) -> Placement {
        self.placement
    }
}

#[async_trait]
impl LongRunningTask for Runner {
    async fn run(&mut self, context: &TaskContext) -> Result<(), TaskError> {
        self.log.starts();
        self.log.keep(context.lease.clone());
        match self.run {
            Run::Return => return Ok(()),
            Run::Panic(times @ 1..) => {
                self.run = Run::Panic(times - 1);
                sleep(ms(100)).await;
                panic!("on purpose");
            }
            Run::Panic(0) => context.stop.cancelled().await,
            Run::Finish(time) => {
                context.stop.cancelled().await;
                sleep(time).await;
            }
        }
        self.log.ends();
        Ok(())
    }
}

fn runner(terms: LeaseTerms, on_doubt: OnLeaseDoubt, run: Run) -> Running {
    let (log, tasks, placement) = (Log::new(), instance(terms), Placement::OneInstance(on_doubt));
    tasks.start(AnyTask::long_running(Runner { log: log.clone(), placement, run }));
    Running { log, tasks }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_panics_is_started_again_after_pauses_that_grow() {
    let leases = Leases::new();
    let running = runner(leases.terms("one"), OnLeaseDoubt::Continue, Run::Panic(4));
    sleep(ms(500)).await;
    let status = running.status();
    assert_eq!((status.state, status.panics, status.failing), (TaskState::Restarting, 1, true));
    sleep(ms(20_000)).await;
    assert_eq!(running.log.started(), [0, 1100, 3200, 7300, 15_400]);
    let status = running.status();
    assert_eq!((status.state, status.panics, status.failing), (TaskState::Running, 4, false));
    assert_eq!(
        (running.why(), status.last_error.unwrap().message.as_str()),
        (Activation::Restart, "panicked: on purpose")
    );
}

#[tokio::test(start_paused = true)]
async fn a_task_that_continues_runs_while_the_database_is_unreachable() {
    let leases = Leases::new();
    let one = runner(leases.terms("one"), OnLeaseDoubt::Continue, Run::Finish(ms(0)));
    sleep(ms(1500)).await;
    leases.reachable(false);
    sleep(ms(60_000)).await;
    leases.reachable(true);
    sleep(ms(5000)).await;
    assert_eq!((one.log.started(), one.log.ended()), (vec![0], vec![]));
    assert_eq!((one.status().state, one.status().iterations), (TaskState::Running, 0));
    assert_eq!(one.epoch(), Some(2), "it works under the new assignment");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_continues_ends_when_another_instance_has_it() {
    let leases = Leases::new();
    let one = runner(leases.terms("one"), OnLeaseDoubt::Continue, Run::Finish(ms(3000)));
    sleep(ms(1500)).await;
    leases.reachable(false);
    sleep(ms(6000)).await;
    assert_eq!(one.log.ended().len(), 0);
    leases.move_from(one.status().assignment.unwrap()).await;
    leases.reachable(true);
    sleep(ms(6000)).await;
    assert_eq!(one.log.ended().len(), 1, "it has the time to finish");
    assert_eq!((one.status().state, one.status().assignment), (TaskState::Waiting, None));
    sleep(ms(20_000)).await;
    assert_eq!(one.log.started().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_stops_is_dropped_before_another_instance_can_have_it() {
    let leases = Leases::new();
    let one = runner(leases.terms("one"), OnLeaseDoubt::Stop, Run::Finish(ms(3000)));
    sleep(ms(1500)).await;
    leases.reachable(false);
    sleep(ms(1400)).await;
    assert_eq!(one.status().state, TaskState::Running);
    sleep(ms(200)).await;
    assert_eq!((one.status().state, one.log.ended().len()), (TaskState::Waiting, 0));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_stops_unless_alone_runs_on_without_the_database_if_no_other_instance_was_alive() {
    let leases = Leases::new();
    let one = runner(leases.terms("one"), OnLeaseDoubt::StopUnlessAlone, Run::Finish(ms(0)));
    sleep(ms(1500)).await;
    leases.reachable(false);
    sleep(ms(60_000)).await;
    assert!(one.log.lease().is_valid());
    leases.reachable(true);
    sleep(ms(5000)).await;
    assert_eq!((one.log.started(), one.log.ended()), (vec![0], vec![]));
    assert_eq!(one.epoch(), Some(2), "it works under the new assignment");
    // Another instance starts. From now on the task stops at a doubt.
    let _two = instance(leases.terms("two"));
    sleep(ms(1500)).await;
    leases.reachable(false);
    sleep(ms(2500)).await;
    assert_eq!((one.status().state, one.log.started().len()), (TaskState::Waiting, 1));
    assert!(!one.log.lease().is_valid());
}

#[tokio::test(start_paused = true)]
async fn a_task_that_ran_on_alone_ends_when_another_instance_has_it() {
    let leases = Leases::new();
    let one = runner(leases.terms("one"), OnLeaseDoubt::StopUnlessAlone, Run::Finish(ms(0)));
    sleep(ms(1500)).await;
    leases.reachable(false);
    sleep(ms(10_000)).await;
    assert_eq!(one.status().state, TaskState::Running);
    leases.move_from(one.status().assignment.unwrap()).await;
    leases.reachable(true);
    sleep(ms(2_000)).await;
    assert_eq!((one.status().state, one.log.lease().is_valid()), (TaskState::Waiting, false));
}

#[tokio::test(start_paused = true)]
async fn after_a_pause_of_the_whole_process_the_lease_is_not_valid() {
    let leases = Leases::new();
    let one = runner(leases.terms("one"), OnLeaseDoubt::Stop, Run::Finish(ms(0)));
    sleep(ms(1500)).await;
    let lease = one.log.lease();
    assert!(lease.is_valid());
    // As after SIGSTOP and SIGCONT. Nobody was told yet.
    tokio::time::advance(ms(4_000)).await;
    assert!(!lease.is_valid());
}

#[tokio::test(start_paused = true)]
async fn a_stopped_task_has_a_moment_to_finish() {
    for (finish, ended) in [(ms(1000), vec![1100]), (ms(5000), vec![])] {
        let leases = Leases::new();
        let one = runner(leases.terms("one"), OnLeaseDoubt::Continue, Run::Finish(finish));
        sleep(ms(100)).await;
        one.tasks.stop().await;
        assert_eq!(one.log.ended(), ended);
    }
}

#[tokio::test(start_paused = true)]
async fn continuing_ticks_run_under_the_next_lease() {
    let leases = Leases::new();
    let placement = Placement::OneInstance(OnLeaseDoubt::Continue);
    let one = Running::placed(placement, leases.terms("one"), || DONE);
    sleep(ms(1500)).await;
    leases.reachable(false);
    sleep(ms(10_000)).await;
    assert_eq!(one.log.started(), [0, 2000, 4000, 6000, 8000, 10_000]);
    leases.reachable(true);
    sleep(ms(2000)).await;
    assert_eq!(one.epoch(), Some(2));
    leases.move_from(one.status().assignment.unwrap()).await;
    sleep(ms(11_000)).await;
    let ticks = one.log.started().len();
    sleep(ms(10_000)).await;
    assert_eq!(one.log.started().len(), ticks);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_returns_by_itself_is_started_again() {
    let running = runner(Leases::new().terms("one"), OnLeaseDoubt::Stop, Run::Return);
    sleep(ms(4000)).await;
    assert_eq!(running.log.started(), [0, 1000, 3000]);
    assert_eq!(running.status().failures, 0);
}
