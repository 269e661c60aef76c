//! Attempts with secrets that are not known: how many an address may make, and how many may be made for a path.
//!
//! A budget refuses no secret that is known. Above it, nobody looks for an unknown one in the database.

use std::fmt;
use std::hash::Hash;
use std::mem;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lru::LruCache;

use super::Timestamp;
use super::network::Network;
use super::path::StreamPath;

/// How long attempts are added up.
pub const INTERVAL: Duration = Duration::from_secs(60);
/// How many attempts an address has within it. An encoder that tries a wrong key every second stays within.
const OF_ADDRESS: u32 = 60;
/// How many attempts a path has, from all addresses together.
const OF_PATH: u32 = 120;
/// How many addresses, and how many paths, are remembered. Those whose last attempt is longest ago make room.
const MOST: usize = 10_000;

/// Who makes too many attempts, or for what they are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guesser {
    /// An address, or an IPv6 network.
    Address(Network),
    /// A path, from all addresses together.
    Path(StreamPath),
}

impl fmt::Display for Guesser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(network) => write!(f, "address {network}"),
            Self::Path(path) => write!(f, "path {path}"),
        }
    }
}

/// An interval in which a budget was exceeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guessing {
    /// Whose budget.
    pub of: Guesser,
    /// How many attempts there were.
    pub attempts: u32,
}

/// The attempts of the last minute.
#[derive(Debug)]
pub struct Guesses(Mutex<Tried>);

#[derive(Debug)]
struct Tried {
    addresses: Budgets<Network>,
    paths: Budgets<StreamPath>,
    /// Exceeded budgets whose interval is over.
    exceeded: Vec<Guessing>,
}

impl Default for Guesses {
    fn default() -> Self {
        let (addresses, paths) = (Budgets::new(OF_ADDRESS), Budgets::new(OF_PATH));
        Self(Mutex::new(Tried { addresses, paths, exceeded: Vec::new() }))
    }
}

impl Guesses {
    fn tried(&self) -> MutexGuard<'_, Tried> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the address, or the path, has used up its budget: an unknown secret is refused without looking for it.
    pub fn are_exhausted(&self, address: Option<IpAddr>, path: Option<&StreamPath>, now: Timestamp) -> bool {
        let tried = self.tried();
        address.is_some_and(|address| tried.addresses.are_exhausted(&Network::of(address), now))
            || path.is_some_and(|path| tried.paths.are_exhausted(path, now))
    }

    /// Counts an attempt with an unknown secret; returns whether it is beyond a budget.
    pub fn count(&self, address: Option<IpAddr>, path: Option<&StreamPath>, now: Timestamp) -> bool {
        let mut tried = self.tried();
        let Tried { addresses, paths, exceeded } = &mut *tried;
        if let Some(address) = address {
            let (is_beyond, over) = addresses.count(&Network::of(address), now);
            note(exceeded, over.map(|(of, attempts)| Guessing { of: Guesser::Address(of), attempts }));
            // It must not use up the budget of the path too.
            if is_beyond {
                return true;
            }
        }
        path.is_some_and(|path| {
            let (is_beyond, over) = paths.count(path, now);
            note(exceeded, over.map(|(of, attempts)| Guessing { of: Guesser::Path(of), attempts }));
            is_beyond
        })
    }

    /// The exceeded budgets whose interval is over at `now`, the worst first. They are forgotten.
    pub fn take_exceeded(&self, now: Timestamp) -> Vec<Guessing> {
        let mut tried = self.tried();
        let mut exceeded = mem::take(&mut tried.exceeded);
        let of_addresses = tried.addresses.take_over(now).into_iter();
        exceeded.extend(of_addresses.map(|(of, attempts)| Guessing { of: Guesser::Address(of), attempts }));
        let of_paths = tried.paths.take_over(now).into_iter();
        exceeded.extend(of_paths.map(|(of, attempts)| Guessing { of: Guesser::Path(of), attempts }));
        drop(tried);
        exceeded.sort_by_key(|guessing| std::cmp::Reverse(guessing.attempts));
        exceeded
    }
}

/// Notes an exceeded budget, unless nobody asks for them.
fn note(exceeded: &mut Vec<Guessing>, guessing: Option<Guessing>) {
    if exceeded.len() < MOST {
        exceeded.extend(guessing);
    }
}

/// The budgets of one kind, in the order of their last attempts.
#[derive(Debug)]
struct Budgets<K: Eq + Hash> {
    budget: u32,
    used: LruCache<K, Used>,
}

/// The attempts since a time.
#[derive(Clone, Copy, Debug)]
struct Used {
    since: Timestamp,
    attempts: u32,
}

impl Used {
    /// Whether the interval is over. A clock that was set back must not refuse anybody for long.
    fn is_over(&self, now: Timestamp) -> bool {
        now < self.since || now.since(self.since) >= INTERVAL
    }
}

impl<K: Eq + Hash + Clone> Budgets<K> {
    fn new(budget: u32) -> Self {
        // Bounded in `count`: a bounded one takes its memory at once.
        Self { budget, used: LruCache::unbounded() }
    }

    fn are_exhausted(&self, of: &K, now: Timestamp) -> bool {
        self.used.peek(of).is_some_and(|used| !used.is_over(now) && used.attempts >= self.budget)
    }

