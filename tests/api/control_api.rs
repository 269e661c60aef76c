//! A scripted stand-in for MediaMTX's control API that records its requests.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt as _};
use serde_json::Value;
use streamward::adapters::mediamtx::MediaMtx;
use streamward::domain::secret::Secret;
use tokio::task::JoinSet;

/// The reply to one request.
pub(crate) enum Reply {
    Json(u16, Value),
    Text(u16, &'static str),
    /// A body that ends before its announced length.
    Truncated(&'static str),
    Late(Duration, Box<Self>),
}

impl Reply {
    pub(crate) fn ok(body: Value) -> Self {
        Self::Json(200, body)
    }

    /// The reply of v1.15.4 to a successful write.
    pub(crate) fn empty() -> Self {
        Self::Text(200, "")
    }

    /// The reply where there is no route, as for a disabled protocol.
    pub(crate) fn no_route() -> Self {
        Self::Text(404, "404 page not found")
    }

    pub(crate) fn error(status: u16, error: &str) -> Self {
        Self::Json(status, serde_json::json!({"status": "error", "error": error}))
    }
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) line: String,
    pub(crate) authorization: Option<String>,
    pub(crate) body: Value,
}

type Script = Box<dyn Fn(&Received) -> Reply + Send + Sync>;

struct Shared {
    script: Script,
    received: Mutex<Vec<Received>>,
}

/// The stand-in. Stops when it is dropped.
pub(crate) struct ControlApi {
    address: SocketAddr,
    shared: Arc<Shared>,
    _task: JoinSet<()>,
}

impl ControlApi {
    /// Answers every request with the reply of `script`.
    pub(crate) async fn start(script: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), script).await
    }

    /// The same at this address.
    pub(crate) async fn start_at(
        address: SocketAddr,
        script: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let shared = Arc::new(Shared { script: Box::new(script), received: Mutex::default() });
        let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind(address).await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let mut task = JoinSet::new();
        task.spawn(async move { axum::serve(listener, router).await.expect("serves") });
        Self { address, shared, _task: task }
    }

    /// The adapter, talking to this.
    pub(crate) fn client(&self) -> MediaMtx {
        let url = self.url().parse().expect("an address");
        MediaMtx::new(&url, Secret::new("control-secret")).expect("a valid address")
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.received.lock().expect("not poisoned").clone()
    }

    /// Method and path of every request so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.received().into_iter().map(|received| received.line).collect()
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let received = Received {
        line: format!("{method} {uri}"),
        authorization: headers.get("authorization").and_then(|v| v.to_str().ok()).map(str::to_owned),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    shared.received.lock().expect("not poisoned").push(received.clone());
    reply((shared.script)(&received)).await
}

async fn reply(what: Reply) -> Response {
    let status = |code| StatusCode::from_u16(code).expect("a status");
    match what {
        Reply::Json(code, body) => (status(code), axum::Json(body)).into_response(),
        Reply::Text(code, text) => (status(code), text).into_response(),
        Reply::Truncated(text) => {
            let parts = [Ok(Bytes::from(text)), Err(std::io::Error::other("connection lost"))];
            // Without a pause the first part would be lost too.
            let parts = stream::iter(parts).then(|part| async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                part
            });
            let body = Body::from_stream(parts);
            ([("content-length", (text.len() + 100).to_string())], body).into_response()
        }
        Reply::Late(by, then) => {
            tokio::time::sleep(by).await;
            Box::pin(reply(*then)).await
        }
    }
}
