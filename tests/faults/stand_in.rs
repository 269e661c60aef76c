//! A stand-in for MediaMTX as the program sees it: a control API over what its encoders do.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use streamward_test_support::ports;
use tokio::runtime::Runtime;

use crate::control_api::{ControlApi, Received, Reply};

/// How it answers polls.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Mode {
    #[default]
    Right,
    /// It accepts connections and never answers.
    Frozen,
    /// Everything but a list, each time something else.
    Garbage,
    /// Lists without some of their items, each time another way.
    HalfPages,
}

#[derive(Default)]
struct State {
    mode: Mode,
    run: u32,
    requests: usize,
    polls: usize,
    /// The connection at each path.
    sessions: BTreeMap<String, String>,
    disconnected: Vec<(String, String)>,
}

/// Clones are the same media server.
#[derive(Clone)]
pub(crate) struct StandIn {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    listening: Arc<Mutex<Option<Listening>>>,
}

/// Its sockets live in a runtime of their own, so that all of them close when it stops.
struct Listening {
    runtime: Option<Runtime>,
    _api: ControlApi,
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl StandIn {
    pub(crate) async fn start() -> Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], ports::free()?));
        let stand_in = Self { address, state: Arc::default(), listening: Arc::default() };
        stand_in.listen().await?;
        Ok(stand_in)
    }

    /// Listens again after [`StandIn::stop`].
    pub(crate) async fn listen(&self) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let state = Arc::clone(&self.state);
        let script = move |received: &Received| {
            state.lock().unwrap_or_else(PoisonError::into_inner).reply(&received.line)
        };
        let api = runtime.spawn(ControlApi::start_at(self.address, script)).await?;
        let listening = Listening { runtime: Some(runtime), _api: api };
        *self.listening.lock().unwrap_or_else(PoisonError::into_inner) = Some(listening);
        Ok(())
    }

    /// Nobody reaches it any more. Its sessions continue.
    pub(crate) fn stop(&self) {
        *self.listening.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.state().mode = mode;
    }

    /// Another process takes its place, without any session.
    pub(crate) fn restart_empty(&self) {
        let mut state = self.state();
        state.run += 1;
        state.sessions.clear();
    }

    pub(crate) fn polls(&self) -> usize {
        self.state().polls
    }

    /// An encoder that was allowed publishes.
    pub(crate) fn go_live(&self, path: &str, connection: &str) {
        self.state().sessions.insert(path.to_owned(), connection.to_owned());
    }

    /// The encoder disconnects, unless it is another one's path by now.
    pub(crate) fn leave(&self, path: &str, connection: &str) {
        self.state().sessions.retain(|at, by| !(at == path && by == connection));
    }

    pub(crate) fn carries(&self, path: &str) -> bool {
        self.state().sessions.contains_key(path)
    }

    /// The path and the connection of every session that the program disconnected.
    pub(crate) fn disconnected(&self) -> Vec<(String, String)> {
        self.state().disconnected.clone()
    }
}

impl State {
    fn reply(&mut self, line: &str) -> Reply {
        let (method, address) = line.split_once(' ').unwrap_or_default();
        let path = address.split('?').next().unwrap_or_default();
        self.requests += 1;
        if method == "GET" && path == "/v3/paths/list" {
            self.polls += 1;
        }
        match (self.mode, method, path) {
            (Mode::Frozen, ..) => Reply::Late(Duration::from_secs(600), Box::new(Reply::no_route())),
            (Mode::Garbage, ..) => self.garbage(),
            (_, "GET", "/v3/info") => {
                let started = format!("2026-01-01T00:00:{:02}Z", self.run);
                Reply::ok(json!({"version": "v1.20.1", "started": started}))
            }
            (Mode::HalfPages, "GET", "/v3/paths/list") => self.half_page(),
            (_, "GET", "/v3/paths/list") => self.list(&self.items()),
            (_, "POST", _) => self.disconnect(path),
            _ => Reply::no_route(),
        }
    }

    fn items(&self) -> Vec<Value> {
        let item = |(path, connection): (&String, &String)| {
            json!({
                "name": path, "confName": "all_others", "ready": true, "available": true, "online": true,
                "source": {"type": "rtmpConn", "id": connection}, "tracks": ["H264"], "readers": [],
                "inboundBytes": 1_000,
            })
        };
        self.sessions.iter().map(item).collect()
    }

    fn list(&self, items: &[Value]) -> Reply {
        Reply::ok(json!({"itemCount": self.sessions.len(), "pageCount": 1, "items": items}))
    }

    fn garbage(&self) -> Reply {
        match self.requests % 6 {
            0 => Reply::Text(200, "<html>Sign in to the hotel's network</html>"),
            1 => Reply::Text(200, ""),
            2 => Reply::Json(200, json!([1, 2, 3])),
            3 => Reply::Json(200, json!({"itemCount": -1, "pageCount": "two", "items": null})),
            4 => Reply::Text(500, "panic: runtime error"),
            _ => Reply::Truncated("{\"itemCount\": 0, \"pageCount\": 1, \"items\": ["),
        }
    }

    fn half_page(&self) -> Reply {
        let mut items = self.items();
        match self.polls % 3 {
            0 => {
                items.truncate(items.len() / 2);
                self.list(&items)
            }
            1 => {
                // The second page, which is requested next, repeats the first.
                let (count, pages) = (items.len() * 2, 2);
                Reply::ok(json!({"itemCount": count, "pageCount": pages, "items": items}))
            }
            _ => Reply::Truncated("{\"itemCount\": 5, \"pageCount\": 1, \"items\": [{\"name\": \"live/"),
        }
    }

    fn disconnect(&mut self, address: &str) -> Reply {
        let id = address.strip_prefix("/v3/rtmpconns/kick/").context("another call");
        let Ok(id) = id else { return Reply::no_route() };
        let found = self.sessions.iter().find(|(_, by)| *by == id).map(|(path, _)| path.clone());
        let Some(path) = found else { return Reply::error(404, "connection not found") };
        self.sessions.remove(&path);
        self.disconnected.push((path, id.to_owned()));
        Reply::ok(json!({"status": "ok"}))
    }
}
