//! Publish decisions while the database is unreachable: a key that was usable at the last contact is let in for a while,
//! so that broadcasts still start.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, timeout};

use super::Core;
use super::key_cache::KeyCache;
use super::task::{PeriodicTask, Task, TaskContext, TaskError, Tick};
use crate::domain::media_server::{Connection, MediaServerName, SourceId};
use crate::domain::path::StreamPath;
use crate::domain::publish::{AllowReason, DenyReason, PublishRequest};
use crate::domain::reconcile::Observation;
use crate::domain::secret::{KeySecret, SecretHash};
use crate::domain::stream_key::{OnConflict, StreamKey};
use crate::domain::{StreamKeyId, Timestamp};
use crate::ports::{StoreError, WakeUp};

/// How long the database may take to answer the probe, as long as a publish request may.
const PROBE_TIME: Duration = Duration::from_millis(600);

/// How long what a poll saw counts. After that an encoder that lost its connection is let in again, also without hooks.
const OBSERVED: Duration = Duration::from_secs(15);

/// A circuit breaker in front of the database, and the publishers that were let in without it.
pub struct Grace {
    period: Duration,
    cache: Arc<KeyCache>,
    is_unreachable: AtomicBool,
    began: Instant,
    /// The last contact with the database, in milliseconds after `began`.
    last_success: AtomicU64,
    /// One connection for each key.
    admitted: Mutex<HashMap<StreamKeyId, Admission>>,
    /// The sessions that this instance saw at its last poll of each media server.
    observed: Mutex<HashMap<MediaServerName, (Instant, Vec<LiveSession>)>>,
}

/// A session that was live at the last poll, on a key that is for one connection at a time.
#[derive(Clone, Debug)]
pub(super) struct LiveSession {
    pub(super) key: StreamKeyId,
    pub(super) path: StreamPath,
    pub(super) hash: SecretHash,
    pub(super) by: Connection,
}

impl LiveSession {
    /// The observed sessions that hold one of `keys` which is for one connection at a time.
    pub(super) fn seen(
        observations: &[Observation],
        keys: &[(SecretHash, StreamKey)],
        now: Timestamp,
    ) -> Vec<Self> {
        let live = observations.iter().filter(|one| one.seen.live).filter_map(|one| one.seen.source.as_ref());
        let live: HashSet<&SourceId> = live.filter_map(|source| source.id.as_ref()).collect();
        let session = |(hash, key): &(SecretHash, StreamKey)| {
            let by = key.holder.active_holder(now).filter(|by| live.contains(&by.id))?.clone();
            let is_exclusive = key.on_conflict == OnConflict::Reject;
            is_exclusive.then(|| Self { key: key.id, path: key.path.clone(), hash: *hash, by })
        };
        keys.iter().filter_map(session).collect()
    }
}

#[derive(Clone, Debug)]
struct Admission {
    hash: SecretHash,
    request: PublishRequest,
}

impl Grace {
    /// Keys of `cache` are let in for `period` after the last contact with the database; zero lets in none.
    pub fn new(period: Duration, cache: Arc<KeyCache>) -> Self {
        let (began, last_success) = (Instant::now(), AtomicU64::new(0));
        Self {
            period,
            cache,
            is_unreachable: AtomicBool::new(false),
            began,
            last_success,
            admitted: Mutex::default(),
            observed: Mutex::default(),
        }
    }

    /// A poll of `server` saw these sessions.
    pub(super) fn note_sessions(&self, server: &MediaServerName, sessions: Vec<LiveSession>) {
        self.observed().insert(server.clone(), (Instant::now(), sessions));
    }

    /// Whether the database did not answer the last time.
    pub(super) fn is_unreachable(&self) -> bool {
        self.is_unreachable.load(Ordering::Relaxed)
    }

    /// The database answered.
    pub(super) fn note_success(&self) {
        let since = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_success.store(since, Ordering::Relaxed);
        if self.is_unreachable.swap(false, Ordering::Relaxed) {
            tracing::info!("the database answers again: publish requests are decided with it");
        }
    }

    /// The database did not answer.
    pub(super) fn note_failure(&self) {
        if !self.is_unreachable.swap(true, Ordering::Relaxed) {
            let grace = self.period.as_secs();
            tracing::error!(
                "the database is unreachable: for {grace} s from the last contact, publishers with a key that was valid then are let in (auth.grace)"
            );
        }
    }

