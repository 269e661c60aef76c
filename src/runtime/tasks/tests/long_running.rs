//! Tasks that run until they are stopped, and what both kinds do while their lease is in doubt.

use std::sync::atomic::Ordering::SeqCst;

use super::leases::Leases;
use super::*;
use crate::app::task::LongRunningTask;

/// A long-running task that records its runs, and takes `finish` to finish.
struct Runner {
    log: Log,
    on_doubt: OnLeaseDoubt,
    finish: Duration,
    /// Panics this many times, each time after 100 ms.
    panics: u32,
}

impl Task for Runner {
    fn name(&self) -> String {
        "runner".to_owned()
    }

    fn description(&self) -> &'static str {
        "Runs."
    }

    fn placement(&self) -> Placement {
        Placement::OneInstance(self.on_doubt)
    }
}

#[async_trait]
impl LongRunningTask for Runner {
    async fn run(&mut self, context: &TaskContext) -> Result<(), TaskError> {
        self.log.started.lock().unwrap().push(self.log.now());
        if self.panics > 0 {
            self.panics -= 1;
            sleep(ms(100)).await;
            panic!("on purpose");
        }
        context.stop.cancelled().await;
        sleep(self.finish).await;
        self.log.ended.lock().unwrap().push(self.log.now());
        Ok(())
    }
}

fn runner(terms: LeaseTerms, on_doubt: OnLeaseDoubt, finish: Duration, panics: u32) -> Running {
    let (log, tasks) = (Log::new(), instance(terms));
    tasks.start(AnyTask::long_running(Runner { log: log.clone(), on_doubt, finish, panics }));
    Running { log, tasks }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_panics_is_started_again_after_pauses_that_grow() {
    let leases = Leases::new();
    let running = runner(leases.terms("one"), OnLeaseDoubt::Continue, ms(0), 4);
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
    let one = runner(leases.terms("one"), OnLeaseDoubt::Continue, ms(0), 0);
    sleep(ms(1500)).await;
    leases.unreachable.store(true, SeqCst);
    sleep(ms(60_000)).await;
    leases.unreachable.store(false, SeqCst);
    sleep(ms(5000)).await;
    assert_eq!((one.log.started(), one.log.ended()), (vec![0], vec![]));
    let status = one.status();
    assert_eq!((status.state, status.iterations), (TaskState::Running, 0));
    assert_eq!(status.assignment.map(|one| one.epoch), Some(2), "it works under the new assignment");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_continues_ends_when_another_instance_has_it() {
    let leases = Leases::new();
    let one = runner(leases.terms("one"), OnLeaseDoubt::Continue, ms(3000), 0);
    sleep(ms(1500)).await;
    leases.unreachable.store(true, SeqCst);
    sleep(ms(6000)).await;
    assert_eq!(one.log.ended().len(), 0);
    leases.move_from(one.status().assignment.unwrap()).await;
    leases.unreachable.store(false, SeqCst);
    sleep(ms(6000)).await;
    assert_eq!(one.log.ended().len(), 1, "it has the time to finish");
    assert_eq!((one.status().state, one.status().assignment), (TaskState::Waiting, None));
    sleep(ms(20_000)).await;
    assert_eq!(one.log.started().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_stops_is_dropped_before_another_instance_can_have_it() {
    let leases = Leases::new();
    let one = runner(leases.terms("one"), OnLeaseDoubt::Stop, ms(3000), 0);
    sleep(ms(1500)).await;
    leases.unreachable.store(true, SeqCst);
    sleep(ms(1400)).await;
    assert_eq!(one.status().state, TaskState::Running);
    sleep(ms(200)).await;
    assert_eq!((one.status().state, one.log.ended().len()), (TaskState::Waiting, 0));
}

#[tokio::test(start_paused = true)]
async fn a_stopped_task_has_a_moment_to_finish() {
    for (finish, ended) in [(ms(1000), vec![1100]), (ms(5000), vec![])] {
        let leases = Leases::new();
        let one = runner(leases.terms("one"), OnLeaseDoubt::Continue, finish, 0);
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
    leases.unreachable.store(true, SeqCst);
    sleep(ms(10_000)).await;
    assert_eq!(one.log.started(), [0, 2000, 4000, 6000, 8000, 10_000]);
    leases.unreachable.store(false, SeqCst);
    sleep(ms(2000)).await;
    assert_eq!(one.status().assignment.map(|one| one.epoch), Some(2));
    leases.move_from(one.status().assignment.unwrap()).await;
    sleep(ms(11_000)).await;
    let ticks = one.log.started().len();
    sleep(ms(10_000)).await;
    assert_eq!(one.log.started().len(), ticks);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_returns_by_itself_is_started_again() {
    struct Returns(Log);
    impl Task for Returns {
        fn name(&self) -> String {
            "returns".to_owned()
        }

        fn description(&self) -> &'static str {
            "Returns."
        }
    }
    #[async_trait]
    impl LongRunningTask for Returns {
        async fn run(&mut self, _: &TaskContext) -> Result<(), TaskError> {
            self.0.started.lock().unwrap().push(self.0.now());
            Ok(())
        }
    }
    let (log, tasks) = (Log::new(), instance(Leases::new().terms("one")));
    tasks.start(AnyTask::long_running(Returns(log.clone())));
    sleep(ms(4000)).await;
    assert_eq!(log.started(), [0, 1000, 3000]);
    assert_eq!(tasks.statuses()[0].failures, 0);
}
