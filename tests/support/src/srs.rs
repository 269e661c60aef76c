//! A stand-in for SRS: its HTTP API and its callbacks, with the bodies that SRS 5 and 7 were recorded to send.
//!
//! ```ignore
//! let srs = SrsStub::start().await;
//! srs.configure(&printed_by_srs_config);
//! let encoder = srs.publish("live", "alice", "?key=sk_…").await?;
//! srs.send(&encoder, 100_000);
//! ```
//!
//! As in SRS: the callback comes before the busy check, the first publisher stays, a list without `count` has ten rows, an
//! answer that is late, empty or no code 0 refuses the client.

mod api;
mod callbacks;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// How long it waits for an answer to a callback. SRS waits 30 s.
const CALLBACK_LIMIT: Duration = Duration::from_secs(5);

/// Why a client does not get in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The callback was answered with something else than code 0, or not in time.
    ByCallback(String),
    /// The callback was fine, but the stream has a publisher.
    Busy,
}

/// A client that got in, by its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SrsClient(pub String);

#[derive(Clone)]
struct Client {
    app: String,
    name: String,
    param: String,
    publishes: bool,
    received: u64,
}

#[derive(Default)]
struct Stream {
    publisher: Option<String>,
    /// Since the stream has clients.
    received: u64,
    has_media: bool,
}

#[derive(Default)]
struct World {
    clients: BTreeMap<String, Client>,
    /// By `app/name`.
    streams: BTreeMap<String, Stream>,
    /// By the name of the callback.
    callbacks: BTreeMap<String, String>,
    /// `user:password`, if the HTTP API needs one.
    auth: Option<String>,
    /// The clients that were ended by the HTTP API.
    ended: Vec<String>,
    requests: Vec<String>,
    run: u64,
    hangs: bool,
}

#[derive(Default)]
struct Shared {
    world: Mutex<World>,
    ids: AtomicU64,
    calls: Mutex<JoinSet<()>>,
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a client. A publisher is reported.
    fn end(self: &Arc<Self>, id: &str) -> bool {
        let Some((client, url)) = self.world().remove(id) else { return false };
        if let (true, Some(url)) = (client.publishes, url) {
            let body = callbacks::body("on_unpublish", id, &client);
            let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
            calls.spawn(async move {
                let _ = callbacks::call(&url, &body, CALLBACK_LIMIT).await;
            });
        }
        true
    }
}

impl World {
    fn remove(&mut self, id: &str) -> Option<(Client, Option<String>)> {
        let client = self.clients.remove(id)?;
        let path = format!("{}/{}", client.app, client.name);
        if let Some(stream) = self.streams.get_mut(&path) {
            if stream.publisher.as_deref() == Some(id) {
                (stream.publisher, stream.has_media) = (None, false);
            }
            if !self.clients.values().any(|other| format!("{}/{}", other.app, other.name) == path) {
                self.streams.remove(&path);
            }
        }
        Some((client, self.callbacks.get("on_unpublish").cloned()))
    }
}

/// A stand-in for SRS on a port of its own. Stops when dropped.
pub struct SrsStub {
    address: SocketAddr,
    shared: Arc<Shared>,
    _server: JoinSet<()>,
}

