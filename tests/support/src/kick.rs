//! A stand-in for Kick's HTTP: tokens, channels, livestreams, subscriptions, the public key, and the web site, all at
//! one address.
//!
//! ```ignore
//! let kick = KickStub::start().await;
//! kick.set(|world| { world.add(7, "xqc"); world.go_live(7, Broadcast::new(1, "2026-01-31T12:00:00Z")); });
//! // … point `kick.api_url`, `auth_url` and `site_url` at kick.url() …
//! assert_eq!(kick.count("channels"), 1);
//! ```

mod answers;
mod keys;
mod world;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

pub use keys::{OTHER_TEST_KEY, SignedWebhook, TEST_KEY, TestKey, stopped, went_live};
pub use world::{Broadcast, Fault, Person, Subscribed, World};

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct ReceivedRequest {
    /// Its arrival.
    pub at: Instant,
    /// The endpoint, by the names of [`World::next`].
    pub endpoint: &'static str,
    /// Method, path and query.
    pub line: String,
    /// `Authorization`.
    pub authorization: Option<String>,
    /// `User-Agent`.
    pub user_agent: Option<String>,
    /// The body.
    pub body: String,
}

#[derive(Default)]
struct Shared {
    world: Mutex<World>,
    requests: Mutex<Vec<ReceivedRequest>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A stand-in for Kick on a port of its own. Stops when dropped.
pub struct KickStub {
    address: SocketAddr,
    shared: Arc<Shared>,
    _server: JoinSet<()>,
}

impl KickStub {
    /// Starts one without people.
    ///
    /// # Panics
    /// If there is no port.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared::default());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let mut server = JoinSet::new();
        server.spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self { address, shared, _server: server }
    }

    /// Its address, for all three addresses of Kick.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Reads or changes its data.
    pub fn set<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        change(&mut lock(&self.shared.world))
    }

    /// All requests, in order of arrival.
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        lock(&self.shared.requests).clone()
    }

    /// The number of requests to an endpoint.
    pub fn count(&self, endpoint: &str) -> usize {
        lock(&self.shared.requests).iter().filter(|request| request.endpoint == endpoint).count()
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let endpoint = answers::endpoint(uri.path());
    let request = ReceivedRequest {
        at: Instant::now(),
        endpoint,
        line: format!("{method} {uri}"),
        authorization: header("authorization"),
        user_agent: header("user-agent"),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    lock(&shared.requests).push(request.clone());
    let fault = {
        let mut world = lock(&shared.world);
        let next = world.faults.get_mut(endpoint).and_then(std::collections::VecDeque::pop_front);
        next.or_else(|| world.always.get(endpoint).cloned())
    };
    match fault {
        Some(Fault::Slow(delay)) => sleep(delay).await,
        Some(fault) => return answers::faulty(&fault),
        None => {}
    }
    answers::right(&mut lock(&shared.world), &method, &uri, &request)
}
