//! The driver under a clock that the test moves: when it ticks, and which faults it survives.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::broadcast;
use tokio::time::{Instant, sleep};

use super::supervisor::Supervisor;
use super::*;
use crate::adapters::system::SystemClock;
use crate::app::task::{
    Activation, AnyTask, OnLeaseDoubt, PeriodicTask, Placement, Task, TaskContext, TaskError, TaskSet,
    TaskState, TaskStatus, Tick,
};
use crate::ports::{Clock, StoreError, WakeUp, WakeUps};

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
    UnderWay,
    Fenced,
    Panic,
}

const DONE: Step = Step::Take(Duration::ZERO);

/// When ticks started and ended, since the start of the test.
#[derive(Clone)]
struct Log {
    zero: Instant,
    started: Arc<Mutex<Vec<u128>>>,
    ended: Arc<Mutex<Vec<u128>>>,
}

impl Log {
    fn new() -> Self {
        Self { zero: Instant::now(), started: Arc::default(), ended: Arc::default() }
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

/// A task whose ticks the test scripts.
struct Scripted<F> {
    name: String,
    log: Log,
    placement: Placement,
    interval: Duration,
    step: F,
}

impl<F: FnMut() -> Step + Send + Sync + 'static> Task for Scripted<F> {
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
impl<F: FnMut() -> Step + Send + Sync + 'static> PeriodicTask for Scripted<F> {
    fn interval(&self) -> Duration {
        self.interval
    }

    fn wakes_on(&self, wake_up: &WakeUp) -> bool {
        *wake_up == WakeUp::Streamers
    }

    async fn tick(&mut self, context: &TaskContext) -> Result<Tick, TaskError> {
        self.log.started.lock().unwrap().push(self.log.now());
        context.show(serde_json::json!({ "ticks": self.log.started().len() }));
        let (time, result) = match (self.step)() {
            Step::Take(time) => (time, Ok(Tick::default())),
            Step::Hurry(interval) => {
                self.interval = interval;
                (Duration::ZERO, Ok(Tick::default()))
            }
            Step::UnderWay => (Duration::ZERO, Ok(Tick { again: true })),
            Step::Fenced => (Duration::ZERO, Err(StoreError::Fenced("scripted".to_owned()).into())),
            Step::Panic => panic!("on purpose"),
        };
        sleep(time).await;
        self.log.ended.lock().unwrap().push(self.log.now());
        result
    }
}

/// Wake-ups of which a receiver may be 16 behind.
struct FewWakeUps(broadcast::Sender<WakeUp>);

impl WakeUps for FewWakeUps {
    fn send(&self, wake_up: WakeUp) {
        self.send_local(wake_up);
    }

    fn send_local(&self, wake_up: WakeUp) {
        let _ = self.0.send(wake_up);
    }

    fn listen(&self) -> broadcast::Receiver<WakeUp> {
        self.0.subscribe()
    }
}

/// The tasks of an instance that reaches `terms`.
fn instance(terms: LeaseTerms) -> Tasks {
    Tasks::new(terms, Arc::new(FewWakeUps(broadcast::Sender::new(16))), Arc::new(SystemClock))
}

/// One running task.
struct Running {
    log: Log,
    tasks: Tasks,
}

impl Running {
    fn start(lease: Option<LeaseTerms>, step: impl FnMut() -> Step + Send + Sync + 'static) -> Self {
        let placement = match lease {
            Some(_) => Placement::OneInstance(OnLeaseDoubt::Stop),
            None => Placement::EveryInstance,
        };
        let terms = lease.unwrap_or_else(|| leases::Leases::new().terms("nobody"));
        Self::placed(placement, terms, step)
    }

    fn placed(
        placement: Placement,
        terms: LeaseTerms,
        step: impl FnMut() -> Step + Send + Sync + 'static,
    ) -> Self {
        let (log, tasks) = (Log::new(), instance(terms));
        let (name, interval) = ("scripted".to_owned(), ms(2000));
        tasks.start(AnyTask::periodic(Scripted { name, log: log.clone(), placement, interval, step }));
        Self { log, tasks }
    }

    fn status(&self) -> TaskStatus {
        self.tasks.statuses().remove(0)
    }

    fn why(&self) -> Activation {
        self.status().last_activation.unwrap().1
    }

