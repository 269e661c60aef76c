//! Passwords hashed with Argon2id, at the cost that OWASP recommends, on threads of their own: twenty people who sign in at
//! once delay no other work. The threads run while a processor is idle, and have bounded queues.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, Version};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use subtle::ConstantTimeEq as _;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::system::SystemIds;
use crate::domain::secret::Secret;
use crate::domain::user::PasswordHash;
use crate::ports::{HasherBusy, IdGen as _, PasswordHasher};

/// OWASP, "Password Storage Cheat Sheet": 19 MiB, two passes, one lane.
const COST: Cost = Cost { memory: 19 * 1_024, passes: 2, lanes: 1 };
/// How many passwords may wait.
const QUEUE: usize = 64;
const MOST_THREADS: usize = 4;
/// How long a password waits for an idle processor. Then it takes its share of a busy one, with this lower priority.
const PATIENCE: Duration = Duration::from_secs(2);
const NICE: i32 = 10;

/// The cost of a hash: KiB of memory, passes over it, lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cost {
    memory: u32,
    passes: u32,
    lanes: u32,
}

type Job = Box<dyn FnOnce() + Send>;

/// Threads that hash passwords. They start with the first password that they get, and end with the pool.
#[derive(Default)]
pub struct Argon2Pool {
    idle: Threads,
    late: Threads,
}

impl Argon2Pool {
    /// A pool whose threads have not started yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Does `work` on one of the threads.
    async fn run<T: Send + 'static>(
        &self,
        work: impl Fn() -> T + Send + Sync + 'static,
    ) -> Result<T, HasherBusy> {
        let work = Arc::new(work);
        // Half of the processors, so that media and requests have the others.
        let idle = thread::available_parallelism().map_or(1, |all| all.get() / 2).clamp(1, MOST_THREADS);
        let answered = self.idle.queue(&work, idle, run_while_idle)?;
        let answered = match timeout(PATIENCE, answered).await {
            Ok(answer) => return answer.map_err(|_| HasherBusy),
            Err(_) => self.late.queue(&work, 1, lower_priority)?,
        };
        answered.await.map_err(|_| HasherBusy)
    }
}

/// Threads with a queue.
#[derive(Default)]
struct Threads {
    queue: OnceLock<SyncSender<Job>>,
}

impl Threads {
    /// Work in the queue that nobody waits for any more is not begun. The threads are started if they do not run yet.
    fn queue<T: Send + 'static>(
        &self,
        work: &Arc<impl Fn() -> T + Send + Sync + 'static>,
        threads: usize,
        prepare: fn(),
    ) -> Result<oneshot::Receiver<T>, HasherBusy> {
        let work = Arc::clone(work);
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move || {
            if !answer.is_closed() {
                let _ = answer.send(work());
            }
        });
        match self.queue.get_or_init(|| start(threads, prepare)).try_send(job) {
            Ok(()) => Ok(answered),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(HasherBusy),
        }
    }
}

fn start(threads: usize, prepare: fn()) -> SyncSender<Job> {
    let (sender, receiver) = sync_channel(QUEUE);
    let receiver = Arc::new(Mutex::new(receiver));
    for _ in 0..threads {
        let receiver = Arc::clone(&receiver);
        let spawned = thread::Builder::new().name("passwords".to_owned()).spawn(move || {
            prepare();
            work(&receiver);
        });
        if let Err(error) = spawned {
            tracing::error!(%error, "a thread for passwords could not be started: nobody can sign in without one");
        }
    }
    sender
}

/// On Linux, this thread only runs where nothing else would. If that is not allowed, it has a lower priority.
fn run_while_idle() {
    lower_priority();
    #[cfg(target_os = "linux")]
    {
        use thread_priority::{NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy};
        let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        let thread = thread_priority::thread_native_id();
        let _ = thread_priority::set_thread_priority_and_policy(thread, ThreadPriority::Min, policy);
    }
}

/// On Linux this is the priority of the thread, not of the process. Without it, signing in competes with other work.
fn lower_priority() {
    let _ = rustix::process::nice(NICE);
}

/// Does jobs until the pool is gone.
fn work(receiver: &Mutex<Receiver<Job>>) {
    loop {
        let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        job();
    }
}

#[async_trait]
impl PasswordHasher for Argon2Pool {
    async fn hash(&self, password: &Secret) -> Result<PasswordHash, HasherBusy> {
        let (password, random) = (password.clone(), SystemIds.random32());
        let hashed = self.run(move || {
            let salt = &random[..16];
            COST.digest(&password, salt).map(|digest| COST.write(salt, &digest))
        });
        hashed.await?.ok_or(HasherBusy)
    }

    async fn verify(&self, password: &Secret, hash: Option<&PasswordHash>) -> Result<bool, HasherBusy> {
        let (password, hash) = (password.clone(), hash.cloned());
        self.run(move || {
            let stored = hash.as_ref().and_then(|hash| read(&hash.0));
            let is_known = stored.is_some();
            // Without a stored hash the work is the same.
            let (cost, salt, digest) = stored.unwrap_or_else(|| (COST, vec![0; 16], vec![0; 32]));
            let given = cost.digest(&password, &salt);
            is_known && given.is_some_and(|given| bool::from(given.as_slice().ct_eq(&digest)))
        })
        .await
    }
}

