//! Everything below a path (`http.base_path`), as behind a proxy that passes the path on and behind one that removes it.

use rstest_reuse::apply;
use serde_json::json;

use crate::harness::{Engine, Setup, TestApp, every_engine};
use crate::users::PASSWORD;

const BASE: &str = "/tv/streamward";

async fn below(engine: Engine) -> TestApp {
    let setup =
        Setup { configure: |config| config.http.base_path = Some(BASE.to_owned()), ..Setup::default() };
    TestApp::with(engine, setup).await
}

#[apply(every_engine)]
#[tokio::test]
async fn every_route_answers_below_the_base_path_and_without_it(#[case] engine: Engine) {
    let app = below(engine).await;
    for path in ["/streams", "/health", "/livez", "/openapi.json", "/docs", "/link", "/problems/validation"] {
        app.as_viewer().get(path).await.assert_status(200);
        app.as_viewer().get(&format!("{BASE}{path}")).await.assert_status(200);
    }
    for path in ["/tv", "/tv/streams", "/tv/streamwards/streams", "/streamward/streams"] {
        app.as_viewer().get(path).await.assert_status(404);
    }
    let key = app.key("live/alice").await;
    let request = json!({"action": "publish", "path": key.path, "protocol": "rtmp", "id": "one",
                         "ip": "192.0.2.7", "query": format!("key={}", key.secret)});
    let url = format!("{BASE}/auth?secret={}", crate::harness::HOOK_SECRET);
    app.as_nobody().post(&url).json(request).await.assert_status(200);
}

#[tokio::test]
async fn addresses_in_answers_begin_with_the_base_path() {
    let app = below(Engine::Memory).await;
    for prefix in ["", BASE] {
        let draft = json!({"display_name": "Alice"});
        let made =
            app.as_admin().post(&format!("{prefix}/broadcasters")).json(draft).await.assert_status(201);
        let location = made.header("location");
        assert_eq!(location, format!("{BASE}/broadcasters/{}", made.text("/id")));
        app.as_viewer().get(&location).await.assert_status(200);

        let problem = app.as_viewer().get(&format!("{prefix}/nothing?a=b")).await.assert_status(404);
        assert_eq!(problem.text("/instance"), format!("{BASE}/nothing"));
        let reference = problem.text("/type");
        assert_eq!(reference, format!("{BASE}/problems/unknown-route"));
        assert_eq!(app.as_nobody().get(&reference).await.assert_status(200).text("/slug"), "unknown-route");

        let document = app.as_nobody().get(&format!("{prefix}/openapi.json")).await.json();
        assert_eq!(document["servers"], json!([{"url": BASE}]));
    }
    let upload =
        app.as_operator().post("/clips").header("tus-resumable", "1.0.0").header("upload-length", "5");
    let upload = upload.header("upload-metadata", "filename Y2xpcC5tcDQ=").await.assert_status(201);
    let head = app.as_operator().call(axum::http::Method::HEAD, &upload.header("location"));
    assert!(upload.header("location").starts_with(&format!("{BASE}/clips/")), "{upload:?}");
    head.header("tus-resumable", "1.0.0").await.assert_status(200);
}

#[tokio::test]
async fn the_page_of_the_api_loads_below_the_base_path() {
    let app = below(Engine::Memory).await;
    for page in [format!("{BASE}/docs"), format!("{BASE}/docs/"), "/docs".to_owned()] {
        let page = app.as_nobody().get(&page).await.assert_status(200);
        let html = String::from_utf8(page.body.to_vec()).expect("text");
        let links = html.split(['"', '\'']);
        let links: Vec<&str> =
            links.filter(|text| [".js", ".css", ".png"].iter().any(|end| text.ends_with(end))).collect();
        assert!(links.len() >= 5, "{html}");
        for link in links {
            assert!(link.starts_with(&format!("{BASE}/docs/")), "{link}");
            app.as_nobody().get(link).await.assert_status(200);
        }
    }
    let start = app.as_nobody().get(&format!("{BASE}/docs/swagger-initializer.js")).await.assert_status(200);
    let start = String::from_utf8(start.body.to_vec()).expect("text");
    assert!(start.contains(&format!("{BASE}/openapi.json")), "{start}");
}

#[tokio::test]
async fn signatures_are_of_the_path_that_was_called() {
    let app = below(Engine::Memory).await;
    // The proxy passes the path on.
    app.as_signer().get(&format!("{BASE}/streams")).await.assert_status(200);
    app.as_signer().get("/streams").await.assert_status(200);
    // The proxy has removed what the caller signed.
    let (at, path) = (app.clock.seconds(), format!("{BASE}/broadcasters"));
    let sign = |path: &str| {
        let message = format!("GET\n{path}\n{at}\n");
        hex::encode(streamward::domain::secret::keyed_hash(
            crate::harness::HMAC_SECRET.as_bytes(),
            message.as_bytes(),
        ))
    };
    let call = |signature: &str| {
        let call = app.as_nobody().get("/broadcasters").header("x-api-key", "dashboard");
        call.header("x-timestamp", &at.to_string()).header("x-signature", signature)
    };
    call(&sign(&path)).await.assert_status(200);
    call(&sign("/other/broadcasters")).await.assert_status(401);
}

#[tokio::test]
async fn cookies_and_links_are_of_the_base_path() {
    let app = below(Engine::Memory).await;
    app.user("ada@example.org", json!({})).await;
    let signed_in = app.sign_in("ada@example.org", PASSWORD).await.assert_status(201);
    let cookies: Vec<_> = signed_in.headers.get_all("set-cookie").iter().collect();
    assert!(!cookies.is_empty());
    for cookie in cookies {
        assert!(cookie.to_str().expect("text").contains(&format!("; Path={BASE};")), "{cookie:?}");
    }
    let made =
        app.as_admin().post("/users").json(json!({"email": "eve@example.org"})).await.assert_status(201);
    let path = format!("/users/{}/link", made.text("/id"));
    let link = app.as_admin().post(&path).shown_once().await.assert_status(201).text("/url");
    assert!(link.starts_with(&format!("http://127.0.0.1:8080{BASE}/link#swl_")), "{link}");
}
