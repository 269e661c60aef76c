//! A fake OBS that speaks obs-websocket 5, for fast tests. `tests/studio` checks it against the real one.
//!
//! What it does was measured with OBS 29.0.2: the order of events, the states of missing files, the states of a lost
//! connection to the platform. A person in OBS is [`FakeObs::act`]; the process is [`FakeObs::kill`], [`FakeObs::freeze`] and
//! [`FakeObs::restart`]; the platform is [`FakeObs::platform`].
//!
//! ```ignore
//! let obs = FakeObs::start(FakeOptions::default()).await;
//! obs.file("/clip.mp4", Duration::from_secs(2));
//! // … connect to obs.url() with obs.password() …
//! obs.platform(false); // the platform hangs up
//! obs.until("StartStream").await;
//! ```

mod connection;
mod media;
mod picture;
mod requests;
mod stream;
mod studio;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Notify, broadcast, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

pub use self::studio::Times;
use self::studio::{Event, Studio};

/// Most events that wait to be written to a connection.
const QUEUE: usize = 65_536;
/// How long [`FakeObs::until`] waits.
const PATIENCE: Duration = Duration::from_secs(20);

/// Which names messages have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Naming {
    /// Names alone: OBS 28 to 30.1.
    #[default]
    Names,
    /// Names, UUIDs, and fields and events that are newer: OBS 30.2 and later.
    Uuids,
}

/// How a fake OBS is.
#[derive(Clone, Copy, Debug)]
pub struct FakeOptions {
    /// Its password; empty if it requires none.
    pub password: &'static str,
    /// Which names messages have.
    pub naming: Naming,
    /// How long things take.
    pub times: Times,
}

impl Default for FakeOptions {
    fn default() -> Self {
        Self { password: "fake-password", naming: Naming::default(), times: Times::default() }
    }
}

/// An order to all connections.
#[derive(Clone)]
enum Order {
    Event(Event),
    Raw(Arc<str>),
    Close(u16),
}

struct Shared {
    options: FakeOptions,
    studio: Mutex<Studio>,
    orders: broadcast::Sender<Order>,
    is_frozen: watch::Sender<bool>,
    /// What the requests were, in their order.
    requests: watch::Sender<Vec<(String, Value)>>,
    /// Requests that are never answered.
    ignored: Mutex<BTreeSet<String>>,
    /// New connections are not served any more.
    is_quitting: AtomicBool,
    /// How many connections are open.
    open: watch::Sender<usize>,
    /// Something is due earlier than before.
    rescheduled: Notify,
}

/// The fake. It ends when it is dropped.
pub struct FakeObs {
    shared: Arc<Shared>,
    address: SocketAddr,
    tasks: Mutex<JoinSet<()>>,
}

impl FakeObs {
    /// Listens on a free port of this machine. It has one scene, named `Scene`.
    ///
    /// # Panics
    /// If there is none.
    pub async fn start(options: FakeOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its own address");
        let orders = broadcast::Sender::new(QUEUE);
        let shared = Shared {
            options,
            studio: Mutex::new(Studio::new(options, orders.clone())),
            orders,
            is_frozen: watch::Sender::new(false),
            requests: watch::Sender::default(),
            ignored: Mutex::default(),
            is_quitting: AtomicBool::new(false),
            open: watch::Sender::default(),
            rescheduled: Notify::new(),
        };
        let fake = Self { shared: Arc::new(shared), address, tasks: Mutex::default() };
        fake.run(listener);
        fake
    }

