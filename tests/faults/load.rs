//! Steady load: publishers with known, unknown and revoked keys, hooks, writes and lists. It notes what must not happen.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use reqwest::Method;
use serde_json::json;
use streamward::domain::secret::KeySecret;
use streamward_test_support::process::eventually;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::ledger::{Key, Ledger};
use crate::stand_in::StandIn;
use crate::world::{Caller, Decision, HOOK_SECRET, SOON, World};

/// Keys that publish for the whole time.
const ANCHORS: usize = 5;
/// Keys that publish now and then.
const KNOWN: usize = 24;
/// A key that was let in without a known end may be held by that connection for so long (`auth.claim_ttl`, and a margin).
const HELD: Duration = Duration::from_secs(20);
/// How long ago a key must have been revoked to be refused for certain: an instance that loses the database may not
/// have heard of the last second.
const HEARD: Duration = Duration::from_secs(1);

/// How long a hook is waited for.
const HOOK: Duration = Duration::from_secs(1);

/// How hooks are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum HookMode {
    Right,
    Lost,
    /// Twice, in the wrong order, and among forged ones.
    Wrong,
}

/// Numbers of one phase.
#[derive(Default)]
pub(crate) struct Figures {
    pub(crate) known: (usize, usize),
    /// Unknown and revoked keys.
    pub(crate) strange: (usize, usize),
    /// Second encoders on a live key.
    pub(crate) second: (usize, usize),
    pub(crate) writes: (usize, usize),
    pub(crate) lists: (usize, usize),
    pub(crate) auth_times: Vec<Duration>,
}

/// An encoder that publishes for the whole time.
#[derive(Clone)]
pub(crate) struct Anchor {
    pub(crate) key: Key,
    pub(crate) connection: String,
    pub(crate) stream: String,
}

pub(crate) struct Shared {
    pub(crate) caller: Caller,
    pub(crate) media: StandIn,
    broadcaster: String,
    known: Vec<Key>,
    anchors: Mutex<Vec<Anchor>>,
    pub(crate) ledger: Mutex<Ledger>,
    figures: Mutex<Figures>,
    hooks: Mutex<HookMode>,
    /// What must not have happened.
    pub(crate) wrong: Mutex<Vec<String>>,
    /// The paths that a second encoder was let in on.
    pub(crate) second_encoders: Mutex<Vec<String>>,
    /// Whether every list must show the anchors.
    anchors_are_live: AtomicBool,
    numbers: AtomicUsize,
    stop: CancellationToken,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The load on a world, until it is stopped.
pub(crate) struct Load {
    pub(crate) shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

impl Load {
    /// Creates the keys, puts the anchors on the air and starts.
    pub(crate) async fn start(world: &World) -> Result<Self> {
        let caller = world.caller()?;
        let (status, made) =
            caller.call(Method::POST, "/broadcasters", Some(json!({"display_name": "Load"}))).await?;
        ensure!(status == 201, "{status} {made}");
        let mut shared = Shared {
            caller,
            media: world.media.clone(),
            broadcaster: made["id"].as_str().unwrap_or_default().to_owned(),
            known: Vec::new(),
            anchors: Mutex::default(),
            ledger: Mutex::default(),
            figures: Mutex::default(),
            hooks: Mutex::new(HookMode::Right),
            wrong: Mutex::default(),
            second_encoders: Mutex::default(),
            anchors_are_live: AtomicBool::new(true),
            numbers: AtomicUsize::new(0),
            stop: CancellationToken::new(),
        };
        for _ in 0..KNOWN {
            let Some(key) = shared.create().await else { bail!("a key could not be created") };
            shared.known.push(key);
        }
        let shared = Arc::new(shared);
        for _ in 0..ANCHORS {
            let Some(key) = shared.create().await else { bail!("a key could not be created") };
            lock(&shared.anchors).push(Anchor { key, connection: String::new(), stream: String::new() });
        }
        shared.put_anchors_on_air().await?;
        let mut tasks = JoinSet::new();
        for lane in 0..2 {
            tasks.spawn(Arc::clone(&shared).publish(lane));
        }
        tasks.spawn(Arc::clone(&shared).knock());
        tasks.spawn(Arc::clone(&shared).write());
        tasks.spawn(Arc::clone(&shared).list());
        Ok(Self { shared, tasks })
    }

    /// Stops after the requests that are under way.
    pub(crate) async fn stop(&mut self) {
        self.shared.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }

    /// The numbers since the last call.
    pub(crate) fn take_figures(&self) -> Figures {
        std::mem::take(&mut *lock(&self.shared.figures))
    }

    /// Revokes a key and at once, when that is acknowledged, lets `lose` happen: the key must be refused all the same.
    pub(crate) async fn revoke_and(&self, lose: impl FnOnce()) -> Result<()> {
        let Some(key) = self.shared.create().await else { bail!("a key could not be created") };
        ensure!(self.shared.revoke(&key).await, "a key could not be revoked");
        lose();
        self.shared.must_be_refused(&key.path, &key.secret).await;
        Ok(())
    }