    /// Whether this attempt is beyond the budget, and what was exceeded before and is forgotten for it.
    fn count(&mut self, of: &K, now: Timestamp) -> (bool, Option<(K, u32)>) {
        let budget = self.budget;
        if let Some(used) = self.used.get_mut(of) {
            let mut over = None;
            if used.is_over(now) {
                over = Some(used.attempts).filter(|attempts| *attempts > budget);
                *used = Used { since: now, attempts: 0 };
            }
            used.attempts = used.attempts.saturating_add(1);
            return (used.attempts > budget, over.map(|attempts| (of.clone(), attempts)));
        }
        let room = if self.used.len() >= MOST { self.used.pop_lru() } else { None };
        self.used.put(of.clone(), Used { since: now, attempts: 1 });
        let exceeded = room.filter(|(_, used)| used.attempts > budget);
        (false, exceeded.map(|(of, used)| (of, used.attempts)))
    }

    /// Forgets those whose interval is over; returns the exceeded ones.
    fn take_over(&mut self, now: Timestamp) -> Vec<(K, u32)> {
        let over: Vec<K> =
            self.used.iter().filter(|(_, used)| used.is_over(now)).map(|(of, _)| of.clone()).collect();
        let over = over.into_iter().filter_map(|of| self.used.pop_entry(&of));
        let exceeded = over.filter(|(_, used)| used.attempts > self.budget);
        exceeded.map(|(of, used)| (of, used.attempts)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    fn address(number: u32) -> Option<IpAddr> {
        Some(IpAddr::V4(number.into()))
    }

    fn path(text: &str) -> StreamPath {
        StreamPath::parse(text).unwrap()
    }

    #[test]
    fn an_address_has_a_budget_whatever_the_path_and_others_have_their_own() {
        let guesses = Guesses::default();
        for n in 0..OF_ADDRESS {
            let path = path(&format!("live/{n}"));
            assert!(!guesses.are_exhausted(address(1), Some(&path), NOW), "{n}");
            assert!(!guesses.count(address(1), Some(&path), NOW), "{n}");
        }
        assert!(guesses.are_exhausted(address(1), None, NOW) && guesses.count(address(1), None, NOW));
        assert!(!guesses.are_exhausted(address(2), Some(&path("live/1")), NOW));
        let later = NOW.plus(INTERVAL);
        assert!(!guesses.are_exhausted(address(1), None, later));
        let set_back = NOW.minus(INTERVAL);
        assert!(!guesses.are_exhausted(address(1), None, set_back), "the clock was set back");
    }

    #[test]
    fn a_path_has_a_budget_for_all_addresses_together() {
        let (guesses, alice) = (Guesses::default(), path("live/alice"));
        for n in 0..OF_PATH {
            assert!(!guesses.count(address(n), Some(&alice), NOW), "{n}");
        }
        assert!(guesses.are_exhausted(address(9_999), Some(&alice), NOW));
        assert!(!guesses.are_exhausted(address(9_999), Some(&path("live/bob")), NOW));
    }

    #[test]
    fn one_address_does_not_use_up_the_budget_of_a_path() {
        let (guesses, alice) = (Guesses::default(), path("live/alice"));
        (0..10_000).for_each(|_| _ = guesses.count(address(1), Some(&alice), NOW));
        assert!(!guesses.are_exhausted(address(2), Some(&alice), NOW));
    }

    #[test]
    fn an_ipv6_network_has_one_budget() {
        let guesses = Guesses::default();
        let of = |n: u32| Some(format!("2001:db8::{n:x}").parse().unwrap());
        let refused = (0..200).filter(|n| guesses.count(of(*n), None, NOW)).count();
        assert_eq!(refused, 200 - OF_ADDRESS as usize);
    }

    #[test]
    fn an_exceeded_budget_is_reported_once_for_each_interval() {
        let guesses = Guesses::default();
        let flood = |now| (0..1_204).for_each(|_| _ = guesses.count(address(1), None, now));
        flood(NOW);
        (0..OF_ADDRESS).for_each(|_| _ = guesses.count(address(2), None, NOW));
        assert_eq!(guesses.take_exceeded(NOW), []);
        let reported =
            || Guessing { of: Guesser::Address(Network::of(address(1).unwrap())), attempts: 1_204 };
        // It goes on without a break, so its next attempt ends the interval.
        let later = NOW.plus(INTERVAL);
        flood(later);
        assert_eq!(guesses.take_exceeded(later), [reported()]);
        assert_eq!(guesses.take_exceeded(later), []);
        assert_eq!(guesses.take_exceeded(later.plus(INTERVAL)), [reported()]);
        assert!(guesses.tried().addresses.used.is_empty());
    }

    #[test]
    fn memory_is_bounded_and_no_report_is_lost() {
        let guesses = Guesses::default();
        (0..=OF_ADDRESS).for_each(|_| _ = guesses.count(address(1), None, NOW));
        for n in 2..50_000 {
            guesses.count(address(n), Some(&path(&format!("live/{n}"))), NOW);
        }
        let tried = guesses.tried();
        assert_eq!((tried.addresses.used.len(), tried.paths.used.len()), (MOST, MOST));
        drop(tried);
        assert_eq!(guesses.take_exceeded(NOW).len(), 1, "the one that made room");
    }
}
