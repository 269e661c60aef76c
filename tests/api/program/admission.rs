//! Scarce connections and file descriptors.

use std::process::Command;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use streamward_test_support::ports;
use streamward_test_support::process::Process;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::{HOOK_SECRET, Home, SOON, client};

/// More than the service may have files open.
const IDLE: usize = 2_500;

/// The service with a soft and a hard limit of open files.
fn start_with_files(home: &Home, soft: u32, hard: u32) -> Process {
    let plain = home.command(&["serve"]);
    let mut shell = Command::new("sh");
    let limited = format!("ulimit -Sn {soft} && ulimit -Hn {hard} && exec \"$0\" serve");
    shell.args(["-c", &limited]).arg(plain.get_program()).env_clear();
    shell.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Process::start("serve", &mut shell, home.dir.path()).expect("it starts")
}

/// This process needs a file for each connection too.
fn raise_own_limit() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("raised");
}

/// Opens silent connections and opens each again as soon as it is closed, until the set is dropped.
fn idle_connections(port: u16) -> JoinSet<()> {
    let mut connections = JoinSet::new();
    for _ in 0..IDLE {
        connections.spawn(async move {
            loop {
                if let Ok(Ok(mut stream)) = timeout(SOON, TcpStream::connect(("127.0.0.1", port))).await {
                    let _ = stream.read(&mut [0]).await;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
    }
    connections
}

/// The times of some requests of a media server, the longest last.
async fn auth_times(url: &str) -> Vec<Duration> {
    let mut times = Vec::new();
    for n in 0..30 {
        let started = Instant::now();
        let body = json!({"action": "read", "path": "live/x", "id": n.to_string()});
        let request = client().post(url).basic_auth("streamward", Some(HOOK_SECRET)).json(&body);
        assert_eq!(request.send().await.expect("an answer").status(), 200);
        times.push(started.elapsed());
    }
    times.sort();
    times
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn auth_is_answered_beside_more_idle_connections_than_files() {
    raise_own_limit();
    let home = Home::new().with("HOOKS__SECRET", HOOK_SECRET);
    let _service = start_with_files(&home, 1_024, 1_024);
    home.ready().await;
    let connections = idle_connections(home.port);
    // Without room for all of them, some are closed for others.
    let evicted = async || {
        let metrics = client().get(home.url("/metrics")).send().await?.text().await?;
        let line =
            metrics.lines().find(|line| line.starts_with("streamward_http_connections_evicted_total "));
        let count = line.and_then(|line| line.rsplit(' ').next()).and_then(|count| count.parse::<u64>().ok());
        Ok(count.filter(|count| *count > 500))
    };
    super::eventually("connections are scarce", SOON, evicted).await.expect("scarce");
    // Generous, for a busy machine. Without places it took over 10 s.
    let times = auth_times(&home.url("/auth")).await;
    assert!(times[15] < Duration::from_secs(1) && times[29] < Duration::from_secs(5), "{times:?}");
    let log = home.log();
    assert!(!log.contains("connections cannot be accepted"), "{log}");
    assert!(log.contains("the limit of open files allows fewer connections"), "{log}");
    drop(connections);
}

#[tokio::test]
async fn limit_of_open_files_is_raised() {
    let home = Home::new();
    let _service = start_with_files(&home, 256, 4_000);
    home.ready().await;
    let log = home.log();
    assert!(log.contains("the limit of open files was raised"), "{log}");
    assert!(log.contains("256") && log.contains("4000"), "{log}");
}

#[tokio::test]
async fn media_servers_can_have_a_listener_of_their_own() {
    let port = ports::free().expect("a port");
    let home = Home::new().with("HOOKS__SECRET", HOOK_SECRET);
    let home = home.with("HTTP__MEDIA_LISTEN", &format!("127.0.0.1:{port}"));
    let _service = home.serve().await;
    let media = format!("http://127.0.0.1:{port}");
    auth_times(&format!("{media}/auth")).await;
    // For setups that were made before it.
    auth_times(&home.url("/auth")).await;
    let hook =
        client().post(format!("{media}/webhook/ready?secret={HOOK_SECRET}")).json(&json!({"path": "a"}));
    assert_eq!(hook.send().await.expect("an answer").status(), 204);
    for path in ["/streams", "/health", "/docs", "/metrics"] {
        let answer = client().get(format!("{media}{path}")).send().await.expect("an answer");
        assert_eq!(answer.status(), 404, "{path}");
        let problem: serde_json::Value = answer.json().await.expect("a problem");
        assert_eq!(problem["type"], "/problems/unknown-route");
    }
    let config = home.ok(&["mediamtx-config", "--no-hooks"]);
    assert!(config.contains(&format!("@127.0.0.1:{port}/auth")), "{config}");
    let doctor = home.run(&["doctor"]);
    assert!(
        doctor.out.contains("hook secret: is accepted")
            || doctor.out.contains("is accepted by the running service"),
        "{}",
        doctor.out
    );
}
