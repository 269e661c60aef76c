//! How often somebody may try to sign in. Every attempt is counted before its password is checked, and given back if
//! it succeeds, so many attempts at once are limited too.
//!
//! Failures delay the next attempt, ever longer, and are forgotten after a time. Nobody is locked out: who has signed in
//! with this device, or from this address, has a budget of their own, which attackers cannot use up.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::{DeviceCookie, Email};
use crate::domain::Timestamp;
use crate::domain::network::Network;
use crate::domain::secret::{SecretHash, SecretHasher};

/// What attempts are counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A device on which this account has signed in.
    Device,
    /// An account, from one address.
    AccountAtAddress,
    /// An address, whatever the account.
    Address,
    /// An account, from all addresses that are not known for it.
    Account,
}

/// A limit of failures.
struct Budget {
    /// How many failures delay nothing.
    free: u32,
    /// The longest delay.
    longest: Duration,
    /// After how long without an attempt all failures are forgotten.
    forgotten: Duration,
}

const HOUR: Duration = Duration::from_secs(3_600);

impl Subject {
    fn budget(self) -> Budget {
        let (free, longest) = match self {
            Self::Device => (10, Duration::from_secs(900)),
            Self::AccountAtAddress => (5, Duration::from_secs(900)),
            Self::Address => (50, Duration::from_secs(900)),
            // Short, since it delays the right person too, on a device and from an address that are new.
            Self::Account => (100, Duration::from_secs(30)),
        };
        Budget { free, longest, forgotten: HOUR }
    }
}

/// How long an address is known for an account after it signed in there.
const KNOWN: Duration = Duration::from_secs(90 * 86_400);

/// The attempts that were counted for a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempts {
    /// Attempts that did not succeed, or are in progress.
    pub failures: u32,
    /// When the last one began.
    pub at: Timestamp,
    /// Until when the address is known for the account.
    pub known_until: Option<Timestamp>,
}

impl Attempts {
    /// None yet.
    pub const NONE: Self = Self { failures: 0, at: Timestamp::from_micros(0), known_until: None };

    fn counted(self, subject: Subject, now: Timestamp) -> Result<Self, Duration> {
        let budget = subject.budget();
        let age = now.since(self.at);
        if age >= budget.forgotten {
            return Ok(Self { failures: 1, at: now, ..self });
        }
        if let Some(beyond) = self.failures.checked_sub(budget.free) {
            let delay = Duration::from_secs(1u64.checked_shl(beyond).unwrap_or(u64::MAX)).min(budget.longest);
            if age < delay {
                return Err(delay.saturating_sub(age));
            }
        }
        Ok(Self { failures: self.failures.saturating_add(1), at: now, ..self })
    }
}

/// The rows of an attempt, by their keys in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptKeys(BTreeMap<Subject, SecretHash>);

impl AttemptKeys {
    /// The rows of an attempt to do something for `email` at `address`. Neither is stored, only hashes.
    pub fn new(
        hasher: &SecretHasher,
        (what, email): (&str, &Email),
        address: Option<IpAddr>,
        device: Option<&DeviceCookie>,
    ) -> Self {
        let hash = |kind: &str, text: &str| hasher.hash("attempts", &format!("{what}\0{kind}\0{text}"));
        let address = address.map(|address| Network::of(address).to_string()).unwrap_or_default();
        let mut keys = BTreeMap::from([
            (Subject::AccountAtAddress, hash("account at address", &format!("{email}\0{address}"))),
            (Subject::Address, hash("address", &address)),
            (Subject::Account, hash("account", email.as_str())),
        ]);
        if let Some(device) = device {
            keys.insert(Subject::Device, hash("device", device.device()));
        }
        Self(keys)
    }

    /// The keys of all rows, in their order.
    pub fn all(&self) -> Vec<SecretHash> {
        let mut keys: Vec<_> = self.0.values().copied().collect();
        keys.sort_unstable();
        keys
    }

    /// The subjects that limit this attempt, with what was counted for each.
    fn limits(
        &self,
        rows: &BTreeMap<SecretHash, Attempts>,
        now: Timestamp,
    ) -> Vec<(Subject, SecretHash, Attempts)> {
        let row = |subject: Subject| {
            let key = *self.0.get(&subject)?;
            Some((subject, key, rows.get(&key).copied().unwrap_or(Attempts::NONE)))
        };
        if let Some(device) = row(Subject::Device) {
            return vec![device];
        }
        let here = row(Subject::AccountAtAddress);
        if here.is_some_and(|(_, _, attempts)| attempts.known_until.is_some_and(|until| now < until)) {
            return here.into_iter().collect();
        }
        here.into_iter().chain([Subject::Address, Subject::Account].into_iter().filter_map(row)).collect()
    }

    /// Counts an attempt: the rows to write, or how long to wait. An attempt that has to wait does not count.
    pub fn count(
        &self,
        rows: &BTreeMap<SecretHash, Attempts>,
        now: Timestamp,
    ) -> Result<BTreeMap<SecretHash, Attempts>, Duration> {
        let mut counted = BTreeMap::new();
        let mut wait = Duration::ZERO;
        for (subject, key, attempts) in self.limits(rows, now) {
            match attempts.counted(subject, now) {
                Ok(attempts) => drop(counted.insert(key, attempts)),
                Err(longer) => wait = wait.max(longer),
            }
        }
        if wait.is_zero() { Ok(counted) } else { Err(wait) }
    }

