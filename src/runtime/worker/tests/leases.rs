//! Who may tick at all, when several instances could.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use tokio::time::advance;

use super::*;
use crate::ports::LeaseStore;

/// Leases of one name in memory, which can be made unreachable.
#[derive(Default)]
struct OneLease {
    row: Mutex<Option<(Lease, Instant)>>,
    epoch: Mutex<i64>,
    unreachable: AtomicBool,
}

impl OneLease {
    fn terms(self: &Arc<Self>, owner: &str) -> Option<LeaseTerms> {
        Some(LeaseTerms::new(Arc::clone(self) as Arc<dyn LeaseStore>, owner))
    }

    async fn reached(&self) {
        if self.unreachable.load(SeqCst) {
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl LeaseStore for OneLease {
    async fn acquire_lease(
        &self,
        name: &str,
        owner: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, StoreError> {
        self.reached().await;
        let mut row = self.row.lock().unwrap();
        if let Some((lease, until)) = row.as_mut().filter(|(_, until)| *until > Instant::now()) {
            let ours = lease.owner == owner;
            if ours {
                *until = Instant::now() + ttl;
            }
            return Ok(ours.then(|| lease.clone()));
        }
        let mut epoch = self.epoch.lock().unwrap();
        *epoch += 1;
        let lease = Lease { name: name.to_owned(), owner: owner.to_owned(), epoch: *epoch };
        *row = Some((lease.clone(), Instant::now() + ttl));
        Ok(Some(lease))
    }

    async fn renew_lease(&self, lease: &Lease, ttl: Duration) -> Result<bool, StoreError> {
        self.reached().await;
        let mut row = self.row.lock().unwrap();
        let held = row.as_mut().filter(|(now, until)| now == lease && *until > Instant::now());
        Ok(held.map(|(_, until)| *until = Instant::now() + ttl).is_some())
    }

    async fn release_lease(&self, lease: &Lease) -> Result<(), StoreError> {
        self.reached().await;
        self.row.lock().unwrap().take_if(|(now, _)| now == lease);
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_instances_one_ticks_and_the_other_follows_its_stop() {
    let lease = Arc::new(OneLease::default());
    let one = Running::start(lease.terms("one"), || DONE);
    sleep(ms(100)).await;
    let two = Running::start(lease.terms("two"), || DONE);
    sleep(ms(20_000)).await;
    assert_eq!((one.log.started().len(), two.log.started().len()), (11, 0));
    assert_eq!(one.handle.status().lease.map(|lease| lease.epoch), Some(1));
    one.stopped().await;
    sleep(ms(1010)).await;
    assert_eq!(two.log.started().len(), 1, "within a second: the lease was given back");
    assert_eq!(two.handle.status().lease.map(|lease| lease.epoch), Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_cannot_renew_stops_before_another_can_start() {
    let lease = Arc::new(OneLease::default());
    let one = Running::start(lease.terms("one"), || Step::Take(ms(100)));
    sleep(ms(3500)).await;
    lease.unreachable.store(true, SeqCst);
    sleep(ms(10_000)).await;
    let last = *one.log.started().last().unwrap();
    // Renewed last at 3000 ms, so given up at 5000 ms; another instance gets it at 6000 ms.
    assert_eq!(last, 4000);
    assert_eq!(one.handle.status().lease, None);
    lease.unreachable.store(false, SeqCst);
    sleep(ms(2000)).await;
    assert_eq!(one.handle.status().lease.map(|lease| lease.epoch), Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_renewed_through_a_long_tick_and_its_loss_drops_the_tick() {
    let lease = Arc::new(OneLease::default());
    let one = Running::start(lease.terms("one"), || Step::Take(ms(9000)));
    sleep(ms(9500)).await;
    assert_eq!(one.log.ended(), [9000]);
    lease.unreachable.store(true, SeqCst);
    sleep(ms(20_000)).await;
    assert_eq!((one.log.started().len(), one.log.ended().len()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_refused_write_ends_the_lease_guard_and_it_asks_anew() {
    let lease = Arc::new(OneLease::default());
    let mut first = true;
    let one = Running::start(lease.terms("one"), move || match std::mem::take(&mut first) {
        true => Step::Fenced,
        false => DONE,
    });
    sleep(ms(500)).await;
    assert_eq!(one.handle.status().lease, None);
    sleep(ms(1000)).await;
    assert!(one.handle.status().lease.is_some());
    assert_eq!(one.log.started(), [0, 1000]);
}

#[tokio::test(start_paused = true)]
async fn after_a_pause_of_the_whole_process_no_old_work_goes_on() {
    let lease = Arc::new(OneLease::default());
    let one = Running::start(lease.terms("one"), || Step::Take(ms(2000)));
    sleep(ms(500)).await;
    // As SIGSTOP and SIGCONT would have it: every timer is over at once.
    advance(ms(30_000)).await;
    sleep(ms(10)).await;
    assert_eq!(one.log.ended(), Vec::<u128>::new(), "the tick of the old epoch was dropped");
    sleep(ms(1000)).await;
    assert_eq!(one.handle.status().lease.map(|lease| lease.epoch), Some(2));
}
