//! The audit log of the running service.

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Home, SOON, client};

/// How often the service writes what it has counted.
const WRITE_INTERVAL: u64 = 5;

#[tokio::test]
async fn storm_of_refused_writes_is_counted_in_few_entries_and_none_is_lost_at_the_stop() {
    let home = Home::new();
    let mut service = home.serve().await;
    let admin = home.admin_token();
    let token = home.json(&["token", "create", "viewer", "--role", "viewer"]);
    let viewer = token["token"].as_str().expect("a token");
    let (client, started) = (client(), Instant::now());
    for n in 0..200 {
        // Half are refused by their role, half before that.
        let body = if n % 2 == 0 { json!({"display_name": "x"}) } else { json!("nonsense") };
        let call = client.post(home.url("/broadcasters")).bearer_auth(viewer).json(&body);
        assert_eq!(call.send().await.expect("an answer").status(), 403);
    }
    // The first of each ten seconds one by one, the others twice in each interval: there are two kinds.
    let seconds = started.elapsed().as_secs();
    let most = 20 * (seconds / 10 + 2) + 2 * (seconds / WRITE_INTERVAL + 2);
    assert!(service.terminate(SOON).await.expect("it stops").success());
    let _service = home.serve().await;
    let log = client.get(home.url("/audit-logs?actor=token:viewer&limit=100")).bearer_auth(admin);
    let log: Value = log.send().await.expect("an answer").json().await.expect("JSON");
    let entries = log["audit_logs"].as_array().expect("a list");
    let count = |entry: &Value| entry["metadata"]["count"].as_u64().unwrap_or(1);
    assert_eq!(entries.iter().map(count).sum::<u64>(), 200, "{log}");
    assert!(entries.len() as u64 <= most, "{} entries in {:?}", entries.len(), started.elapsed());
    for entry in entries {
        assert_eq!((&entry["outcome"], &entry["action"]), (&json!("failure"), &json!("create")), "{entry}");
        assert!(entry["failure_reason"].as_str().is_some_and(|why| why.contains("role admin")), "{entry}");
    }
}

#[tokio::test]
async fn refused_write_is_in_the_audit_log_at_once() {
    let home = Home::new();
    let _service = home.serve().await;
    let admin = home.admin_token();
    let entries = async |query: &str| -> anyhow::Result<Vec<Value>> {
        let log = client().get(home.url(&format!("/audit-logs?{query}"))).bearer_auth(&admin).send().await?;
        Ok(log.json::<Value>().await?["audit_logs"].as_array().cloned().unwrap_or_default())
    };
    let missing = "01890000-0000-7000-8000-000000000000";
    home.refused(&["key", "revoke", missing]);
    let of_command = entries("actor=cli&action=delete").await.expect("a list");
    assert_eq!(of_command.len(), 1, "{of_command:?}");
    let call = client().delete(home.url(&format!("/stream-keys/{missing}"))).bearer_auth(&admin);
    assert_eq!(call.send().await.expect("an answer").status(), 404);
    let of_it = entries(&format!("resource_id={missing}")).await.expect("a list");
    let entry = of_it.iter().find(|entry| entry["request_method"] == "DELETE").expect("an entry");
    assert_eq!(entry["outcome"], "failure", "{entry}");
}
