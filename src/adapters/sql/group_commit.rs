//! Commits simultaneous claims together.
//!
//! Every acknowledged write must be on the disk. If a hundred encoders reconnected at once, they would wait for a hundred
//! statements and disk writes. So only a few statements run at a time, and whoever has a turn runs all claims that wait
//! together with its own: one statement, one disk write. A claim that finds a free turn waits for nobody.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::error::classify;
use crate::domain::Timestamp;
use crate::domain::media_server::{Connection, MediaServerName, SourceId};
use crate::domain::path::StreamPath;
use crate::domain::publish::PublishRequest;
use crate::domain::secret::SecretHash;
use crate::domain::stream_key::{StreamKey, TAKEOVER_WINDOW};
use crate::ports::{Result, StoreError};

/// The maximum number of claims in one statement.
const MAX_GROUP: usize = 500;
/// How long a turn lasts. A statement that takes longer goes on, and others run beside it.
const TURN: Duration = Duration::from_millis(50);

/// A claim of a key for a publisher connection, as it is stored.
#[derive(Clone)]
pub(super) struct Claim {
    pub(super) hash: SecretHash,
    pub(super) at: Timestamp,
    pub(super) requested: Option<StreamPath>,
    pub(super) server: MediaServerName,
    pub(super) connection: SourceId,
    /// Its end.
    pub(super) until: Timestamp,
    pub(super) ip: Option<IpAddr>,
    /// The beginning of the time in which takeovers count.
    pub(super) since: Timestamp,
}

table! {
    claims: Claim {
        hash bytes, at int, requested text, server text, connection text, until int, ip text, since int,
    }
}

impl Claim {
    /// What `connection` claims by `request`.
    pub(super) fn new(
        hash: SecretHash,
        request: &PublishRequest,
        connection: &Connection,
        now: Timestamp,
        ttl: Duration,
    ) -> Self {
        Self {
            hash,
            at: now,
            requested: request.path.clone(),
            server: connection.server.clone(),
            connection: connection.id.clone(),
            until: now.plus(ttl),
            ip: request.ip,
            since: now.minus(TAKEOVER_WINDOW),
        }
    }
}

/// What became of a claim.
pub(super) enum Outcome {
    Claimed(Box<StreamKey>),
    Refused,
    /// It was not decided together with the others: refused, its row was locked, or another claim wanted the same key.
    /// It must run by itself.
    Apart,
}

/// What a waiting claim is told.
enum Told {
    Result(Result<Outcome>),
    /// Its turn has come, to run itself and the others.
    Lead(Turn),
}

/// A waiting claim.
struct Waiting {
    claim: Claim,
    told: oneshot::Sender<Told>,
}

/// The claims that wait for their turn.
pub(super) struct Queue(Mutex<State>);

struct State {
    free_turns: usize,
    waiting: VecDeque<Waiting>,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Queue")
    }
}

impl Queue {
    /// With at most `turns` statements at once.
    pub(super) fn new(turns: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { free_turns: turns, waiting: VecDeque::new() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A turn to run `claim` and all that wait, or what became of it after another one's turn.
    pub(super) async fn turn(self: &Arc<Self>, claim: &Claim) -> Result<Turn, Result<Outcome>> {
        loop {
            match self.enter(claim) {
                Ok(turn) => return Ok(turn),
                Err(told) => match told.await {
                    Ok(Told::Lead(turn)) => return Ok(turn),
                    Ok(Told::Result(result)) => return Err(result),
                    // The caller that ran it gave up, and perhaps it was not written: try again.
                    Err(_) => {}
                },
            }
        }
    }

    /// A turn, or else a place in the queue.
    fn enter(self: &Arc<Self>, claim: &Claim) -> Result<Turn, oneshot::Receiver<Told>> {
        let mut state = self.state();
        if state.free_turns > 0 {
            state.free_turns -= 1;
            return Ok(Turn { queue: Arc::clone(self), is_over: false });
        }
        let (told, result) = oneshot::channel();
        state.waiting.push_back(Waiting { claim: claim.clone(), told });
        Err(result)
    }

    /// The one that waits for longest.
    fn next(&self) -> Option<Waiting> {
        let mut state = self.state();
        let next = state.waiting.pop_front();
        state.free_turns += usize::from(next.is_none());
        next
    }
}

/// The right to run claims. When it ends, the next one that waits has it.
pub(super) struct Turn {
    queue: Arc<Queue>,
    is_over: bool,
}

impl Drop for Turn {
    fn drop(&mut self) {
        while !self.is_over
            && let Some(next) = self.queue.next()
        {
            let turn = Self { queue: Arc::clone(&self.queue), is_over: false };
            match next.told.send(Told::Lead(turn)) {
                // It gave up, so this turn goes to another one.
                Err(Told::Lead(mut turn)) => turn.is_over = true,
                _ => return,
            }
        }
    }
}

impl Turn {
    /// Takes the claims that wait for longest, without those whose caller gave up. One statement changes a row only once, so
    /// those that want the key of `own`, or the same key as others, run by themselves.
    pub(super) fn take(&self, own: &Claim) -> Batch {
        let mut state = self.queue.state();
        let many = state.waiting.len().min(MAX_GROUP);
        let oldest: Vec<Waiting> = state.waiting.drain(..many).collect();
        drop(state);
        let mut wanted = HashSet::from([own.hash]);
        let oldest = oldest.into_iter().filter(|one| !one.told.is_closed());
        let (different, same): (Vec<_>, Vec<_>) = oldest.partition(|one| wanted.insert(one.claim.hash));
        for one in same {
            one.tell(Ok(Outcome::Apart));
        }
        Batch(different)
    }

    /// Waits for `work` with this turn.
    pub(super) async fn hold<T>(self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        match timeout(TURN, work.as_mut()).await {
            Ok(done) => done,
            Err(_) => {
                drop(self);
                work.await
            }
        }
    }
}

impl Waiting {
    /// If its caller gave up, nobody hears it. The claim then expires.
    fn tell(self, result: Result<Outcome>) {
        drop(self.told.send(Told::Result(result)));
    }
}

/// Claims that run together with one that has a turn. If dropped, they try again.
pub(super) struct Batch(Vec<Waiting>);

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn claims(&self) -> impl Iterator<Item = &Claim> {
        self.0.iter().map(|one| &one.claim)
    }

    /// Tells each what became of it, by the rows that were claimed. Returns what became of `own`.
    pub(super) fn tell(self, rows: Result<Vec<Row>>, own: &Claim) -> Result<Outcome> {
        let mut rows: HashMap<SecretHash, _> = match rows {
            Ok(rows) => rows.into_iter().collect(),
            Err(StoreError::Unavailable(why)) => {
                for one in self.0 {
                    one.tell(Err(StoreError::Unavailable(why.clone())));
                }
                return Err(StoreError::Unavailable(why));
            }
            // One of them may be the cause, so each runs by itself and gets its own error.
            Err(_) => HashMap::new(),
        };
        let mut result = |claim: &Claim| match rows.remove(&claim.hash) {
            Some(key) => key.map(|key| Outcome::Claimed(Box::new(key))).map_err(classify),
            None => Ok(Outcome::Apart),
        };
        for one in self.0 {
            let result = result(&one.claim);
            one.tell(result);
        }
        result(own)
    }
}

/// A row that was claimed, by its hash. One that cannot be read spoils no other.
pub(super) type Row = (SecretHash, Result<StreamKey, sqlx::Error>);