impl SrsStub {
    /// Starts one without callbacks and password.
    ///
    /// # Panics
    /// If there is no port.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared::default());
        let router = Router::new().fallback(api::answer).with_state(Arc::clone(&shared));
        let mut server = JoinSet::new();
        server.spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self { address, shared, _server: server }
    }

    /// Its HTTP API.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Takes callbacks and password from a srs.conf.
    pub fn configure(&self, conf: &str) {
        let value = |key: &str| {
            let mut lines = conf.lines().map(|line| line.trim().trim_end_matches(';'));
            lines.find_map(|line| {
                let (name, value) = line.split_once(char::is_whitespace)?;
                (name == key).then(|| value.trim().to_owned())
            })
        };
        let mut world = self.shared.world();
        world.auth =
            value("username").zip(value("password")).map(|(user, password)| format!("{user}:{password}"));
        for name in ["on_publish", "on_unpublish", "on_play"] {
            if let Some(url) = value(name) {
                world.callbacks.insert(name.to_owned(), url);
            }
        }
    }

    /// As without any configuration: no callbacks, no password.
    pub fn forget_configuration(&self) {
        let mut world = self.shared.world();
        (world.callbacks, world.auth) = (BTreeMap::new(), None);
    }

    /// Whether the HTTP API does not answer.
    pub fn set_hanging(&self, hangs: bool) {
        self.shared.world().hangs = hangs;
    }

    /// An encoder wants to publish.
    pub async fn publish(&self, app: &str, name: &str, param: &str) -> Result<SrsClient, Refused> {
        let id = self.enter("on_publish", app, name, param).await?;
        let mut world = self.shared.world();
        let stream = world.streams.entry(format!("{app}/{name}")).or_default();
        if stream.publisher.is_some() {
            drop(world);
            self.shared.end(&id);
            return Err(Refused::Busy);
        }
        stream.publisher = Some(id.clone());
        Ok(SrsClient(id))
    }

    /// A player wants to watch.
    pub async fn play(&self, app: &str, name: &str) -> Result<SrsClient, Refused> {
        self.enter("on_play", app, name, "").await.map(SrsClient)
    }

    async fn enter(&self, callback: &str, app: &str, name: &str, param: &str) -> Result<String, Refused> {
        let id = format!("c{:07}", self.shared.ids.fetch_add(1, Ordering::Relaxed));
        let [app, name, param] = [app, name, param].map(str::to_owned);
        let client = Client { app, name, param, publishes: callback == "on_publish", received: 0 };
        let url = {
            // The client counts before the callback, as in SRS.
            let mut world = self.shared.world();
            world.streams.entry(format!("{}/{}", client.app, client.name)).or_default();
            world.clients.insert(id.clone(), client.clone());
            world.callbacks.get(callback).cloned()
        };
        let Some(url) = url else { return Ok(id) };
        let body = callbacks::body(callback, &id, &client);
        match callbacks::call(&url, &body, CALLBACK_LIMIT).await {
            Ok(()) => Ok(id),
            Err(why) => {
                self.shared.world().remove(&id);
                Err(Refused::ByCallback(why))
            }
        }
    }

    /// The encoder sends this many bytes of H.264 and AAC. Does nothing if it was ended.
    pub fn send(&self, client: &SrsClient, bytes: u64) {
        let mut world = self.shared.world();
        let Some(found) = world.clients.get_mut(&client.0) else { return };
        found.received += bytes;
        let path = format!("{}/{}", found.app, found.name);
        if let Some(stream) = world.streams.get_mut(&path) {
            stream.received += bytes;
            stream.has_media = true;
        }
    }

    /// A client leaves.
    pub fn leave(&self, client: &SrsClient) {
        self.shared.end(&client.0);
    }

    /// Whether a client is still there.
    pub fn has(&self, client: &SrsClient) -> bool {
        self.shared.world().clients.contains_key(&client.0)
    }

    /// The clients that were ended by the HTTP API, in order.
    pub fn ended(&self) -> Vec<String> {
        self.shared.world().ended.clone()
    }

    /// Method, path and query of each request, in order.
    pub fn requests(&self) -> Vec<String> {
        self.shared.world().requests.clone()
    }

    /// It crashes and is started again: all clients are lost, and nothing is reported.
    pub fn restart(&self) {
        let mut world = self.shared.world();
        (world.clients, world.streams) = (BTreeMap::new(), BTreeMap::new());
        world.run += 1;
    }
}

/// What every answer begins with.
fn head(world: &World) -> Value {
    json!({"code": 0, "server": "vid-7h2k9d1", "service": format!("run{:05}", world.run), "pid": "4242"})
}
