//! One task per row: what the supervisor starts and stops.

use std::collections::BTreeSet;

use super::running::Supervisor;
use super::*;
use crate::app::task::TaskSet;

/// Rows that the test changes, with a task each that ticks every two seconds.
#[derive(Clone)]
struct Rows {
    desired: Arc<Mutex<Option<BTreeSet<String>>>>,
    /// The log of each task.
    log: Log,
    placement: Placement,
    /// The row whose task panics outside of its tick.
    broken: Option<&'static str>,
}

impl Rows {
    fn new<'a>(desired: impl IntoIterator<Item = &'a str>) -> Self {
        let (placement, broken) = (Placement::EveryInstance, None);
        let rows = Self { desired: Arc::default(), log: Log::new(), placement, broken };
        rows.set(desired);
        rows
    }

    fn set<'a>(&self, desired: impl IntoIterator<Item = &'a str>) {
        *self.desired.lock().unwrap() = Some(desired.into_iter().map(str::to_owned).collect());
    }

    fn supervised(&self, terms: LeaseTerms) -> Tasks {
        let tasks = instance(terms);
        tasks.start(AnyTask::Set(Box::new(self.clone())));
        tasks
    }

    fn supervised_alone(&self) -> Tasks {
        self.supervised(Leases::new().terms("one"))
    }
}

impl Task for Rows {
    fn name(&self) -> String {
        "rows".to_owned()
    }

    fn description(&self) -> &'static str {
        "Keeps one task running for each row."
    }
}

#[async_trait]
impl TaskSet for Rows {
    fn wakes_on(&self, wake_up: &WakeUp) -> bool {
        *wake_up == WakeUp::Streamers
    }

    async fn desired(&mut self) -> Result<BTreeSet<String>, TaskError> {
        let desired = self.desired.lock().unwrap().clone();
        desired.ok_or_else(|| StoreError::Unavailable("gone".to_owned()).into())
    }

    fn task(&self, row: &str) -> Option<AnyTask> {
        let is_broken = self.broken == Some(row);
        let step = move || if is_broken { Step::Panic } else { DONE };
        Some(Scripted::task(format!("row-{row}"), &self.log, self.placement, step))
    }
}

fn rows_of(tasks: &Tasks) -> Vec<TaskStatus> {
    tasks.list().at_work()
}

fn names(tasks: &Tasks) -> Vec<String> {
    rows_of(tasks).into_iter().map(|status| status.name).collect()
}

fn supervisor(tasks: &Tasks) -> TaskStatus {
    tasks.list().all().into_iter().find(|status| status.supervises).unwrap()
}

#[tokio::test(start_paused = true)]
async fn tasks_are_started_and_stopped_as_rows_come_and_go() {
    let rows = Rows::new(["1", "2"]);
    let tasks = rows.supervised_alone();
    sleep(ms(10)).await;
    assert_eq!(names(&tasks), ["row-1", "row-2"]);
    rows.set(["2", "3"]);
    sleep(ms(10)).await;
    assert_eq!(names(&tasks), ["row-1", "row-2"], "it compares every five seconds");
    tasks.wake_ups.send(WakeUp::Streamers);
    sleep(ms(50)).await;
    assert_eq!(names(&tasks), ["row-2", "row-3"]);
    let status = supervisor(&tasks);
    assert_eq!((status.name.as_str(), status.state), ("rows", TaskState::Idle));
    sleep(ms(200)).await;
    let details = supervisor(&tasks).details.unwrap();
    assert_eq!(details, serde_json::json!({"desired": 2, "running": 2, "stopping": 0}));
    rows.set([]);
    sleep(ms(5000)).await;
    assert_eq!(names(&tasks), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_row_that_comes_back_has_one_task() {
    let rows = Rows::new(["1"]);
    let tasks = rows.supervised_alone();
    for _ in 0..10 {
        for desired in [None, Some("1")] {
            rows.set(desired);
            tasks.wake_ups.send(WakeUp::Streamers);
            sleep(ms(30)).await;
        }
    }
    sleep(ms(1000)).await;
    assert_eq!(names(&tasks), ["row-1"]);
    let ticks = rows.log.started().len();
    sleep(ms(20_000)).await;
    assert_eq!(rows.log.started().len() - ticks, 10, "one task ticks");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_panics_is_started_again_and_the_others_do_not_notice() {
    let rows = Rows { broken: Some("2"), ..Rows::new(["1", "2", "3"]) };
    let tasks = rows.supervised_alone();
    sleep(ms(7900)).await;
    let counts = rows_of(&tasks).into_iter().map(|status| (status.panics, status.iterations));
    assert_eq!(counts.collect::<Vec<_>>(), [(0, 4), (4, 4), (0, 4)]);
}

#[tokio::test(start_paused = true)]
async fn a_task_without_a_driver_is_started_again() {
    let tasks = instance(Leases::new().terms("one"));
    let mut supervisor = Supervisor::new(Box::new(Rows::new(["1", "2"])), tasks.clone());
    supervisor.tick(&TaskContext::default()).await.unwrap();
    sleep(ms(10)).await;
    supervisor.running["1"].driver.abort();
    sleep(ms(10)).await;
    assert_eq!(names(&tasks), ["row-2"]);
    supervisor.tick(&TaskContext::default()).await.unwrap();
    sleep(ms(10)).await;
    assert_eq!(names(&tasks), ["row-1", "row-2"]);
}

#[tokio::test(start_paused = true)]
async fn tasks_continue_while_the_rows_cannot_be_read() {
    let rows = Rows::new(["1"]);
    let tasks = rows.supervised_alone();
    sleep(ms(10)).await;
    *rows.desired.lock().unwrap() = None;
    sleep(ms(20_000)).await;
    let status = supervisor(&tasks);
    assert!(status.failing && status.last_error.unwrap().message.contains("gone"));
    assert_eq!((names(&tasks), rows_of(&tasks)[0].iterations), (vec!["row-1".to_owned()], 11));
}

#[tokio::test(start_paused = true)]
async fn of_two_instances_each_task_runs_on_one_and_a_full_one_leaves_the_rest() {
    let (leases, placement) = (Leases::new(), Placement::OneInstance(OnLeaseDoubt::Stop));
    let rows = Rows { placement, ..Rows::new(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]) };
    let small = rows.supervised(LeaseTerms { capacity: 3, ..leases.terms("small") });
    let large = rows.supervised(LeaseTerms { capacity: 100, ..leases.terms("large") });
    sleep(ms(3000)).await;
    let assigned = |tasks: &Tasks| -> BTreeSet<String> {
        let all = rows_of(tasks).into_iter().filter(|status| status.assignment.is_some());
        all.map(|status| status.name).collect()
    };
    let (on_small, on_large) = (assigned(&small), assigned(&large));
    assert_eq!((on_small.len(), on_large.len(), on_small.is_disjoint(&on_large)), (3, 7, true));
    small.stop().await;
    sleep(ms(1100)).await;
    assert_eq!(assigned(&large).len(), 10);
}
