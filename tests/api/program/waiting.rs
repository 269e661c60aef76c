//! What is answered while the database is not there yet, and what the service manager is told.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use streamward_test_support::Cluster;
use streamward_test_support::process::{Process, Signal};
use tokio::time::Instant;

use super::{HOOK_SECRET, Home, SOON, client, eventually};

/// A socket of a service manager, and what it was told.
struct Manager {
    socket: UnixDatagram,
    path: String,
}

impl Manager {
    fn new(home: &Home) -> Self {
        let path = home.dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("bound");
        socket.set_nonblocking(true).expect("set");
        Self { socket, path: path.display().to_string() }
    }

    /// Starts the service with a watchdog of two seconds.
    fn start(&self, home: &Home) -> Process {
        let mut command = home.command(&["serve"]);
        command.env("NOTIFY_SOCKET", &self.path).env("WATCHDOG_USEC", "2000000");
        Process::start("serve", &mut command, home.dir.path()).expect("it starts")
    }

    /// The lines that came.
    fn heard(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut buffer = [0; 4_096];
        while let Ok(length) = self.socket.recv(&mut buffer) {
            lines.extend(String::from_utf8_lossy(&buffer[..length]).lines().map(str::to_owned));
        }
        lines
    }

    /// Waits for a line; returns all that came until then.
    async fn hears(&self, line: &str) -> Vec<String> {
        let all = std::sync::Mutex::new(Vec::new());
        let found = eventually(line, SOON, async || {
            let mut all = all.lock().expect("not poisoned");
            all.extend(self.heard());
            Ok(all.iter().any(|heard| heard == line).then_some(()))
        });
        found.await.expect("told");
        all.into_inner().expect("not poisoned")
    }
}

#[tokio::test]
async fn the_service_manager_is_told_when_the_service_is_ready_alive_and_stopping() {
    let home = Home::new();
    let manager = Manager::new(&home);
    let mut service = manager.start(&home);
    let before = manager.hears("READY=1").await;
    assert!(!before.contains(&"STOPPING=1".to_owned()), "{before:?}");
    let ready = client().get(home.url("/readyz")).send().await.expect("an answer");
    assert_eq!(ready.status(), 200, "ready means that it answers");
    // The watchdog bites after two seconds, so four are enough for two beats.
    manager.heard();
    for _ in 0..2 {
        let started = Instant::now();
        manager.hears("WATCHDOG=1").await;
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    }
    // A process that hangs says nothing more.
    service.signal(Signal::STOP).expect("sent");
    tokio::time::sleep(Duration::from_millis(300)).await;
    manager.heard();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(manager.heard(), Vec::<String>::new());
    service.signal(Signal::CONT).expect("sent");
    manager.hears("WATCHDOG=1").await;
    assert!(service.terminate(SOON).await.expect("it stops").success());
    assert!(manager.heard().contains(&"STOPPING=1".to_owned()));
}

async fn answer(request: reqwest::RequestBuilder) -> (u16, Option<String>, serde_json::Value) {
    let answer = request.send().await.expect("an answer");
    let retry = answer.headers().get("retry-after").map(|value| value.to_str().expect("text").to_owned());
    (answer.status().as_u16(), retry, answer.json().await.expect("JSON"))
}

#[tokio::test]
async fn while_the_database_is_not_there_everything_is_answered_and_nobody_let_in() {
    let mut cluster = Cluster::start(false).expect("PostgreSQL");
    let url = cluster.url("postgres");
    cluster.stop();
    let home = Home::new()
        .with("DATABASE__URL", &url)
        .with("HOOKS__SECRET", HOOK_SECRET)
        .with("MASTER_KEY", &"07".repeat(32))
        .with("HTTP__BASE_PATH", "/tv");
    let manager = Manager::new(&home);
    let mut service = manager.start(&home);
    eventually("it answers", SOON, async || {
        Ok(client()
            .get(home.url("/livez"))
            .send()
            .await
            .ok()
            .filter(|answer| answer.status() == 200)
            .map(drop))
    })
    .await
    .expect("alive");
    for path in ["/health", "/readyz", "/streams", "/tv/health", "/nothing"] {
        let (status, retry, problem) = answer(client().get(home.url(path))).await;
        assert_eq!((status, retry.as_deref()), (503, Some("2")), "{path}: {problem}");
        assert_eq!(problem["type"], "/tv/problems/unavailable", "{problem}");
        assert!(problem["detail"].as_str().expect("a text").contains("database"), "{problem}");
    }
    for path in ["/", "/ui/", "/tv/ui/"] {
        let opened =
            client().get(home.url(path)).header("accept", "text/html").send().await.expect("an answer");
        assert_eq!(
            (opened.status().as_u16(), &opened.headers()["refresh"]),
            (503, &"2".parse().expect("a value"))
        );
        assert!(opened.text().await.expect("a text").contains("Streamward is starting"), "{path}");
        assert_eq!(answer(client().get(home.url(path))).await.0, 503);
    }
    let created =
        client().post(home.url("/broadcasters")).json(&serde_json::json!({"display_name": "Alice"}));
    assert_eq!(answer(created).await.0, 503);
    for action in ["publish", "read"] {
        let body = serde_json::json!({"action": action, "path": "live/alice", "password": "sk_none"});
        let request =
            client().post(home.url("/auth")).basic_auth("streamward", Some(HOOK_SECRET)).json(&body);
        let (status, _, problem) = answer(request).await;
        assert_eq!((status, &problem["type"]), (401, &"/tv/problems/denied".into()), "{problem}");
    }
    assert!(home.refused(&["healthcheck"]).contains("503"), "the health check of a container says so");
    // A manager that gave up on a slow start would make everything worse.
    let told = manager.hears("READY=1").await;
    assert!(told.iter().any(|line| line.starts_with("STATUS=waiting for the database")), "{told:?}");
    assert!(told.contains(&"WATCHDOG=1".to_owned()), "a restart would not help: {told:?}");
    assert!(service.exit_status().is_none());

    cluster.run().expect("PostgreSQL");
    home.ready().await;
    assert_eq!(answer(client().get(home.url("/health"))).await.0, 200);
    let key = home.key();
    assert_eq!(home.may_publish(&key, 1).await, 200);
    manager.hears("STATUS=ready").await;
}
