//! The release build with a stand-in for Kick and a scripted feed.

use std::fs::{self, File};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use streamward::adapters::system::SystemClock;
use streamward::domain::access::TokenSecret;
use streamward::ports::Clock as _;
use streamward_test_support::feed_server::{Dialect, FeedServer};
use streamward_test_support::kick::{Broadcast, KickStub};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::database::Database;

/// Channels on one connection, the default of the service.
pub(crate) const PER_CONNECTION: usize = 250;
/// How long a step that is not measured may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// The channel id that the stand-in gives a person.
pub(crate) fn channel(n: u64) -> u64 {
    n + 1_000_000
}

/// The memory of a process, in MiB.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) now: f64,
    pub(crate) peak: f64,
}

/// The program with its directory and stand-ins.
pub(crate) struct Program {
    pub(crate) feed: FeedServer,
    kick: KickStub,
    dir: TempDir,
    /// `DATABASE__URL`; a file in `dir` if there is none.
    url: Option<String>,
    port: u16,
    client: reqwest::Client,
    running: Option<Child>,
}

impl Program {
    /// Does not start it.
    pub(crate) async fn new(url: Option<String>) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
        Self {
            feed: FeedServer::start(Dialect::Pusher).await,
            kick: KickStub::start().await,
            dir: tempfile::tempdir().expect("a folder"),
            url,
            port: socket.local_addr().expect("its number").port(),
            client: reqwest::Client::builder().no_proxy().build().expect("a client"),
            running: None,
        }
    }

    /// Another connection to its database. It must have been started once.
    pub(crate) async fn database(&self) -> Database {
        match &self.url {
            Some(url) => Database::postgres(url).await,
            None => Database::sqlite(&self.dir.path().join("streamward.db")).await,
        }
    }

    /// Starts it with or without watching and waits until it is ready. Returns when it was started.
    pub(crate) async fn start(&mut self, watches: bool, sweep: &str) -> Instant {
        self.stop();
        let mut settings = vec![
            ("HTTP__LISTEN", format!("127.0.0.1:{}", self.port)),
            ("API__ADMIN_TOKEN", TokenSecret::from_random([7; 32]).expose().to_owned()),
            // No media server runs there.
            ("MEDIA_SERVERS__DEFAULT__API_URL", "http://127.0.0.1:9".into()),
        ];
        settings.extend(self.url.clone().map(|url| ("DATABASE__URL", url)));
        if watches {
            settings.extend([
                ("KICK__FEED", "pusher".into()),
                ("KICK__CLIENT_ID", "stub-client".into()),
                ("KICK__CLIENT_SECRET", "stub-client-secret".into()),
                ("KICK__API_URL", self.kick.url()),
                ("KICK__AUTH_URL", self.kick.url()),
                ("KICK__SITE_URL", self.kick.url()),
                ("KICK__REALTIME_URL", self.feed.url()),
                ("KICK__PUSHER_URL", self.feed.ws_url()),
                ("KICK__REQUESTS_PER_MINUTE", "60000".into()),
                ("KICK__SWEEP_INTERVAL", sweep.to_owned()),
            ]);
        }
        let log = File::create(self.dir.path().join("log")).expect("a log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_streamward"));
        command.arg("serve").current_dir(self.dir.path()).env_clear();
        command.envs(settings.into_iter().map(|(name, value)| (format!("STREAMWARD_{name}"), value)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let started = Instant::now();
        self.running = Some(command.spawn().expect("the program starts"));
        let url = format!("http://127.0.0.1:{}/readyz", self.port);
        self.until("the service is ready", async || {
            self.client.get(&url).send().await.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
        started
    }

    /// Waits for a condition; fails with the log of the program.
    pub(crate) async fn until(&self, what: &str, is_so: impl AsyncFn() -> bool) {
        let begun = Instant::now();
        while !is_so().await {
            if begun.elapsed() > PATIENCE {
                let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
                panic!("{what}: not within {PATIENCE:?}\n{log}");
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until `count` subscriptions are acknowledged.
    pub(crate) async fn until_subscribed(&self, count: usize) {
        self.until("all channels are subscribed", async || {
            let answer = self.client.get(format!("http://127.0.0.1:{}/health", self.port)).send().await;
            let Ok(answer) = answer else { return false };
            let health: Value = answer.json().await.unwrap_or_default();
            health["streamers"]["subscribed"] == count
        })
        .await;
    }

    /// Waits until everyone is offline and Kick has been polled about everyone `polls` more times.
    pub(crate) async fn until_polled(&self, database: &Database, people: usize, polls: usize) {
        self.until("everybody is offline", async || database.not_offline().await == 0).await;
        let requests = || self.kick.count("livestreams") + self.kick.count("livestreams_v2");
        let enough = requests() + polls * people.div_ceil(50);
        self.until("Kick is polled about everyone", async || requests() >= enough).await;
    }

    /// Adds people `1..=count` to the stand-in.
    pub(crate) fn people(&self, count: u64) {
        self.kick.set(|world| (1..=count).for_each(|n| world.add(n, &format!("person-{n}"))));
    }

    /// Gives all of them the status in the stand-in that the feed announced.
    pub(crate) fn all_are(&self, count: u64, livestream: Option<u64>) {
        let now = SystemClock.now().to_string();
        self.kick.set(|world| {
            for n in 1..=count {
                match livestream {
                    Some(id) => world.go_live(n, Broadcast::new(id + n, &now)),
                    None => world.stop(n),
                }
            }
        });
    }

    pub(crate) fn memory(&self) -> Memory {
        let id = self.running.as_ref().map_or(0, Child::id);
        let status = fs::read_to_string(format!("/proc/{id}/status")).expect("the process is there");
        let value = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kibibytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
            kibibytes.expect("a number of kB") / 1024.0
        };
        Memory { now: value("VmRSS:"), peak: value("VmHWM:") }
    }

    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.running.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.stop();
    }
}