    /// Decides without the database.
    pub(super) fn decide(
        &self,
        hash: &SecretHash,
        request: &PublishRequest,
        now: Timestamp,
    ) -> Result<(AllowReason, StreamKeyId), DenyReason> {
        let last_success = self.began + Duration::from_millis(self.last_success.load(Ordering::Relaxed));
        if last_success.elapsed() > self.period || self.period.is_zero() {
            return Err(DenyReason::Undecided);
        }
        let id = self.cache.check_offline(hash, request.path.as_ref(), now)?;
        if let Some(connection) = &request.connection {
            let is_other = |session: &LiveSession| session.key == id && session.by != *connection;
            if self.observed().values().any(|(at, seen)| at.elapsed() < OBSERVED && seen.iter().any(is_other))
            {
                return Err(DenyReason::KeyInUse);
            }
            let admission = || Admission { hash: *hash, request: request.clone() };
            let mut admitted = self.admitted();
            let by = &admitted.entry(id).or_insert_with(admission).request.connection;
            if *by != request.connection {
                return Err(DenyReason::KeyInUse);
            }
        }
        Ok((AllowReason::Grace, id))
    }

    /// The session on this path, or with this key as its path, is gone: its key is free for another connection.
    pub(super) fn release(
        &self,
        server: &MediaServerName,
        path: Option<&StreamPath>,
        hash: Option<&SecretHash>,
    ) {
        if let Some((_, seen)) = self.observed().get_mut(server) {
            seen.retain(|session| path != Some(&session.path) && hash != Some(&session.hash));
        }
        self.admitted().retain(|_, Admission { hash: used, request }| {
            let is_on = request.connection.as_ref().is_some_and(|by| by.server == *server);
            let is_gone = if path.is_some() { request.path.as_ref() == path } else { Some(&*used) == hash };
            !(is_on && is_gone)
        });
    }

    fn observed(&self) -> MutexGuard<'_, HashMap<MediaServerName, (Instant, Vec<LiveSession>)>> {
        self.observed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admitted(&self) -> MutexGuard<'_, HashMap<StreamKeyId, Admission>> {
        self.admitted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Finds out whether the database answers publish decisions, and claims the keys of those that were let in without it.
pub struct DatabaseProbe {
    core: Arc<Core>,
    grace: Arc<Grace>,
    claim_ttl: Duration,
    unknown: PublishRequest,
}

impl DatabaseProbe {
    /// A claim holds for `claim_ttl`.
    pub fn new(core: Arc<Core>, grace: Arc<Grace>, claim_ttl: Duration) -> Self {
        let connection =
            SourceId::parse("database-probe").map(|id| Connection { server: MediaServerName::default(), id });
        let unknown =
            PublishRequest { secret: KeySecret::from_random([0; 32]), path: None, connection, ip: None };
        Self { core, grace, claim_ttl, unknown }
    }

    async fn probe(&self) -> Result<(), StoreError> {
        // The same statement as a publish request. A database that answers others but not this one (a lock that another
        // program holds, a file that cannot be written) would open and close the circuit all the time.
        let hash = self.core.hasher.key(&self.unknown.secret);
        let claim =
            self.core.auth_store.claim_for_publish(&hash, &self.unknown, self.core.now(), self.claim_ttl);
        let answer = timeout(PROBE_TIME, claim).await;
        answer.unwrap_or_else(|_| Err(StoreError::Unavailable("no answer within 600 ms".to_owned())))?;
        loop {
            let next = self.grace.admitted().iter().next().map(|(id, one)| (*id, one.clone()));
            let Some((id, admission)) = next else { return Ok(()) };
            match self.claim(&admission).await {
                Err(error @ StoreError::Unavailable(_)) => return Err(error),
                // Trying again would not help, and would keep all other publishers out.
                Err(error) => {
                    tracing::error!(%error, key_id = %id, "a publisher that was let in without the database holds no key");
                }
                Ok(()) => {}
            }
            self.grace.admitted().remove(&id);
        }
    }

    async fn claim(&self, admission: &Admission) -> Result<(), StoreError> {
        let Admission { hash, request } = admission;
        let claim = self.core.worker_store.claim_for_publish(hash, request, self.core.now(), self.claim_ttl);
        let key = claim.await?;
        let holds = key.as_ref().is_some_and(|key| key.holder.connection() == request.connection.as_ref());
        if !holds {
            tracing::warn!(
                key_id = key.map(|key| tracing::field::display(key.id)),
                connection = request.connection.as_ref().map(|by| tracing::field::display(&by.id)),
                "a publisher that was let in without the database may not hold its key: its session will be ended"
            );
        }
        Ok(())
    }
}

impl Task for DatabaseProbe {
    fn name(&self) -> String {
        "database-probe".into()
    }

