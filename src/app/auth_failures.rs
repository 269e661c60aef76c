//! The list of refused attempts, and the budgets of those who guess secrets. Both are counted in memory. Housekeeping
//! stores the counts and logs exceeded budgets: nothing waits on `/auth`.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;

use super::housekeeping::Chore;
use super::list::List;
use super::rollup::{Kind, Rollup};
use super::{AppError, Core};
use crate::domain::Timestamp;
use crate::domain::access::{Action, Actor, Resource, Role, Scope};
use crate::domain::auth_failure::{
    AuthFailure, MAX_AUTH_FAILURES, Offender, RefusedAttempt, WrongSecret, worst_offenders,
};
use crate::domain::guessing::{Guesses, Guessing};
use crate::domain::nearest::nearest;
use crate::domain::page::{Newest, Page, Placed};
use crate::domain::path::StreamPath;
use crate::ports::StoreError;

const RESOURCE: Resource = Resource::read_by(Role::Operator);

/// How many kinds of attempts with unknown keys are kept apart between two writes.
const MAX_UNKNOWN: usize = 100;
/// How many of them one address may have, so that it leaves room for the others. The rest of them are one.
const MAX_OF_ADDRESS: usize = 20;
/// How many addresses may have such a rest.
const MAX_RESTS: usize = 100;
/// How many kinds of one key are kept apart between two writes.
const MAX_OF_KEY: usize = 20;
/// How many paths before and after the requested one are compared with it.
const NEIGHBOURS: u32 = 200;
/// How many of the worst offenders are named, in the list and in the log.
const OFFENDERS: usize = 10;

/// Refused attempts, for operators.
pub struct AuthFailures {
    core: Arc<Core>,
    counts: Rollup<RefusedAttempt>,
    guesses: Guesses,
}

/// A row, and the path of a key that is most like the requested one.
#[derive(Clone, Debug)]
pub struct ExplainedFailure {
    /// The row.
    pub failure: AuthFailure,
    /// The path, if there is one much like it.
    pub nearest: Option<String>,
}

impl Placed for ExplainedFailure {
    type Place = Newest;

    fn place(&self) -> Newest {
        self.failure.place()
    }
}

impl Kind for RefusedAttempt {
    fn has_room<'a>(&'a self, others: impl Iterator<Item = &'a Self>) -> bool {
        let (mut alike, mut unknown, mut rests) = (0, 0, 0);
        for other in others {
            let is_alike = match &self.key {
                Some(key) => other.key.as_ref().is_some_and(|other| other.id == key.id),
                None => other.key.is_none() && other.ip_address == self.ip_address,
            };
            alike += usize::from(is_alike);
            unknown += usize::from(other.key.is_none());
            rests += usize::from(other.is_rest_of_address());
        }
        match &self.key {
            Some(_) => alike < MAX_OF_KEY,
            None if self.is_rest_of_address() => rests < MAX_RESTS,
            None => alike < MAX_OF_ADDRESS && unknown < MAX_UNKNOWN,
        }
    }

    fn coarse(self, is_full: bool) -> Self {
        let kept = Self::of_cause(&self.cause);
        match self.key {
            Some(key) if !is_full => Self { organization_id: self.organization_id, key: Some(key), ..kept },
            None if !is_full && !self.is_rest_of_address() => Self { ip_address: self.ip_address, ..kept },
            _ => kept,
        }
    }
}

#[async_trait]
impl Chore for AuthFailures {
    /// Stores the counted attempts, and logs who has exceeded a budget.
    async fn run(&self) -> Result<(), StoreError> {
        log(&self.guesses.take_exceeded(self.core.now()));
        let counted = self.counts.counted();
        if counted.is_empty() {
            return Ok(());
        }
        let rows: Vec<AuthFailure> = counted
            .iter()
            .map(|(attempt, count)| AuthFailure::new(attempt.clone(), (count.first, count.last), count.times))
            .collect();
        self.core.worker_store.record_auth_failures(&rows, MAX_AUTH_FAILURES).await?;
        self.counts.forget(&counted);
        Ok(())
    }
}

