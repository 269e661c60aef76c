//! The lease of this instance and the tasks assigned to it: one renewal a second, however many tasks there are.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use crate::app::task::OnLeaseDoubt;
use crate::ports::{Assignment, InstanceLease, LeaseCheck, LeaseStore, StoreError};

/// How long the lease lasts without renewal.
const TTL: Duration = Duration::from_secs(3);
/// How often the holder renews it.
const RENEWAL: Duration = Duration::from_secs(1);
/// How long after the call that confirmed it the holder relies on the lease.
const RELIABLE: Duration = Duration::from_secs(2);
/// How long a call about leases may take while this instance has no lease, and the pause after it failed.
const CALL_LIMIT: Duration = Duration::from_secs(1);
/// How often an instance tries to take over what another one has. With the end of the lease, this is the longest pause of
/// the work after a crash.
const TAKE_OVER: Duration = Duration::from_millis(250);
/// How many tasks an instance takes: more than any installation has.
const CAPACITY: u32 = 100_000;
/// How long nobody may run a task before that is a failure. It normally moves within five seconds.
const PATIENCE: Duration = Duration::from_secs(10);
/// After so many renewals an instance with all its wanted assignments checks that they are still its own.
const CHECK_EVERY: u32 = 10;

/// The id of this instance, and where its lease is kept.
#[derive(Clone)]
pub struct LeaseTerms {
    /// Where leases and assignments are kept.
    pub leases: Arc<dyn LeaseStore>,
    /// The id of this instance.
    pub instance: String,
    /// At most this many tasks are assigned to it.
    pub capacity: u32,
}

impl LeaseTerms {
    /// The terms for an instance that takes all tasks.
    #[must_use]
    pub fn new(leases: Arc<dyn LeaseStore>, instance: impl Into<String>) -> Self {
        Self { leases, instance: instance.into(), capacity: CAPACITY }
    }
}

/// The known state of an assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Hold {
    /// It belongs to this instance.
    Ours(Assignment),
    /// It belongs to the instance with this id.
    Elsewhere(String),
    /// Unknown.
    Doubt,
}

/// A lease. `confirmed` is the time of the request, not of its answer, since the lease ages meanwhile.
#[derive(Clone)]
struct Held {
    lease: InstanceLease,
    confirmed: Instant,
}

/// This instance among the others.
pub(super) struct Instance {
    terms: LeaseTerms,
    lease: Mutex<Option<Held>>,
    /// Whether no other instance had a lease at the last contact.
    was_alone: AtomicBool,
    wanted: Mutex<BTreeMap<String, watch::Sender<Hold>>>,
    /// Assignments that no task here needs any more.
    given_up: Mutex<Vec<Assignment>>,
    changed: Notify,
}

impl Instance {
    pub(super) fn new(terms: LeaseTerms) -> Self {
        let (wanted, given_up) = (Mutex::default(), Mutex::default());
        let (lease, was_alone) = (Mutex::default(), AtomicBool::default());
        Self { terms, lease, was_alone, wanted, given_up, changed: Notify::new() }
    }

    pub(super) fn id(&self) -> &str {
        &self.terms.instance
    }

    /// Requests the assignment of the task `key` until the guard is dropped.
    pub(super) fn request(self: &Arc<Self>, key: &str) -> AssignmentGuard {
        let hold = watch::Sender::new(Hold::Doubt);
        lock(&self.wanted).insert(key.to_owned(), hold.clone());
        self.changed.notify_one();
        AssignmentGuard { instance: Arc::clone(self), key: key.to_owned(), hold }
    }

    /// Renews the lease and takes assignments in a loop.
    pub(super) async fn keep(&self) {
        for round in 0_u32.. {
            self.renew().await;
            let (confirmed, now) = (self.confirmed(), Instant::now());
            let next = confirmed.map_or(now + CALL_LIMIT, |at| (at + RENEWAL).max(now + RENEWAL / 4));
            while Instant::now() < next {
                match timeout_at(next, self.exchange(round % CHECK_EVERY == 0)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => self.lose_sight(&error),
                    Err(_) => self.lose_sight(&"no answer"),
                }
                let again = if self.waits_for_others() { next.min(Instant::now() + TAKE_OVER) } else { next };
                tokio::select! {
                    () = sleep_until(again) => {}
                    () = self.changed.notified() => {}
                }
            }
        }
    }

    fn waits_for_others(&self) -> bool {
        lock(&self.wanted).values().any(|hold| matches!(*hold.borrow(), Hold::Elsewhere(_)))
    }

