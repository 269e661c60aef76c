//! The driver under a clock that the test moves: when it ticks, and which faults it survives.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rstest::rstest;
use tokio::time::{Instant, sleep};

use super::*;
use crate::adapters::local_wake_ups::LocalWakeUps;
use crate::adapters::system::SystemClock;
use crate::app::task::{
    Activation, AnyTask, OnLeaseDoubt, PeriodicTask, Placement, Task, TaskContext, TaskError, TaskState,
    TaskStatus, Tick,
};
use crate::ports::{LeaseCheck, StoreError, WakeUp};
use leases::Leases;

mod leases;
mod long_running;
mod supervisor;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The behaviour of one tick.
enum Step {
    Take(Duration),
    /// Wants the next ticks after another interval.
    Hurry(Duration),
    /// Wants this limit for the next ticks.
    Limit(Duration),
    UnderWay,
    Fenced,
    Panic,
}

const DONE: Step = Step::Take(Duration::ZERO);

/// These steps, and then nothing to do.
fn script(steps: Vec<Step>) -> impl FnMut() -> Step + Send + Sync + 'static {
    let mut steps = steps.into_iter();
    move || steps.next().unwrap_or(DONE)
}

/// When ticks started and ended, in milliseconds since the start of the test.
#[derive(Clone)]
struct Log {
    zero: Instant,
    started: Arc<Mutex<Vec<u128>>>,
    ended: Arc<Mutex<Vec<u128>>>,
    /// That of the last run.
    lease: Arc<Mutex<LeaseCheck>>,
}

impl Log {
    fn new() -> Self {
        Self { zero: Instant::now(), started: Arc::default(), ended: Arc::default(), lease: Arc::default() }
    }

    fn keep(&self, lease: LeaseCheck) {
        *self.lease.lock().unwrap() = lease;
    }

    fn lease(&self) -> LeaseCheck {
        self.lease.lock().unwrap().clone()
    }

    fn starts(&self) {
        self.started.lock().unwrap().push(self.now());
    }

    fn ends(&self) {
        self.ended.lock().unwrap().push(self.now());
    }

    fn started(&self) -> Vec<u128> {
        self.started.lock().unwrap().clone()
    }

    fn ended(&self) -> Vec<u128> {
        self.ended.lock().unwrap().clone()
    }

    fn now(&self) -> u128 {
        self.zero.elapsed().as_millis()
    }
}

/// A task whose ticks the test scripts, at first every two seconds.
struct Scripted {
    name: String,
    log: Log,
    placement: Placement,
    interval: Duration,
    limit: Duration,
    step: Box<dyn FnMut() -> Step + Send + Sync>,
}

impl Scripted {
    fn task(
        name: impl Into<String>,
        log: &Log,
        placement: Placement,
        step: impl FnMut() -> Step + Send + Sync + 'static,
    ) -> AnyTask {
        let (name, log, step) = (name.into(), log.clone(), Box::new(step));
        AnyTask::periodic(Self { name, log, placement, interval: ms(2000), limit: ms(10_000), step })
    }
}

impl Task for Scripted {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn description(&self) -> &'static str {
        "Runs the script of the test."
    }

    fn placement(&self) -> Placement {
        self.placement
    }
}

#[async_trait]
impl PeriodicTask for Scripted {
    fn interval(&self) -> Duration {
        self.interval
    }

    fn limit(&self) -> Duration {
        self.limit
    }

    fn wakes_on(&self, wake_up: &WakeUp) -> bool {
        *wake_up == WakeUp::Streamers
    }

    async fn tick(&mut self, context: &TaskContext) -> Result<Tick, TaskError> {
        self.log.starts();
        context.show(serde_json::json!({ "ticks": self.log.started().len() }));
        let mut result = Ok(Tick::default());
        match (self.step)() {
            Step::Take(time) => sleep(time).await,
            Step::Hurry(interval) => self.interval = interval,
            Step::Limit(limit) => self.limit = limit,
            Step::UnderWay => result = Ok(Tick { again: true }),
            Step::Fenced => result = Err(StoreError::Fenced("scripted".to_owned()).into()),
            Step::Panic => panic!("on purpose"),
        }
        self.log.ends();
        result
    }
}

