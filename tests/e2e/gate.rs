//! A small stand-in for Streamward's `/auth`, for tests of the adapter alone: one key is valid everywhere.

use std::sync::{Arc, Mutex};

use anyhow::Result;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use serde_json::Value;
use streamward::adapters::mediamtx::config::ConfigInput;
use streamward::domain::media_server::MediaServerName;
use streamward::domain::secret::{KeySecret, Secret};
use tokio::task::JoinSet;

use crate::media_server::{CONTROL_SECRET, Ports};

pub(crate) const HOOK_SECRET: &str = "e2e hook/secret";
pub(crate) const RELAY_SECRET: &str = "e2e relay/secret";

/// The one key.
pub(crate) fn key() -> String {
    KeySecret::from_random([42; 32]).expose().to_owned()
}

type Requests = Arc<Mutex<Vec<Value>>>;

/// Answers and records the auth requests of MediaMTX. Stops when it is dropped.
pub(crate) struct Gate {
    port: u16,
    requests: Requests,
    _task: JoinSet<()>,
}

impl Gate {
    pub(crate) async fn start() -> Result<Self> {
        let requests = Requests::default();
        let router = axum::Router::new().route("/auth", post(answer)).with_state(Arc::clone(&requests));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let mut task = JoinSet::new();
        task.spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { port, requests, _task: task })
    }

    /// The configuration of a MediaMTX that sends its auth requests here.
    pub(crate) fn setup(&self, ports: Ports) -> ConfigInput {
        ConfigInput {
            streamward: format!("http://127.0.0.1:{}", self.port),
            server: MediaServerName::default(),
            hook_secret: Secret::new(HOOK_SECRET),
            hooks: None,
            addresses: ports.addresses(),
        }
    }

    /// The ids of the requests to publish at `path`, in order.
    pub(crate) fn publishers(&self, path: &str) -> Vec<String> {
        let requests = self.requests.lock().map(|all| all.clone()).unwrap_or_default();
        let publishes = requests.iter().filter(|r| r["action"] == "publish" && r["path"] == path);
        publishes.filter_map(|r| r["id"].as_str().map(str::to_owned)).collect()
    }
}

async fn answer(State(requests): State<Requests>, headers: HeaderMap, body: String) -> StatusCode {
    let request: Value = serde_json::from_str(&body).unwrap_or_default();
    let text = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
    let shown = [text("password"), text("token")];
    let allowed = is_from_mediamtx(&headers)
        && match text("action").as_str() {
            "publish" => body.contains(&key()),
            "read" => !text("path").contains(&key()) || shown.contains(&RELAY_SECRET.to_owned()),
            _ => shown.contains(&CONTROL_SECRET.to_owned()),
        };
    if let Ok(mut requests) = requests.lock() {
        requests.push(request);
    }
    if allowed { StatusCode::OK } else { StatusCode::UNAUTHORIZED }
}

/// Whether the request has the hook secret as Basic credentials.
fn is_from_mediamtx(headers: &HeaderMap) -> bool {
    let credentials = base64::engine::general_purpose::STANDARD.encode(format!("streamward:{HOOK_SECRET}"));
    headers.get("authorization").is_some_and(|shown| shown == format!("Basic {credentials}").as_str())
}
