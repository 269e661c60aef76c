//! Which of several instances may work.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};

use tokio::task::JoinSet;
use tokio::time::advance;

use super::*;
use crate::adapters::memory::MemoryStore;
use crate::domain::Timestamp;
use crate::ports::{Assignment, Clock, InstanceLease, LeaseStore};

/// The time of the test.
struct TestTime(Instant);

impl Clock for TestTime {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(1_000_000).plus(self.0.elapsed())
    }
}

/// A store of leases that can be made unreachable, and counts the calls.
pub(super) struct Leases {
    store: MemoryStore,
    unreachable: AtomicBool,
    renewals: AtomicU32,
    other_calls: AtomicU32,
    others: Mutex<JoinSet<()>>,
}

impl Leases {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            store: MemoryStore::new(Arc::new(TestTime(Instant::now()))),
            unreachable: AtomicBool::default(),
            renewals: AtomicU32::default(),
            other_calls: AtomicU32::default(),
            others: Mutex::default(),
        })
    }

    pub(super) fn terms(self: &Arc<Self>, instance: &str) -> LeaseTerms {
        LeaseTerms::new(Arc::clone(self) as Arc<dyn LeaseStore>, instance)
    }

    pub(super) fn reachable(&self, reachable: bool) {
        self.unreachable.store(!reachable, SeqCst);
    }

    /// Assigns what `from` has to another instance, which renews its lease.
    pub(super) async fn move_from(&self, from: Assignment) {
        self.store.release_assignments(std::slice::from_ref(&from)).await.unwrap();
        let lease = self.store.renew_instance("another", 10, ms(3_000)).await.unwrap();
        let taken = self.store.take_assignments(&lease, &[from.key]).await.unwrap();
        assert_eq!(taken[0].instance, "another");
        let store = self.store.clone();
        self.others.lock().unwrap().spawn(async move {
            loop {
                sleep(ms(1_000)).await;
                store.renew_instance("another", 10, ms(3_000)).await.unwrap();
            }
        });
    }

    async fn reach(&self, calls: &AtomicU32) -> &MemoryStore {
        calls.fetch_add(1, SeqCst);
        if self.unreachable.load(SeqCst) {
            std::future::pending::<()>().await;
        }
        &self.store
    }
}

#[async_trait]
impl LeaseStore for Leases {
    async fn renew_instance(
        &self,
        instance: &str,
        capacity: u32,
        ttl: Duration,
    ) -> Result<InstanceLease, StoreError> {
        self.reach(&self.renewals).await.renew_instance(instance, capacity, ttl).await
    }

    async fn take_assignments(
        &self,
        lease: &InstanceLease,
        keys: &[String],
    ) -> Result<Vec<Assignment>, StoreError> {
        self.reach(&self.other_calls).await.take_assignments(lease, keys).await
    }

    async fn release_assignments(&self, assignments: &[Assignment]) -> Result<(), StoreError> {
        self.reach(&self.other_calls).await.release_assignments(assignments).await
    }

    async fn end_all_leases(&self) -> Result<(), StoreError> {
        unreachable!("the service ends them, before there are tasks")
    }

    async fn release_instance(&self, lease: &InstanceLease) -> Result<(), StoreError> {
        self.reach(&self.other_calls).await.release_instance(lease).await
    }

