//! A real Streamward as a program of its own, and its management API.

use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use reqwest::Method;
use serde_json::Value;

use crate::Bench;
use crate::media_server::{CONTROL_SECRET, Ports};
use crate::ports;
use crate::process::{Process, Signal, eventually, output_within};

/// The secret of media servers.
pub(crate) const HOOK_SECRET: &str = "e2e-hook-secret";
const ADMIN_TOKEN: &str = "e2e-admin-token";

/// How long its start may take; it creates its database first.
const UP: Duration = Duration::from_secs(15);

/// A Streamward that can be killed and started again.
pub(crate) struct Streamward {
    binary: PathBuf,
    dir: PathBuf,
    pub(crate) port: u16,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    process: Option<Process>,
    http: reqwest::Client,
}

impl Streamward {
    /// `streamward serve`, beside a MediaMTX at `ports` that knows the same secrets.
    pub(crate) async fn start(bench: &Bench, ports: &Ports) -> Result<Self> {
        Self::start_with(bench, ports, &[]).await
    }

    /// The same with more in its environment.
    pub(crate) async fn start_with(bench: &Bench, ports: &Ports, more: &[(&str, String)]) -> Result<Self> {
        let port = ports::free()?;
        let mut environment = hook_environment(port);
        environment.extend(more.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        let secret = ("STREAMWARD_MEDIA_SERVERS__DEFAULT__CONTROL_SECRET", CONTROL_SECRET);
        environment.push((secret.0.to_owned(), secret.1.to_owned()));
        Self::run(bench, port, ports, vec!["serve".to_owned()], environment).await
    }

    /// `streamward up`, with a MediaMTX of its own at `ports`. It makes its own secrets.
    pub(crate) async fn up(bench: &Bench, ports: &Ports) -> Result<Self> {
        let port = ports::free()?;
        let mut arguments =
            vec!["up".to_owned(), "--mediamtx".to_owned(), bench.tools.mediamtx.display().to_string()];
        arguments.extend(ports.flags());
        let environment = vec![("STREAMWARD_HTTP__LISTEN".to_owned(), format!("127.0.0.1:{port}"))];
        Self::run(bench, port, ports, arguments, environment).await
    }

    async fn run(
        bench: &Bench,
        port: u16,
        ports: &Ports,
        arguments: Vec<String>,
        given: Vec<(String, String)>,
    ) -> Result<Self> {
        let (urls, mut environment) = (ports.urls(), Vec::new());
        for (key, value) in [
            ("DATA_DIR", bench.path().display().to_string()),
            ("DATABASE__URL", bench.database_url()),
            ("MEDIA_SERVERS__DEFAULT__API_URL", ports.api_url()),
            ("MEDIA_SERVERS__DEFAULT__RTMP_URL", urls.rtmp),
            ("MEDIA_SERVERS__DEFAULT__RTSP_URL", urls.rtsp),
            ("MEDIA_SERVERS__DEFAULT__SRT_URL", urls.srt),
            ("MEDIA_SERVERS__DEFAULT__HLS_URL", urls.hls),
            ("MEDIA_SERVERS__DEFAULT__WEBRTC_URL", urls.webrtc),
            ("API__ADMIN_TOKEN", ADMIN_TOKEN.to_owned()),
            // Without requests: waiting causes many.
            ("LOG__LEVEL", "info,streamward::adapters::http::request_log=warn".to_owned()),
        ] {
            environment.push((format!("STREAMWARD_{key}"), value));
        }
        // Of two values of a key the later one counts.
        environment.extend(given);
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(Duration::from_secs(10));
        let mut streamward = Self {
            binary: bench.tools.streamward.clone(),
            dir: bench.path().to_owned(),
            port,
            arguments,
            environment,
            process: None,
            http: http.build()?,
        };
        streamward.start_again().await?;
        Ok(streamward)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.current_dir(&self.dir);
        command.env_remove("DATABASE_URL").envs(self.environment.iter().map(|(k, v)| (k, v)));
        command
    }

    /// Runs another command on the same configuration; returns its output.
    pub(crate) fn output_of(&self, arguments: &[&str]) -> Result<String> {
        let output = output_within(self.command().args(arguments), UP)?;
        let error = String::from_utf8_lossy(&output.stderr);
        let text = String::from_utf8(output.stdout)?;
        ensure!(output.status.success(), "streamward {arguments:?}: {}: {error}{text}", output.status);
        Ok(text)
    }

    /// Starts it and waits until it is ready.
    pub(crate) async fn start_again(&mut self) -> Result<()> {
        let mut command = self.command();
        self.process = Some(Process::start("streamward", command.args(&self.arguments), &self.dir)?);
        let ready = eventually("Streamward is ready", UP, async || {
            let answer = self.http.get(self.url("/readyz")).send().await?;
            Ok(answer.status().is_success().then_some(()))
        });
        ready.await.map_err(|error| anyhow!("{error}:\n{}", self.log()))?;
        Ok(())
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        self.process.as_ref().context("it runs")?.signal(signal)
    }

    /// SIGTERM, and how it ended.
    pub(crate) async fn terminate(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.process.as_mut().context("it runs")?.terminate(limit).await
    }

    /// Everything it logged.
    pub(crate) fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Calls the management API as an admin.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<(u16, Value)> {
        let mut request = self.http.request(method, self.url(path)).bearer_auth(ADMIN_TOKEN);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// Calls it and expects success.
    async fn done(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let (status, answer) = self.call(method.clone(), path, body).await?;
        ensure!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        Ok(answer)
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        self.done(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Result<Value> {
        self.done(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<()> {
        self.done(Method::DELETE, path, None).await.map(drop)
    }

    /// Makes a broadcaster and a key for `path`; `more` is added to the request.
    pub(crate) async fn key(&self, path: &str, more: Value) -> Result<Key> {
        let broadcaster = self.post("/broadcasters", serde_json::json!({"display_name": path})).await?;
        let mut draft = serde_json::json!({"broadcaster_id": broadcaster["id"], "path": path});
        if let (Value::Object(draft), Value::Object(more)) = (&mut draft, more) {
            draft.extend(more);
        }
        Key::from(&self.post("/stream-keys", draft).await?)
    }

    /// The live stream at `path`, if there is one.
    pub(crate) async fn live(&self, path: &str) -> Result<Option<Value>> {
        let list = self.get(&format!("/streams?path={path}")).await?;
        let Some(streams) = list["streams"].as_array() else { bail!("no list: {list}") };
        ensure!(streams.len() <= 1, "two live streams at {path}: {list}");
        Ok(streams.first().cloned())
    }

    /// Waits until `path` is live.
    pub(crate) async fn on_air(&self, path: &str) -> Result<Value> {
        let seen =
            eventually(format!("{path} is listed"), Duration::from_secs(12), async || self.live(path).await);
        Ok(seen.await?.0)
    }

    /// Waits until the stream has ended, and checks the reason; returns how long that took.
    pub(crate) async fn ended(&self, stream: &Value, reason: &str, limit: Duration) -> Result<Duration> {
        let id = stream["id"].as_str().context("a stream has an id")?;
        let ended = eventually(format!("the stream at {} has ended", stream["path"]), limit, async || {
            let now = self.get(&format!("/streams/{id}")).await?;
            Ok((now["status"] == "ended").then_some(now))
        });
        let (now, took) = ended.await?;
        ensure!(now["end_reason"] == reason, "it ended because of {}, not {reason}", now["end_reason"]);
        ensure!(now["ended_at"].is_string() && now["started_at"] == stream["started_at"], "{now}");
        Ok(took)
    }
}

/// The environment of `streamward hook`, without certificates, as in MediaMTX's image.
pub(crate) fn hook_environment(port: u16) -> Vec<(String, String)> {
    vec![
        ("STREAMWARD_HTTP__LISTEN".to_owned(), format!("127.0.0.1:{port}")),
        ("STREAMWARD_HOOKS__SECRET".to_owned(), HOOK_SECRET.to_owned()),
        ("SSL_CERT_FILE".to_owned(), "/dev/null".to_owned()),
        ("SSL_CERT_DIR".to_owned(), "/dev/null".to_owned()),
    ]
}

/// A stream key with its secret.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) broadcaster_id: String,
    pub(crate) secret: String,
    pub(crate) path: String,
    /// Settings for encoders, as the API shows them.
    pub(crate) ingest: Value,
}

impl Key {
    pub(crate) fn from(answer: &Value) -> Result<Self> {
        let text = |name: &str| {
            answer[name].as_str().map(str::to_owned).with_context(|| format!("{name}: {answer}"))
        };
        Ok(Self {
            id: text("id")?,
            broadcaster_id: text("broadcaster_id")?,
            secret: text("key_value")?,
            path: text("path")?,
            ingest: answer["ingest"].clone(),
        })
    }

    /// One of the settings.
    pub(crate) fn url(&self, name: &str) -> Result<String> {
        self.ingest[name].as_str().map(str::to_owned).with_context(|| format!("no {name}: {}", self.ingest))
    }
}
