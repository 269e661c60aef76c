//! The list of refused attempts.

use rstest_reuse::apply;
use serde_json::{Value, json};

use crate::harness::{Engine, TestApp, every_engine};
use crate::request_log::recorder;

/// The rows, once there are so many attempts in all.
async fn failures(app: &TestApp, count: u64) -> Vec<Value> {
    app.until(
        || app.as_operator().get("/auth-failures"),
        |answer| {
            let rows = answer.json()["auth_failures"].as_array().cloned()?;
            let attempts: u64 = rows.iter().filter_map(|row| row["count"].as_u64()).sum();
            (attempts >= count).then_some(rows)
        },
    )
    .await
}

fn of<'a>(rows: &'a [Value], cause: &str) -> &'a Value {
    rows.iter().find(|row| row["cause"] == cause).unwrap_or_else(|| panic!("no {cause} in {rows:?}"))
}

#[apply(every_engine)]
#[tokio::test]
async fn refused_attempts_are_listed_once_with_their_number_and_what_to_do(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let key = app.key("live/alice").await;
    let made_up = format!("sk_{}", "a".repeat(43));
    let publish = |path: &str, secret: &str, id: &str| {
        let query = format!("key={secret}");
        app.auth(json!({"action": "publish", "path": path, "protocol": "rtmp", "id": id, "ip": "192.0.2.7", "query": query}))
    };
    for id in ["a", "b", "c"] {
        publish("live/alcie", &key.secret, id).await.assert_status(401);
    }
    publish("live/alcie", &made_up, "d").await.assert_status(401);
    publish("live/alice", &made_up, "e").await.assert_status(401);
    publish("live/alcie", "", "f").await.assert_status(401);
    let rows = failures(&app, 6).await;
    assert_eq!(rows.len(), 4, "{rows:?}");
    let wrong = of(&rows, "wrong_path");
    assert_eq!((&wrong["path"], &wrong["key_path"]), (&json!("live/alcie"), &json!("live/alice")));
    assert_eq!((&wrong["nearest_path"], &wrong["count"]), (&json!("live/alice"), &json!(3)));
    assert_eq!((&wrong["stream_key_id"], &wrong["ip_address"]), (&json!(key.id), &json!("192.0.2.7")));
    assert!(wrong["first_at"].as_str() <= wrong["last_at"].as_str());
    assert!(
        wrong["advice"].as_str().unwrap().contains("set the path of the encoder to live/alice"),
        "{wrong}"
    );
    assert_eq!(wrong["key_prefix"].as_str(), key.secret.get(..8));
    let none = of(&rows, "no_key");
    assert_eq!((&none["path"], &none["nearest_path"]), (&json!("live/alcie"), &json!("live/alice")));
    let text = json!(rows).to_string();
    assert!(!text.contains(&key.secret) && !text.contains("sk_aaa"), "{text}");
    // The list has pages like every other.
    let page = app.as_operator().get("/auth-failures?limit=3").await.assert_status(200).json();
    assert_eq!((&page["count"], page["next_cursor"].is_string()), (&json!(3), true));
    let next = format!("/auth-failures?limit=3&cursor={}", page["next_cursor"].as_str().unwrap());
    assert_eq!(app.as_operator().get(&next).await.json()["count"], 1);
    app.as_viewer().get("/auth-failures").await.assert_status(403);
}

#[tokio::test]
async fn audit_entry_of_a_wrong_path_names_both_paths_and_the_one_that_is_meant() {
    let app = TestApp::memory().await;
    let key = app.key("live/alice").await;
    let query = format!("key={}", key.secret);
    app.auth(json!({"action": "publish", "path": "live/alcie", "id": "a", "query": query}))
        .await
        .assert_status(401);
    failures(&app, 1).await;
    let entries = app.until(
        || app.as_admin().get("/audit-logs?action=publish"),
        |answer| answer.json()["audit_logs"].as_array().filter(|entries| !entries.is_empty()).cloned(),
    );
    let metadata = entries.await[0]["metadata"].clone();
    assert_eq!(
        (&metadata["path"], &metadata["requested_path"]),
        (&json!("live/alice"), &json!("live/alcie"))
    );
    let detail = "the key is for live/alice, and live/alcie was requested: live/alice is probably meant";
    assert_eq!(metadata["detail"], detail);
}

#[tokio::test]
async fn request_of_rtsp_without_credentials_is_refused_and_is_no_failed_attempt() {
    let recorder = recorder();
    let _counting = metrics::set_default_local_recorder(&recorder);
    let app = TestApp::memory().await;
    let key = app.key("live/alice").await;
    let request = |password: &str| {
        json!({"action": "publish", "path": "live/alice", "protocol": "rtsp", "id": "a", "ip": "192.0.2.7",
               "user": "", "password": password, "token": password, "query": ""})
    };
    for _ in 0..5 {
        app.auth(request("")).await.assert_status(401).assert_problem("denied");
        app.auth(request(&key.secret)).await.assert_status(200);
    }
    // `doctor`, and a look at an API without credentials, which is asked for them.
    app.auth(json!({"action": "doctor"})).await.assert_status(401).assert_problem("denied");
    app.auth(json!({"action": "api"})).await.assert_status(401);
    app.auth(json!({"action": "api", "password": "wrong"})).await.assert_status(401);
    let metrics = recorder.handle().render();
    let decisions = |labels: &str| {
        metrics
            .lines()
            .any(|line| line.starts_with("streamward_auth_decisions_total") && line.contains(labels))
    };
    assert!(decisions(r#"outcome="challenge",reason="no_credentials""#), "{metrics}");
    assert!(!decisions(r#"action="publish",protocol="rtsp",outcome="deny""#), "{metrics}");
    let rows = failures(&app, 1).await;
    let causes: Vec<&Value> = rows.iter().map(|row| &row["cause"]).collect();
    assert_eq!(causes, ["wrong_control_secret"]);
    let entries = app.until(
        || app.as_admin().get("/audit-logs?action=publish"),
        |answer| answer.json()["audit_logs"].as_array().filter(|entries| !entries.is_empty()).cloned(),
    );
    assert!(entries.await.iter().all(|entry| entry["outcome"] == "success"));
}

#[apply(every_engine)]
#[tokio::test]
async fn encoders_that_take_a_key_from_each_other_are_stopped_after_two_takeovers(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let key = app.key_with(json!({"path": "live/alice", "on_conflict": "takeover"})).await;
    let query = format!("key={}", key.secret);
    let publish = |id: &str, ip: &str| {
        let request = json!({"action": "publish", "path": "live/alice", "protocol": "rtmp", "id": id, "ip": ip, "query": query});
        app.auth(request)
    };
    let (one, other) = ("192.0.2.1", "192.0.2.2");
    for (id, ip, status) in
        [("a", one, 200), ("b", other, 200), ("c", one, 200), ("d", other, 401), ("e", other, 401)]
    {
        publish(id, ip).await.assert_status(status);
    }
    let row = failures(&app, 2).await.remove(0);
    assert_eq!((&row["cause"], &row["count"]), (&json!("too_many_takeovers"), &json!(2)));
    let detail = row["detail"].as_str().unwrap();
    assert!(detail.contains(one) && detail.contains(other), "{detail}");
    let audit = format!("/audit-logs?action=publish&resource_id={}", key.id);
    let entries = app.until(
        || app.as_admin().get(&audit),
        |answer| {
            let entries = answer.json()["audit_logs"].as_array().cloned()?;
            entries.into_iter().find(|entry| entry["outcome"] == "failure")
        },
    );
    assert_eq!(entries.await["metadata"]["detail"], detail);
}
