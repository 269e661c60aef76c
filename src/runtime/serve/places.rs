//! The places for connections of a listener. When all are taken, the connection that is idle for longest is closed: first
//! those on which no caller was authenticated, then authenticated ones that wait for no answer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use crate::adapters::http::Connection;

/// When fewer places than this are free, connections are closed ahead, so that a new one need not wait.
const SPARE: usize = 64;
/// The part of all places that is spare at most.
const SPARE_PART: usize = 16;
/// How long a connection may take to close.
const CLOSING: Duration = Duration::from_secs(1);

/// The places of a listener. Only its accept loop has it, so nothing is locked.
pub(super) struct Places {
    all: usize,
    free: Arc<Semaphore>,
    started: Instant,
    next: u64,
    /// By the last known end of their activity, the connections on which no caller was authenticated when last seen.
    unknown: Queue,
    authenticated: Queue,
}

/// Connections by the time of their last activity (milliseconds since the start) and their number.
type Queue = BTreeMap<(u64, u64), Weak<Activity>>;

/// What happens on a connection.
struct Activity {
    connection: Connection,
    in_progress: AtomicUsize,
    /// When a request last began or ended, in milliseconds since the start.
    last: AtomicU64,
    is_needed: Notify,
}

/// The place of an open connection.
pub(super) struct Place {
    activity: Arc<Activity>,
    started: Instant,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new(all: usize) -> Self {
        let all = all.min(Semaphore::MAX_PERMITS);
        Self {
            all,
            free: Arc::new(Semaphore::new(all)),
            started: Instant::now(),
            next: 0,
            unknown: Queue::new(),
            authenticated: Queue::new(),
        }
    }

    /// A place for a new connection. `None` if every other one is authenticated and waits for an answer.
    pub(super) async fn take(&mut self) -> Option<Place> {
        let permit = match Arc::clone(&self.free).try_acquire_owned() {
            Ok(permit) => {
                if self.free.available_permits() < SPARE.min(self.all / SPARE_PART) {
                    self.close_unknown();
                }
                permit
            }
            Err(_) if self.close_unknown() || self.close_authenticated() => {
                timeout(CLOSING, Arc::clone(&self.free).acquire_owned()).await.ok()?.ok()?
            }
            // One may have closed by itself meanwhile.
            Err(_) => Arc::clone(&self.free).try_acquire_owned().ok()?,
        };
        let activity = Arc::new(Activity {
            connection: Connection::default(),
            in_progress: AtomicUsize::new(0),
            last: AtomicU64::new(millis_since(self.started)),
            is_needed: Notify::new(),
        });
        self.forget_closed();
        self.next += 1;
        self.unknown.insert((activity.last(), self.next), Arc::downgrade(&activity));
        Some(Place { activity, started: self.started, _permit: permit })
    }

    /// Tells the connection to close that is idle for longest of those without an authenticated caller.
    fn close_unknown(&mut self) -> bool {
        // Ends: whatever is put back has a later time, or is in the other queue.
        while let Some(((seen, number), weak)) = self.unknown.pop_first() {
            let Some(activity) = weak.upgrade() else { continue };
            let key = (activity.last(), number);
            if activity.connection.is_authenticated() {
                self.authenticated.insert(key, weak);
            } else if key.0 > seen {
                self.unknown.insert(key, weak);
            } else {
                activity.is_needed.notify_one();
                return true;
            }
        }
        false
    }

    /// The same of those that wait for no answer.
    fn close_authenticated(&mut self) -> bool {
        let mut busy = Vec::new();
        let mut found = false;
        while let Some(((seen, number), weak)) = self.authenticated.pop_first() {
            let Some(activity) = weak.upgrade() else { continue };
            let key = (activity.last(), number);
            if activity.in_progress.load(Ordering::Relaxed) > 0 {
                busy.push((key, weak));
            } else if key.0 > seen {
                self.authenticated.insert(key, weak);
            } else {
                activity.is_needed.notify_one();
                found = true;
                break;
            }
        }
        self.authenticated.extend(busy);
        found
    }

    /// Closed connections stay in the queues until there are as many of them as places.
    fn forget_closed(&mut self) {
        for queue in [&mut self.unknown, &mut self.authenticated] {
            if queue.len() > self.all.saturating_mul(2) {
                queue.retain(|_, weak| weak.strong_count() > 0);
            }
        }
    }
}

impl Activity {
    fn last(&self) -> u64 {
        self.last.load(Ordering::Relaxed)
    }
}

impl Place {
    /// Completes when another connection needs the place.
    pub(super) async fn is_needed(&self) {
        self.activity.is_needed.notified().await;
    }

    /// For the router.
    pub(super) fn connection(&self) -> Connection {
        self.activity.connection.clone()
    }

    /// A request waits for its answer until the result is dropped.
    pub(super) fn begin_request(&self) -> InProgress<'_> {
        self.activity.in_progress.fetch_add(1, Ordering::Relaxed);
        self.note_activity();
        InProgress(self)
    }

    fn note_activity(&self) {
        self.activity.last.store(millis_since(self.started), Ordering::Relaxed);
    }
}

/// A request that waits for its answer.
pub(super) struct InProgress<'a>(&'a Place);

impl Drop for InProgress<'_> {
    fn drop(&mut self) {
        self.0.note_activity();
        self.0.activity.in_progress.fetch_sub(1, Ordering::Relaxed);
    }
}

fn millis_since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}