    fn run(&self, listener: TcpListener) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.spawn(accept(listener, Arc::clone(&self.shared)));
        tasks.spawn(keep_time(Arc::clone(&self.shared)));
    }

    /// Its address: `ws://…`.
    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Whether it runs. One that hangs runs too.
    pub fn is_running(&self) -> bool {
        !self.tasks.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Its password.
    pub fn password(&self) -> &'static str {
        self.shared.options.password
    }

    /// Does what a person in OBS could do, by the request of this name.
    ///
    /// # Panics
    /// If OBS would refuse it.
    pub fn act(&self, request: &str, data: &Value) -> Value {
        let answer = self.studio(|studio| studio.request(request, data));
        answer.unwrap_or_else(|(code, comment)| panic!("{request} {data}: {code} {comment}"))
    }

    /// From now on there is a playable file at `path`.
    pub fn file(&self, path: &str, length: Duration) {
        self.studio(|studio| studio.files.extend([(path.to_owned(), length)]));
    }

    /// How bright an input or a file is, 0 to 1; a colour and a playing file have a brightness without it. Files and cameras are
    /// black outside the program all the same.
    pub fn bright(&self, input: &str, brightness: f32) {
        self.studio(|studio| studio.brightness.extend([(input.to_owned(), brightness)]));
    }

    /// How loud an input is, as a factor: the peak of both channels.
    pub fn loud(&self, input: &str, peak: f32) {
        self.studio(|studio| studio.loudness.extend([(input.to_owned(), peak)]));
    }

    /// Whether the platform accepts publishers. `false` ends the connection of the present one.
    pub fn platform(&self, accepts: bool) {
        self.studio(|studio| studio.platform(accepts));
    }

    /// The platform ends the connection once, and accepts the next one.
    pub fn cut(&self) {
        self.studio(Studio::cut);
    }

    /// The platform keeps the connection and takes nothing, or takes it again.
    pub fn stall(&self, is_stalled: bool) {
        self.studio(|studio| studio.stall(is_stalled));
    }

    /// Answers 207 to every request, as while it loads; or no more.
    pub fn loading(&self, is_loading: bool) {
        self.studio(|studio| studio.is_loading = is_loading);
    }

    /// From now on it says yes to switches of scenes, and does not carry them out.
    pub fn pin(&self) {
        self.studio(|studio| studio.is_pinned = true);
    }

    /// Never answers requests of this name, as if a part of OBS hangs.
    pub fn ignore(&self, request: &str) {
        self.shared.ignored().insert(request.to_owned());
    }

    /// `kill -STOP`: the connections stay, and nothing is read or written.
    pub fn freeze(&self) {
        self.shared.is_frozen.send_replace(true);
    }

    /// Whether it is stopped.
    pub fn is_frozen(&self) -> bool {
        *self.shared.is_frozen.borrow()
    }

    /// `kill -CONT`.
    pub fn thaw(&self) {
        self.shared.is_frozen.send_replace(false);
    }

    /// `kill -9`: all connections break, and nothing listens any more.
    pub async fn kill(&self) {
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.shutdown().await;
        self.thaw();
    }

    /// A person quits it: the scenes go first, then it says so, then it closes the connections and ends.
    pub async fn quit(&self) {
        self.shared.is_quitting.store(true, Ordering::Relaxed);
        self.studio(|studio| studio.quit());
        // The connections write what was sent to them before they see the close.
        self.close(1001);
        let mut open = self.shared.open.subscribe();
        let _ = tokio::time::timeout(PATIENCE, open.wait_for(|open| *open == 0)).await;
        self.kill().await;
    }

    /// Starts it again on the same port. Scenes and inputs are as they were, and it does not stream.
    ///
    /// # Panics
    /// If another program took the port meanwhile.
    pub async fn restart(&self) {
        self.kill().await;
        let listener = TcpListener::bind(self.address).await.expect("its port");
        self.shared.is_quitting.store(false, Ordering::Relaxed);
        self.studio(Studio::restart);
        self.run(listener);
    }

    /// Sends a text on all connections as it is.
    pub fn send_raw(&self, text: &str) {
        // It fails if there is no connection.
        let _ = self.shared.orders.send(Order::Raw(text.into()));
    }

    /// Closes all connections with a code.
    pub fn close(&self, code: u16) {
        let _ = self.shared.orders.send(Order::Close(code));
    }

    /// The requests so far, with their data.
    pub fn requests(&self) -> Vec<(String, Value)> {
        self.shared.requests.borrow().clone()
    }

    /// Waits for a request of this name. Returns its data.
    ///
    /// # Panics
    /// If it does not come for 20 s.
    pub async fn until(&self, name: &str) -> Value {
        let mut requests = self.shared.requests.subscribe();
        let has_it = |all: &Vec<(String, Value)>| all.iter().any(|(one, _)| one == name);
        let waited = tokio::time::timeout(PATIENCE, requests.wait_for(has_it)).await;
        let found = waited
            .ok()
            .and_then(Result::ok)
            .and_then(|all| all.iter().find(|(one, _)| one == name).map(|(_, data)| data.clone()));
        found.unwrap_or_else(|| panic!("{name} was not requested: {:?}", self.requests()))
    }

    fn studio<T>(&self, act: impl FnOnce(&mut Studio) -> T) -> T {
        self.shared.studio(act)
    }
}

impl Shared {
    /// Changes the studio, and lets time go on in it.
    fn studio<T>(&self, act: impl FnOnce(&mut Studio) -> T) -> T {
        let result = act(&mut self.studio.lock().unwrap_or_else(PoisonError::into_inner));
        self.rescheduled.notify_one();
        result
    }

    fn ignored(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.ignored.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn while_frozen(&self) {
        // The sender is in `self`.
        let _ = self.is_frozen.subscribe().wait_for(|is_frozen| !is_frozen).await;
    }
}

/// Makes what is due happen.
async fn keep_time(shared: Arc<Shared>) {
    loop {
        let next = shared.studio.lock().unwrap_or_else(PoisonError::into_inner).next_due();
        let next = next.unwrap_or_else(|| Instant::now() + PATIENCE);
        tokio::select! {
            () = sleep_until(next) => {
                shared.while_frozen().await;
                shared.studio.lock().unwrap_or_else(PoisonError::into_inner).pass(Instant::now());
            }
            () = shared.rescheduled.notified() => {}
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        shared.while_frozen().await;
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                connections.spawn(connection::serve(stream, Arc::clone(&shared)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}