impl AuthFailures {
    /// Over the stores of `core`.
    pub fn new(core: Arc<Core>) -> Self {
        Self { core, counts: Rollup::default(), guesses: Guesses::default() }
    }

    /// Whether so many secrets were wrong at this address, or for this path, that unknown ones are refused without looking for
    /// them. Known ones are never refused for that.
    pub(super) fn are_guessed(
        &self,
        address: Option<IpAddr>,
        path: Option<&StreamPath>,
        now: Timestamp,
    ) -> bool {
        self.guesses.are_exhausted(address, path, now)
    }

    /// Counts a wrong secret; returns whether there are so many that each is not worth a line in the log.
    pub(super) fn count_guess(
        &self,
        address: Option<IpAddr>,
        path: Option<&StreamPath>,
        now: Timestamp,
    ) -> bool {
        self.guesses.count(address, path, now)
    }

    /// Counts and lists a wrong secret for the management API.
    pub(super) fn count_wrong(&self, secret: WrongSecret, address: Option<IpAddr>) {
        let now = self.core.now();
        self.count_guess(address, None, now);
        let attempt = RefusedAttempt {
            protocol: Some("api".to_owned()),
            ip_address: address.map(|ip| ip.to_string()),
            ..RefusedAttempt::of_cause(secret.as_str())
        };
        self.count(attempt, now);
    }

    /// The worst offenders among the rows that this actor may see.
    pub async fn offenders(&self, actor: &Actor) -> Result<Vec<Offender>, AppError> {
        let scope: Scope = actor.authorize(Action::Read, &RESOURCE)?;
        let all = self.core.lists.turn().await.auth_failures(&scope, &Page::default()).await?;
        Ok(worst_offenders(&all, OFFENDERS))
    }

    /// Counts a refused attempt.
    pub(super) fn count(&self, attempt: RefusedAttempt, now: Timestamp) {
        self.counts.count(attempt, None, now);
    }

    async fn explain(&self, failure: AuthFailure) -> Result<ExplainedFailure, AppError> {
        let nearest = match (failure.attempt.path_of_key(), &failure.attempt.path) {
            (Some(path), _) => Some(path.to_string()),
            (None, Some(asked)) => {
                let known = self.core.lists.turn().await.paths_near(asked, NEIGHBOURS).await?;
                nearest(asked, known.iter().map(StreamPath::as_str)).map(str::to_owned)
            }
            (None, None) => None,
        };
        Ok(ExplainedFailure { failure, nearest })
    }
}

/// Writes a line for each of the worst, and one for all others.
fn log(exceeded: &[Guessing]) {
    let (named, others) = exceeded.split_at(exceeded.len().min(OFFENDERS));
    for Guessing { of, attempts } in named {
        tracing::warn!(
            %of, attempts,
            "guessing: many attempts with wrong secrets within a minute; known secrets still work at once; see /auth-failures"
        );
    }
    if !others.is_empty() {
        let attempts: u64 = others.iter().map(|other| u64::from(other.attempts)).sum();
        tracing::warn!(
            others = others.len(),
            attempts,
            "guessing: other addresses and paths had many attempts too"
        );
    }
}

#[async_trait]
impl List for AuthFailures {
    type Filter = ();
    type Row = ExplainedFailure;

    /// The newest first.
    async fn list(
        &self,
        actor: &Actor,
        (): &(),
        page: &Page<Newest>,
    ) -> Result<Vec<ExplainedFailure>, AppError> {
        let scope: Scope = actor.authorize(Action::Read, &RESOURCE)?;
        let failures = self.core.lists.turn().await.auth_failures(&scope, page).await?;
        let mut explained = Vec::with_capacity(failures.len());
        for failure in failures {
            explained.push(self.explain(failure).await?);
        }
        Ok(explained)
    }
}

