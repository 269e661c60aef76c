//! Three equal ways to authenticate: a bearer token, the same token in `X-API-Key`, a signed request.

use std::collections::BTreeMap;

use axum::http::Method;
use rstest_reuse::apply;
use serde_json::{Value, json};
use streamward::domain::access::Role;
use streamward::domain::secret::Secret;

use crate::harness::{Engine, HMAC_SECRET, Setup, Shows, TestApp, every_engine};

#[tokio::test]
async fn three_ways_to_authenticate_give_the_same_rights() {
    let app = TestApp::memory().await;
    let admin = app.token(Role::Admin).to_owned();
    for shows in [Shows::Bearer(admin.clone()), Shows::ApiKey(admin), app.as_signer().shows] {
        let caller = app.showing(shows);
        let name = json!({"display_name": "Alice"});
        let made = caller.post("/broadcasters").json(name).await.assert_status(201).text("/id");
        caller.get("/audit-logs?limit=1").await.assert_status(200);
        caller.delete(&format!("/broadcasters/{made}")).await.assert_status(204);
        app.clock.advance(std::time::Duration::from_secs(1));
    }
}

#[apply(every_engine)]
#[tokio::test]
async fn token_works_until_it_expires_or_is_deleted(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let draft = json!({"name": "short", "role": "viewer", "expires_at": in_seconds(&app, 60)});
    let made = app.as_admin().post("/api-tokens").json(draft).shown_once().await.assert_status(201);
    let holder = app.showing(Shows::Bearer(made.text("/token")));
    holder.get("/streams").await.assert_status(200);
    app.clock.advance(std::time::Duration::from_secs(61));
    let refused = holder.get("/streams").await.assert_status(401);
    assert!(refused.text("/detail").contains("expired"));

    let viewer = app.as_viewer();
    viewer.get("/streams").await.assert_status(200);
    let tokens = app.as_admin().get("/api-tokens").await.assert_status(200).json();
    assert_eq!(tokens["count"], 3);
    let id = tokens["api_tokens"].as_array().and_then(|list| list.iter().find(|t| t["name"] == "viewer"));
    let id = id.and_then(|token| token["id"].as_str()).expect("the viewer's token").to_owned();
    app.as_admin().delete(&format!("/api-tokens/{id}")).await.assert_status(204);
    let refused = viewer.get("/streams").await.assert_status(401);
    assert!(refused.text("/detail").contains("deleted"));
    app.as_admin().delete(&format!("/api-tokens/{id}")).await.assert_status(404);
}

#[tokio::test]
async fn token_is_shown_once() {
    let app = TestApp::memory().await;
    let draft = json!({"name": "dashboard", "role": "operator"});
    let made = app.as_admin().post("/api-tokens").json(draft).shown_once().await.assert_status(201);
    let secret = made.text("/token");
    assert!(secret.starts_with("swt_") && secret.len() == 53);
    let list = app.as_admin().get("/api-tokens").await.assert_status(200);
    assert!(!String::from_utf8_lossy(&list.body).contains(&secret));
    let listed = list.json()["api_tokens"][0].clone();
    let fields: Vec<&String> = listed.as_object().expect("an object").keys().collect();
    assert_eq!(fields, ["created_at", "id", "name", "role"]);
}

