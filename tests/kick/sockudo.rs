//! A real Pusher server, started for one test on a free port of this machine.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest as _, Md5};
use serde_json::{Value, json};
use sha2::Sha256;
use streamward::adapters::system::SystemClock;
use streamward::ports::Clock as _;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::process::{Signal, send_signal};

pub(crate) struct Sockudo {
    program: PathBuf,
    dir: TempDir,
    port: u16,
    child: Child,
    http: reqwest::Client,
}

impl Sockudo {
    pub(crate) async fn start(program: &Path, activity_seconds: u64) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let dir = tempfile::tempdir()?;
        let app = json!({
            "id": "kickapp", "key": "kickkey", "secret": "kicksecret", "enabled": true, "max_connections": 1000,
            "max_backend_events_per_second": 100_000, "max_client_events_per_second": 10_000,
            "max_event_batch_size": 100, "max_event_channels_at_once": 100, "max_event_name_length": 200,
            "max_event_payload_in_kb": 100, "max_channel_name_length": 200
        });
        // By default it listens on every address of the machine.
        let config = json!({
            "host": "127.0.0.1", "port": port, "activity_timeout": activity_seconds, "shutdown_grace_period": 1,
            "metrics": { "enabled": false, "host": "127.0.0.1" }, "adapter": { "driver": "local" },
            "cache": { "driver": "memory" }, "queue": { "driver": "memory" },
            "rate_limiter": { "enabled": false, "driver": "memory" },
            "app_manager": { "driver": "memory", "array": { "apps": [app] } }
        });
        std::fs::write(dir.path().join("sockudo.json"), config.to_string())?;
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build()?;
        let child = spawn(program, dir.path())?;
        let sockudo = Self { program: program.to_owned(), dir, port, child, http };
        sockudo.ready().await?;
        Ok(sockudo)
    }

    pub(crate) fn ws_url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    /// Stops it gracefully, as a supervisor would, and waits.
    pub(crate) async fn terminate(&mut self) -> Result<()> {
        send_signal(self.child.id().context("it runs")?, Signal::TERM)?;
        timeout(Duration::from_secs(20), self.child.wait()).await??;
        Ok(())
    }

    pub(crate) async fn start_again(&mut self) -> Result<()> {
        self.child = spawn(&self.program, self.dir.path())?;
        self.ready().await
    }

    /// Publishes events of any channels: channel, event, data.
    pub(crate) async fn publish(&self, events: &[(u64, &str, Value)]) -> Result<()> {
        for batch in events.chunks(100) {
            let event = |(channel, name, data): &(u64, &str, Value)| json!({ "channel": format!("channel.{channel}"), "name": name, "data": data });
            let batch: Vec<Value> = batch.iter().map(event).collect();
            self.post("/apps/kickapp/batch_events", &json!({ "batch": batch }).to_string()).await?;
        }
        Ok(())
    }

    async fn post(&self, path: &str, body: &str) -> Result<()> {
        let now = SystemClock.now().micros() / 1_000_000;
        let digest = hex::encode(Md5::digest(body));
        let query = format!("auth_key=kickkey&auth_timestamp={now}&auth_version=1.0&body_md5={digest}");
        let mut mac = Hmac::<Sha256>::new_from_slice(b"kicksecret")?;
        mac.update(format!("POST\n{path}\n{query}").as_bytes());
        let signature = hex::encode(mac.finalize().into_bytes());
        let url = format!("http://127.0.0.1:{}{path}?{query}&auth_signature={signature}", self.port);
        let request = self.http.post(url).header("content-type", "application/json").body(body.to_owned());
        let status = request.send().await?.status();
        ensure!(status.is_success(), "publishing was answered {status}");
        Ok(())
    }

    async fn ready(&self) -> Result<()> {
        let until = Instant::now() + Duration::from_secs(20);
        let url = format!("http://127.0.0.1:{}/up", self.port);
        while !self.http.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
            ensure!(Instant::now() < until, "sockudo does not answer");
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }
}

fn spawn(program: &Path, dir: &Path) -> Result<Child> {
    let log = std::fs::File::create(dir.join("sockudo.log"))?;
    let child = Command::new(program)
        .arg("--config")
        .arg(dir.join("sockudo.json"))
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn();
    child.with_context(|| format!("{} cannot be started", program.display()))
}