#[cfg(test)]
mod tests {
    use super::super::rollup::MAX_KINDS;
    use super::*;
    use crate::adapters::memory::MemoryStore;
    use crate::adapters::system::{SystemClock, SystemIds};
    use crate::domain::auth_failure::KeyOfAttempt;
    use crate::domain::secret::MasterKey;
    use crate::domain::stream_key::tests::key;
    use crate::ports::{AuthFailureStore as _, IdGen as _};

    fn service() -> (Arc<MemoryStore>, AuthFailures) {
        let clock = Arc::new(SystemClock);
        let store = Arc::new(MemoryStore::new(clock.clone()));
        let wake_ups = Arc::new(crate::adapters::local_wake_ups::LocalWakeUps::default());
        let master = MasterKey::new([1; 32]);
        let core = Core::over_one_store(store.clone(), clock, Arc::new(SystemIds), wake_ups, &master);
        (store, AuthFailures::new(Arc::new(core)))
    }

    fn unknown(path: usize, ip: usize) -> RefusedAttempt {
        RefusedAttempt {
            path: Some(format!("live/{path}")),
            ip_address: Some(format!("2001:db8::{ip:x}")),
            ..RefusedAttempt::of_cause("unknown_key")
        }
    }

    #[tokio::test]
    async fn million_different_attempts_take_a_bounded_number_of_rows_and_all_are_counted() {
        let (store, failures) = service();
        let now = Timestamp::from_seconds(1_000);
        for number in 0..1_000_000 {
            failures.count(unknown(number, number % 1_000), now);
            if number % 100_000 == 0 {
                failures.run().await.unwrap();
            }
        }
        assert!(failures.counts.counted().len() <= MAX_KINDS);
        failures.run().await.unwrap();
        let rows = store.auth_failures(&Scope::system(), &Page::default()).await.unwrap();
        assert!(rows.len() <= MAX_AUTH_FAILURES as usize + 1, "{}", rows.len());
        assert_eq!(rows.iter().map(|row| row.count).sum::<u64>(), 1_000_000);
        assert!(failures.counts.counted().is_empty());
    }

    #[tokio::test]
    async fn neither_one_address_nor_one_key_takes_the_room_of_the_others() {
        let (store, failures) = service();
        let now = Timestamp::from_seconds(1_000);
        let of_key = |path: usize, id| {
            let key = KeyOfAttempt { id: crate::domain::StreamKeyId(id), ..KeyOfAttempt::from(&key()) };
            RefusedAttempt { cause: "wrong_path".into(), key: Some(key), ..unknown(path, 1) }
        };
        let (mallory, alice) = (SystemIds.uuid(), SystemIds.uuid());
        for path in 0..1_000 {
            failures.count(unknown(path, 1), now);
            failures.count(of_key(path, mallory), now);
        }
        failures.count(unknown(1, 2), now);
        failures.count(of_key(1, alice), now);
        failures.run().await.unwrap();
        let rows = store.auth_failures(&Scope::system(), &Page::default()).await.unwrap();
        let attempts: Vec<&RefusedAttempt> = rows.iter().map(|row| &row.attempt).collect();
        assert_eq!(rows.len(), MAX_OF_ADDRESS + MAX_OF_KEY + 4);
        assert!(attempts.contains(&&unknown(1, 2)) && attempts.contains(&&of_key(1, alice)));
        let rest = rows.iter().find(|row| row.attempt.is_rest_of_address()).unwrap();
        assert_eq!((rest.attempt.cause.as_str(), rest.count), ("unknown_key", 980));
        let worst = failures.offenders(&Actor::cli("test")).await.unwrap().remove(0);
        assert_eq!((worst.address.as_str(), worst.attempts), ("2001:db8::/64", 1_001));
    }
}
