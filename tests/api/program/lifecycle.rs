//! Stopping and being killed.

use std::time::Duration;

use sqlx::Connection as _;

use super::{Home, SOON, client};

#[tokio::test]
async fn sigterm_ends_it_with_zero_and_gives_its_tasks_back() {
    let home = Home::new();
    let mut service = home.serve().await;
    super::eventually("the task is assigned", SOON, async || {
        Ok(home.log().contains("task assigned to this instance").then_some(()))
    })
    .await
    .expect("taken");
    // An open event stream does not delay the stop.
    let events = client().get(home.url("/streams/events")).bearer_auth(home.admin_token()).send().await;
    let events = events.expect("an answer");
    assert_eq!(events.status(), 200);
    let status = service.terminate(Duration::from_secs(5)).await.expect("it stops");
    assert_eq!(status.code(), Some(0));
    let log = home.log();
    assert!(log.contains("tasks given back") && log.trim_end().ends_with("stopped"), "{log}");
    drop(events);
}

#[tokio::test]
async fn acknowledged_writes_survive_a_kill() {
    let home = Home::new();
    let mut service = home.serve().await;
    let token = home.admin_token();
    let mut answered = Vec::new();
    for round in 0..3 {
        for n in 0..15 {
            let name = format!("broadcaster {round} {n}");
            let request = client().post(home.url("/broadcasters")).bearer_auth(&token);
            let answer = request.json(&serde_json::json!({ "display_name": name })).send().await;
            assert_eq!(answer.expect("an answer").status(), 201);
            answered.push(name);
        }
        service.kill();
        service = home.serve().await;
    }
    let list = home.json(&["broadcaster", "list"]);
    let names: Vec<&str> = list["broadcasters"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|b| b["display_name"].as_str())
        .collect();
    for name in &answered {
        assert!(names.contains(&name.as_str()), "{name} was acknowledged but is lost");
    }
    drop(service);
}

#[tokio::test]
async fn lease_in_the_future_of_a_killed_process_delays_no_task() {
    let home = Home::new();
    let mut service = home.serve().await;
    let assigned = async |times: usize| {
        let seen = async || {
            Ok((home.log().matches("task assigned to this instance").count() >= times).then_some(()))
        };
        super::eventually("the task is assigned", SOON, seen).await.expect("assigned").1
    };
    assigned(1).await;
    service.kill();
    // As if the clock had been two hours ahead.
    let file = home.dir.path().join("streamward.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
    let mut db = sqlx::SqliteConnection::connect_with(&options).await.expect("opened");
    let later = sqlx::query("UPDATE instances SET expires_at = expires_at + 7200 * 1000000");
    assert_eq!(later.execute(&mut db).await.expect("written").rows_affected(), 1);
    let _service = home.serve().await;
    let took = assigned(2).await;
    assert!(took <= Duration::from_secs(5), "{took:?}");
    let ahead = "SELECT COUNT(*) FROM instances WHERE expires_at > (unixepoch() + 60) * 1000000";
    let ahead: i64 = sqlx::query_scalar(ahead).fetch_one(&mut db).await.expect("read");
    assert_eq!(ahead, 0, "whoever serves the file ends the leases of those before it");
    db.close().await.expect("closed");
}

/// The reconcile task in `/health`, once `is` holds for it.
async fn reconcile(home: &Home, is: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
    let find = async || {
        let health: serde_json::Value = client().get(home.url("/health")).send().await?.json().await?;
        let mut workers = health["workers"].as_array().into_iter().flatten();
        Ok(workers.find(|worker| worker["name"] == "reconcile:default" && is(worker)).cloned())
    };
    super::eventually("the task is as expected", 2 * SOON, find).await.expect("as expected").0
}

#[tokio::test]
async fn task_that_nobody_can_run_is_unhealthy_and_says_so() {
    let home = Home::new();
    drop(home.serve().await);
    let file = home.dir.path().join("streamward.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
    let mut db = sqlx::SqliteConnection::connect_with(&options).await.expect("opened");
    let refuse =
        "CREATE TRIGGER refuse BEFORE UPDATE ON assignments BEGIN SELECT RAISE(ABORT, 'for the test'); END";
    sqlx::query(refuse).execute(&mut db).await.expect("written");
    let _service = home.serve().await;
    let worker = reconcile(&home, |worker| worker["waiting_since"].is_string()).await;
    assert_eq!(worker["failing"], true);
    let tasks = client().get(home.url("/tasks")).bearer_auth(home.admin_token()).send().await;
    let tasks: serde_json::Value = tasks.expect("an answer").json().await.expect("JSON");
    let mut tasks = tasks["tasks"].as_array().into_iter().flatten();
    let task = tasks.find(|task| task["name"] == "reconcile:default").expect("it is listed");
    assert_eq!((&task["state"], &task["waiting_since"]), (&"waiting".into(), &worker["waiting_since"]));
    let message = task["last_error"]["message"].as_str().expect("a message");
    assert!(message.starts_with("waits for its assignment since "), "{message}");
    sqlx::query("DROP TRIGGER refuse").execute(&mut db).await.expect("written");
    reconcile(&home, |worker| worker["waiting_since"].is_null()).await;
}

#[tokio::test]
async fn sigterm_during_startup_stops_the_service() {
    // The database never appears, so the service still waits for it.
    let url = format!("postgres://nobody@{}/nothing", super::nowhere());
    let home = Home::new().with("DATABASE__URL", &url);
    let mut service = home.start();
    super::eventually("it reports what it waits for", SOON, async || {
        Ok(home.log().contains("the database is unreachable; trying again").then_some(()))
    })
    .await
    .expect("reported");
    let status = service.terminate(Duration::from_secs(5)).await.expect("it stops");
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn healthcheck_exit_code_is_the_health() {
    let home = Home::new();
    assert!(home.refused(&["healthcheck"]).contains("no answer from"));
    let _service = home.serve().await;
    let health: serde_json::Value = serde_json::from_str(&home.ok(&["healthcheck"])).expect("JSON");
    assert_eq!((&health["status"], &health["database"]), (&"ok".into(), &"ok".into()));
    let workers = health["workers"].as_array().expect("workers");
    assert!(workers.iter().any(|worker| worker["name"] == "reconcile:default"), "{health}");
}
