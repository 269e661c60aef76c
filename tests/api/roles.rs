//! Which role may do what, for every route and every kind of caller.

use axum::http::Method;
use serde_json::{Value, json};
use streamward::domain::access::Role;

use crate::harness::{Caller, HOOK_SECRET, TestApp};

/// The status for no credentials, a viewer, an operator and an admin.
type Statuses = [u16; 4];

const VIEWER: Statuses = [401, 200, 200, 200];
const NOT_FOUND: Statuses = [401, 404, 404, 404];
const OPERATOR: Statuses = [401, 403, 200, 200];
const ADMIN: Statuses = [401, 403, 403, 200];
const ADMIN_CREATES: Statuses = [401, 403, 403, 201];
const ADMIN_REMOVES: Statuses = [401, 403, 403, 204];
const ANYONE: Statuses = [200; 4];

fn accounts(app: &TestApp) -> [(&'static str, Caller); 4] {
    [
        ("nobody", app.as_nobody()),
        ("viewer", app.as_role(Role::Viewer)),
        ("operator", app.as_role(Role::Operator)),
        ("admin", app.as_role(Role::Admin)),
    ]
}

async fn check(app: &TestApp, method: &str, path: &str, body: Option<Value>, expected: Statuses) {
    for ((who, caller), status) in accounts(app).into_iter().zip(expected) {
        let mut call = caller.call(method.parse::<Method>().expect("a method"), path).shown_once();
        if let Some(body) = &body {
            call = call.json(body.clone());
        }
        let answer = call.await;
        assert_eq!(answer.status.as_u16(), status, "{who}: {answer:?}");
    }
}

#[tokio::test]
async fn reading_requires_the_viewer_role() {
    let app = TestApp::memory().await;
    let key = app.key("live/alice").await;
    let stream = app.live(&key, "s1").await;
    let draft = json!({"username": "xqc"});
    let streamer = app.as_admin().post("/streamers").json(draft).await.header("location");
    let (channel, destination) = crate::channels::with_destination(&app).await;
    let user =
        app.as_admin().post("/users").json(json!({"email": "ada@example.org"})).await.header("location");
    for (path, expected) in [
        ("/streamers", VIEWER),
        (&streamer, VIEWER),
        (&format!("{streamer}/events"), VIEWER),
        (&format!("/streamers/{}", key.id), NOT_FOUND),
        ("/streams", VIEWER),
        (&format!("/streams/{}", stream["id"].as_str().expect("an id")), VIEWER),
        (&format!("/streams/{}", key.id), NOT_FOUND),
        ("/stream-keys", VIEWER),
        (&format!("/stream-keys/{}", key.id), VIEWER),
        ("/broadcasters", VIEWER),
        (&format!("/broadcasters/{}", key.broadcaster), VIEWER),
        ("/media-servers", VIEWER),
        ("/channels", VIEWER),
        (&channel, VIEWER),
        (&format!("{channel}/status"), VIEWER),
        (&format!("{channel}/decisions"), VIEWER),
        (&format!("{channel}/destinations"), VIEWER),
        (&destination, VIEWER),
        (&format!("{channel}/rehearsals/{}", key.id), NOT_FOUND),
        ("/tasks", OPERATOR),
        ("/audit-logs", ADMIN),
        ("/api-tokens", ADMIN),
        ("/users", ADMIN),
        (&user, [401, 404, 404, 200]),
        (&format!("{user}/sessions"), [401, 404, 404, 200]),
        ("/session", VIEWER),
        ("/link", ANYONE),
        ("/health", ANYONE),
        ("/livez", ANYONE),
        ("/readyz", ANYONE),
        ("/openapi.json", ANYONE),
        ("/docs", ANYONE),
        ("/problems/validation", ANYONE),
    ] {
        check(&app, "GET", path, None, expected).await;
    }
    for (who, caller) in accounts(&app) {
        for path in ["/streams/events", "/streamers/events", "/channels/events"] {
            let opened = caller.get(path).open().await;
            assert_eq!(opened.status().as_u16(), if who == "nobody" { 401 } else { 200 }, "{who}: {path}");
        }
    }
}

#[tokio::test]
async fn writing_requires_its_role() {
    let app = TestApp::memory().await;
    let key = app.key("live/alice").await;
    let of = |path: &str, id: &str| format!("{path}/{id}");
    let broadcaster = Some(json!({"display_name": "Bob"}));
    let (name, token) = (json!({"display_name": "Carol"}), json!({"name": "x", "role": "viewer"}));
    let draft = Some(json!({"broadcaster_id": key.broadcaster}));
    check(&app, "POST", "/broadcasters", broadcaster, ADMIN_CREATES).await;
    check(&app, "PATCH", &of("/broadcasters", &key.broadcaster), Some(name), ADMIN).await;
    check(&app, "POST", "/stream-keys", draft, ADMIN_CREATES).await;
    check(&app, "POST", &format!("/stream-keys/{}/rotate", key.id), None, ADMIN).await;
    check(&app, "POST", "/api-tokens", Some(token), ADMIN_CREATES).await;
    check(&app, "POST", "/audit-events", Some(json!({"event_type": "login"})), ADMIN_CREATES).await;

    check(&app, "POST", "/streamers", Some(json!({"username": "xqc"})), ADMIN_CREATES).await;
    let streamer = app.as_viewer().get("/streamers").await.text("/streamers/0/id");
    let name = json!({"display_name": "xQc"});
    check(&app, "PATCH", &of("/streamers", &streamer), Some(name), ADMIN).await;
    check(&app, "DELETE", &of("/streamers", &streamer), None, ADMIN_REMOVES).await;

    check(&app, "POST", "/channels", Some(json!({"name": "Classroom"})), ADMIN_CREATES).await;
    let (channel, destination) = crate::channels::with_destination(&app).await;
    let draft = json!({"name": "x", "platform": "twitch", "key": "k"});
    check(&app, "PATCH", &channel, Some(json!({"enabled": false})), ADMIN).await;
    check(&app, "POST", &format!("{channel}/mode"), Some(json!({"mode": "slate", "reason": "x"})), OPERATOR)
        .await;
    let seconds = Some(json!({"cut_live_for_seconds": 1}));
    check(&app, "POST", &format!("{channel}/rehearsals"), seconds, [401, 403, 409, 409]).await;
    check(&app, "POST", &format!("{channel}/destinations"), Some(draft), ADMIN_CREATES).await;
    check(&app, "PATCH", &destination, Some(json!({"enabled": false})), ADMIN).await;
    check(&app, "POST", &format!("{destination}/test"), None, [401, 403, 501, 501]).await;
    check(&app, "DELETE", &destination, None, ADMIN_REMOVES).await;
    check(&app, "DELETE", &channel, None, ADMIN_REMOVES).await;

    check(&app, "POST", "/users", Some(json!({"email": "x"})), [401, 403, 403, 400]).await;
    let made = app.as_admin().post("/users").json(json!({"email": "ada@example.org"})).await;
    let user = made.header("location");
    check(&app, "PATCH", &user, Some(json!({"display_name": "Ada"})), ADMIN).await;
    let password = json!({"password": "correct horse battery"});
    check(&app, "POST", &format!("{user}/password"), Some(password), [401, 404, 404, 204]).await;
    check(&app, "POST", &format!("{user}/link"), None, ADMIN_CREATES).await;
    check(&app, "POST", &format!("{user}/second-factor"), Some(json!({})), [401, 404, 404, 404]).await;
    let (confirm, remove) = (format!("{user}/second-factor/confirm"), format!("{user}/second-factor/remove"));
    check(&app, "POST", &confirm, Some(json!({"code": "1"})), [401, 404, 404, 404]).await;
    check(&app, "POST", &remove, Some(json!({})), [401, 404, 404, 409]).await;
    check(&app, "DELETE", &format!("{user}/sessions/{}", key.id), None, [401, 404, 404, 404]).await;
    check(&app, "DELETE", &format!("{user}/sessions"), None, [401, 404, 404, 204]).await;
    check(&app, "DELETE", "/session", None, [204; 4]).await;
    check(&app, "DELETE", &user, None, ADMIN_REMOVES).await;

    let stream = app.live(&app.key("live/dave").await, "s1").await;
    let stream = of("/streams", stream["id"].as_str().expect("an id"));
    check(&app, "DELETE", &stream, None, [401, 403, 204, 204]).await;
    check(&app, "DELETE", &of("/stream-keys", &key.id), None, ADMIN_REMOVES).await;
    check(&app, "DELETE", &of("/broadcasters", &key.broadcaster), None, ADMIN_REMOVES).await;
    let tokens = app.as_admin().get("/api-tokens").await;
    let spare = tokens.json()["api_tokens"][0]["id"].as_str().expect("an id").to_owned();
    check(&app, "DELETE", &of("/api-tokens", &spare), None, ADMIN_REMOVES).await;
}

#[tokio::test]
async fn role_is_checked_before_the_input() {
    let app = TestApp::memory().await;
    for (method, path) in [
        (Method::POST, "/broadcasters"),
        (Method::PATCH, "/broadcasters/nonsense"),
        (Method::POST, "/stream-keys?nonsense=1"),
        (Method::DELETE, "/stream-keys/nonsense"),
        (Method::POST, "/streamers"),
        (Method::PATCH, "/streamers/nonsense"),
        (Method::GET, "/audit-logs?limit=nonsense"),
    ] {
        app.as_viewer().call(method, path).body("nonsense").await.assert_status(403);
    }
}

#[tokio::test]
async fn media_servers_authenticate_with_the_hook_secret_only() {
    let app = TestApp::memory().await;
    let (token, hook) = (app.token(Role::Admin).to_owned(), json!({"path": "live/x"}));
    for name in ["ready", "not-ready", "available", "online", "unavailable", "offline"] {
        let path = format!("/webhook/{name}");
        let with = |query: &str| app.as_nobody().post(&format!("{path}{query}")).json(hook.clone());
        with("").await.assert_status(401).assert_problem("unauthenticated");
        with(&format!("?secret={token}")).await.assert_status(401);
        with(&format!("?secret={HOOK_SECRET}&server=nobody")).await.assert_status(401);
        with(&format!("?secret={HOOK_SECRET}")).await.assert_status(204);
        with(&format!("?secret={HOOK_SECRET}&server=eu")).await.assert_status(204);
        app.as_admin().post(&path).json(hook.clone()).await.assert_status(401);
    }
    for name in ["on_publish", "on_unpublish", "on_play", "on_stop", "on_connect", "on_close"] {
        let path = format!("/srs/{name}");
        let with = |query: &str| app.as_nobody().post(&format!("{path}{query}")).json(json!({}));
        with("").await.assert_status(401).assert_problem("unauthenticated");
        with(&format!("?secret={token}")).await.assert_status(401);
        with(&format!("?secret={HOOK_SECRET}&server=nobody")).await.assert_status(401);
        let answer = with(&format!("?secret={HOOK_SECRET}&server=eu")).await.assert_status(200);
        // Only a publisher without a key is refused.
        assert_eq!(answer.json()["code"] == 0, name != "on_publish", "{answer:?}");
        app.as_admin().post(&path).json(json!({})).await.assert_status(401);
    }
    app.as_admin().post("/auth").json(json!({"action": "read"})).await.assert_status(401);
    app.auth(json!({"action": "read", "path": "live/x"})).await.assert_status(200);
}
