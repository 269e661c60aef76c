//! Steps that many tests share.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{Answer, Call, HOOK_SECRET, TestApp};

/// A key with the secret that was shown once.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) path: String,
    pub(crate) broadcaster: String,
}

impl TestApp {
    /// Makes a broadcaster; returns its id.
    pub(crate) async fn broadcaster(&self, name: &str) -> String {
        let draft = json!({"display_name": name, "metadata": {"team": "blue"}});
        self.as_admin().post("/broadcasters").json(draft).await.assert_status(201).text("/id")
    }

    /// Makes a broadcaster and a key for `path`.
    pub(crate) async fn key(&self, path: &str) -> Key {
        self.key_with(json!({"path": path})).await
    }

    /// Makes a broadcaster and a key with these fields.
    pub(crate) async fn key_with(&self, mut draft: Value) -> Key {
        draft["broadcaster_id"] = self.broadcaster("Alice").await.into();
        let made = self.as_admin().post("/stream-keys").json(draft).shown_once().await.assert_status(201);
        Key {
            id: made.text("/id"),
            secret: made.text("/key_value"),
            path: made.text("/path"),
            broadcaster: made.text("/broadcaster_id"),
        }
    }

    /// Calls `/auth` as the media server `default` does.
    pub(crate) fn auth(&self, request: Value) -> Call {
        self.as_nobody().post(&format!("/auth?secret={HOOK_SECRET}")).json(request)
    }

    /// Requests to publish as the connection `id`, at the key's path with the secret in the query.
    pub(crate) fn request_publish(&self, key: &Key, id: &str) -> Call {
        let query = format!("key={}", key.secret);
        self.auth(
            json!({"action": "publish", "path": key.path, "protocol": "rtmp", "id": id, "ip": "192.0.2.7",
                        "query": query, "user": "", "password": "", "token": ""}),
        )
    }

    /// Publishes as the connection `id`; returns the live stream.
    pub(crate) async fn live(&self, key: &Key, id: &str) -> Value {
        self.request_publish(key, id).await.assert_status(200);
        self.media().go_live(&key.path, id);
        self.stream_of(id).await
    }

    /// The active stream of the session `id`, as soon as there is one.
    pub(crate) async fn stream_of(&self, id: &str) -> Value {
        let find = |list: Answer| {
            let streams = list.json()["streams"].as_array().cloned().unwrap_or_default();
            streams.into_iter().find(|stream| stream["source_id"] == id)
        };
        self.until(|| self.as_viewer().get("/streams"), find).await
    }

    /// The stream with this id once it has ended.
    pub(crate) async fn ended(&self, id: &Value) -> Value {
        let path = format!("/streams/{}", id.as_str().expect("an id"));
        let ended = |stream: Answer| Some(stream.json()).filter(|stream| stream["status"] == "ended");
        self.until(|| self.as_viewer().get(&path), ended).await
    }

    /// Repeats a call until `found` accepts the answer.
    pub(crate) async fn until<T>(&self, call: impl Fn() -> Call, found: impl Fn(Answer) -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let answer = call().await;
            if let Some(found) = found(answer.clone()) {
                return found;
            }
            assert!(Instant::now() < deadline, "not within 20 s; last answer: {answer:?}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// The audit log, newest first, optionally narrowed by a query such as `action=create`.
    pub(crate) async fn audit(&self, query: &str) -> Vec<Value> {
        let log = self.as_admin().get(&format!("/audit-logs?limit=100&{query}")).await.assert_status(200);
        log.json()["audit_logs"].as_array().cloned().unwrap_or_default()
    }
}
