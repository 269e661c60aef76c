//! `streamward doctor` finds every fault and prints advice.

use std::time::Duration;

use axum::Json;
use axum::http::HeaderMap;
use axum::http::header::DATE;
use chrono::DateTime;
use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, SqliteConnection};
use streamward::adapters::system::SystemClock;
use streamward::ports::Clock as _;
use streamward_test_support::oidc::OidcStub;

use super::srs::World;
use super::{HOOK_SECRET, Home, SOON, client, eventually};
use crate::control_api::{ControlApi, Received, Reply};

/// Its findings and exit code.
struct Findings {
    all: Vec<Value>,
    code: Option<i32>,
}

impl Findings {
    fn of(home: &Home) -> Self {
        let ended = home.run(&["doctor", "--json"]);
        let found: Value =
            serde_json::from_str(&ended.out).unwrap_or_else(|e| panic!("{e}: {} {}", ended.out, ended.err));
        Self { all: found["findings"].as_array().expect("findings").clone(), code: ended.code }
    }

    /// The severity of the finding about `check` whose text contains `words`. Every fault comes with advice.
    fn severity(&self, check: &str, words: &str) -> &str {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let found = self.all.iter().find(|f| f["check"] == check && text(&f["found"]).contains(words));
        let found =
            found.unwrap_or_else(|| panic!("no finding about {check:?} with {words:?} in {:#?}", self.all));
        let severity = found["severity"].as_str().expect("a severity");
        assert_eq!(severity == "good", text(&found["advice"]).is_empty(), "{found}");
        severity
    }

    fn failed(&self) -> bool {
        self.code == Some(7)
    }
}

/// A media server configured for `home`, except for what `change` returns.
async fn media_server(
    home: &Home,
    change: impl Fn(&Received) -> Option<Value> + Send + Sync + 'static,
) -> ControlApi {
    let auth = home.url("/auth?server=default").replace("http://", "http://streamward:secret@");
    ControlApi::start(move |received| {
        let usual = || match received.line.split(['?', ' ']).nth(1).unwrap_or_default() {
            "/v3/info" => json!({"version": "v1.20.1", "started": "2026-01-01T00:00:00Z"}),
            "/v3/config/global/get" => json!({
                "authMethod": "http", "authHTTPAddress": auth, "rtsp": true, "rtspAddress": ":8554"
            }),
            "/v3/config/pathdefaults/get" => json!({"runOnAvailable": "x", "runOnUnavailable": "y"}),
            _ => json!({"itemCount": 0, "pageCount": 0, "items": []}),
        };
        Reply::ok(change(received).unwrap_or_else(usual))
    })
    .await
}

