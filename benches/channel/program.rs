//! The release build with channels.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use streamward::domain::access::TokenSecret;
use streamward_test_support::ports;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::stand_in::{RECORDED, StandIn};

/// How long a step that is not measured may take.
const PATIENCE: Duration = Duration::from_secs(120);
const HOOK: &str = "hook-secret-of-the-bench";
/// Destinations of each channel.
pub(crate) const DESTINATIONS: usize = 3;
/// The path that has a key for the measured `/auth` questions.
const ASKED: &str = "bench/asked";

/// The program with its directory.
pub(crate) struct Program {
    pub(crate) address: SocketAddr,
    dir: TempDir,
    token: String,
    client: reqwest::Client,
    running: Child,
    channels: Vec<String>,
    key: String,
}

impl Program {
    /// Starts it without channels.
    pub(crate) async fn start(stand_in: &StandIn) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let address = SocketAddr::from(([127, 0, 0, 1], ports::free().expect("a port")));
        let token = TokenSecret::from_random([7; 32]).expose().to_owned();
        let settings = [
            ("HTTP__LISTEN", address.to_string()),
            ("API__ADMIN_TOKEN", token.clone()),
            ("HOOKS__SECRET", HOOK.to_owned()),
            // The control API of no media server. Media goes to the stand-in.
            ("MEDIA_SERVERS__DEFAULT__API_URL", "http://127.0.0.1:9".to_owned()),
            ("MEDIA_SERVERS__DEFAULT__RTMP_URL", format!("rtmp://{}", stand_in.rtmp)),
        ];
        let log = File::create(dir.path().join("log")).expect("a log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_streamward"));
        command.arg("serve").current_dir(dir.path()).env_clear();
        // For ffmpeg.
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.envs(settings.into_iter().map(|(name, value)| (format!("STREAMWARD_{name}"), value)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let running = command.spawn().expect("the program starts");
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let mut program =
            Self { address, dir, token, client, running, channels: Vec::new(), key: String::new() };
        program.until("the service is ready", async || program.get("/readyz").await.is_some()).await;
        let broadcaster = program.post("/broadcasters", json!({"display_name": "bench"})).await;
        let key = json!({"broadcaster_id": broadcaster["id"], "path": ASKED});
        program.key =
            program.post("/stream-keys", key).await["key_value"].as_str().expect("a secret").to_owned();
        program
    }

    pub(crate) fn process(&self) -> u32 {
        self.running.id()
    }

    /// Creates channels until there are `count`, and waits until each has its live input on air. The platforms are the
    /// stand-in; the first destination of the first channel is recorded.
    pub(crate) async fn channels(&mut self, count: usize, stand_in: &StandIn) {
        for n in self.channels.len()..count {
            let draft = json!({"name": format!("channel-{n}"), "failover": {"recovery_grace_seconds": 1}});
            let id = self.post("/channels", draft).await["id"].as_str().expect("an id").to_owned();
            for d in 0..DESTINATIONS {
                let app = if (n, d) == (0, 0) { RECORDED } else { "platform" };
                let destination = json!({
                    "name": format!("platform-{d}"), "platform": "custom", "key": format!("key-{n}-{d}"),
                    "url": format!("rtmp://{}/{app}", stand_in.rtmp),
                });
                self.post(&format!("/channels/{id}/destinations"), destination).await;
            }
            self.channels.push(id);
        }
        for n in 0..count {
            self.is_on_air(n, "live").await;
        }
        // Without the recorded one.
        let wanted = count * (DESTINATIONS + 1) - usize::from(count > 0);
        self.until("every output has a connection", async || stand_in.publishers() == wanted).await;
    }

    /// Waits until channel `n` has this source on air.
    pub(crate) async fn is_on_air(&self, n: usize, source: &str) {
        let path = format!("/channels/{}/status", self.channels[n]);
        self.until(source, async || self.get(&path).await.is_some_and(|status| status["on_air"] == source))
            .await;
    }

    /// An operator's cut of the first channel.
    pub(crate) async fn set_mode(&self, mode: &str) {
        let path = format!("/channels/{}/mode", self.channels[0]);
        self.post(&path, json!({"mode": mode, "reason": "bench"})).await;
    }

    /// A request of a media server: may this encoder publish? The answer is written to the database.
    pub(crate) fn auth_request(&self) -> Vec<u8> {
        let body = json!({
            "ip": "127.0.0.1", "user": "", "password": "", "token": "", "action": "publish", "path": ASKED,
            "protocol": "rtmp", "id": "188d9bad-0000-4000-8000-000000000001", "query": format!("key={}", self.key),
        })
        .to_string();
        format!(
            "POST /auth HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {HOOK}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }

    async fn get(&self, path: &str) -> Option<Value> {
        let request = self.client.get(format!("http://{}{path}", self.address)).bearer_auth(&self.token);
        let answer = request.send().await.ok()?.error_for_status().ok()?;
        Some(answer.json().await.unwrap_or_default())
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let request = self.client.post(format!("http://{}{path}", self.address)).bearer_auth(&self.token);
        let answer = request.json(&body).send().await.expect("an answer");
        let status = answer.status();
        let text = answer.text().await.expect("its body");
        assert!(status.is_success(), "POST {path}: {status} {text}");
        serde_json::from_str(&text).expect("JSON")
    }

    async fn until(&self, what: &str, is_so: impl AsyncFn() -> bool) {
        let begun = Instant::now();
        while !is_so().await {
            if begun.elapsed() > PATIENCE {
                let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
                panic!("{what}: not within {PATIENCE:?}\n{log}");
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.running.kill();
        let _ = self.running.wait();
    }
}
