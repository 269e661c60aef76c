//! The audit log: every write leaves an entry, allowed or refused.

use axum::http::Method;
use rstest_reuse::apply;
use serde_json::{Value, json};
use streamward::domain::access::Role;

use crate::harness::{Engine, Setup, Shows, TestApp, every_engine};

#[apply(every_engine)]
#[tokio::test]
async fn every_write_leaves_an_audit_entry(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let key = app.key("live/alice").await;
    app.as_admin()
        .patch(&format!("/broadcasters/{}", key.broadcaster))
        .json(json!({"display_name": "B"}))
        .await;
    app.as_admin().post(&format!("/stream-keys/{}/rotate", key.id)).shown_once().await.assert_status(200);
    app.as_admin().delete(&format!("/stream-keys/{}", key.id)).await.assert_status(204);
    app.as_admin().delete(&format!("/broadcasters/{}", key.broadcaster)).await.assert_status(204);
    let written: Vec<String> = app
        .audit("")
        .await
        .iter()
        .map(|e| format!("{} {} {}", e["action"], e["resource_type"], e["outcome"]).replace('"', ""))
        .collect();
    assert_eq!(
        written,
        [
            "delete broadcaster success",
            "delete stream_key success",
            "rotate stream_key success",
            "update broadcaster success",
            "create stream_key success",
            "create broadcaster success",
            "create api_token success",
            "create api_token success",
        ]
    );
}

#[apply(every_engine)]
#[tokio::test]
async fn audit_entry_names_actor_action_resource_and_address(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let call = app.as_admin().post("/broadcasters").json(json!({"display_name": "A"}));
    let made = call.header("x-request-id", "req-1").await.assert_status(201);
    let entry = app.audit("resource_type=broadcaster").await.remove(0);
    let at = entry["timestamp"].clone();
    let expected = json!({
        "id": entry["id"], "timestamp": at, "organization_id": made.text("/organization_id"),
        "actor": "admin_token", "action": "create",
        "resource_type": "broadcaster", "resource_id": made.text("/id"), "request_method": "POST",
        "request_path": "/broadcasters", "ip_address": "192.0.2.1", "outcome": "success",
        "failure_reason": null, "metadata": {}, "request_id": "req-1", "told": false,
    });
    assert_eq!(entry, expected);
}

#[apply(every_engine)]
#[tokio::test]
async fn refused_write_leaves_an_audit_entry(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let (broadcaster, missing) = (app.broadcaster("A").await, "01890000-0000-7000-8000-000000000000");
    let admin = app.as_admin();
    for (caller, method, path, body, action, word) in [
        (app.as_viewer(), Method::POST, "/broadcasters".to_owned(), "{}", "create", "role admin"),
        (app.as_viewer(), Method::DELETE, format!("/broadcasters/{broadcaster}"), "", "delete", "role admin"),
        (app.as_viewer(), Method::DELETE, format!("/streams/{missing}"), "", "delete", "role operator"),
        (
            admin.clone(),
            Method::POST,
            "/broadcasters".into(),
            "{\"display_name\": 5}",
            "create",
            "display_name",
        ),
        (
            admin.clone(),
            Method::POST,
            "/broadcasters".into(),
            "{\"display_name\": \"\"}",
            "create",
            "display_name",
        ),
        (admin.clone(), Method::POST, "/stream-keys".into(), "nonsense", "create", "body"),
        (admin.clone(), Method::PATCH, format!("/broadcasters/{missing}"), "{}", "update", "does not exist"),
        (admin.clone(), Method::DELETE, "/stream-keys/nonsense".into(), "", "delete", "id must be a UUID"),
        (
            admin.clone(),
            Method::POST,
            format!("/stream-keys/{missing}/rotate"),
            "",
            "rotate",
            "does not exist",
        ),
    ] {
        let answer = caller.call(method.clone(), &path).body(body).await;
        assert!(answer.status.is_client_error(), "{answer:?}");
        let entry = app.audit("").await.remove(0);
        assert_eq!((&entry["outcome"], &entry["action"]), (&json!("failure"), &json!(action)), "{answer:?}");
        assert!(entry["failure_reason"].as_str().is_some_and(|reason| reason.contains(word)), "{entry}");
        assert_eq!(entry["request_method"], method.as_str());
        assert_eq!(entry["request_path"], path);
    }
    let of_it = app.audit(&format!("resource_id={broadcaster}")).await;
    assert_eq!(of_it.len(), 2);
}

#[tokio::test]
async fn unauthenticated_calls_and_reads_leave_no_audit_entry() {
    let app = TestApp::memory().await;
    let before = app.audit("").await.len();
    for _ in 0..20 {
        app.as_nobody().post("/broadcasters").json(json!({"display_name": "A"})).await.assert_status(401);
        app.showing(Shows::Bearer("swt_x".into())).delete("/streams/x").await.assert_status(401);
        app.as_viewer().get("/audit-logs").await.assert_status(403);
        app.as_viewer().get("/streams?nonsense=1").await.assert_status(400);
        app.as_admin().call(Method::PUT, "/broadcasters").await.assert_status(405);
    }
    assert_eq!(app.audit("").await.len(), before);
}

