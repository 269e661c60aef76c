//! One task per row: what the supervisor starts and stops.

use std::collections::BTreeSet;

use super::leases::Leases;
use super::*;

/// Rows that the test changes, with a task each that ticks every two seconds.
#[derive(Clone)]
struct Rows {
    desired: Arc<Mutex<Result<BTreeSet<u32>, &'static str>>>,
    /// The log of each task.
    log: Log,
    placement: Placement,
    /// The row whose task panics outside of its tick.
    broken: Option<u32>,
}

impl Rows {
    fn new(desired: impl IntoIterator<Item = u32>) -> Self {
        let desired = Arc::new(Mutex::new(Ok(desired.into_iter().collect())));
        Self { desired, log: Log::new(), placement: Placement::EveryInstance, broken: None }
    }

    fn set(&self, desired: impl IntoIterator<Item = u32>) {
        *self.desired.lock().unwrap() = Ok(desired.into_iter().collect());
    }
}

#[async_trait]
impl TaskSet for Rows {
    type Key = u32;

    fn name(&self) -> String {
        "rows".to_owned()
    }

    fn description(&self) -> &'static str {
        "Keeps one task running for each row."
    }

    fn wakes_on(&self, wake_up: &WakeUp) -> bool {
        *wake_up == WakeUp::Streamers
    }

    async fn desired(&mut self) -> Result<BTreeSet<u32>, TaskError> {
        let desired = self.desired.lock().unwrap().clone();
        desired.map_err(|error| StoreError::Unavailable(error.to_owned()).into())
    }

    fn task(&self, row: &u32) -> Option<AnyTask> {
        let is_broken = self.broken == Some(*row);
        let step = move || if is_broken { Step::Panic } else { DONE };
        let (log, placement, interval) = (self.log.clone(), self.placement, ms(2000));
        let name = format!("row-{row}");
        Some(AnyTask::periodic(Scripted { name, log, placement, interval, step }))
    }
}

fn supervised(rows: &Rows) -> Tasks {
    let tasks = instance(Leases::new().terms("one"));
    supervise(&tasks, rows.clone());
    tasks
}

fn names(tasks: &Tasks) -> Vec<String> {
    let all = tasks.statuses().into_iter();
    all.filter(|status| !status.supervises).map(|status| status.name).collect()
}

#[tokio::test(start_paused = true)]
async fn tasks_are_started_and_stopped_as_rows_come_and_go() {
    let rows = Rows::new([1, 2]);
    let tasks = supervised(&rows);
    sleep(ms(10)).await;
    assert_eq!(names(&tasks), ["row-1", "row-2"]);
    rows.set([2, 3]);
    sleep(ms(10)).await;
    assert_eq!(names(&tasks), ["row-1", "row-2"], "it compares every five seconds");
    tasks.wake_ups.send(WakeUp::Streamers);
    sleep(ms(50)).await;
    assert_eq!(names(&tasks), ["row-2", "row-3"]);
    let status = tasks.statuses().remove(0);
    assert_eq!((status.name.as_str(), status.state), ("rows", TaskState::Idle));
    sleep(ms(200)).await;
    let details = tasks.statuses().remove(0).details.unwrap();
    assert_eq!(details, serde_json::json!({"desired": 2, "running": 2, "stopping": 0}));
    rows.set([]);
    sleep(ms(5000)).await;
    assert_eq!(names(&tasks), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_row_that_comes_back_has_one_task() {
    let rows = Rows::new([1]);
    let tasks = supervised(&rows);
    for _ in 0..10 {
        rows.set([]);
        tasks.wake_ups.send(WakeUp::Streamers);
        sleep(ms(30)).await;
        rows.set([1]);
        tasks.wake_ups.send(WakeUp::Streamers);
        sleep(ms(30)).await;
    }
    sleep(ms(1000)).await;
    assert_eq!(names(&tasks), ["row-1"]);
    let ticks = rows.log.started().len();
    sleep(ms(20_000)).await;
    assert_eq!(rows.log.started().len() - ticks, 10, "one task ticks");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_panics_is_started_again_and_the_others_do_not_notice() {
    let rows = Rows { broken: Some(2), ..Rows::new([1, 2, 3]) };
    let tasks = supervised(&rows);
    sleep(ms(7900)).await;
    let panics: Vec<u64> = tasks.statuses().iter().skip(1).map(|status| status.panics).collect();
    let iterations: Vec<u64> = tasks.statuses().iter().skip(1).map(|status| status.iterations).collect();
    assert_eq!((panics, iterations), (vec![0, 4, 0], vec![4, 4, 4]));
}

#[tokio::test(start_paused = true)]
async fn a_task_without_a_driver_is_started_again() {
    let rows = Rows::new([1, 2]);
    let tasks = instance(Leases::new().terms("one"));
    let mut supervisor = Supervisor::new(rows.clone(), tasks.clone());
    supervisor.tick(&TaskContext::default()).await.unwrap();
    sleep(ms(10)).await;
    supervisor.running[&1].driver.abort();
    sleep(ms(10)).await;
    assert_eq!(names(&tasks), ["row-2"]);
    supervisor.tick(&TaskContext::default()).await.unwrap();
    sleep(ms(10)).await;
    assert_eq!(names(&tasks), ["row-2", "row-1"]);
}

#[tokio::test(start_paused = true)]
async fn tasks_continue_while_the_rows_cannot_be_read() {
    let rows = Rows::new([1]);
    let tasks = supervised(&rows);
    sleep(ms(10)).await;
    *rows.desired.lock().unwrap() = Err("gone");
    sleep(ms(20_000)).await;
    let statuses = tasks.statuses();
    assert!(statuses[0].failing && statuses[0].last_error.as_ref().unwrap().message.contains("gone"));
    assert_eq!((statuses[1].name.as_str(), statuses[1].iterations), ("row-1", 11));
}

#[tokio::test(start_paused = true)]
async fn of_two_instances_each_task_runs_on_one_and_a_full_one_leaves_the_rest() {
    let leases = Leases::new();
    let rows = Rows { placement: Placement::OneInstance(OnLeaseDoubt::Stop), ..Rows::new(0..10) };
    let start = |name: &str, capacity| {
        let tasks = instance(LeaseTerms { capacity, ..leases.terms(name) });
        supervise(&tasks, rows.clone());
        tasks
    };
    let both = [start("small", 3), start("large", 100)];
    sleep(ms(3000)).await;
    let assigned = |tasks: &Tasks| -> BTreeSet<String> {
        let all = tasks.statuses().into_iter().filter(|status| status.assignment.is_some());
        all.map(|status| status.name).collect()
    };
    let [small, large] = [assigned(&both[0]), assigned(&both[1])];
    assert_eq!((small.len(), large.len(), small.is_disjoint(&large)), (3, 7, true));
    both[0].stop().await;
    sleep(ms(1100)).await;
    assert_eq!(assigned(&both[1]).len(), 10);
}
