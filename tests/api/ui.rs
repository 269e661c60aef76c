//! The page: its files, its addresses, and what the browser lets it do.

use axum::http::Method;

use crate::harness::{Engine, Setup, TestApp};

const BASE: &str = "/tv/streamward";

async fn app() -> TestApp {
    let configure = |config: &mut streamward::runtime::config::Config| {
        config.media_servers.clear();
        for (name, port) in [("default", 8888), ("eu", 9888)] {
            let name = streamward::domain::media_server::MediaServerName::parse(name).expect("a good name");
            let server = streamward::runtime::config::MediaServer {
                api_url: Some("http://127.0.0.1:9997".into()),
                hls_url: Some(format!("http://tv.example.org:{port}/hls/")),
                webrtc_url: Some("https://rtc.example.org".into()),
                ..Default::default()
            };
            config.media_servers.insert(name, server);
        }
        config.http.base_path = Some(BASE.to_owned());
    };
    TestApp::with(Engine::Memory, Setup { configure, ..Setup::default() }).await
}

/// The addresses of files in the page, as the browser resolves them at `/ui/`.
fn links(page: &str) -> Vec<String> {
    let links = page.split('"').filter_map(|text| text.strip_prefix("./"));
    let links: Vec<String> = links.map(|link| format!("/ui/{link}")).collect();
    assert!(links.iter().any(|link| link.ends_with(".css")), "{page}");
    links
}

#[tokio::test]
async fn the_page_and_its_files_are_there_below_the_base_path_and_without_it() {
    let app = app().await;
    for base in ["", BASE] {
        let page = app.as_nobody().get(&format!("{base}/ui/")).await.assert_status(200);
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(page.header("cache-control"), "no-cache");
        let html = String::from_utf8(page.body.to_vec()).expect("text");
        for link in links(&html) {
            let file = app.as_nobody().get(&format!("{base}{link}")).await.assert_status(200);
            assert_eq!(file.header("cache-control"), "public, max-age=31536000, immutable");
            assert_eq!(file.header("content-security-policy"), page.header("content-security-policy"));
            let head = app.as_nobody().call(Method::HEAD, &format!("{base}{link}")).await.assert_status(200);
            assert!(head.body.is_empty() && head.header("content-type") == file.header("content-type"));
        }
        // No address begins at the root: a proxy may publish the page anywhere.
        assert!(!html.contains("=\"/") && !html.contains("://"), "{html}");
        for way in ["/", "/ui"] {
            let moved = app.as_nobody().get(&format!("{base}{way}")).await.assert_status(308);
            assert_eq!(moved.header("location"), format!("{BASE}/ui/"));
        }
    }
    app.as_nobody().post("/").await.assert_status(404);
}

#[tokio::test]
async fn the_page_loads_nothing_and_calls_nobody_but_the_media_servers() {
    let page = app().await.as_nobody().get("/ui/").await.assert_status(200);
    let policy = page.header("content-security-policy");
    let media = "http://tv.example.org:8888 http://tv.example.org:9888 https://rtc.example.org";
    for rule in [
        "default-src 'none'",
        &format!("connect-src 'self' {media}"),
        &format!("media-src 'self' blob: {media}"),
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    ] {
        assert!(policy.split("; ").any(|found| found == rule), "{rule}: {policy}");
    }
    assert!(!policy.contains("unsafe-"), "{policy}");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    assert_eq!(page.header("cross-origin-opener-policy"), "same-origin");
}

#[tokio::test]
async fn a_page_that_has_not_changed_is_not_sent_again() {
    let app = app().await;
    let tag = app.as_nobody().get("/ui/").await.assert_status(200).header("etag");
    let again = app.as_nobody().get("/ui/").header("if-none-match", &format!("W/\"x\", {tag}")).await;
    let again = again.assert_status(304);
    assert!(again.body.is_empty() && again.header("etag") == tag, "{again:?}");
    app.as_nobody().get("/ui/").header("if-none-match", "W/\"x\"").await.assert_status(200);
}

#[tokio::test]
async fn files_are_compressed_for_those_who_read_it() {
    let app = app().await;
    let plain = app.as_nobody().get("/ui/").await.assert_status(200);
    let small = app.as_nobody().get("/ui/").header("accept-encoding", "br, gzip").await.assert_status(200);
    assert_eq!(plain.header("content-encoding"), "");
    assert_eq!(small.header("content-encoding"), "gzip");
    assert_eq!(
        (plain.header("vary"), small.header("vary")),
        ("accept-encoding".into(), "accept-encoding".into())
    );
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&*small.body), &mut text).expect("gzip");
    assert_eq!(text.as_bytes(), &*plain.body);
}

#[tokio::test]
async fn what_the_page_has_not_is_a_problem() {
    let app = app().await;
    let html = app.as_nobody().get("/ui/").await.assert_status(200).body;
    let html = String::from_utf8(html.to_vec()).expect("text");
    let file = links(&html).remove(0);
    let version = file.split('/').nth(2).expect("a version").to_owned();
    let old = app.as_nobody().get(&file.replace(&version, "0123456789abcdef")).await.assert_status(404);
    assert!(old.text("/detail").contains("load the page again"), "{old:?}");
    for unknown in
        ["nothing.js", "index.html", "package.json", "../Cargo.toml", "..%2fCargo.toml", "README.md"]
    {
        app.as_nobody().get(&format!("/ui/{version}/{unknown}")).await.assert_status(404);
    }
    app.as_nobody().get("/ui/app.css").await.assert_status(404);
    app.as_nobody().post("/ui/").await.assert_status(405);
}
