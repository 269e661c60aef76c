//! Validation, field by field.

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::TestApp;

const ID: &str = "01890000-0000-7000-8000-000000000000";

#[tokio::test]
async fn field_beyond_its_limit_is_refused() {
    let app = TestApp::memory().await;
    let broadcaster = app.broadcaster("Alice").await;
    let key = |field: &str, value: Value| {
        let mut draft = json!({"broadcaster_id": broadcaster});
        draft[field] = value;
        draft
    };
    let long = |n: usize| Value::from("x".repeat(n));
    let name = |value: Value| json!({"display_name": value});
    let meta = |value: Value| json!({"display_name": "A", "metadata": value});
    let token = |name: Value, role: Value| json!({"name": name, "role": role});
    let event = |field: &str, value: Value| {
        let mut event = json!({"event_type": "login"});
        event[field] = value;
        event
    };
    let mut deep = json!(1);
    for _ in 0..40 {
        deep = json!({"a": deep});
    }
    for (path, body, fields) in [
        ("/broadcasters", json!({}), &["display_name"][..]),
        ("/broadcasters", name(json!("")), &["display_name"]),
        ("/broadcasters", name(json!("  ")), &["display_name"]),
        ("/broadcasters", name(long(256)), &["display_name"]),
        ("/broadcasters", name(json!("a\u{0}b")), &["display_name"]),
        ("/broadcasters", name(json!(5)), &["display_name"]),
        ("/broadcasters", name(json!(null)), &["display_name"]),
        ("/broadcasters", json!({"display_name": "A", "displayname": "B"}), &["displayname"]),
        ("/broadcasters", meta(json!([])), &["metadata"]),
        ("/broadcasters", meta(json!("x")), &["metadata"]),
        ("/broadcasters", meta(json!({"a": "x".repeat(16 * 1024)})), &["metadata"]),
        ("/broadcasters", meta(json!({"a": "\u{0}"})), &["metadata"]),
        ("/broadcasters", meta(deep), &["metadata"]),
        ("/broadcasters", json!({"display_name": "", "metadata": 1}), &["display_name", "metadata"]),
        ("/stream-keys", json!({}), &["broadcaster_id"]),
        ("/stream-keys", json!({"broadcaster_id": "x"}), &["broadcaster_id"]),
        ("/stream-keys", json!({"broadcaster_id": 7}), &["broadcaster_id"]),
        ("/stream-keys", key("path", json!("")), &["path"]),
        ("/stream-keys", key("path", json!("/live/alice")), &["path"]),
        ("/stream-keys", key("path", json!("live//alice")), &["path"]),
        ("/stream-keys", key("path", json!("live/älice")), &["path"]),
        ("/stream-keys", key("path", json!("../etc")), &["path"]),
        ("/stream-keys", key("path", long(201)), &["path"]),
        ("/stream-keys", key("path", json!(format!("sk_{}", "a".repeat(43)))), &["path"]),
        ("/stream-keys", key("label", json!("")), &["label"]),
        ("/stream-keys", key("label", long(256)), &["label"]),
        ("/stream-keys", key("expires_at", json!("tomorrow")), &["expires_at"]),
        ("/stream-keys", key("expires_at", json!("2020-01-01T00:00:00Z")), &["expires_at"]),
        ("/stream-keys", key("expire_at", json!("2999-01-01T00:00:00Z")), &["expire_at"]),
        ("/stream-keys", key("on_conflict", json!("fight")), &["on_conflict"]),
        ("/api-tokens", json!({}), &["name", "role"]),
        ("/api-tokens", token(json!("a"), json!("root")), &["role"]),
        ("/api-tokens", token(long(101), json!("viewer")), &["name"]),
        ("/audit-events", json!({}), &["event_type"]),
        ("/audit-events", event("event_type", long(51)), &["event_type"]),
        ("/audit-events", event("outcome", json!("maybe")), &["outcome"]),
        ("/audit-events", event("metadata", json!(1)), &["metadata"]),
        ("/audit-events", event("resource_id", json!("a\nb")), &["resource_id"]),
        ("/audit-events", event("witness", json!("me")), &["witness"]),
    ] {
        app.as_admin().post(path).json(body).await.assert_refuses(fields).assert_problem("validation");
    }
}

#[tokio::test]
async fn field_at_its_limit_is_accepted() {
    let app = TestApp::memory().await;
    let admin = app.as_admin();
    let long = |n: usize| "ä".repeat(n);
    let filled = json!({"a": "x".repeat(16 * 1024 - 8)});
    let draft = json!({"display_name": long(255), "metadata": filled});
    let broadcaster = admin.post("/broadcasters").json(draft).await.assert_status(201).text("/id");
    let draft = json!({"broadcaster_id": broadcaster, "path": "p".repeat(200), "label": long(255),
                       "expires_at": "2999-01-01T00:00:00+02:00", "on_conflict": null});
    let key = admin.post("/stream-keys").json(draft).shown_once().await.assert_status(201);
    assert_eq!(key.text("/expires_at"), "2998-12-31T22:00:00Z");
    assert_eq!(key.text("/on_conflict"), "reject");
    admin.post("/audit-events").json(json!({"event_type": "e".repeat(50)})).await.assert_status(201);
}