    fn description(&self) -> &'static str {
        "Finds out whether the database answers publish requests."
    }
}

#[async_trait]
impl PeriodicTask for DatabaseProbe {
    fn interval(&self) -> Duration {
        Duration::from_millis(if self.grace.is_unreachable() { 250 } else { 1_000 })
    }

    fn wakes_on(&self, _: &WakeUp) -> bool {
        false
    }

    async fn tick(&mut self, _: &TaskContext) -> Result<Tick, TaskError> {
        match self.probe().await {
            Ok(()) => self.grace.note_success(),
            Err(error) => {
                self.grace.note_failure();
                return Err(error.into());
            }
        }
        Ok(Tick::default())
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;
    use uuid::Uuid;

    use super::super::key_cache::Load;
    use super::*;
    use crate::domain::stream_key::CachedKey;

    const PERIOD: Duration = Duration::from_secs(300);
    const NOW: Timestamp = Timestamp::from_seconds(1_000);
    const HASH: SecretHash = SecretHash([1; 32]);

    fn alice() -> StreamPath {
        StreamPath::parse("live/alice").unwrap()
    }

    /// Knows the key `HASH`.
    fn grace(period: Duration) -> Grace {
        let cache = Arc::new(KeyCache::default());
        let mut load = Load::default();
        let id = StreamKeyId(Uuid::nil());
        cache.take_page(&mut load, &[CachedKey { hash: HASH, id, path: alice(), expires_at: None }]);
        cache.replace(load);
        Grace::new(period, cache)
    }

    fn connection(id: &str) -> Connection {
        Connection { server: MediaServerName::default(), id: SourceId::parse(id).unwrap() }
    }

    fn decide(grace: &Grace, id: &str) -> Result<AllowReason, DenyReason> {
        let secret = KeySecret::from_random([1; 32]);
        let request =
            PublishRequest { secret, path: Some(alice()), connection: Some(connection(id)), ip: None };
        grace.decide(&HASH, &request, NOW).map(|(reason, _)| reason)
    }

    #[tokio::test(start_paused = true)]
    async fn known_key_is_let_in_for_the_period_since_the_last_contact() {
        let grace = grace(PERIOD);
        advance(PERIOD * 2).await;
        assert_eq!(decide(&grace, "c1"), Err(DenyReason::Undecided));
        grace.note_success();
        grace.note_failure();
        advance(PERIOD - Duration::from_secs(1)).await;
        assert_eq!(decide(&grace, "c1"), Ok(AllowReason::Grace));
        advance(Duration::from_secs(2)).await;
        assert_eq!(decide(&grace, "c1"), Err(DenyReason::Undecided));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_let_in_with_a_period_of_zero_or_before_the_first_contact() {
        let off = grace(Duration::ZERO);
        off.note_success();
        assert_eq!(decide(&off, "c1"), Err(DenyReason::Undecided));
        let empty = Grace::new(PERIOD, Arc::new(KeyCache::default()));
        assert_eq!(decide(&empty, "c1"), Err(DenyReason::Undecided));
    }

    #[tokio::test(start_paused = true)]
    async fn key_is_for_one_connection_until_its_session_is_gone() {
        let grace = grace(PERIOD);
        assert_eq!(decide(&grace, "c1"), Ok(AllowReason::Grace));
        assert_eq!(decide(&grace, "c1"), Ok(AllowReason::Grace), "it requests again");
        assert_eq!(decide(&grace, "c2"), Err(DenyReason::KeyInUse));
        let elsewhere = MediaServerName::parse("eu").unwrap();
        grace.release(&elsewhere, Some(&alice()), None);
        assert_eq!(decide(&grace, "c2"), Err(DenyReason::KeyInUse));
        grace.release(&MediaServerName::default(), Some(&alice()), None);
        assert_eq!(decide(&grace, "c2"), Ok(AllowReason::Grace));
    }

    #[tokio::test(start_paused = true)]
    async fn key_of_a_session_of_the_last_poll_is_in_use_for_fifteen_seconds() {
        let grace = grace(PERIOD);
        let (key, by) = (StreamKeyId(Uuid::nil()), connection("c1"));
        let session = LiveSession { key, path: alice(), hash: HASH, by };
        grace.note_sessions(&MediaServerName::default(), vec![session]);
        assert_eq!(decide(&grace, "c2"), Err(DenyReason::KeyInUse));
        advance(OBSERVED).await;
        assert_eq!(decide(&grace, "c2"), Ok(AllowReason::Grace));
    }
}