    /// Gives a counted attempt back that has succeeded: the rows to write. Device and address are known from now on.
    pub fn give_back(
        &self,
        rows: &BTreeMap<SecretHash, Attempts>,
        now: Timestamp,
    ) -> BTreeMap<SecretHash, Attempts> {
        let mut written: BTreeMap<SecretHash, Attempts> = BTreeMap::new();
        for (subject, key, attempts) in self.limits(rows, now) {
            let failures = match subject {
                Subject::Device | Subject::AccountAtAddress => 0,
                Subject::Address | Subject::Account => attempts.failures.saturating_sub(1),
            };
            written.insert(key, Attempts { failures, ..attempts });
        }
        if let Some(key) = self.0.get(&Subject::AccountAtAddress) {
            written.insert(*key, Attempts { failures: 0, at: now, known_until: Some(now.plus(KNOWN)) });
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::MasterKey;

    /// Rows, and what happens to them.
    #[derive(Default)]
    struct World {
        rows: BTreeMap<SecretHash, Attempts>,
    }

    impl World {
        fn attempt(&mut self, keys: &AttemptKeys, seconds: i64) -> Result<(), Duration> {
            self.rows.extend(keys.count(&self.rows, Timestamp::from_seconds(seconds))?);
            Ok(())
        }

        fn succeed(&mut self, keys: &AttemptKeys, seconds: i64) {
            self.attempt(keys, seconds).unwrap();
            self.rows.extend(keys.give_back(&self.rows, Timestamp::from_seconds(seconds)));
        }
    }

    fn hasher() -> SecretHasher {
        MasterKey::new([1; 32]).hasher()
    }

    fn keys(email: &str, address: &str) -> AttemptKeys {
        let email = Email::parse(email).unwrap();
        AttemptKeys::new(&hasher(), ("sign in", &email), Some(address.parse().unwrap()), None)
    }

    fn on_device(email: &str, address: &str) -> AttemptKeys {
        let email = Email::parse(email).unwrap();
        let device = DeviceCookie::new(&hasher(), &email, [4; 32]);
        AttemptKeys::new(&hasher(), ("sign in", &email), Some(address.parse().unwrap()), Some(&device))
    }

    const NOW: i64 = 1_000_000;

    #[test]
    fn failures_delay_the_next_attempt_ever_longer_and_are_forgotten() {
        let (mut world, ada) = (World::default(), keys("ada@example.org", "192.0.2.1"));
        for _ in 0..5 {
            assert_eq!(world.attempt(&ada, NOW), Ok(()));
        }
        assert_eq!(world.attempt(&ada, NOW), Err(Duration::from_secs(1)));
        assert_eq!(world.attempt(&ada, NOW + 1), Ok(()));
        assert_eq!(world.attempt(&ada, NOW + 1), Err(Duration::from_secs(2)));
        let mut now = NOW + 1;
        for _ in 0..20 {
            now += 900;
            assert_eq!(world.attempt(&ada, now), Ok(()));
        }
        assert_eq!(world.attempt(&ada, now), Err(Duration::from_secs(900)), "no delay is longer");
        assert_eq!(world.attempt(&ada, now + 3_600), Ok(()));
        assert_eq!(world.attempt(&ada, now + 3_600), Ok(()), "an hour later all is forgotten");
    }

    #[test]
    fn an_attacker_at_another_address_delays_nobody() {
        let mut world = World::default();
        let (attacker, ada) = (keys("ada@example.org", "198.51.100.7"), keys("ada@example.org", "192.0.2.1"));
        while world.attempt(&attacker, NOW).is_ok() {}
        assert_eq!(world.attempt(&ada, NOW), Ok(()));
    }

    #[test]
    fn many_attackers_delay_neither_a_known_address_nor_a_known_device() {
        let mut world = World::default();
        let ada = keys("ada@example.org", "192.0.2.1");
        world.succeed(&ada, NOW);
        for attacker in 0..200 {
            let attacker = keys("ada@example.org", &format!("198.51.100.{attacker}"));
            let _ = world.attempt(&attacker, NOW);
        }
        let new = world.attempt(&keys("ada@example.org", "203.0.113.1"), NOW).unwrap_err();
        assert!(new <= Duration::from_secs(30), "a new address waits, but not for long: {new:?}");
        assert_eq!(world.attempt(&ada, NOW), Ok(()));
        assert_eq!(world.attempt(&on_device("ada@example.org", "203.0.113.2"), NOW), Ok(()));
    }

    #[test]
    fn one_address_cannot_try_all_accounts() {
        let mut world = World::default();
        let tried =
            (0..500).filter(|n| world.attempt(&keys(&format!("u{n}@example.org"), "192.0.2.1"), NOW).is_ok());
        assert_eq!(tried.count(), 50);
    }

    #[test]
    fn all_addresses_of_an_ipv6_network_are_one() {
        let [a, b, c] = ["2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1"]
            .map(|address| keys("ada@example.org", address));
        assert_eq!(a, b);
        assert_ne!(a, c);
    }

    #[test]
    fn a_known_device_is_limited_too() {
        let (mut world, ada) = (World::default(), on_device("ada@example.org", "192.0.2.1"));
        assert_eq!((0..50).filter(|_| world.attempt(&ada, NOW).is_ok()).count(), 10);
    }

    #[test]
    fn a_success_gives_its_attempt_back() {
        let (mut world, ada) = (World::default(), keys("ada@example.org", "192.0.2.1"));
        for second in 0..200 {
            world.succeed(&ada, NOW + second);
        }
        assert_eq!(world.attempt(&ada, NOW + 200), Ok(()));
        assert!(world.rows.values().all(|row| row.failures <= 1), "{:?}", world.rows);
    }
}
