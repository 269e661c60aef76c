//! The real program on a real database, beside a stand-in for a media server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use streamward_test_support::process::{Process, eventually};
use streamward_test_support::{Cluster, ports};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::stand_in::StandIn;

pub(crate) const HOOK_SECRET: &str = "faults-hook-secret";
const ADMIN_TOKEN: &str = "faults-admin-token";
/// How long a start or a stop may take on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// Everything that runs.
pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) cluster: Option<Cluster>,
    pub(crate) instances: Vec<Instance>,
    pub(crate) media: StandIn,
}

impl World {
    /// One instance on an SQLite file.
    pub(crate) async fn on_sqlite() -> Result<Self> {
        Self::prepare_sqlite().await?.serve().await
    }

    /// The same, not started.
    pub(crate) async fn prepare_sqlite() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let url = format!("sqlite://{}", dir.path().join("streamward.db").display());
        Self::new(dir, None, &url, 1).await
    }

    /// Some instances on a PostgreSQL of their own.
    pub(crate) async fn on_postgresql(instances: usize) -> Result<Self> {
        let cluster = cluster().await?;
        let url = cluster.url("postgres");
        Self::new(tempfile::tempdir()?, Some(cluster), &url, instances).await?.serve().await
    }

    /// Not started.
    pub(crate) async fn new(
        dir: TempDir,
        cluster: Option<Cluster>,
        database: &str,
        instances: usize,
    ) -> Result<Self> {
        let media = StandIn::start().await?;
        let instances = (0..instances).map(|n| Instance::new(&dir, n, database, &media.url()));
        let instances = instances.collect::<Result<Vec<_>>>()?;
        Ok(Self { dir, cluster, instances, media })
    }

    /// Starts all instances.
    pub(crate) async fn serve(mut self) -> Result<Self> {
        for instance in &mut self.instances {
            instance.start()?;
            instance.until_ready().await?;
        }
        Ok(self)
    }

    pub(crate) fn cluster(&mut self) -> Result<&mut Cluster> {
        self.cluster.as_mut().context("it runs on PostgreSQL")
    }

    pub(crate) fn caller(&self) -> Result<Caller> {
        Caller::new(self.instances.iter().map(|instance| instance.port).collect())
    }

    /// The file of the database, on SQLite.
    pub(crate) fn file(&self) -> PathBuf {
        self.dir.path().join("streamward.db")
    }
}

pub(crate) async fn cluster() -> Result<Cluster> {
    tokio::task::spawn_blocking(|| Cluster::start(true)).await?.map_err(anyhow::Error::msg)
}

/// One process of the program.
pub(crate) struct Instance {
    name: String,
    dir: PathBuf,
    pub(crate) port: u16,
    env: Vec<(String, String)>,
    process: Option<Process>,
}

impl Instance {
    fn new(dir: &TempDir, n: usize, database: &str, media_server: &str) -> Result<Self> {
        let port = ports::free()?;
        let dir = dir.path().to_owned();
        let env = [
            ("HTTP__LISTEN", format!("127.0.0.1:{port}")),
            ("DATABASE__URL", database.to_owned()),
            ("DATA_DIR", dir.display().to_string()),
            ("MASTER_KEY", "07".repeat(32)),
            ("HOOKS__SECRET", HOOK_SECRET.to_owned()),
            ("API__ADMIN_TOKEN", ADMIN_TOKEN.to_owned()),
            ("MEDIA_SERVERS__DEFAULT__API_URL", media_server.to_owned()),
            // Without requests, which are many.
            ("LOG__LEVEL", "info,streamward::adapters::http::request_log=warn".to_owned()),
        ];
        let env = env.into_iter().map(|(name, value)| (format!("STREAMWARD_{name}"), value)).collect();
        Ok(Self { name: format!("streamward-{n}"), dir, port, env, process: None })
    }