fn beside(home: Home, media_server: &ControlApi) -> Home {
    home.with("MEDIA_SERVERS__DEFAULT__API_URL", &media_server.url())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn correct_setup_has_no_failure() {
    let home = Home::new();
    let media_server = media_server(&home, |_| None).await;
    let home = beside(home, &media_server);
    let _service = home.serve().await;
    let found = Findings::of(&home);
    for check in [
        "database",
        "database file",
        "schema",
        "master key",
        "service",
        "hook secret",
        "media server default",
    ] {
        assert_eq!(found.severity(check, ""), "good", "{check}");
    }
    for check in ["clock of the database", "clock of the service", "clock of default"] {
        assert_eq!(found.severity(check, "agrees"), "good", "{check}");
    }
    assert_eq!(found.severity("auth of default", "its authHTTPAddress is"), "good");
    assert!(!found.failed());
    assert!(home.ok(&["doctor"]).contains("ok    service"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traps_of_srs_are_found() {
    let mut world = World::start().await;
    let found = Findings::of(&world.home);
    for (check, words, severity) in [
        ("media server default", "SRS 5.0.213 answers at", "good"),
        ("HTTP API of default", "needs its password", "good"),
        ("callbacks of default", "are answered at", "good"),
        ("auth of default", "it has never sent an auth request", "warning"),
    ] {
        assert_eq!(found.severity(check, words), severity, "{check}");
    }
    // Somebody started it with another configuration, and Streamward is gone.
    world.stop();
    world.srs.forget_configuration();
    let encoder = world.srs.publish("live", "anybody", "").await.expect("anybody gets in");
    world.srs.send(&encoder, 1_000);
    world.srs.publish("live", "silent", "").await.expect("anybody gets in");
    let found = Findings::of(&world.home);
    for (check, words, severity) in [
        ("HTTP API of default", "answers without a password", "warning"),
        ("callbacks of default", "SRS refuses everybody", "failure"),
        ("auth of default", "anyone may publish", "failure"),
        ("publishers of default", "1 of them send nothing", "warning"),
    ] {
        assert_eq!(found.severity(check, words), severity, "{check}");
    }
    world.srs.set_hanging(true);
    assert_eq!(Findings::of(&world.home).severity("media server default", "http://"), "failure");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_channels_are_reported_with_the_words_of_the_platform() {
    let nowhere = format!("rtmp://{}", super::nowhere());
    let home = Home::new().with("MEDIA_SERVERS__DEFAULT__RTMP_URL", &nowhere);
    let service = home.serve().await;
    for check in ["ffmpeg", "ffprobe"] {
        assert_eq!(Findings::of(&home).severity(check, "version"), "good", "{check}");
    }
    assert_eq!(Findings::of(&home).severity("media folder", ""), "good");
    let made = home.json(&["channel", "create", "Temple"]);
    eventually("the channel runs", SOON, async || {
        Ok((home.json(&["channel", "show", "Temple"])["status"]["running"] == true).then_some(()))
    })
    .await
    .expect("it does");
    let found = Findings::of(&home);
    assert_eq!(found.severity("channel Temple", "its keys are usable; slate is on air"), "good");
    assert_eq!(found.severity("media of channels", "(tcp)"), "failure");

    let file = home.dir.path().join("streamward.db");
    let mut conn = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.expect("opened");
    let key = made["live_key"]["id"].as_str().expect("an id").replace('-', "");
    let revoke = format!("UPDATE stream_keys SET revoked_at = 1 WHERE id = x'{key}'");
    conn.execute(sqlx::AssertSqlSafe(revoke)).await.expect("written");
    conn.execute("UPDATE channels SET programme_key = 'x'").await.expect("written");
    conn.close().await.expect("closed");
    std::fs::remove_dir_all(home.dir.path().join("media")).ok();
    std::fs::write(home.dir.path().join("media"), "a file").expect("written");
    let found = Findings::of(&home);
    assert_eq!(found.severity("channel Temple", "its live key was revoked"), "failure");
    assert_eq!(found.severity("channel Temple", "the key that publishes its programme"), "failure");
    assert_eq!(found.severity("media folder", "cannot be written"), "failure");

    // From the next start on it cannot run, and `/health` says so.
    drop(service);
    let _service = home.serve().await;
    eventually("the task of the channel is failing", SOON, async || {
        let health: Value = client().get(home.url("/health")).send().await?.json().await?;
        let mut workers = health["workers"].as_array().into_iter().flatten();
        let is_failing = |one: &Value| {
            one["failing"] == true && one["name"].as_str().is_some_and(|name| name.starts_with("channel:"))
        };
        Ok(workers.any(is_failing).then_some(()))
    })
    .await
    .expect("it is");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn provider_that_people_sign_in_with_must_publish_its_endpoints() {
    let provider = OidcStub::start(0).await;
    let home = Home::new()
        .with("HTTP__PUBLIC_URL", "https://tv.example.org")
        .with("USERS__OIDC__COMPANY__ISSUER", provider.issuer())
        .with("USERS__OIDC__COMPANY__CLIENT_ID", "streamward")
        .with("USERS__OIDC__COMPANY__CLIENT_SECRET", "hunter2hunter2")
        .with("USERS__OIDC__COMPANY__ROLES__TEAM", "operator")
        .prepared();
    let check = "sign-in provider company";
    assert_eq!(Findings::of(&home).severity(check, "publishes its endpoints"), "good");
    provider.set(|world| world.is_another = true);
    assert_eq!(Findings::of(&home).severity(check, "another issuer"), "failure");
    provider.set(|world| world.is_down = true);
    let found = Findings::of(&home);
    assert_eq!(found.severity(check, "answered 500"), "failure");
    assert!(!format!("{:?}", found.all).contains("hunter2"));
    assert!(provider.set(|world| world.calls.iter().all(|call| call != "/token")));
}

#[test]
fn unreachable_database_is_a_failure() {
    let url = format!("postgres://u:hunter2@{}/d", super::nowhere());
    let home = Home::new().with("DATABASE__URL", &url);
    let found = Findings::of(&home);
    assert_eq!(found.severity("database", "unavailable"), "failure");
    assert!(found.failed());
    assert!(!home.run(&["doctor"]).out.contains("hunter2"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrations_behind_or_ahead_are_reported() {
    let home = Home::new().prepared();
    let file = home.dir.path().join("streamward.db");
    let mut conn = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.expect("opened");
    conn.execute("UPDATE _sqlx_migrations SET success = FALSE WHERE version = 2").await.expect("written");
    let found = Findings::of(&home);
    assert_eq!(found.severity("schema", "migrations are behind: 0002"), "failure");
    assert!(found.failed());
    conn.execute("UPDATE _sqlx_migrations SET success = TRUE").await.expect("written");
    super::add_migration_from_the_future(&mut conn).await;
    conn.close().await.expect("closed");
    assert_eq!(Findings::of(&home).severity("schema", "newer than this program"), "warning");
    let line = home.refused(&["serve"]);
    assert!(line.contains("a newer Streamward has changed its schema"), "{line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unreachable_media_server_is_a_failure() {
    let home = Home::new();
    let _service = home.serve().await;
    let found = Findings::of(&home);
    assert_eq!(found.severity("media server default", "cannot be reached"), "failure");
    assert!(found.failed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_auth_callback_is_a_failure() {
    let other = |method: &'static str, address: &'static str| {
        move |received: &Received| {
            let settings = json!({"authMethod": method, "authHTTPAddress": address, "rtsp": true, "rtspAddress": ":8554"});
            received.line.contains("/v3/config/global/get").then_some(settings)
        }
    };
    for (method, address, words) in [
        ("internal", "", "authMethod is `internal`"),
        ("http", "", "authHTTPAddress is empty"),
        ("http", "http://u:p@192.0.2.1:8080/auth", "its authHTTPAddress is http://192.0.2.1:8080/auth"),
    ] {
        let home = Home::new();
        let media_server = media_server(&home, other(method, address)).await;
        let home = beside(home, &media_server).prepared();
        let found = Findings::of(&home);
        assert_eq!(found.severity("auth of default", words), "failure");
        assert!(found.failed());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_hook_secret_is_a_failure() {
    let home = Home::new().with("HOOKS__SECRET", HOOK_SECRET);
    let _service = home.serve().await;
    assert_eq!(Findings::of(&home).severity("hook secret", ""), "good");
    let home = home.with("HOOKS__SECRET", "another-secret-than-that");
    let found = Findings::of(&home);
    assert_eq!(found.severity("hook secret", "does not accept it"), "failure");
    assert!(found.failed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_hooks_are_reported() {
    let home = Home::new().with("HOOKS__SECRET", HOOK_SECRET);
    let media_server = media_server(&home, |received| {
        let path = json!({
            "name": "live/alice", "confName": "all_others", "ready": true, "available": true, "online": true,
            "source": {"type": "rtmpConn", "id": "00000000-0000-4000-8000-000000000001"},
            "tracks": ["H264"], "readers": [], "inboundBytes": 1
        });
        let list = json!({"itemCount": 1, "pageCount": 1, "items": [path]});
        received.line.contains("/v3/paths/list").then_some(list)
    })
    .await;
    let home = beside(home, &media_server);
    let _service = home.serve().await;
    let key = home.key();
    assert_eq!(home.may_publish(&key, 1).await, 200);
    eventually("the stream is seen", SOON, async || {
        Ok(Some(()).filter(|()| home.json(&["stream", "list"])["count"] == 1))
    })
    .await
    .expect("live");
    let silent = eventually("the missing hooks are reported", SOON, async || {
        let found = Findings::of(&home);
        let is_reported =
            found.all.iter().any(|f| f["check"] == "hooks of default" && f["severity"] == "warning");
        Ok(is_reported.then_some(found))
    });
    let (found, took) = silent.await.expect("reported");
    assert_eq!(found.severity("hooks of default", "none arrived"), "warning");
    assert!(took > Duration::from_secs(5), "too early, the hook may still arrive: {took:?}");
    // A day later that says nothing about the setup.
    let file = home.dir.path().join("streamward.db");
    let mut conn = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.expect("opened");
    for (by, words) in [("- 86400000000", "no stream has started lately"), ("+ 86400000000", "none arrived")]
    {
        let shift = format!("UPDATE streams SET started_at = started_at {by}");
        conn.execute(sqlx::AssertSqlSafe(shift)).await.expect("written");
        Findings::of(&home).severity("hooks of default", words);
    }
    conn.close().await.expect("closed");
    // Then one arrives.
    home.command(&["hook", "ready"]).env("MTX_PATH", "live/alice").status().expect("it runs");
    eventually("hooks are reported to arrive", SOON, async || {
        let found = Findings::of(&home);
        Ok(found
            .all
            .iter()
            .any(|f| f["check"] == "hooks of default" && f["severity"] == "good")
            .then_some(()))
    })
    .await
    .expect("reported");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_that_disagree_are_reported() {
    for (apart, severity) in [(-10, "warning"), (3_600, "failure")] {
        let home = Home::new().prepared();
        let date = DateTime::from_timestamp_micros(SystemClock.now().micros() + apart * 1_000_000);
        let date = date.expect("a time").format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let health = move || {
            let mut headers = HeaderMap::new();
            headers.insert(DATE, date.parse().expect("a date"));
            async move { (headers, Json(json!({"status": "ok", "database": "ok"}))) }
        };
        let router = axum::Router::new().route("/health", axum::routing::get(health));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", home.port)).await.expect("it is free");
        let mut task = tokio::task::JoinSet::new();
        task.spawn(async move { axum::serve(listener, router).await });
        let found = Findings::of(&home);
        assert_eq!(found.severity("clock of the service", ""), severity, "{apart} s");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn port_in_use_is_reported() {
    let home = Home::new().prepared();
    let router = axum::Router::new().fallback(|| async { "a web page" });
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", home.port)).await.expect("it is free");
    let mut task = tokio::task::JoinSet::new();
    task.spawn(async move { axum::serve(listener, router).await });
    let found = Findings::of(&home);
    assert_eq!(found.severity("service", "is taken by another program"), "failure");
    assert!(found.failed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn running_service_checks_itself_and_shows_its_configuration_without_secrets() {
    let home = Home::new().with("HOOKS__SECRET", HOOK_SECRET);
    let media_server = media_server(&home, |_| None).await;
    let home = beside(home, &media_server);
    let mut service = home.serve().await;
    let token = home.admin_token();
    let read = async |path: &str| -> Value {
        let answer = client().get(home.url(path)).bearer_auth(&token).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        answer.json().await.expect("JSON")
    };
    let found = read("/doctor").await;
    let status = |id: &str| {
        let checks = found["checks"].as_array().expect("checks");
        let check = checks.iter().find(|check| check["id"] == id);
        check.unwrap_or_else(|| panic!("no {id} in {found}"))["status"].clone()
    };
    for id in ["database", "schema", "service", "hook-secret", "media-server-default"] {
        assert_eq!(status(id), "ok", "{found}");
    }
    let shown = read("/configuration").await;
    assert_eq!(shown["values"]["hooks"]["secret"], "***", "{shown}");
    assert!(!shown.to_string().contains(HOOK_SECRET), "{shown}");
    assert!(
        shown["sources"]["hooks.secret"].as_str().is_some_and(|place| place.contains("STREAMWARD_")),
        "{shown}"
    );
    let told = home.json(&["stream", "explain", "live/alice"]);
    assert_eq!((&told["on_air"], &told["path"]), (&json!(false), &json!("live/alice")));
    assert!(service.terminate(SOON).await.expect("it stops").success());
}