    /// Gets or renews the lease. Gives it up when that fails for too long.
    async fn renew(&self) {
        let LeaseTerms { leases, instance, capacity } = &self.terms;
        let (called, known) = (Instant::now(), lock(&self.lease).clone());
        let until = known.as_ref().map(|held| held.confirmed + RELIABLE);
        let limit = until.unwrap_or(called + CALL_LIMIT);
        match timeout_at(limit, leases.renew_instance(instance, *capacity, TTL)).await {
            Ok(Ok(lease)) if called.elapsed() < RELIABLE => {
                if known.is_some_and(|held| held.lease.epoch != lease.epoch) {
                    self.lose_all("it had expired");
                }
                self.was_alone.store(lease.is_alone, Relaxed);
                *lock(&self.lease) = Some(Held { lease, confirmed: called });
                return;
            }
            Ok(Err(error)) => tracing::debug!(%error, "the lease of this instance was not renewed"),
            _ => tracing::debug!("no answer about the lease of this instance"),
        }
        if until.is_some_and(|until| until <= Instant::now()) {
            lock(&self.lease).take();
            self.lose_all("it could not be renewed in time");
        }
    }

    /// Releases assignments that are no longer wanted, and takes wanted ones that are free. With all of them there is no
    /// call unless `check` is set: after the loss of a database another instance may have an assignment.
    async fn exchange(&self, check: bool) -> Result<(), StoreError> {
        let Some(Held { lease, .. }) = lock(&self.lease).clone() else { return Ok(()) };
        let given_up = lock(&self.given_up).clone();
        if !given_up.is_empty() {
            self.terms.leases.release_assignments(&given_up).await?;
            tracing::info!(tasks = given_up.len(), "tasks given back");
            lock(&self.given_up).retain(|one| !given_up.contains(one));
        }
        let is_ours = |hold: &watch::Sender<Hold>| matches!(*hold.borrow(), Hold::Ours(_));
        let keys: Vec<String> = lock(&self.wanted).keys().cloned().collect();
        if keys.is_empty() || !check && lock(&self.wanted).values().all(is_ours) {
            return Ok(());
        }
        let assigned = self.terms.leases.take_assignments(&lease, &keys).await?;
        let mut assigned: BTreeMap<String, Assignment> =
            assigned.into_iter().map(|one| (one.key.clone(), one)).collect();
        let wanted = lock(&self.wanted);
        for key in &keys {
            let Some(hold) = wanted.get(key) else { continue };
            let now = match assigned.remove(key) {
                Some(one) if one.instance == lease.instance => Hold::Ours(one),
                Some(one) => Hold::Elsewhere(one.instance),
                None => Hold::Doubt,
            };
            note(key, hold, now);
        }
        Ok(())
    }

    /// It is unknown which tasks other instances run.
    fn lose_sight(&self, error: &dyn Display) {
        tracing::debug!(%error, "assignments were not exchanged");
        for (key, hold) in lock(&self.wanted).iter() {
            if matches!(*hold.borrow(), Hold::Elsewhere(_)) {
                note(key, hold, Hold::Doubt);
            }
        }
    }

    fn lose_all(&self, reason: &str) {
        let wanted = lock(&self.wanted);
        let lost = wanted.iter().filter(|(key, hold)| note(key, hold, Hold::Doubt)).count();
        if lost > 0 {
            tracing::warn!(
                reason,
                tasks = lost,
                "the lease of this instance is lost; its tasks are in doubt"
            );
        }
    }

    /// When the lease was last confirmed, if there is one.
    fn confirmed(&self) -> Option<Instant> {
        lock(&self.lease).as_ref().map(|held| held.confirmed)
    }

    /// The end of reliance on the lease, unless it is renewed.
    fn reliable_until(&self) -> Instant {
        self.confirmed().map_or_else(Instant::now, |at| at + RELIABLE)
    }

    /// Whether work whose lease is in doubt continues.
    fn continues(&self, on_doubt: OnLeaseDoubt) -> bool {
        match on_doubt {
            OnLeaseDoubt::Stop => false,
            OnLeaseDoubt::Continue => true,
            OnLeaseDoubt::StopUnlessAlone => self.was_alone.load(Relaxed),
        }
    }

    /// Releases the lease, so that other instances need not wait for its expiry.
    pub(super) async fn end(&self) {
        let Some(Held { lease, .. }) = lock(&self.lease).take() else { return };
        let tasks = lock(&self.given_up).len();
        match timeout(CALL_LIMIT, self.terms.leases.release_instance(&lease)).await {
            Ok(Ok(())) if tasks == 0 => {}
            Ok(Ok(())) => tracing::info!(tasks, "tasks given back"),
            _ => tracing::warn!("the lease of this instance could not be given back; it expires by itself"),
        }
    }
}