    async fn prune_instances(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.reach(&self.other_calls).await.prune_instances(before).await
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_instances_one_ticks_and_the_other_takes_over_at_its_stop() {
    let leases = Leases::new();
    let one = Running::start(leases.terms("one"), || DONE);
    sleep(ms(100)).await;
    let two = Running::start(leases.terms("two"), || DONE);
    sleep(ms(20_000)).await;
    assert_eq!((one.log.started().len(), two.log.started().len()), (11, 0));
    assert_eq!(one.epoch(), Some(1));
    one.tasks.stop().await;
    sleep(ms(1010)).await;
    assert_eq!(two.log.started().len(), 1, "within a second: the lease was given back");
    assert_eq!(two.epoch(), Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_cannot_renew_stops_before_another_can_start() {
    let leases = Leases::new();
    let one = Running::start(leases.terms("one"), || Step::Take(ms(100)));
    sleep(ms(3500)).await;
    leases.reachable(false);
    sleep(ms(10_000)).await;
    let last = *one.log.started().last().unwrap();
    // Renewed last at 3000 ms, so given up at 5000 ms; another instance gets it at 6000 ms.
    assert_eq!(last, 4000);
    assert_eq!(one.status().assignment, None);
    leases.reachable(true);
    sleep(ms(2000)).await;
    assert_eq!(one.epoch(), Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_renewed_through_a_long_tick_and_its_loss_drops_the_tick() {
    let leases = Leases::new();
    let one = Running::start(leases.terms("one"), || Step::Take(ms(9000)));
    sleep(ms(9500)).await;
    assert_eq!(one.log.ended(), [9000]);
    leases.reachable(false);
    sleep(ms(20_000)).await;
    assert_eq!((one.log.started().len(), one.log.ended().len()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_refused_write_ends_the_lease_guard_and_a_new_one_is_requested() {
    let leases = Leases::new();
    let one = Running::start(leases.terms("one"), script(vec![Step::Fenced]));
    sleep(ms(500)).await;
    assert_eq!(one.status().assignment, None);
    sleep(ms(1000)).await;
    assert!(one.status().assignment.is_some());
    assert_eq!(one.log.started(), [0, 1000]);
}

#[tokio::test(start_paused = true)]
async fn after_a_pause_of_the_whole_process_no_old_work_continues() {
    let leases = Leases::new();
    let one = Running::start(leases.terms("one"), || Step::Take(ms(2000)));
    sleep(ms(500)).await;
    // As after SIGSTOP and SIGCONT: every timer fires at once.
    advance(ms(30_000)).await;
    sleep(ms(10)).await;
    assert_eq!(one.log.ended(), Vec::<u128>::new(), "the tick of the old epoch was dropped");
    sleep(ms(1000)).await;
    assert_eq!(one.epoch(), Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_thousand_assignments_cost_one_renewal_a_second() {
    let leases = Leases::new();
    let one = many(&leases, "one", 1000);
    sleep(ms(500)).await;
    assert_eq!(assigned(&one), 1000);
    let before = (leases.renewals.load(SeqCst), leases.other_calls.load(SeqCst));
    sleep(ms(60_000)).await;
    let after = (leases.renewals.load(SeqCst), leases.other_calls.load(SeqCst));
    assert_eq!((after.0 - before.0, after.1 - before.1), (60, 6), "and a check every ten seconds");
}

#[tokio::test(start_paused = true)]
async fn all_tasks_of_an_instance_that_dies_move_within_five_seconds() {
    let leases = Leases::new();
    let one = many(&leases, "one", 100);
    sleep(ms(100)).await;
    let two = many(&leases, "two", 100);
    sleep(ms(3300)).await;
    assert_eq!((assigned(&one), assigned(&two)), (100, 0));
    assert!(two.list().all().iter().all(|status| status.instance.as_deref() == Some("one")));
    // As after a crash: it neither renews nor releases.
    one.stop_keeper.cancel();
    leases.reachable(false);
    sleep(ms(100)).await;
    leases.reachable(true);
    sleep(ms(4900)).await;
    assert_eq!((assigned(&one), assigned(&two)), (0, 100));
}

#[tokio::test(start_paused = true)]
async fn assignment_lost_with_the_database_is_detected() {
    let leases = Leases::new();
    let one = Running::start(leases.terms("one"), || DONE);
    sleep(ms(1500)).await;
    leases.move_from(one.status().assignment.unwrap()).await;
    sleep(ms(10_000)).await;
    assert_eq!(one.status().instance.as_deref(), Some("another"));
    assert_eq!((one.status().state, one.status().assignment), (TaskState::Waiting, None));
}

#[tokio::test(start_paused = true)]
async fn task_that_waits_too_long_for_its_assignment_is_failing_and_says_so() {
    let leases = Leases::new();
    leases.reachable(false);
    let one = Running::start(leases.terms("one"), || DONE);
    sleep(ms(9_900)).await;
    assert_eq!((one.status().failing, one.status().waiting_since), (false, None));
    sleep(ms(200)).await;
    let status = one.status();
    assert!(status.failing && status.waiting_since.is_some() && status.state == TaskState::Waiting);
    let message = status.last_error.unwrap().message;
    assert!(message.starts_with("waits for its assignment since "), "{message}");
    leases.reachable(true);
    sleep(ms(3_000)).await;
    assert_eq!((one.status().failing, one.status().waiting_since), (false, None));
    assert_eq!(one.epoch(), Some(1));
}

#[tokio::test(start_paused = true)]
async fn task_that_another_instance_runs_waits_in_good_health() {
    let leases = Leases::new();
    let one = Running::start(leases.terms("one"), || DONE);
    sleep(ms(100)).await;
    let two = Running::start(leases.terms("two"), || DONE);
    sleep(ms(60_000)).await;
    assert_eq!((two.status().failing, two.status().waiting_since), (false, None));
    // It loses sight of the other one, which may have ended.
    leases.reachable(false);
    sleep(ms(15_000)).await;
    assert!(two.status().failing && two.status().instance.is_none());
    let message = two.status().last_error.unwrap().message;
    assert!(message.ends_with("no instance is known to run it; the last one was one"), "{message}");
    drop(one);
}

#[tokio::test(start_paused = true)]
async fn lease_of_a_killed_instance_in_the_future_delays_no_task() {
    let leases = Leases::new();
    let killed = leases.store.renew_instance("killed", 10, ms(7_200_000)).await.unwrap();
    leases.store.take_assignments(&killed, &["scripted".to_owned()]).await.unwrap();
    let one = Running::start(leases.terms("one"), || DONE);
    sleep(ms(1_100)).await;
    assert_eq!(one.epoch(), Some(2));
}

/// Many tasks of one instance.
fn many(leases: &Arc<Leases>, id: &str, count: usize) -> Tasks {
    let (tasks, placement) = (instance(leases.terms(id)), Placement::OneInstance(OnLeaseDoubt::Stop));
    for n in 0..count {
        tasks.start(Scripted::task(format!("task-{n}"), &Log::new(), placement, || DONE));
    }
    tasks
}

fn assigned(tasks: &Tasks) -> usize {
    tasks.list().all().iter().filter(|status| status.assignment.is_some()).count()
}
