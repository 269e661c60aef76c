//! How many requests a caller may have in progress, so that no caller keeps the others out.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use tokio::sync::Notify;

use super::body;
use super::problem::{Problem, ProblemType};

/// Slots for requests in progress: so many in all, and so many for each caller.
pub(super) struct Slots<K: Eq + Hash>(Arc<Shared<K>>);

struct Shared<K> {
    all: usize,
    each: usize,
    taken: Mutex<Taken<K>>,
}

struct Taken<K> {
    all: usize,
    by_caller: HashMap<K, usize>,
}

impl<K> Shared<K> {
    fn taken(&self) -> MutexGuard<'_, Taken<K>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash> Clone for Slots<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Eq + Hash + Clone> Slots<K> {
    /// `all` slots, of which a caller may take `each`.
    pub(super) fn new(all: usize, each: usize) -> Self {
        let taken = Taken { all: 0, by_caller: HashMap::new() };
        Self(Arc::new(Shared { all, each, taken: Mutex::new(taken) }))
    }

    /// A slot until it is dropped, or a problem if this caller has too many, or all are taken.
    pub(super) fn take(&self, caller: K) -> Result<Slot<K>, Problem> {
        self.try_take(caller).ok_or_else(|| {
            metrics::counter!("streamward_http_busy_total").increment(1);
            busy()
        })
    }

    /// A slot until it is dropped; `None` if this caller has too many, or all are taken.
    fn try_take(&self, caller: K) -> Option<Slot<K>> {
        let mut taken = self.0.taken();
        let own = taken.by_caller.get(&caller).copied().unwrap_or(0);
        if taken.all >= self.0.all || own >= self.0.each {
            return None;
        }
        taken.all += 1;
        taken.by_caller.insert(caller.clone(), own + 1);
        Some(Slot { shared: Arc::clone(&self.0), caller })
    }
}

/// A slot of a caller.
pub(super) struct Slot<K: Eq + Hash> {
    shared: Arc<Shared<K>>,
    caller: K,
}

impl<K: Eq + Hash> Drop for Slot<K> {
    fn drop(&mut self) {
        let mut taken = self.shared.taken();
        taken.all -= 1;
        if let Some(own) = taken.by_caller.get_mut(&self.caller) {
            *own -= 1;
            if *own == 0 {
                taken.by_caller.remove(&self.caller);
            }
        }
    }
}

/// At most `most` slots, and a quarter of `connections`, so that most of them are left for others.
pub(super) fn share(most: usize, connections: usize) -> usize {
    (connections / 4).clamp(4, most)
}

/// Too many requests at once.
pub(super) fn busy() -> Problem {
    Problem::new(ProblemType::UNAVAILABLE, "Too many requests are in progress. Try again in a moment.")
}

/// How many lists longer than a page may be sent at once, in all and to one caller. Each keeps some rows in memory for as
/// long as its client is slow.
const LONG_LISTS: (usize, usize) = (64, 16);

/// The slots of lists longer than a page.
#[derive(Clone)]
pub(super) struct LongLists(Slots<String>);

impl Default for LongLists {
    fn default() -> Self {
        Self(Slots::new(LONG_LISTS.0, LONG_LISTS.1))
    }
}

impl LongLists {
    /// A slot until it is dropped.
    pub(super) fn take(&self, caller: String) -> Result<Slot<String>, Problem> {
        self.0.try_take(caller).ok_or_else(|| {
            let detail = "Too many long lists are being sent. Read a list in pages (`limit`), or try again in a moment.";
            Problem::new(ProblemType::UNAVAILABLE, detail)
        })
    }
}

/// How many bodies of callers that are not authenticated yet are read at once, in all and from one address.
const UNPROVEN_BODIES: (usize, usize) = (32, 8);

