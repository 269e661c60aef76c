//! A scripted stand-in for MediaMTX's control API: says what it is told to say, and remembers what it was asked.

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

/// What the stand-in says to one question.
pub(crate) enum Say {
    Json(u16, Value),
    Text(u16, &'static str),
    /// A body that ends before its announced length.
    Half(&'static str),
    Late(Duration, Box<Self>),
}

impl Say {
    pub(crate) fn ok(body: Value) -> Self {
        Self::Json(200, body)
    }

    /// What v1.15.4 says to a write that succeeded.
    pub(crate) fn empty() -> Self {
        Self::Text(200, "")
    }

    /// What gin says where there is no route, as for a protocol that is switched off.
    pub(crate) fn no_route() -> Self {
        Self::Text(404, "404 page not found")
    }

    pub(crate) fn error(status: u16, error: &str) -> Self {
        Self::Json(status, serde_json::json!({"status": "error", "error": error}))
    }
}

/// One question as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) authorization: Option<String>,
    pub(crate) body: Value,
}

type Script = Box<dyn Fn(&Asked) -> Say + Send + Sync>;

struct Shared {
    script: Script,
    asked: Mutex<Vec<Asked>>,
}

/// The stand-in. Stops when it is dropped.
pub(crate) struct ControlApi {
    address: SocketAddr,
    shared: Arc<Shared>,
    _task: JoinSet<()>,
}

impl ControlApi {
    /// Answers every question with what `script` says to it.
    pub(crate) async fn start(script: impl Fn(&Asked) -> Say + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared { script: Box::new(script), asked: Mutex::default() });
        let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let mut task = JoinSet::new();
        task.spawn(async move { axum::serve(listener, router).await.expect("serves") });
        Self { address, shared, _task: task }
    }

    /// The adapter, talking to this.
    pub(crate) fn client(&self) -> MediaMtx {
        let url = self.url().parse().expect("an address");
        MediaMtx::new(&url, Secret::new("control-secret")).expect("an http address is fine")
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().expect("not poisoned").clone()
    }

    /// Method and path of everything asked so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let asked = Asked {
        line: format!("{method} {uri}"),
        authorization: headers.get("authorization").and_then(|v| v.to_str().ok()).map(str::to_owned),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    shared.asked.lock().expect("not poisoned").push(asked.clone());
    say((shared.script)(&asked)).await
}

async fn say(what: Say) -> Response {
    let status = |code| StatusCode::from_u16(code).expect("a status");
    match what {
        Say::Json(code, body) => (status(code), axum::Json(body)).into_response(),
        Say::Text(code, text) => (status(code), text).into_response(),
        Say::Half(text) => {
            let parts = [Ok(Bytes::from(text)), Err(std::io::Error::other("the rest is lost"))];
            // A moment between them, or the part that is there would be lost too.
            let parts = stream::iter(parts).then(|part| async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                part
            });
            let body = Body::from_stream(parts);
            ([("content-length", (text.len() + 100).to_string())], body).into_response()
        }
        Say::Late(by, then) => {
            tokio::time::sleep(by).await;
            Box::pin(say(*then)).await
        }
    }
}
