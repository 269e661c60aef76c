//! The program, watching people on a stand-in for Kick through a scripted feed.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::StatusCode;
use serde_json::{Value, json};
use streamward::adapters::system::SystemClock;
use streamward::domain::access::TokenSecret;
use streamward::ports::Clock as _;
use streamward_test_support::feed_server::{Dialect, FeedServer, live, stop};
use streamward_test_support::kick::{Broadcast, KickStub};
use tempfile::TempDir;

use crate::process::{Process, eventually, output_within};

const LIVE: &str = r"App\Events\StreamerIsLive";
const STOP: &str = r"App\Events\StopStreamBroadcast";
/// How long something may take on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// The surroundings of a test.
pub(crate) struct World {
    pub(crate) kick: KickStub,
    pub(crate) feed: FeedServer,
    pub(crate) dir: TempDir,
    env: BTreeMap<String, String>,
    port: u16,
    client: reqwest::Client,
    program: Option<Process>,
    livestreams: u64,
    /// The livestreams of the people who are live on Kick.
    pub(crate) truth: BTreeMap<u64, u64>,
}

impl World {
    /// Not running yet; the database is a file.
    pub(crate) async fn new(dialect: Dialect) -> Result<Self> {
        let (kick, feed) = (KickStub::start().await, FeedServer::start(dialect).await);
        let port = crate::ports::free()?;
        let token = TokenSecret::from_random([7; 32]);
        let env = [
            ("HTTP__LISTEN", format!("127.0.0.1:{port}")),
            ("API__ADMIN_TOKEN", token.expose().to_owned()),
            // No media server listens there.
            ("MEDIA_SERVERS__DEFAULT__API_URL", "http://127.0.0.1:9".into()),
            ("KICK__FEED", "auto".into()),
            ("KICK__CLIENT_ID", "stub-client".into()),
            ("KICK__CLIENT_SECRET", "stub-client-secret".into()),
            ("KICK__API_URL", kick.url()),
            ("KICK__AUTH_URL", kick.url()),
            ("KICK__SITE_URL", kick.url()),
            ("KICK__REALTIME_URL", feed.url()),
            ("KICK__PUSHER_URL", feed.ws_url()),
            ("KICK__REQUESTS_PER_MINUTE", "60000".into()),
            ("KICK__SWEEP_INTERVAL", "2s".into()),
            ("KICK__FLAP_WINDOW", "0s".into()),
        ];
        let mut headers = reqwest::header::HeaderMap::new();
        headers.insert("x-api-key", token.expose().parse()?);
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10));
        Ok(Self {
            kick,
            feed,
            dir: tempfile::tempdir()?,
            env: env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            port,
            client: client.default_headers(headers).build()?,
            program: None,
            livestreams: 1_000,
            truth: BTreeMap::new(),
        })
    }

    /// With `STREAMWARD_<name>` set.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_streamward"));
        command.args(arguments).current_dir(self.dir.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(self.env.iter().map(|(name, value)| (format!("STREAMWARD_{name}"), value)));
        command
    }

    /// Runs a command that must succeed; returns its output.
    pub(crate) fn ok(&self, arguments: &[&str]) -> Result<String> {
        let output = output_within(&mut self.command(arguments), SOON)?;
        let output_text = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "{arguments:?}: {output_text}");
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Starts or restarts the program and waits until it serves.
    pub(crate) async fn start(&mut self) -> Result<()> {
        let program = Process::start("serve", &mut self.command(&["serve"]), self.dir.path())?;
        let program = self.program.insert(program);
        let url = format!("http://127.0.0.1:{}/readyz", self.port);
        let ready = eventually("the service is ready", SOON, async || {
            Ok(self.client.get(&url).send().await?.status().is_success().then_some(()))
        });
        ready.await.with_context(|| program.log())?;
        Ok(())
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.program = None;
    }

    /// Starts another instance, which gets all requests from now on. Returns the previous one.
    pub(crate) async fn start_another(&mut self) -> Result<Option<Process>> {
        let before = self.program.take();
        self.port = crate::ports::free()?;
        self.env.insert("HTTP__LISTEN".into(), format!("127.0.0.1:{}", self.port));
        self.start().await?;
        Ok(before)
    }

    pub(crate) fn log(&self) -> String {
        self.program.as_ref().map(Process::log).unwrap_or_default()
    }

    /// Adds people `1..=count` with their channel numbers, since Kick's web site returns only one a second.
    pub(crate) async fn add(&self, count: u64) -> Result<()> {
        for n in 1..=count {
            self.kick.set(|world| world.add(n, &format!("person-{n}")));
            let draft = json!({"username": format!("person-{n}"), "channel_id": channel(n)});
            let (status, answer) = self.post("/streamers", &draft).await?;
            ensure!(status == StatusCode::CREATED, "{answer}");
        }
        Ok(())
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<(StatusCode, Value)> {
        let answer = self.client.post(self.url(path)).json(body).send().await?;
        Ok((answer.status(), answer.json().await?))
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        Ok(self.client.get(self.url(path)).send().await?.json().await?)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// A person goes live on Kick, and the feed reports it.
    pub(crate) fn goes_live(&mut self, n: u64) -> u64 {
        self.livestreams += 1;
        let (id, now) = (self.livestreams, SystemClock.now().to_string());
        self.kick.set(|world| world.go_live(n, Broadcast::new(id, &now)));
        self.feed.publish(channel(n), LIVE, &live(channel(n), id, &now));
        self.truth.insert(n, id);
        id
    }

    /// A person stops, and the feed reports it.
    pub(crate) fn stops(&mut self, n: u64) {
        let Some(id) = self.truth.remove(&n) else { return };
        self.kick.set(|world| world.stop(n));
        self.feed.publish(channel(n), STOP, &stop(channel(n), id));
    }

    /// Status by person.
    pub(crate) async fn statuses(&self) -> Result<BTreeMap<u64, String>> {
        let answer = self.get("/streamers").await?;
        let all = answer["streamers"].as_array().context("no list")?;
        let of = |one: &Value| {
            let n = one["username"].as_str()?.strip_prefix("person-")?.parse().ok()?;
            Some((n, one["status"].as_str()?.to_owned()))
        };
        Ok(all.iter().filter_map(of).collect())
    }

    /// Waits until every status is as on Kick; returns how long that took.
    pub(crate) async fn until_right(&self, limit: Duration) -> Result<Duration> {
        let right = eventually("every status is right", limit, async || {
            let statuses = self.statuses().await?;
            let is_right = statuses
                .iter()
                .all(|(n, status)| status == if self.truth.contains_key(n) { "online" } else { "offline" });
            Ok((is_right && !statuses.is_empty()).then_some(()))
        });
        let wrong = async || {
            let statuses = self.statuses().await.unwrap_or_default();
            let wrong: Vec<_> = statuses
                .iter()
                .filter(|(n, status)| (*status == "online") != self.truth.contains_key(n))
                .collect();
            format!("{wrong:?} {}", self.get("/health").await.unwrap_or_default())
        };
        match right.await {
            Ok(((), took)) => Ok(took),
            Err(error) => Err(error.context(wrong().await)),
        }
    }

    /// Waits until all of these are subscribed to.
    pub(crate) async fn until_subscribed(&self, count: usize) -> Result<()> {
        self.feed.until("subscriptions", |seen| seen.subscribed.len() >= count).await;
        let subscribed = eventually("all are acknowledged", SOON, async || {
            let health = self.get("/health").await?;
            Ok((health["streamers"]["subscribed"] == count).then_some(()))
        });
        subscribed.await.map(drop)
    }

    /// Checks that each history is a chain that ends in the streamer's status; returns the number of all changes.
    pub(crate) async fn check_history(&self) -> Result<usize> {
        let answer = self.get("/streamers").await?;
        let mut changes = 0;
        for one in answer["streamers"].as_array().context("no list")? {
            let id = one["id"].as_str().context("no id")?;
            let (row, history) = self.row_with_history(id).await?;
            let events = history["events"].as_array().context("no events")?;
            let mut after = row["status"].clone();
            for event in events {
                ensure!(event["new_status"] == after, "{row} {history}");
                after = event["previous_status"].clone();
            }
            ensure!(events.len() == 500 || after == "unknown", "{row} {history}");
            changes += events.len();
        }
        Ok(changes)
    }

    /// A streamer and its history as they were at one moment: the row is the same before and after the history.
    async fn row_with_history(&self, id: &str) -> Result<(Value, Value)> {
        let path = format!("/streamers/{id}");
        for _ in 0..100 {
            let before = self.get(&path).await?;
            let history = self.get(&format!("{path}/events?limit=500")).await?;
            if self.get(&path).await? == before {
                return Ok((before, history));
            }
        }
        bail!("the streamer {id} changes all the time")
    }
}

/// The number of a person's channel, as the stand-in gives them.
pub(crate) fn channel(n: u64) -> u64 {
    n + 1_000_000
}