#[tokio::test]
async fn body_must_be_one_json_object() {
    let app = TestApp::memory().await;
    for body in [
        "",
        "null",
        "[]",
        "\"x\"",
        "{",
        "{} {}",
        "{\"display_name\": \"A\"",
        "{'display_name': 'A'}",
        "\u{feff}{}",
    ] {
        app.as_admin().post("/broadcasters").body(body).await.assert_refuses(&["body"]);
    }
    let twice = r#"{"display_name": "A", "display_name": "B"}"#;
    app.as_admin().post("/broadcasters").body(twice).await.assert_refuses(&["display_name"]);
    let latin1 = b"{\"display_name\": \"\xe4\"}".as_slice();
    app.as_admin().post("/broadcasters").body(latin1).await.assert_refuses(&["body"]);
    let half = r#"{"display_name": "\ud800"}"#;
    app.as_admin().post("/broadcasters").body(half).await.assert_refuses(&["body"]);
    let nested =
        format!("{{\"display_name\": \"A\", \"metadata\": {}1{}}}", "[".repeat(500), "]".repeat(500));
    app.as_admin().post("/broadcasters").body(nested).await.assert_status(400);
}

#[tokio::test]
async fn id_in_the_path_must_be_a_uuid() {
    let app = TestApp::memory().await;
    for id in [
        "x",
        "1",
        "01890000000070008000000000000000",
        "%7B01890000-0000-7000-8000-000000000000%7D",
        "%ff",
        "%00",
    ] {
        for path in ["/streams", "/stream-keys", "/broadcasters"] {
            app.as_admin().get(&format!("{path}/{id}")).await.assert_refuses(&["id"]);
            app.as_admin().delete(&format!("{path}/{id}")).await.assert_refuses(&["id"]);
        }
        app.as_admin().post(&format!("/stream-keys/{id}/rotate")).await.assert_refuses(&["id"]);
        app.as_admin().delete(&format!("/api-tokens/{id}")).await.assert_refuses(&["id"]);
    }
    for path in ["/streams", "/stream-keys", "/broadcasters", "/api-tokens"] {
        app.as_admin().delete(&format!("{path}/{ID}")).await.assert_status(404).assert_problem("not-found");
    }
    app.as_admin().get(&format!("/streams/{}", ID.to_uppercase())).await.assert_status(404);
}

#[tokio::test]
async fn query_parameters_are_validated() {
    let app = TestApp::memory().await;
    for (path, query, field) in [
        ("/streams", "status=live", "status"),
        ("/streams", "status=", "status"),
        ("/streams", "broadcaster_id=x", "broadcaster_id"),
        ("/streams", "path=a%20b", "path"),
        ("/streams", "media_server=A", "media_server"),
        ("/streams", "limit=0", "limit"),
        ("/streams", "limit=1001", "limit"),
        ("/streams", "limit=-1", "limit"),
        ("/streams", "limit=+1", "limit"),
        ("/streams", "limit=1.0", "limit"),
        ("/streams", "limit=99999999999999999999", "limit"),
        ("/streams", "limit=", "limit"),
        ("/streams", "cursor=x", "cursor"),
        ("/streams", "page=1", "page"),
        ("/streams", "status=all&status=all", "status"),
        ("/streams", "path=%00", "path"),
        ("/streams", "path=%ff", "path"),
        ("/streams", "%ff=1", "query"),
        ("/streams/events", "last_event_id=x", "last_event_id"),
        ("/streams/events", "since=1", "since"),
        ("/stream-keys", "broadcaster_id=x", "broadcaster_id"),
        ("/stream-keys", "status=active", "status"),
        ("/broadcasters", "name=x", "name"),
        ("/api-tokens", "x=", "x"),
        ("/media-servers", "x", "x"),
        ("/audit-logs", "limit=0", "limit"),
        ("/audit-logs", "limit=101", "limit"),
        ("/audit-logs", "offset=-1", "offset"),
        ("/audit-logs", "offset=9223372036854775808", "offset"),
        ("/audit-logs", "from=yesterday", "from"),
        ("/audit-logs", "to=2020-01-01", "to"),
        ("/audit-logs", "actor=%00", "actor"),
        ("/audit-logs", "outcome=maybe", "outcome"),
    ] {
        app.as_admin().get(&format!("{path}?{query}")).await.assert_refuses(&[field]);
    }
    let unknown = format!("/broadcasters/{ID}?force=true");
    for method in [Method::GET, Method::DELETE, Method::PATCH] {
        app.as_admin().call(method, &unknown).json(json!({})).await.assert_refuses(&["force"]);
    }
    app.as_admin().get("/audit-logs?offset=9223372036854775807").await.assert_status(200);
    app.as_admin().get("/streams?limit=1000&status=all").await.assert_status(200);
}

#[tokio::test]
async fn auth_and_hooks_ignore_unknown_fields() {
    let app = TestApp::memory().await;
    let hook = format!("/webhook/ready?secret={}&more=1", crate::harness::HOOK_SECRET);
    for body in [
        json!({"path": "live/x", "source_type": null, "source_id": null, "query": null, "more": {"a": 1}}),
        json!({"path": "live/x", "source_type": 5, "source_id": [1]}),
        json!({"path": "cam.1"}),
    ] {
        app.as_nobody().post(&hook).json(body).await.assert_status(204);
    }
    app.as_nobody().post(&hook).body("path=live%2Fx&source_type=rtmpConn&more=1").await.assert_status(204);
    app.as_nobody().post(&hook).json(json!({"source_id": "1"})).await.assert_refuses(&["path"]);
    app.as_nobody().post(&hook).body("{").await.assert_refuses(&["body"]);
    for request in [
        json!({"action": "read", "path": "live/x", "id": null, "ip": "<nil>", "protocol": "carrier-pigeon", "more": [1]}),
        json!({"action": "read", "path": "cam.1", "user": null, "password": null, "token": 5}),
        json!({"action": "playback"}),
    ] {
        app.auth(request).await.assert_status(200);
    }
    for request in [json!({}), json!({"action": null}), json!({"action": "dance", "path": "live/x"})] {
        app.auth(request).await.assert_status(401).assert_problem("denied");
    }
    for body in ["", "[]", "{", "null"] {
        app.auth(json!({})).body(body).await.assert_refuses(&["body"]);
    }
}