/// Reads bodies of callers that are not authenticated yet, because their signature covers the body.
///
/// A body that is really sent arrives within moments. So if there is no room, the one that is waited for longest is given
/// up: nobody can hold the places by sending nothing.
#[derive(Clone, Default)]
pub(super) struct UnprovenBodies(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    next: u64,
    /// In the order of their start.
    bodies: BTreeMap<u64, (Option<IpAddr>, Arc<Notify>)>,
}

impl Waiting {
    /// Gives up the body that `from` sends for longest, if it sends too many; otherwise the oldest of all if there are
    /// too many.
    fn make_room(&mut self, from: Option<IpAddr>) {
        let (all, each) = UNPROVEN_BODIES;
        let own = || self.bodies.iter().filter(|(_, (ip, _))| *ip == from).map(|(number, _)| *number);
        let oldest = match own().count() {
            count if count >= each => own().next(),
            _ if self.bodies.len() >= all => self.bodies.keys().next().copied(),
            _ => None,
        };
        if let Some((_, given_up)) = oldest.and_then(|number| self.bodies.remove(&number)) {
            metrics::counter!("streamward_http_busy_total").increment(1);
            given_up.notify_one();
        }
    }
}

impl UnprovenBodies {
    /// The whole body, of at most `limit` bytes.
    pub(super) async fn read(
        &self,
        from: Option<IpAddr>,
        headers: &HeaderMap,
        body: Body,
        limit: usize,
    ) -> Result<Bytes, Problem> {
        let body = body::stated_within(headers, body, limit as u64).await?;
        let place = self.place(from);
        tokio::select! {
            biased;
            read = body::read(headers, body, limit) => read,
            () = place.given_up.notified() => Err(busy()),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self, from: Option<IpAddr>) -> Place<'_> {
        let given_up = Arc::new(Notify::new());
        let mut waiting = self.waiting();
        waiting.make_room(from);
        let number = waiting.next;
        waiting.next += 1;
        waiting.bodies.insert(number, (from, Arc::clone(&given_up)));
        Place { bodies: self, number, given_up }
    }
}

/// The place of a body that is being read.
struct Place<'a> {
    bodies: &'a UnprovenBodies,
    number: u64,
    given_up: Arc<Notify>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.bodies.waiting().bodies.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_caller_cannot_take_the_slots_of_the_others() {
        let slots = Slots::new(5, 3);
        let greedy: Vec<_> = (0..10).filter_map(|_| slots.take("greedy").ok()).collect();
        assert_eq!(greedy.len(), 3);
        let other = slots.take("other").unwrap();
        let third = slots.take("third").unwrap();
        assert_eq!(slots.take("fourth").err(), Some(busy()));
        drop((other, greedy));
        let fourth: Vec<_> = (0..10).filter_map(|_| slots.take("fourth").ok()).collect();
        assert_eq!(fourth.len(), 3);
        drop(third);
        assert_eq!(slots.0.taken().by_caller.len(), 1);
    }

    #[tokio::test]
    async fn body_that_does_not_arrive_makes_room_for_others() {
        let bodies = UnprovenBodies::default();
        let read = |from: &'static str, body: Body| {
            let bodies = bodies.clone();
            async move { bodies.read(from.parse().ok(), &HeaderMap::new(), body, 100).await }
        };
        let silent = || Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        let mut held: Vec<_> =
            (0..UNPROVEN_BODIES.1).map(|_| Box::pin(read("192.0.2.1", silent()))).collect();
        for one in &mut held {
            assert!(futures_util::poll!(one.as_mut()).is_pending());
        }
        // Another address is not affected, and the same address loses its oldest.
        assert_eq!(read("192.0.2.2", Body::from("there")).await.unwrap(), "there");
        assert!(futures_util::poll!(held[0].as_mut()).is_pending());
        assert_eq!(read("192.0.2.1", Body::from("here")).await.unwrap(), "here");
        assert_eq!(held.remove(0).await, Err(busy()));
        assert!(futures_util::poll!(held[0].as_mut()).is_pending());
        drop(held);
        assert!(bodies.waiting().bodies.is_empty());
    }
}