    /// Sets a variable for the next start.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.unset(name);
        self.env.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn unset(&mut self, name: &str) {
        self.env.retain(|(known, _)| known != name);
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_streamward"));
        command.args(arguments).current_dir(&self.dir).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts it, and does not wait.
    pub(crate) fn start(&mut self) -> Result<()> {
        self.process = Some(Process::start(&self.name, &mut self.command(&["serve"]), &self.dir)?);
        Ok(())
    }

    pub(crate) async fn until_ready(&self) -> Result<()> {
        let caller = Caller::new(vec![self.port])?;
        let ready = eventually("the service is ready", SOON, async || {
            Ok((caller.light(0, "/readyz").await == Some(200)).then_some(()))
        });
        ready.await.with_context(|| self.log())?;
        Ok(())
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    pub(crate) fn process(&mut self) -> Result<&mut Process> {
        self.process.as_mut().context("it runs")
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join(format!("{}.log", self.name))).unwrap_or_default()
    }
}

/// The answer to a publish request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Decision {
    Allowed,
    Refused,
    /// No answer, or one that says nothing.
    Missing,
}

/// Calls the instances in turn, as a load balancer does.
#[derive(Clone)]
pub(crate) struct Caller {
    http: reqwest::Client,
    ports: Arc<Vec<u16>>,
    next: Arc<AtomicUsize>,
}

impl Caller {
    pub(crate) fn new(ports: Vec<u16>) -> Result<Self> {
        // Like MediaMTX, a new connection for each request.
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).pool_max_idle_per_host(0);
        let http = http.timeout(Duration::from_secs(10)).build()?;
        Ok(Self { http, ports: Arc::new(ports), next: Arc::default() })
    }

    /// How many instances there are.
    pub(crate) fn instances(&self) -> usize {
        self.ports.len()
    }

    fn url(&self, instance: usize, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.ports[instance % self.ports.len()])
    }

    fn any(&self) -> usize {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// The address of an instance.
    pub(crate) fn address(&self, instance: usize) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports[instance % self.ports.len()]))
    }

    /// The status of an unauthenticated `GET`; `None` without an answer.
    pub(crate) async fn light(&self, instance: usize, path: &str) -> Option<u16> {
        Some(self.http.get(self.url(instance, path)).send().await.ok()?.status().as_u16())
    }

    /// Calls the management API of an instance as an admin.
    pub(crate) async fn call_at(
        &self,
        instance: usize,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<(u16, Value)> {
        let mut request = self.http.request(method, self.url(instance, path)).bearer_auth(ADMIN_TOKEN);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// Calls the management API.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<(u16, Value)> {
        self.call_at(self.any(), method, path, body).await
    }

    /// Reads a resource.
    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        let (status, answer) = self.call(Method::GET, path, None).await?;
        ensure!(status == 200, "GET {path}: {status} {answer}");
        Ok(answer)
    }

    /// Sends what MediaMTX sends for a publisher, and measures how long the answer takes.
    pub(crate) async fn auth(&self, path: &str, secret: &str, connection: &str) -> (Decision, Duration) {
        self.auth_at(self.any(), path, secret, connection).await
    }

    pub(crate) async fn auth_at(
        &self,
        instance: usize,
        path: &str,
        secret: &str,
        connection: &str,
    ) -> (Decision, Duration) {
        let body = json!({
            "action": "publish", "path": path, "protocol": "rtmp", "ip": "127.0.0.1",
            "id": connection, "query": format!("key={secret}"),
        });
        let request = self.http.post(self.url(instance, "/auth")).basic_auth("streamward", Some(HOOK_SECRET));
        let started = Instant::now();
        let answer = request.json(&body).send().await;
        let decision = match answer.map(|answer| answer.status().as_u16()) {
            Ok(200) => Decision::Allowed,
            Ok(401) => Decision::Refused,
            _ => Decision::Missing,
        };
        (decision, started.elapsed())
    }

    /// Sends a hook; returns the status.
    pub(crate) async fn hook(&self, kind: &str, path: &str, id: &str, secret: Option<&str>) -> Option<u16> {
        let mut request = self.http.post(self.url(self.any(), &format!("/webhook/{kind}")));
        if let Some(secret) = secret {
            request = request.basic_auth("streamward", Some(secret));
        }
        let body = json!({"path": path, "source_type": "rtmpConn", "source_id": id});
        Some(request.json(&body).send().await.ok()?.status().as_u16())
    }
}
