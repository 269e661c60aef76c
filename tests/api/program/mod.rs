//! The program as people, containers and media servers run it, one process for each instance.

mod admission;
mod audit;
mod backup;
mod channels;
mod clips;
mod commands;
mod creation;
mod damage;
mod disk_full;
mod doctor;
mod documents;
mod errors;
mod harness;
mod hook;
mod instances;
mod lifecycle;
mod mediamtx;
mod proxies;
mod remote;
mod srs;
mod start;
mod streamers;
mod studios;
mod trace;
mod users;
mod waiting;

use std::net::SocketAddr;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;
use streamward_test_support::process::{Process, eventually, output_within};
use streamward_test_support::{TimeLimit, ports};
use tempfile::TempDir;

/// How long a start or a stop may take on a busy machine.
const SOON: Duration = Duration::from_secs(20);
/// How long a command may take there.
const COMMAND_LIMIT: Duration = Duration::from_secs(60);
/// The hook secret, where a test has to know it.
const HOOK_SECRET: &str = "a-hook-secret-for-tests";

/// A directory and a configuration in which the program runs.
struct Home {
    dir: TempDir,
    port: u16,
    env: Vec<(String, String)>,
    _limit: TimeLimit,
}

/// How a command ended.
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Home {
    fn new() -> Self {
        let port = ports::free().expect("a port");
        let home = Self {
            dir: tempfile::tempdir().expect("a directory"),
            port,
            env: Vec::new(),
            _limit: TimeLimit::start(),
        };
        // No media server runs there.
        home.with("HTTP__LISTEN", &format!("127.0.0.1:{port}"))
            .with("MEDIA_SERVERS__DEFAULT__API_URL", "http://127.0.0.1:9")
    }

    /// With `STREAMWARD_<name>` set.
    fn with(mut self, name: &str, value: &str) -> Self {
        self.env.push((format!("STREAMWARD_{name}"), value.to_owned()));
        self
    }

    /// With a database, as a first start makes it.
    fn prepared(self) -> Self {
        self.ok(&["migrate"]);
        self
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_streamward"));
        command.args(arguments).current_dir(self.dir.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command to its end.
    fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(output_within(&mut self.command(arguments), COMMAND_LIMIT).expect("it ends"))
    }

    /// Runs a command that must succeed.
    fn ok(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}{}", ended.out, ended.err);
        ended.out
    }

    /// Runs a command that must succeed, for its JSON.
    fn json(&self, arguments: &[&str]) -> Value {
        let text = self.ok(&[&["--json"], arguments].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Runs a command that must fail with one line on standard error.
    fn refused(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert!(ended.code.is_some_and(|code| code != 0), "{arguments:?}: {}{}", ended.out, ended.err);
        assert_eq!(ended.err.trim().lines().count(), 1, "{arguments:?}: {}", ended.err);
        ended.err
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Starts the service and waits until it is ready. Its output goes to `serve.log`.
    async fn serve(&self) -> Process {
        let process = self.start();
        self.ready().await;
        process
    }

    fn start(&self) -> Process {
        Process::start("serve", &mut self.command(&["serve"]), self.dir.path()).expect("it starts")
    }

    async fn ready(&self) {
        let ready = eventually("the service is ready", SOON, async || {
            let answer = client().get(self.url("/readyz")).send().await?;
            Ok(answer.status().is_success().then_some(()))
        });
        if let Err(error) = ready.await {
            panic!("{error}: {}", self.log());
        }
    }

    /// The output of the service.
    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("serve.log")).unwrap_or_default()
    }

    /// The admin token that the first start printed.
    fn admin_token(&self) -> String {
        let log = self.log();
        let tokens: Vec<&str> = log.split_whitespace().filter(|word| word.starts_with("swt_")).collect();
        assert_eq!(tokens.len(), 1, "it is printed once: {log}");
        tokens[0].to_owned()
    }

    /// A key on `live/alice` of a new broadcaster, as JSON.
    fn key(&self) -> Value {
        self.ok(&["broadcaster", "create", "Alice"]);
        self.json(&["key", "create", "--broadcaster", "Alice"])
    }

    /// Calls `/auth` for a connection as a media server does; returns the status.
    async fn may_publish(&self, key: &Value, connection: u32) -> u16 {
        let body = serde_json::json!({
            "action": "publish", "path": key["path"], "protocol": "rtmp", "ip": "127.0.0.1",
            "id": format!("00000000-0000-4000-8000-{connection:012}"), "password": key["key_value"],
        });
        let request = client().post(self.url("/auth")).basic_auth("streamward", Some(HOOK_SECRET));
        request.json(&body).send().await.expect("an answer").status().as_u16()
    }
}

impl Ended {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10));
    client.build().expect("a client")
}

/// An address where nothing listens.
fn nowhere() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], ports::free().expect("a port")))
}

/// As if a newer Streamward had migrated this SQLite file.
async fn add_migration_from_the_future(conn: &mut sqlx::SqliteConnection) {
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'from the future', TRUE, x'00', 0)",
    )
    .execute(conn)
    .await
    .expect("written");
}
