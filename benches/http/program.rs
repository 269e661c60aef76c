//! The release build as a process of its own: its memory, and the processor time of a poll with nothing to do.

use std::fs::{self, File};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use serde::Deserialize;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::Plan;
use crate::database::Database;

/// Paths that are live.
const LIVE: usize = 5_000;
/// How often the media server is polled.
const INTERVAL: Duration = Duration::from_millis(200);
/// How long the program may do what it does once, and how long a measurement takes.
const SETTLE: Duration = Duration::from_secs(6);
const MEASURE: Duration = Duration::from_secs(6);

/// The program on a SQLite file.
struct Program {
    files: TempDir,
    running: Option<Child>,
}

impl Program {
    /// Runs it once, so that its tables are there, and adds keys.
    async fn with_keys(keys: usize) -> Self {
        let mut program = Self { files: tempfile::tempdir().expect("a folder"), running: None };
        program.start("http://127.0.0.1:9").await;
        program.stop().await;
        Database::sqlite(&program.files.path().join("streamward.db")).await.add_keys(keys).await;
        program
    }

    /// Starts it, and waits until it has done what it does once.
    async fn start(&mut self, media_server: &str) {
        let log = File::create(self.files.path().join("log")).expect("a log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_streamward"));
        command.arg("serve").current_dir(self.files.path()).env_clear().kill_on_drop(true);
        command.envs([
            ("STREAMWARD_HTTP__LISTEN", "127.0.0.1:0"),
            ("STREAMWARD_API__ADMIN_TOKEN", "swt_of-the-bench-0123456789abcdefghijklmnopqrstuvwxyz"),
            ("STREAMWARD_MEDIA_SERVERS__DEFAULT__API_URL", media_server),
            ("STREAMWARD_RECONCILE__INTERVAL", "200ms"),
        ]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.running = Some(command.spawn().expect("the program starts"));
        sleep(SETTLE).await;
        let log = fs::read_to_string(self.files.path().join("log")).unwrap_or_default();
        assert!(log.contains("listening"), "the program does not run:\n{log}");
    }

    fn id(&self) -> u32 {
        self.running.as_ref().and_then(Child::id).expect("it runs")
    }

    async fn stop(&mut self) {
        if let Some(mut child) = self.running.take() {
            child.kill().await.expect("it stops");
        }
    }
}

/// A number of `/proc/PID/status`, in MiB.
fn memory(process: u32, name: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a known field");
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib / 1024.0
}

/// The processor time of a process so far, in hundredths of a second.
fn processor(process: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs");
    let (_, fields) = stat.rsplit_once(") ").expect("its name in parentheses");
    fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().expect("a number")).sum()
}

/// Prints the memory with few and many keys.
pub(crate) async fn memory_by_keys(plan: &Plan) {
    let rows = [0, 100_000, 1_000_000].map(|keys| (format!("| SQLite | memory, {keys} keys |"), keys));
    let rows: Vec<_> = rows.into_iter().filter(|(row, _)| plan.wants(row)).collect();
    if !rows.is_empty() {
        println!(
            "\n| store | what | MiB | MiB at the peak | of its own | threads |\n|---|---|---|---|---|---|"
        );
    }
    for (row, keys) in rows {
        let mut program = Program::with_keys(keys / plan.smaller).await;
        program.start("http://127.0.0.1:9").await;
        let [now, peak, own] = ["VmRSS:", "VmHWM:", "RssAnon:"].map(|name| memory(program.id(), name));
        let threads = fs::read_dir(format!("/proc/{}/task", program.id())).expect("it runs").count();
        println!("{row} {now:.1} | {peak:.1} | {own:.1} | {threads} |");
        program.stop().await;
    }
}

/// A media server that counts how often its list is read.
#[derive(Default)]
struct StandIn {
    live: AtomicUsize,
    reads: AtomicU64,
}