/// Stores the state of an assignment. Returns whether this instance just lost it.
fn note(task: &str, hold: &watch::Sender<Hold>, now: Hold) -> bool {
    let before = hold.borrow().clone();
    match (&before, &now) {
        (Hold::Ours(_), Hold::Elsewhere(instance)) => {
            tracing::warn!(task, instance, "the task is assigned elsewhere");
        }
        (_, Hold::Ours(ours)) if before != now => {
            tracing::info!(task, epoch = ours.epoch, "task assigned to this instance");
        }
        _ => {}
    }
    let (was_ours, is_ours) = (matches!(before, Hold::Ours(_)), matches!(now, Hold::Ours(_)));
    if was_ours || is_ours {
        metrics::gauge!("streamward_lease_held", "task" => task.to_owned()).set(u32::from(is_ours));
    }
    if before != now {
        hold.send_replace(now);
    }
    was_ours && !is_ours
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The assignment of one task. Dropping it releases the assignment.
pub(super) struct AssignmentGuard {
    instance: Arc<Instance>,
    key: String,
    hold: watch::Sender<Hold>,
}

impl AssignmentGuard {
    /// Waits for the assignment. Calls `elsewhere` with the instance that has it meanwhile, and `overdue` with the time
    /// for which no instance was known to have it, when that is too long.
    pub(super) async fn held(&self, elsewhere: impl Fn(&str), overdue: impl Fn(Duration)) -> Assignment {
        let mut hold = self.hold.subscribe();
        loop {
            let in_doubt = match &*hold.borrow_and_update() {
                Hold::Ours(ours) => return ours.clone(),
                Hold::Elsewhere(instance) => {
                    elsewhere(instance);
                    false
                }
                Hold::Doubt => true,
            };
            if in_doubt && timeout(PATIENCE, hold.changed()).await.is_ok() {
                continue;
            }
            if in_doubt {
                overdue(PATIENCE);
            }
            // Cannot fail: `self` holds the sender.
            let _ = hold.changed().await;
        }
    }

    /// Returns when work under `ours` must end: when another instance has the assignment, or at its doubt, depending on
    /// `on_doubt`. The lease is in doubt when it is lost or too old to rely on. Calls `renewed` when this instance gets the
    /// assignment again after a doubt that did not end the work.
    pub(super) async fn ends(
        &self,
        mut ours: Assignment,
        on_doubt: OnLeaseDoubt,
        renewed: impl Fn(Assignment),
    ) {
        let (mut hold, mut in_doubt) = (self.hold.subscribe(), false);
        loop {
            let now = hold.borrow_and_update().clone();
            let is_reliable = self.instance.reliable_until() > Instant::now();
            match now {
                Hold::Elsewhere(_) => return,
                Hold::Ours(now) if now == ours && is_reliable => in_doubt = false,
                Hold::Ours(now) if now != ours && (in_doubt || self.instance.continues(on_doubt)) => {
                    (ours, in_doubt) = (now.clone(), false);
                    renewed(now);
                }
                Hold::Ours(now) if now != ours => return,
                _ if in_doubt || self.instance.continues(on_doubt) => in_doubt = true,
                _ => return self.lose(),
            }
            tokio::select! {
                biased;
                _ = hold.changed() => {}
                () = sleep_until(self.instance.reliable_until()), if !in_doubt => {}
            }
        }
    }

    /// Checks what [`Self::ends`] waits for.
    pub(super) fn check(&self, on_doubt: OnLeaseDoubt) -> LeaseCheck {
        let (instance, hold) = (Arc::clone(&self.instance), self.hold.subscribe());
        LeaseCheck::new(move || {
            // In this order: the lease is renewed after the loss of its assignments was noted.
            let is_reliable = instance.reliable_until() > Instant::now();
            match &*hold.borrow() {
                Hold::Elsewhere(_) => false,
                Hold::Ours(_) if is_reliable => true,
                _ => instance.continues(on_doubt),
            }
        })
    }

    /// This assignment is in doubt until the next exchange.
    pub(super) fn lose(&self) {
        note(&self.key, &self.hold, Hold::Doubt);
    }
}

impl Drop for AssignmentGuard {
    fn drop(&mut self) {
        lock(&self.instance.wanted).remove(&self.key);
        if let Hold::Ours(ours) = self.hold.borrow().clone() {
            lock(&self.instance.given_up).push(ours);
            self.instance.changed.notify_one();
        }
        self.lose();
    }
}