impl Cost {
    /// The hash itself. `None` if there is no memory for it, or the cost makes no sense.
    fn digest(self, password: &Secret, salt: &[u8]) -> Option<[u8; 32]> {
        let params = Params::new(self.memory, self.passes, self.lanes, Some(32)).ok()?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let mut digest = [0; 32];
        argon2.hash_password_into(password.expose().as_bytes(), salt, &mut digest).ok()?;
        Some(digest)
    }

    /// In the PHC string format, which says the cost: it may be raised later.
    fn write(self, salt: &[u8], digest: &[u8]) -> PasswordHash {
        let Self { memory, passes, lanes } = self;
        let (salt, digest) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(digest));
        PasswordHash(format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${digest}"))
    }
}

/// Cost, salt and hash of a PHC string.
fn read(text: &str) -> Option<(Cost, Vec<u8>, Vec<u8>)> {
    let parts: Vec<&str> = text.strip_prefix("$argon2id$v=19$")?.split('$').collect();
    let [cost, salt, digest] = <[&str; 3]>::try_from(parts).ok()?;
    let mut numbers = cost.split(',').map(|part| part.split_once('=')?.1.parse().ok());
    let mut number = || numbers.next().flatten();
    let cost = Cost { memory: number()?, passes: number()?, lanes: number()? };
    let digest = STANDARD_NO_PAD.decode(digest).ok().filter(|digest| digest.len() == 32)?;
    Some((cost, STANDARD_NO_PAD.decode(salt).ok()?, digest))
}

#[cfg(test)]
mod tests {
    use futures_util::poll;

    use super::*;

    #[tokio::test]
    async fn a_password_matches_its_hash_only() {
        let pool = Argon2Pool::new();
        let [good, bad] = ["correct horse", "correct horse "].map(Secret::new);
        let hash = pool.hash(&good).await.unwrap();
        assert!(hash.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.0);
        assert_ne!(pool.hash(&good).await.unwrap(), hash, "each hash has its own salt");
        assert_eq!(pool.verify(&good, Some(&hash)).await, Ok(true));
        assert_eq!(pool.verify(&bad, Some(&hash)).await, Ok(false));
        assert_eq!(pool.verify(&good, None).await, Ok(false));
        assert_eq!(pool.verify(&good, Some(&PasswordHash("nonsense".into()))).await, Ok(false));
    }

    #[tokio::test]
    async fn a_hash_of_another_cost_is_still_verified() {
        let cost = Cost { memory: 64, passes: 1, lanes: 1 };
        let password = Secret::new("correct horse");
        let hash = cost.write(&[7; 16], &cost.digest(&password, &[7; 16]).unwrap());
        assert_eq!(Argon2Pool::new().verify(&password, Some(&hash)).await, Ok(true));
    }

    /// The test vector of RFC 9106 has a secret and associated data, which passwords do not have; this one is from the
    /// reference implementation (`echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1`).
    #[test]
    fn the_hash_is_that_of_the_reference_implementation() {
        let cost = Cost { memory: 65_536, passes: 2, lanes: 1 };
        let digest = cost.digest(&Secret::new("password"), b"somesalt").unwrap();
        assert_eq!(hex::encode(digest), "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn passwords_are_hashed_while_a_processor_is_idle() {
        use thread_priority::{NormalThreadSchedulePolicy::Idle, ThreadSchedulePolicy};
        let policy = Argon2Pool::new().run(thread_priority::thread_schedule_policy).await;
        assert_eq!(policy, Ok(Ok(ThreadSchedulePolicy::Normal(Idle))));
    }

    #[tokio::test(start_paused = true)]
    async fn password_that_finds_no_idle_processor_is_hashed_after_a_while() {
        let pool = Argon2Pool::new();
        let (busy, is_busy) = std::sync::mpsc::channel::<()>();
        let is_busy = Mutex::new(is_busy);
        let work = Arc::new(move || drop(is_busy.lock().map(|is_busy| is_busy.recv())));
        let blocked = pool.idle.queue(&work, 1, lower_priority);
        assert_eq!(pool.verify(&Secret::new("correct horse"), None).await, Ok(false));
        drop((busy, blocked));
    }

    #[tokio::test]
    async fn whoever_waits_for_a_hash_blocks_no_other_work_and_a_flood_is_refused() {
        let pool = Argon2Pool::new();
        let password = Secret::new("correct horse");
        let mut waiting: Vec<_> = (0..20).map(|_| Box::pin(pool.hash(&password))).collect();
        let mut pending = 0;
        for hash in &mut waiting {
            pending += usize::from(poll!(hash).is_pending());
        }
        assert!(pending > 0, "this thread does other work meanwhile");
        let mut flood: Vec<_> = (0..3 * QUEUE).map(|_| Box::pin(pool.hash(&password))).collect();
        let mut refused = 0;
        for hash in &mut flood {
            refused += usize::from(matches!(poll!(hash), std::task::Poll::Ready(Err(HasherBusy))));
        }
        assert!(refused > 0, "the queue is bounded");
        // Nobody waits for these any more, so they are not begun, and the queue is soon empty.
        drop((flood, waiting));
        while pool.hash(&password).await.is_err() {
            tokio::task::yield_now().await;
        }
    }
}