#[tokio::test]
async fn refusal_names_the_missing_credentials() {
    let app = TestApp::memory().await;
    let good = app.token(Role::Admin).to_owned();
    let mut typo = good.clone();
    typo.pop();
    let made_up = streamward::domain::access::TokenSecret::from_random([1; 32]).expose().to_owned();
    for (shows, word) in [
        (Shows::Nothing, "no credentials"),
        (Shows::Bearer(typo), "mistyped"),
        (Shows::Bearer("nonsense".into()), "mistyped"),
        (Shows::ApiKey("nonsense".into()), "mistyped"),
        (Shows::Bearer(made_up), "does not exist"),
        (signature("dashboard", "wrong", app.clock.seconds()), "signature"),
        (signature("dashboard", HMAC_SECRET, 0), "X-Timestamp"),
    ] {
        let refused =
            app.showing(shows).get("/streams").await.assert_status(401).assert_problem("unauthenticated");
        assert!(refused.text("/detail").contains(word), "{word}: {refused:?}");
        assert_eq!(refused.header("www-authenticate"), "Bearer realm=\"streamward\"");
    }
    app.as_admin().get("/streams").header("x-api-key", &good).await.assert_status(401);
    app.as_admin()
        .get("/streams")
        .header("authorization", &format!("Bearer {good}"))
        .await
        .assert_status(401);
    let caller = app.showing(Shows::ApiKey(good.clone()));
    caller.get("/streams").header("x-api-key", &good).await.assert_status(401);
    caller.get("/streams").header("x-timestamp", "1").await.assert_status(401);
    app.as_signer().get("/streams").header("x-signature", "00").await.assert_status(401);
    // Basic credentials belong to a proxy in front of Streamward.
    caller.get("/streams").header("authorization", "Basic eDp5").await.assert_status(200);
}

fn signature(key_id: &str, secret: &str, at: i64) -> Shows {
    Shows::Signature { key_id: key_id.into(), secret: secret.into(), at }
}

fn in_seconds(app: &TestApp, seconds: i64) -> String {
    streamward::domain::Timestamp::from_seconds(app.clock.seconds() + seconds).to_string()
}

#[tokio::test]
async fn signature_is_valid_within_300_seconds_of_its_time() {
    let app = TestApp::memory().await;
    app.clock.stop();
    let now = app.clock.seconds();
    for (ahead, status) in [(-301, 401), (-300, 200), (0, 200), (300, 200), (301, 401)] {
        app.signing_at(now + ahead).get("/streams").await.assert_status(status);
    }
    for text in ["", "now", "1.5", "99999999999999999999", " 1"] {
        let call = app.showing(Shows::ApiKey("dashboard".into())).get("/streams");
        call.header("x-timestamp", text).header("x-signature", "00").await.assert_status(401);
    }
}

#[tokio::test]
async fn signature_covers_method_path_time_and_body_but_not_the_query() {
    let app = TestApp::memory().await;
    app.clock.stop();
    let now = app.clock.seconds();
    let name = json!({"display_name": "A"}).to_string();
    let sign = |method: &str, path: &str, body: &str| {
        let message = format!("{method}\n{path}\n{now}\n{body}");
        hex::encode(streamward::domain::secret::keyed_hash(HMAC_SECRET.as_bytes(), message.as_bytes()))
    };
    let send = |method: Method, path: &str, body: &str, signature: &str| {
        app.showing(Shows::ApiKey("dashboard".into()))
            .call(method, path)
            .header("x-timestamp", &now.to_string())
            .header("x-signature", signature)
            .header("content-type", "application/json")
            .body(body)
    };
    let good = sign("POST", "/broadcasters", &name);
    send(Method::POST, "/broadcasters", &format!("{name} "), &good).await.assert_status(401);
    send(Method::POST, "/stream-keys", &name, &good).await.assert_status(401);
    send(Method::PATCH, "/broadcasters", &name, &good).await.assert_status(405);
    send(Method::POST, "/broadcasters", &name, &good.to_uppercase()).await.assert_status(201);
    let good = sign("GET", "/streams", "");
    send(Method::GET, "/streams?status=all", "", &good).await.assert_status(200);
    send(Method::GET, "/stream-keys", "", &good).await.assert_status(401);
    send(Method::HEAD, "/streams", "", &good).await.assert_status(401);
    send(Method::HEAD, "/streams", "", &sign("HEAD", "/streams", "")).await.assert_status(200);
    // The path as it was sent, before decoding.
    let encoded = "/broadcasters/%7801";
    send(Method::GET, encoded, "", &sign("GET", encoded, "")).await.assert_status(400);
    send(Method::GET, encoded, "", &sign("GET", "/broadcasters/x01", "")).await.assert_status(401);
}