    pub(crate) fn send_hooks(&self, mode: HookMode) {
        *lock(&self.shared.hooks) = mode;
    }

    /// From here on the anchors need not be live.
    pub(crate) fn anchors_may_end(&self) {
        self.shared.anchors_are_live.store(false, Ordering::Relaxed);
    }

    pub(crate) fn anchors(&self) -> Vec<Anchor> {
        lock(&self.shared.anchors).clone()
    }
}

impl Shared {
    /// Waits; `false` when the load is to stop.
    async fn pause(&self, millis: u64) -> bool {
        self.stop.run_until_cancelled(sleep(Duration::from_millis(millis))).await.is_some()
    }

    fn number(&self) -> usize {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    fn connection(&self) -> String {
        format!("00000000-0000-4000-8000-{:012}", self.number())
    }

    fn note_wrong(&self, what: String) {
        lock(&self.wrong).push(what);
    }

    /// Creates a key; `None` if that was not acknowledged.
    pub(crate) async fn create(&self) -> Option<Key> {
        let path = format!("live/{}", self.number());
        let draft = json!({"broadcaster_id": self.broadcaster, "path": path});
        let created = self.caller.call(Method::POST, "/stream-keys", Some(draft)).await;
        let acknowledged = created.ok().filter(|(status, _)| *status == 201);
        let key = acknowledged.and_then(|(_, answer)| Key::from(&answer).ok());
        if let Some(key) = &key {
            lock(&self.ledger).created(key);
        }
        let mut figures = lock(&self.figures);
        figures.writes.1 += 1;
        figures.writes.0 += usize::from(key.is_some());
        key
    }

    async fn revoke(&self, key: &Key) -> bool {
        lock(&self.ledger).revoking(key);
        let done = self.caller.call(Method::DELETE, &format!("/stream-keys/{}", key.id), None).await;
        let is_done = done.is_ok_and(|(status, _)| status == 204);
        if is_done {
            lock(&self.ledger).revoked(key);
        }
        let mut figures = lock(&self.figures);
        figures.writes.1 += 1;
        figures.writes.0 += usize::from(is_done);
        is_done
    }

    /// Encoders with the keys of the anchors connect until they are let in, and are listed.
    pub(crate) async fn put_anchors_on_air(&self) -> Result<Duration> {
        let started = Instant::now();
        let mut anchors = lock(&self.anchors).clone();
        for anchor in &mut anchors {
            let let_in = eventually("an encoder is let in", SOON, async || {
                let connection = self.connection();
                let (decision, _) = self.caller.auth(&anchor.key.path, &anchor.key.secret, &connection).await;
                if decision != Decision::Allowed {
                    sleep(Duration::from_millis(200)).await;
                }
                Ok((decision == Decision::Allowed).then_some(connection))
            });
            anchor.connection = let_in.await?.0;
            self.media.go_live(&anchor.key.path, &anchor.connection);
            self.hook("ready", &anchor.key.path, &anchor.connection).await;
        }
        for anchor in &mut anchors {
            let (path, connection) = (&anchor.key.path, &anchor.connection);
            let listed = eventually("an anchor is listed", SOON, async || {
                let list = self.caller.get(&format!("/streams?path={path}")).await?;
                let is_it = list["streams"][0]["source_id"] == connection.as_str();
                Ok(list["streams"][0]["id"].as_str().filter(|_| is_it).map(str::to_owned))
            });
            anchor.stream = listed.await?.0;
        }
        *lock(&self.anchors) = anchors;
        self.anchors_are_live.store(true, Ordering::Relaxed);
        Ok(started.elapsed())
    }

    /// Known keys publish for a moment, one after the other.
    async fn publish(self: Arc<Self>, lane: usize) {
        let mut held_until = vec![Instant::now(); self.known.len()];
        let mut keys = (lane..self.known.len()).step_by(2).cycle();
        while self.pause(150).await {
            let Some(n) = keys.next() else { return };
            if held_until[n] > Instant::now() {
                continue;
            }
            let (key, connection) = (&self.known[n], self.connection());
            let (decision, took) = self.caller.auth(&key.path, &key.secret, &connection).await;
            {
                let mut figures = lock(&self.figures);
                figures.known.1 += 1;
                figures.known.0 += usize::from(decision == Decision::Allowed);
                if decision != Decision::Missing {
                    figures.auth_times.push(took);
                }
            }
            match decision {
                Decision::Allowed => self.broadcast(key, &connection).await,
                Decision::Refused | Decision::Missing => held_until[n] = Instant::now() + HELD,
            }
        }
    }

    /// Sends a hook as MediaMTX does: it does not wait for long.
    async fn hook(&self, kind: &str, path: &str, connection: &str) {
        let _ = timeout(HOOK, self.caller.hook(kind, path, connection, Some(HOOK_SECRET))).await;
    }

    async fn broadcast(&self, key: &Key, connection: &str) {
        let hooks = *lock(&self.hooks);
        self.media.go_live(&key.path, connection);
        if hooks == HookMode::Wrong {
            self.hook("not-ready", &key.path, connection).await;
            self.hook("ready", &key.path, connection).await;
            self.forge().await;
        }
        if hooks != HookMode::Lost {
            self.hook("ready", &key.path, connection).await;
        }
        sleep(Duration::from_millis(700)).await;
        self.media.leave(&key.path, connection);
        for _ in 0..if hooks == HookMode::Wrong { 2 } else { 1 } {
            if hooks != HookMode::Lost {
                self.hook("not-ready", &key.path, connection).await;
            }
        }
    }

    /// Hooks that nothing happened for: with the secret they are only a reason to poll, without it they are refused.
    async fn forge(&self) {
        let anchors = lock(&self.anchors).clone();
        for anchor in anchors {
            let (path, id) = (&anchor.key.path, &anchor.connection);
            self.hook("not-ready", path, id).await;
            for secret in [None, Some("another-secret")] {
                let status = self.caller.hook("not-ready", path, id, secret).await;
                if status.is_some_and(|status| status != 401) {
                    self.note_wrong(format!("a hook without the secret was answered with {status:?}"));
                }
            }
        }
        self.caller.hook("ready", "live/nobody", &self.connection(), Some(HOOK_SECRET)).await;
    }

    /// Unknown and revoked keys, and second encoders on a live key, must not be let in.
    async fn knock(self: Arc<Self>) {
        while self.pause(120).await {
            let n = self.number();
            match n % 5 {
                0 | 1 => self.knock_with_revoked_key(n).await,
                2 => self.knock_with_live_key(n).await,
                _ => self.knock_with_unknown_key(n).await,
            }
        }
    }

    async fn knock_with_unknown_key(&self, n: usize) {
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&(n as u64).to_le_bytes());
        let path = &self.known[n % self.known.len()].path;
        self.must_be_refused(path, KeySecret::from_random(bytes).expose()).await;
    }