/// The tasks of an instance that reaches `terms`.
fn instance(terms: LeaseTerms) -> Tasks {
    Tasks::new(terms, Arc::new(LocalWakeUps::default()), Arc::new(SystemClock))
}

/// One running task.
struct Running {
    log: Log,
    tasks: Tasks,
}

impl Running {
    /// A task of every instance.
    fn everywhere(step: impl FnMut() -> Step + Send + Sync + 'static) -> Self {
        Self::placed(Placement::EveryInstance, Leases::new().terms("nobody"), step)
    }

    /// A task of one instance.
    fn start(terms: LeaseTerms, step: impl FnMut() -> Step + Send + Sync + 'static) -> Self {
        Self::placed(Placement::OneInstance(OnLeaseDoubt::Stop), terms, step)
    }

    fn placed(
        placement: Placement,
        terms: LeaseTerms,
        step: impl FnMut() -> Step + Send + Sync + 'static,
    ) -> Self {
        let (log, tasks) = (Log::new(), instance(terms));
        tasks.start(Scripted::task("scripted", &log, placement, step));
        Self { log, tasks }
    }

    fn status(&self) -> TaskStatus {
        self.tasks.list().all().remove(0)
    }

    fn epoch(&self) -> Option<i64> {
        self.status().assignment.map(|one| one.epoch)
    }

    fn why(&self) -> Activation {
        self.status().last_activation.unwrap().1
    }

    fn wake_up(&self, wake_up: WakeUp) {
        self.tasks.wake_ups.send(wake_up);
    }
}

#[rstest]
#[case::at_once_and_then_at_the_interval(vec![], 6100, &[0, 2000, 4000, 6000])]
#[case::at_an_interval_that_changes(
    vec![Step::Hurry(ms(500)), DONE, Step::Hurry(ms(2000))], 3500, &[0, 500, 1000, 3000]
)]
#[case::soon_again_while_work_is_unfinished(
    vec![Step::UnderWay, Step::UnderWay], 2500, &[0, 100, 400, 1000]
)]
#[tokio::test(start_paused = true)]
async fn it_ticks(#[case] steps: Vec<Step>, #[case] millis: u64, #[case] ticks: &[u128]) {
    let running = Running::everywhere(script(steps));
    sleep(ms(millis)).await;
    assert_eq!(running.log.started(), ticks);
    let status = running.status();
    assert_eq!((status.iterations, status.failures, status.failing), (4, 0, false));
}

#[tokio::test(start_paused = true)]
async fn a_wake_up_causes_a_tick_at_once_and_three_more() {
    let running = Running::everywhere(|| DONE);
    sleep(ms(500)).await;
    running.wake_up(WakeUp::Streamers);
    sleep(ms(3200)).await;
    assert_eq!(running.log.started(), [0, 500, 600, 900, 1500, 3500]);
}

#[tokio::test(start_paused = true)]
async fn task_wakes_for_its_wake_ups_and_after_a_lag() {
    let running = Running::everywhere(|| DONE);
    sleep(ms(500)).await;
    running.wake_up(WakeUp::Events);
    sleep(ms(1)).await;
    assert_eq!(running.log.started(), [0]);
    running.wake_up(WakeUp::Everything);
    sleep(ms(30)).await;
    assert_eq!(running.log.started().len(), 2);
    sleep(ms(1200)).await;
    let before = running.log.started().len();
    for _ in 0..300 {
        running.wake_up(WakeUp::Events);
    }
    sleep(ms(30)).await;
    assert_eq!(running.log.started().len(), before + 1, "the receiver lags behind 256");
}