#[apply(every_engine)]
#[tokio::test]
async fn signed_write_is_accepted_once_across_restarts_and_instances(#[case] engine: Engine) {
    let mut app = TestApp::on(engine).await;
    app.clock.stop();
    let now = app.clock.seconds();
    let name = json!({"display_name": "Once"});
    let write = |app: &TestApp| app.signing_at(now).post("/broadcasters").json(name.clone());
    write(&app).await.assert_status(201);
    write(&app).await.assert_status(409).assert_problem("replayed");
    if engine == Engine::Postgres {
        let other = app.another().await;
        write(&other).await.assert_status(409);
    }
    app.restart().await;
    write(&app).await.assert_status(409).assert_problem("replayed");
    let list = app.as_viewer().get("/broadcasters").await.json();
    assert_eq!(list["count"], 1);
    let replays = app.audit("action=replay").await;
    assert!(replays.len() >= 2, "{replays:?}");
    assert_eq!(replays[0]["actor"], "signed:dashboard");
    assert_eq!(
        (&replays[0]["outcome"], &replays[0]["request_path"]),
        (&json!("failure"), &json!("/broadcasters"))
    );
    for _ in 0..2 {
        app.signing_at(now).get("/broadcasters").await.assert_status(200);
    }
    app.signing_at(now + 1).post("/broadcasters").json(name.clone()).await.assert_status(201);
}

#[tokio::test]
async fn configured_hmac_keys_are_the_only_ones_accepted() {
    let hmac_keys =
        BTreeMap::from([("one".to_owned(), Secret::new("s1")), ("two".to_owned(), Secret::new("s2"))]);
    let app = TestApp::with(Engine::Memory, Setup { hmac_keys, ..Setup::default() }).await;
    let now = app.clock.seconds();
    let get = |key_id: &str, secret: &str| app.showing(signature(key_id, secret, now)).get("/streams");
    get("one", "s1").await.assert_status(200);
    get("two", "s2").await.assert_status(200);
    get("one", "s2").await.assert_status(401);
    get("three", HMAC_SECRET).await.assert_status(401);
    get("one", HMAC_SECRET).await.assert_status(401);
}

/// It signs, sends a JSON content type without a body, and polls.
#[tokio::test]
async fn the_existing_dashboard_works_unmodified() {
    let app = TestApp::memory().await;
    app.clock.stop();
    let now = app.clock.seconds();
    let dashboard = |at: i64| app.signing_at(now + at);
    let json_type = |call: crate::harness::Call| call.header("content-type", "application/json");
    for _ in 0..3 {
        let list = json_type(dashboard(0).get("/streams")).await.assert_status(200).json();
        assert_eq!(list, json!({"streams": [], "count": 0}));
    }
    let made = dashboard(0).post("/broadcasters").json(json!({"display_name": "A"})).await.assert_status(201);
    let broadcaster = made.text("/id");
    let key =
        dashboard(1).post("/stream-keys").json(json!({"broadcaster_id": broadcaster})).shown_once().await;
    let key = key.assert_status(201);
    let (id, value) = (key.text("/id"), key.text("/key_value"));
    let list = json_type(dashboard(0).get("/stream-keys")).await.assert_status(200).json();
    assert_eq!(list["count"], 1);
    // Its users publish to the secret as the path.
    app.auth(json!({"action": "publish", "path": value, "protocol": "rtmp", "id": "c1"}))
        .await
        .assert_status(200);
    app.media().go_live(&value, "c1");
    let stream: Value = app.stream_of("c1").await;
    assert_eq!(stream["path"], key.json()["path"]);
    let stream = format!("/streams/{}", stream["id"].as_str().expect("an id"));
    json_type(dashboard(2).delete(&stream)).await.assert_status(204);
    json_type(dashboard(3).delete(&format!("/stream-keys/{id}"))).await.assert_status(204);
    json_type(dashboard(4).delete(&format!("/broadcasters/{broadcaster}"))).await.assert_status(204);
}