#[apply(every_engine)]
#[tokio::test]
async fn auth_decisions_are_rolled_up_in_the_audit_log(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let key = app.key("live/alice").await;
    for _ in 0..30 {
        app.request_publish(&key, "c1").await.assert_status(200);
        app.request_publish(&key, "c2").await.assert_status(401);
    }
    let count = |entries: &[Value], outcome: &str| {
        let of = entries.iter().filter(|entry| entry["outcome"] == outcome);
        of.map(|entry| entry["metadata"]["count"].as_u64().unwrap_or(0)).sum::<u64>()
    };
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    let entries = loop {
        let entries = app.audit("action=publish").await;
        if count(&entries, "success") == 30 && count(&entries, "failure") == 30 {
            break entries;
        }
        assert!(tokio::time::Instant::now() < deadline, "{entries:?}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let denied = entries.iter().find(|entry| entry["outcome"] == "failure").expect("one");
    assert_eq!((&denied["failure_reason"], &denied["resource_id"]), (&json!("key_in_use"), &json!(key.id)));
    assert_eq!(
        (&denied["actor"], &denied["ip_address"]),
        (&json!("media_server:default"), &json!("192.0.2.7"))
    );
}

#[tokio::test]
async fn length_of_a_malformed_key_is_in_the_audit_log_and_not_in_the_answer() {
    let app = TestApp::memory().await;
    let mut key = app.key("live/alice").await;
    key.secret.pop();
    let answer = app.request_publish(&key, "c1").await.assert_status(401);
    assert!(!answer.text("/detail").contains("42"), "{answer:?}");
    let call = || app.as_admin().get("/audit-logs?action=publish");
    let entry = app.until(call, |log| log.json()["audit_logs"].get(0).cloned()).await;
    assert_eq!(entry["failure_reason"], "malformed_key");
    assert_eq!(entry["metadata"]["detail"], "malformed stream key: 42 of 43 characters after sk_");
}

#[apply(every_engine)]
#[tokio::test]
async fn audit_log_is_paged_and_filtered(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    app.clock.stop();
    for name in ["A", "B", "C", "D", "E"] {
        app.broadcaster(name).await;
    }
    let page = |query: &str| app.as_admin().get(&format!("/audit-logs?resource_type=broadcaster&{query}"));
    let all = page("").await.json();
    assert_eq!(all["pagination"], json!({"limit": 50, "offset": 0, "total": 5}));
    let second = page("limit=2&offset=2").await.json();
    let cursor = &second["pagination"]["next_cursor"];
    assert_eq!(
        second["pagination"],
        json!({"limit": 2, "offset": 2, "total": 5, "next_cursor": cursor.as_str().expect("a next page")})
    );
    let slice = all["audit_logs"].as_array().and_then(|list| list.get(2..4)).expect("five");
    assert_eq!(second["audit_logs"], json!(slice));
    assert_eq!(page("offset=5").await.json()["audit_logs"], json!([]));
    let now = all["audit_logs"][0]["timestamp"].as_str().expect("a time").to_owned();
    for (query, total) in [
        (format!("from={now}"), 5),
        (format!("to={now}"), 5),
        ("from=2999-01-01T00:00:00%2B01:00".to_owned(), 0),
        ("to=2000-01-01T00:00:00Z".to_owned(), 0),
        ("actor=admin_token".to_owned(), 5),
        ("actor=nobody".to_owned(), 0),
        ("action=create".to_owned(), 5),
        ("action=delete".to_owned(), 0),
        ("resource_id=' OR 1=1 --".replace(' ', "%20"), 0),
    ] {
        assert_eq!(page(&query).await.json()["pagination"]["total"], total, "{query}");
    }
}

#[apply(every_engine)]
#[tokio::test]
async fn dashboard_reports_what_its_users_did(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let event = json!({
        "event_type": "login", "actor": "carol@example.org", "resource_type": "session", "resource_id": "s-1",
        "request_method": "POST", "request_path": "/login", "outcome": "failure", "failure_reason": "wrong password",
        "metadata": {"browser": "x"},
    });
    let entry = app.as_signer().post("/audit-events").json(event).await.assert_status(201).json();
    for (field, value) in [
        ("action", json!("login")),
        ("actor", json!("carol@example.org")),
        ("outcome", json!("failure")),
        ("failure_reason", json!("wrong password")),
        ("told", json!(true)),
        ("metadata", json!({"browser": "x", "told_by": "signed:dashboard"})),
    ] {
        assert_eq!(entry[field], value, "{field}");
    }
    assert_eq!(app.audit("action=login").await, [entry]);
    let bare = app.as_admin().post("/audit-events").json(json!({"event_type": "logout"})).await.json();
    assert_eq!((&bare["outcome"], &bare["resource_type"]), (&json!("success"), &Value::Null));
    // Dashboards want a method and a path in every entry: without any, they are those of this call.
    assert_eq!((&bare["request_method"], &bare["request_path"]), (&json!("POST"), &json!("/audit-events")));
}

#[tokio::test]
async fn address_is_the_callers_behind_a_trusted_proxy() {
    let trusted_proxies = vec!["192.0.2.0/24".parse().expect("a net")];
    let app = TestApp::with(Engine::Memory, Setup { trusted_proxies, ..Setup::default() }).await;
    let call = app.as_role(Role::Admin).post("/broadcasters").json(json!({"display_name": "A"}));
    call.header("x-forwarded-for", "10.9.9.9, 203.0.113.5").await.assert_status(201);
    assert_eq!(app.audit("resource_type=broadcaster").await[0]["ip_address"], "203.0.113.5");
}