    async fn knock_with_revoked_key(&self, n: usize) {
        let revoked = lock(&self.ledger).revoked_for(HEARD);
        if let Some(key) = revoked.get(n % revoked.len().max(1)) {
            self.must_be_refused(&key.path, &key.secret).await;
        }
    }

    async fn must_be_refused(&self, path: &str, secret: &str) {
        let (decision, took) = self.caller.auth(path, secret, &self.connection()).await;
        if decision == Decision::Allowed {
            self.note_wrong(format!("somebody was let in on {path} without a valid key"));
        }
        let mut figures = lock(&self.figures);
        figures.strange.1 += 1;
        figures.strange.0 += usize::from(decision == Decision::Allowed);
        if decision != Decision::Missing {
            figures.auth_times.push(took);
        }
    }

    async fn knock_with_live_key(&self, n: usize) {
        let Some(key) = lock(&self.anchors).get(n % ANCHORS).map(|anchor| anchor.key.clone()) else { return };
        if !self.anchors_are_live.load(Ordering::Relaxed) {
            return;
        }
        let (decision, took) = self.caller.auth(&key.path, &key.secret, &self.connection()).await;
        if decision == Decision::Allowed && self.anchors_are_live.load(Ordering::Relaxed) {
            lock(&self.second_encoders).push(key.path);
        }
        let mut figures = lock(&self.figures);
        figures.second.1 += 1;
        figures.second.0 += usize::from(decision == Decision::Allowed);
        if decision != Decision::Missing {
            figures.auth_times.push(took);
        }
    }

    /// Creates and revokes keys; every third one is live when it is revoked.
    async fn write(self: Arc<Self>) {
        let mut created = Vec::new();
        while self.pause(150).await {
            if let Some(key) = self.create().await {
                if self.number().is_multiple_of(3) {
                    let connection = self.connection();
                    let (decision, _) = self.caller.auth(&key.path, &key.secret, &connection).await;
                    if decision == Decision::Allowed {
                        self.media.go_live(&key.path, &connection);
                        self.hook("ready", &key.path, &connection).await;
                    }
                }
                created.push(key);
            }
            if created.len() > 6 {
                let key = created.remove(0);
                if !self.revoke(&key).await {
                    created.push(key);
                }
            }
        }
    }

    /// Whoever reads the list always sees the anchors.
    async fn list(self: Arc<Self>) {
        while self.pause(250).await {
            let must_be_live = self.anchors_are_live.load(Ordering::Relaxed);
            let listed = self.caller.call(Method::GET, "/streams", None).await;
            let answer = listed.ok().filter(|(status, _)| *status == 200);
            {
                let mut figures = lock(&self.figures);
                figures.lists.1 += 1;
                figures.lists.0 += usize::from(answer.is_some());
            }
            let Some((_, list)) = answer else { continue };
            let streams = list["streams"].as_array().cloned().unwrap_or_default();
            for anchor in lock(&self.anchors).iter() {
                let is_listed = streams.iter().any(|stream| stream["id"] == anchor.stream.as_str());
                if !is_listed && must_be_live && self.anchors_are_live.load(Ordering::Relaxed) {
                    self.note_wrong(format!("{}, which is live, was not listed", anchor.key.path));
                }
            }
        }
    }
}
