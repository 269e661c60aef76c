//! Stopping, and being stopped.

use std::time::Duration;

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
    // A reader of an endless answer does not hold it up.
    let events = client().get(home.url("/streams/events")).bearer_auth(home.admin_token()).send().await;
    let events = events.expect("they begin");
    assert_eq!(events.status(), 200);
    let status = service.terminate(Duration::from_secs(5)).await.expect("it stops");
    assert_eq!(status.code(), Some(0));
    let said = home.log();
    assert!(said.contains("tasks given back") && said.trim_end().ends_with("stopped"), "{said}");
    drop(events);
}

#[tokio::test]
async fn what_was_answered_is_true_after_kill_nine() {
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
        assert!(names.contains(&name.as_str()), "{name} was acknowledged and is lost");
    }
    drop(service);
}

#[tokio::test]
async fn a_stop_during_the_start_is_a_stop() {
    // The database is never there: it is still being waited for when the signal comes.
    let url = format!("postgres://nobody@{}/nothing", super::nowhere());
    let home = Home::new().with("DATABASE__URL", &url);
    let mut service = home.start();
    super::eventually("it says what it waits for", SOON, async || {
        Ok(home.log().contains("the database is unreachable; trying again").then_some(()))
    })
    .await
    .expect("said");
    let status = service.terminate(Duration::from_secs(5)).await.expect("it stops");
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn the_health_of_a_container_is_an_exit_code() {
    let home = Home::new();
    assert!(home.refused(&["healthcheck"]).contains("no answer from"));
    let _service = home.serve().await;
    let health: serde_json::Value = serde_json::from_str(&home.ok(&["healthcheck"])).expect("JSON");
    assert_eq!((&health["status"], &health["database"]), (&"ok".into(), &"ok".into()));
    let names: Vec<&str> =
        health["workers"].as_array().expect("workers").iter().filter_map(|w| w["name"].as_str()).collect();
    assert_eq!(names, ["key-cache", "event-tail", "housekeeping", "reconcile:default"]);
}
