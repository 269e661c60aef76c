//! Health, metrics and documents.

use std::sync::Arc;

use serde_json::json;
use streamward::domain::secret::Secret;
use streamward::runtime::slices::openapi_json;

use crate::harness::{Answer, Engine, Setup, Shows, TestApp};

#[tokio::test]
async fn health_is_ok_without_a_media_server() {
    let app = TestApp::memory().await;
    let health = app.as_nobody().get("/health").await.assert_status(200).json();
    assert_eq!((&health["status"], &health["database"]), (&json!("ok"), &json!("ok")));
    assert_eq!(health["media_servers"], json!({"configured": 2, "unreachable": []}));
    app.media().set_unreachable(true);
    let unreachable = |answer: Answer| {
        let health = answer.assert_status(200).json();
        Some(health).filter(|health| health["media_servers"]["unreachable"] == json!(["default"]))
    };
    let health = app.until(|| app.as_nobody().get("/health"), unreachable).await;
    assert_eq!(health["status"], "ok");
}

#[tokio::test]
async fn stopping_instance_is_alive_but_not_ready() {
    let app = TestApp::memory().await;
    app.as_nobody().get("/readyz").await.assert_status(200);
    app.stop.cancel();
    app.as_nobody().get("/readyz").await.assert_status(503).assert_problem("unavailable");
    app.as_nobody().get("/livez").await.assert_status(200);
}

#[tokio::test]
async fn media_servers_show_their_state() {
    let app = TestApp::memory().await;
    let seen = |answer: Answer| {
        let list = answer.json();
        Some(list["media_servers"][0].clone()).filter(|server| server["reachable"] == true)
    };
    let list = || app.as_viewer().get("/media-servers");
    let server = app.until(list, seen).await;
    assert_eq!((&server["name"], &server["version"]), (&json!("default"), &json!("v0.0.0")));
    assert_eq!((&server["streams"], &server["drift_repaired"]), (&json!(0), &json!(0)));
    assert!(server["last_reconcile"].is_string() && server["since"].is_string());
    assert_eq!(server.get("last_error"), None);
    // An encoder that was let in is no drift; one that nobody let in is.
    let live = app.live(&app.key("live/alice").await, "c1").await;
    app.media().leave("live/alice");
    app.ended(&live["id"]).await;
    app.live(&app.key("live/carol").await, "c3").await;
    assert_eq!(list().await.json()["media_servers"][0]["drift_repaired"], 0);
    app.media().go_live(&app.key("live/bob").await.path, "c2");
    let busy = |answer: Answer| {
        let server = answer.json()["media_servers"][0].clone();
        Some(server).filter(|server| server["drift_repaired"] == 1 && server["last_auth"].is_string())
    };
    assert_eq!(app.until(list, busy).await["streams"], 2);
    app.media().set_unreachable(true);
    let unreachable = |answer: Answer| {
        let server = answer.json()["media_servers"][0].clone();
        Some(server).filter(|server| server["reachable"] == false)
    };
    assert_eq!(app.until(list, unreachable).await["last_error"], "cannot be reached: refused");
}

#[tokio::test]
async fn metrics_need_a_token_only_if_one_is_set() {
    let metrics: Option<streamward::adapters::http::MetricsText> = Some(Arc::new(|| "up 1\n".into()));
    let app = TestApp::memory().await;
    app.as_admin().get("/metrics").await.assert_status(404);
    let open = Setup { metrics: metrics.clone(), ..Setup::default() };
    let app = TestApp::with(Engine::Memory, open).await;
    let answer = app.as_nobody().get("/metrics").await.assert_status(200);
    assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert!(answer.body.starts_with(b"up 1\n"), "{answer:?}");
    let metrics_token = Some(Secret::new("metrics-token-0123"));
    let app = TestApp::with(Engine::Memory, Setup { metrics, metrics_token, ..Setup::default() }).await;
    app.as_nobody().get("/metrics").await.assert_status(401);
    app.as_admin().get("/metrics").await.assert_status(401);
    app.showing(Shows::Bearer("metrics-token-0123".into())).get("/metrics").await.assert_status(200);
}

#[tokio::test]
async fn served_document_is_the_checked_in_one() {
    let app = TestApp::memory().await;
    let answer = app.as_nobody().get("/openapi.json").await.assert_status(200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.body, openapi_json());
}

#[tokio::test]
async fn docs_page_loads_nothing_from_other_hosts() {
    let app = TestApp::memory().await;
    let get = |path: String| app.as_nobody().get(&path);
    for page in ["/docs", "/docs/"] {
        let page = get(page.into()).await.assert_status(200);
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert!(page.header("content-security-policy").starts_with("default-src 'self'"));
        let html = String::from_utf8(page.body.to_vec()).expect("text");
        let links = html
            .split(['"', '\''])
            .filter(|text| text.ends_with(".js") || text.ends_with(".css") || text.ends_with(".png"));
        let links: Vec<&str> = links.collect();
        assert!(links.len() >= 5, "{html}");
        for link in links {
            assert!(link.starts_with("/docs/"), "{link}");
            get(link.into()).await.assert_status(200);
        }
    }
    let start = get("/docs/swagger-initializer.js".into()).await.assert_status(200);
    let start = String::from_utf8(start.body.to_vec()).expect("text");
    assert!(start.contains("/openapi.json") && !start.contains("http"), "{start}");
    get("/docs/nonsense.js".into()).await.assert_status(404).assert_problem("unknown-route");
    get("/docs/../Cargo.toml".into()).await.assert_status(404);
}

#[tokio::test]
async fn answers_forbid_caching() {
    let app = TestApp::memory().await;
    for path in ["/streams", "/health", "/stream-keys", "/nonsense"] {
        assert_eq!(app.as_viewer().get(path).await.header("cache-control"), "no-store", "{path}");
    }
}