    fn wake_up(&self, wake_up: WakeUp) {
        self.tasks.wake_ups.send(wake_up);
    }
}

#[tokio::test(start_paused = true)]
async fn it_ticks_at_once_and_then_at_the_interval() {
    let running = Running::start(None, || DONE);
    sleep(ms(6100)).await;
    assert_eq!(running.log.started(), [0, 2000, 4000, 6000]);
    let status = running.status();
    assert_eq!((status.iterations, status.failures, status.failing), (4, 0, false));
}

#[tokio::test(start_paused = true)]
async fn the_interval_may_change_from_tick_to_tick() {
    let mut steps = vec![Step::Hurry(ms(2000)), DONE, Step::Hurry(ms(500))];
    let running = Running::start(None, move || steps.pop().unwrap_or(DONE));
    sleep(ms(3500)).await;
    assert_eq!(running.log.started(), [0, 500, 1000, 3000]);
}

#[tokio::test(start_paused = true)]
async fn a_wake_up_causes_a_tick_at_once_and_three_more() {
    let running = Running::start(None, || DONE);
    sleep(ms(500)).await;
    running.wake_up(WakeUp::Streamers);
    sleep(ms(3200)).await;
    assert_eq!(running.log.started(), [0, 500, 600, 900, 1500, 3500]);
}

#[tokio::test(start_paused = true)]
async fn task_wakes_for_its_wake_ups_and_after_a_lag() {
    let running = Running::start(None, || DONE);
    sleep(ms(500)).await;
    running.wake_up(WakeUp::Events);
    sleep(ms(1)).await;
    assert_eq!(running.log.started(), [0]);
    running.wake_up(WakeUp::Everything);
    sleep(ms(30)).await;
    assert_eq!(running.log.started().len(), 2);
    sleep(ms(1200)).await;
    let before = running.log.started().len();
    for _ in 0..40 {
        running.wake_up(WakeUp::Events);
    }
    sleep(ms(30)).await;
    assert_eq!(running.log.started().len(), before + 1, "the receiver lags behind 16");
}

#[tokio::test(start_paused = true)]
async fn unfinished_work_causes_another_tick_soon() {
    let mut steps = vec![DONE, Step::UnderWay, Step::UnderWay];
    let running = Running::start(None, move || steps.pop().unwrap_or(DONE));
    sleep(ms(2500)).await;
    assert_eq!(running.log.started(), [0, 100, 400, 1000]);
}

#[tokio::test(start_paused = true)]
async fn wake_ups_during_a_tick_become_one() {
    let running = Running::start(None, || Step::Take(ms(50)));
    sleep(ms(10)).await;
    for _ in 0..1000 {
        running.wake_up(WakeUp::Streamers);
    }
    sleep(ms(80)).await;
    assert_eq!(running.log.started(), [0, 75], "after a short rest");
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_wake_ups_is_no_storm_of_ticks() {
    let running = Running::start(None, || DONE);
    for _ in 0..1000 {
        running.wake_up(WakeUp::Streamers);
        sleep(ms(1)).await;
    }
    let ticks = running.log.started().len();
    assert!((30..=45).contains(&ticks), "{ticks} ticks in a second");
}

#[tokio::test(start_paused = true)]
async fn a_long_tick_is_never_overtaken() {
    let running = Running::start(None, || Step::Take(ms(5000)));
    sleep(ms(1000)).await;
    running.wake_up(WakeUp::Streamers);
    sleep(ms(11_500)).await;
    let (started, ended) = (running.log.started(), running.log.ended());
    assert_eq!(ended, [5000, 10_025]);
    assert!(started[1] >= ended[0] && started[2] >= ended[1], "{started:?}");
}

#[tokio::test(start_paused = true)]
async fn a_tick_that_never_ends_is_dropped_at_its_limit() {
    let mut first = true;
    let running = Running::start(None, move || match std::mem::take(&mut first) {
        true => Step::Take(Duration::MAX),
        false => DONE,
    });
    sleep(ms(9990)).await;
    assert_eq!(running.status().iterations, 0);
    sleep(ms(20)).await;
    let status = running.status();
    assert_eq!(status.last_error.unwrap().message, "took longer than 10s");
    sleep(ms(1000)).await;
    assert!(!running.status().failing);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_counted_and_work_continues() {
    let mut first = true;
    let running = Running::start(None, move || if std::mem::take(&mut first) { Step::Panic } else { DONE });
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
    let running = Running::start(None, || Step::Take(ms(9000)));
    sleep(ms(10)).await;
    running.tasks.stop().await;
    assert_eq!((running.log.now(), running.log.ended().len()), (10, 0));
}

#[tokio::test(start_paused = true)]
async fn the_status_has_the_reason_of_activation_and_details() {
    let running = Running::start(None, || Step::Take(ms(10)));
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