#[tokio::test(start_paused = true)]
async fn wake_ups_during_a_tick_become_one() {
    let running = Running::everywhere(|| Step::Take(ms(50)));
    sleep(ms(10)).await;
    for _ in 0..1000 {
        running.wake_up(WakeUp::Streamers);
    }
    sleep(ms(80)).await;
    assert_eq!(running.log.started(), [0, 75], "after a short rest");
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_wake_ups_is_no_storm_of_ticks() {
    let running = Running::everywhere(|| DONE);
    for _ in 0..1000 {
        running.wake_up(WakeUp::Streamers);
        sleep(ms(1)).await;
    }
    let ticks = running.log.started().len();
    assert!((30..=45).contains(&ticks), "{ticks} ticks in a second");
}

#[tokio::test(start_paused = true)]
async fn a_long_tick_is_never_overtaken() {
    let running = Running::everywhere(|| Step::Take(ms(5000)));
    sleep(ms(1000)).await;
    running.wake_up(WakeUp::Streamers);
    sleep(ms(11_500)).await;
    let (started, ended) = (running.log.started(), running.log.ended());
    assert_eq!(ended, [5000, 10_025]);
    assert!(started[1] >= ended[0] && started[2] >= ended[1], "{started:?}");
}

#[tokio::test(start_paused = true)]
async fn a_tick_that_never_ends_is_dropped_at_its_limit() {
    let running = Running::everywhere(script(vec![Step::Take(Duration::MAX)]));
    sleep(ms(9990)).await;
    assert_eq!(running.status().iterations, 0);
    sleep(ms(20)).await;
    assert_eq!(running.status().last_error.unwrap().message, "took longer than 10s");
    sleep(ms(1000)).await;
    assert!(!running.status().failing);
}

#[tokio::test(start_paused = true)]
async fn a_task_can_have_a_longer_limit() {
    let running = Running::everywhere(script(vec![Step::Limit(ms(60_000)), Step::Take(ms(30_000))]));
    sleep(ms(33_000)).await;
    assert_eq!(running.log.ended()[..2], [0, 32_000]);
    assert!(!running.status().failing);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_counted_and_work_continues() {
    let running = Running::everywhere(script(vec![Step::Panic]));
    sleep(ms(100)).await;
    let status = running.status();
    assert_eq!((status.panics, status.failures, status.failing), (1, 1, true));
    assert_eq!(status.last_error.unwrap().message, "panicked: on purpose");
    sleep(ms(2000)).await;
    let status = running.status();
    assert_eq!((status.iterations, status.panics, status.failing), (2, 1, false));
}

#[tokio::test(start_paused = true)]
async fn the_stop_ends_it_in_the_middle_of_a_tick() {
    let running = Running::everywhere(|| Step::Take(ms(9000)));
    sleep(ms(10)).await;
    running.tasks.stop().await;
    assert_eq!((running.log.now(), running.log.ended().len()), (10, 0));
}

#[tokio::test(start_paused = true)]
async fn the_status_has_the_reason_of_activation_and_details() {
    let running = Running::everywhere(|| Step::Take(ms(10)));
    sleep(ms(5)).await;
    let status = running.status();
    assert_eq!((status.name.as_str(), status.description), ("scripted", "Runs the script of the test."));
    assert_eq!((running.why(), status.state), (Activation::Start, TaskState::Running));
    sleep(ms(100)).await;
    assert_eq!(running.status().state, TaskState::Idle);
    sleep(ms(2000)).await;
    assert_eq!(running.why(), Activation::Timer);
    running.wake_up(WakeUp::Streamers);
    sleep(ms(40)).await;
    assert_eq!(running.why(), Activation::WakeUp(WakeUp::Streamers));
    assert_eq!(running.why().to_string(), "wake_up streamers");
    sleep(ms(100)).await;
    assert_eq!(running.why(), Activation::FollowUp);
    assert_eq!(running.status().details.unwrap()["ticks"], running.log.started().len());
}