impl StandIn {
    async fn start(self: &Arc<Self>, tasks: &mut JoinSet<()>) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
        let address = format!("http://{}", listener.local_addr().expect("the port"));
        let (this, list) = (Arc::clone(self), [list(0), list(LIVE)]);
        let read = async move || {
            this.reads.fetch_add(1, Ordering::Relaxed);
            list[usize::from(this.live.load(Ordering::Relaxed) > 0)].clone()
        };
        let router = Router::new()
            .route("/v3/info", get(async || r#"{"version":"v1.20.1","started":"2026-01-01T00:00:00Z"}"#))
            .route("/v3/paths/list", get(read));
        tasks.spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        address
    }

    /// Hundredths of a second for each poll.
    async fn processor_of(&self, process: u32) -> f64 {
        let before = (processor(process), self.reads.load(Ordering::Relaxed));
        sleep(MEASURE).await;
        let after = (processor(process), self.reads.load(Ordering::Relaxed));
        assert!(after.1 > before.1, "the media server is polled");
        (after.0 - before.0) as f64 / (after.1 - before.1) as f64
    }
}

/// What MediaMTX answers with `count` publishers.
fn list(count: usize) -> bytes::Bytes {
    let item = |n| {
        json!({
            "name": format!("many/{n}"), "confName": "all_others", "ready": true, "readyTime": "2026-01-01T00:00:00Z",
            "available": true, "availableTime": "2026-01-01T00:00:00Z", "online": true,
            "onlineTime": "2026-01-01T00:00:00Z",
            "source": {"type": "rtmpConn", "id": format!("188d9bad-0000-4000-8000-{n:012}")},
            "tracks": ["H264", "MPEG-4 Audio"],
            "tracks2": [
                {"codec": "H264", "codecProps": {"width": 1920, "height": 1080, "profile": "High", "level": "4.1"}},
                {"codec": "MPEG-4 Audio", "codecProps": {"sampleRate": 48000, "channelCount": 2}},
            ],
            "readers": [], "bytesReceived": 123_456_789, "bytesSent": 0, "inboundBytes": 123_456_789,
            "outboundBytes": 0, "inboundFramesInError": 0,
        })
    };
    let items: Vec<_> = (1..=count).map(item).collect();
    json!({"itemCount": count, "pageCount": usize::from(count > 0), "items": items}).to_string().into()
}

/// As much of the list as a poll reads.
#[derive(Deserialize)]
#[expect(dead_code, reason = "the reference parses the fields without using them")]
struct Item {
    name: String,
    source: Option<serde_json::Map<String, serde_json::Value>>,
    online: Option<bool>,
    readers: Option<Vec<serde::de::IgnoredAny>>,
    tracks: Option<Vec<String>>,
    #[serde(rename = "inboundBytes")]
    inbound_bytes: Option<u64>,
}

#[derive(Deserialize)]
struct Items {
    items: Vec<Item>,
}

/// The reference, in a process of its own: fetches and parses the list as often as the program.
pub(crate) async fn fetch(address: &str) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    println!("started");
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let mut next = Instant::now();
    loop {
        let answer = client.get(format!("{address}/v3/paths/list")).send().await.expect("an answer");
        let body = answer.bytes().await.expect("a body");
        let Items { items } = serde_json::from_slice(&body).expect("a list");
        assert_eq!(items.len(), LIVE);
        next += INTERVAL;
        tokio::time::sleep_until(next).await;
    }
}

/// Prints the processor time of a poll, as a ratio to fetching and parsing the list.
pub(crate) async fn poll(plan: &Plan) {
    let row = format!("| SQLite | reconcile {LIVE} live paths with nothing to do |");
    if !plan.wants(&row) {
        return;
    }
    let mut tasks = JoinSet::new();
    let stand_in = Arc::new(StandIn::default());
    let address = stand_in.start(&mut tasks).await;
    let mut program = Program::with_keys(LIVE).await;
    program.start(&address).await;
    let idle = stand_in.processor_of(program.id()).await;
    stand_in.live.store(LIVE, Ordering::Relaxed);
    sleep(SETTLE * 2).await;
    let busy = stand_in.processor_of(program.id()).await;
    program.stop().await;
    let this = std::env::current_exe().expect("this program");
    let mut command = Command::new(this);
    command.args(["fetch", &address, "--bench"]).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    lines.next_line().await.expect("its output");
    sleep(Duration::from_secs(1)).await;
    let bare = stand_in.processor_of(child.id().expect("it runs")).await;
    println!(
        "\n| store | what | ms of a processor | when nothing is live | fetch and parse | ratio |\n|---|---|---|---|---|---|"
    );
    let (busy, idle, bare) = (busy * 10.0, idle * 10.0, bare * 10.0);
    println!("{row} {busy:.1} | {idle:.1} | {bare:.1} | {:.2} |", (busy - idle) / bare);
}
