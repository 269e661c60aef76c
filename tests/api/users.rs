//! Users: who manages them, and how people sign in.

use std::time::Duration;

use axum::http::Method;
use rstest_reuse::apply;
use serde_json::{Value, json};
use streamward::domain::access::Role;

use crate::harness::{Answer, Call, Caller, Engine, Setup, Shows, TestApp, every_engine};

pub(crate) const PASSWORD: &str = "correct horse battery";

/// The cookie of this name that an answer sets.
fn cookie(answer: &Answer, name: &str) -> Option<String> {
    let set = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().expect("text"));
    let pair = set.filter_map(|cookie| cookie.split(';').next()).find(|pair| pair.starts_with(name))?;
    Some(pair.to_owned())
}

fn session_cookie(answer: &Answer) -> String {
    cookie(answer, "streamward_session=").expect("a session's cookie")
}

impl TestApp {
    /// Makes a user with a password; returns the id.
    pub(crate) async fn user(&self, email: &str, more: Value) -> String {
        let mut draft = json!({"email": email, "password": PASSWORD});
        draft.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        self.as_admin().post("/users").json(draft).await.assert_status(201).text("/id")
    }

    pub(crate) fn sign_in(&self, email: &str, password: &str) -> Call {
        self.as_nobody().post("/session").json(json!({"email": email, "password": password})).shown_once()
    }

    /// A caller who signed in.
    pub(crate) async fn signed_in(&self, email: &str) -> Caller {
        let answer = self.sign_in(email, PASSWORD).await.assert_status(201);
        self.showing(Shows::Cookie(session_cookie(&answer)))
    }
}

#[apply(every_engine)]
#[tokio::test]
async fn a_user_is_managed(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let draft = json!({"email": "Ada@Example.org", "roles": [{"role": "operator"}]});
    let made = app.as_admin().post("/users").json(draft.clone()).await.assert_status(201);
    let path = made.header("location");
    let read = app.as_admin().get(&path).await.assert_status(200).json();
    assert_eq!(read, made.json());
    assert_eq!(read["email"], "ada@example.org");
    assert_eq!(read["display_name"], "ada@example.org");
    assert_eq!((&read["administrator"], &read["has_password"]), (&json!(false), &json!(false)));
    assert_eq!(read["roles"][0]["role"], "operator");
    app.as_admin().post("/users").json(draft).await.assert_status(409).assert_problem("email-taken");
    let patch = json!({"display_name": "Ada", "roles": []});
    let changed = app.as_admin().patch(&path).json(patch).await.assert_status(200).json();
    assert_eq!((&changed["display_name"], &changed["roles"]), (&json!("Ada"), &json!([])));
    assert_eq!(app.as_admin().get("/users").await.json()["users"], json!([changed]));
    app.as_admin().delete(&path).await.assert_status(204);
    app.as_admin().get(&path).await.assert_status(404);
    let actions: Vec<Value> =
        app.audit("resource_type=user").await.iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions, ["delete", "update", "create", "create"]);
}

#[tokio::test]
async fn a_bad_user_is_refused_field_by_field() {
    let app = TestApp::memory().await;
    let draft = json!({"email": "x", "display_name": "", "password": "short", "roles": [{"role": "root"}]});
    let refused = app.as_admin().post("/users").json(draft).await;
    refused.assert_refuses(&["email", "display_name", "roles", "password"]);
    let twice = json!({"email": "a@b", "roles": [{"role": "admin"}, {"role": "viewer"}]});
    app.as_admin().post("/users").json(twice).await.assert_refuses(&["roles"]);
}

#[apply(every_engine)]
#[tokio::test]
async fn a_person_signs_in_works_and_signs_out(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let id = app.user("ada@example.org", json!({"administrator": true})).await;
    let answer = app.sign_in("ADA@example.org", PASSWORD).await.assert_status(201);
    let attributes = answer.header("set-cookie");
    for attribute in ["Path=/", "HttpOnly", "SameSite=Strict"] {
        assert!(attributes.contains(attribute), "{attributes}");
    }
    assert!(!attributes.contains("Secure"), "this is plain HTTP: {attributes}");
    assert_eq!(answer.text("/user/id"), id);
    let ada = app.showing(Shows::Cookie(session_cookie(&answer)));
    let me = ada.get("/session").await.assert_status(200).json();
    assert_eq!((&me["actor"], &me["role"]), (&json!("user:ada@example.org"), &json!("admin")));
    let made = ada.post("/broadcasters").json(json!({"display_name": "Bob"})).await.assert_status(201);
    let entry = &app.audit("action=create&resource_type=broadcaster").await[0];
    assert_eq!(entry["actor"], "user:ada@example.org");
    assert_eq!(entry["metadata"]["session_id"], me["session_id"]);
    assert_eq!(entry["metadata"]["user_id"], id.as_str());
    assert_eq!(entry["resource_id"], made.text("/id").as_str());

    let out = ada.delete("/session").await.assert_status(204);
    assert!(out.header("set-cookie").starts_with("streamward_session=; "), "{out:?}");
    ada.get("/session").await.assert_status(401).assert_problem("unauthenticated");
    ada.delete("/session").await.assert_status(204);
    let of_session: Vec<Value> =
        app.audit("resource_type=session").await.iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(of_session, ["sign_out", "sign_in"]);
}

#[apply(every_engine)]
#[tokio::test]
async fn a_person_without_any_role_keeps_what_is_their_own(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let id = app.user("ada@example.org", json!({})).await;
    let other = app.user("bob@example.org", json!({})).await;
    let ada = app.signed_in("ada@example.org").await;
    let me = ada.get("/session").await.assert_status(200).json();
    assert_eq!((&me["user"]["id"], &me["roles"], &me["role"]), (&json!(id), &json!([]), &Value::Null));
    ada.get(&format!("/users/{id}")).await.assert_status(200);
    assert_eq!(ada.get(&format!("/users/{id}/sessions")).await.assert_status(200).json()["count"], 1);
    for path in ["/streams", "/channels", "/tasks", "/users"] {
        ada.get(path).await.assert_status(403).assert_problem("forbidden");
    }
    for path in [format!("/users/{other}"), format!("/users/{other}/sessions")] {
        ada.get(&path).await.assert_status(404);
    }
    let change = json!({"password": "another correct horse", "current_password": PASSWORD});
    ada.post(&format!("/users/{other}/password")).json(change.clone()).await.assert_status(404);
    let changed = ada.post(&format!("/users/{id}/password")).json(change).shown_once().await;
    let again = app.showing(Shows::Cookie(session_cookie(&changed.assert_status(204))));
    let factor = json!({"password": "another correct horse"});
    again.post(&format!("/users/{id}/second-factor")).json(factor).shown_once().await.assert_status(201);
    again.get("/session").await.assert_status(200);
    again.delete("/session").await.assert_status(204);
    again.get("/session").await.assert_status(401);
}

#[tokio::test]
async fn an_api_token_is_exchanged_for_a_cookie_that_ends_with_it() {
    let app = TestApp::memory().await;
    let draft = json!({"name": "dashboard", "role": "operator"});
    let made = app.as_admin().post("/api-tokens").json(draft).shown_once().await.assert_status(201);
    let token = json!({"token": made.text("/token")});
    let answer = app.as_nobody().post("/session").json(token.clone()).shown_once().await.assert_status(201);
    assert_eq!(answer.text("/actor"), "token:dashboard");
    let holder = app.showing(Shows::Cookie(session_cookie(&answer)));
    holder.get("/tasks").await.assert_status(200);
    holder.get("/users").await.assert_status(403);
    app.as_admin().delete(&format!("/api-tokens/{}", made.text("/id"))).await.assert_status(204);
    holder.get("/streams").await.assert_status(401);
    app.as_nobody().post("/session").json(token).await.assert_status(401);
    // That of the configuration, too.
    let token = json!({"token": app.token(Role::Admin)});
    let answer = app.as_nobody().post("/session").json(token).shown_once().await.assert_status(201);
    app.showing(Shows::Cookie(session_cookie(&answer))).get("/users").await.assert_status(200);
    let both = json!({"token": "x", "email": "ada@example.org"});
    app.as_nobody().post("/session").json(both).await.assert_refuses(&["token"]);
}

#[tokio::test]
async fn a_write_with_a_cookie_needs_an_origin_that_matches() {
    let app = TestApp::memory().await;
    app.user("ada@example.org", json!({"administrator": true})).await;
    let ada = app.signed_in("ada@example.org").await;
    let Shows::Cookie(cookie) = ada.shows.clone() else { panic!("a cookie") };
    let body = || json!({"display_name": "Bob"});
    let call = |method: Method, path: &str| {
        app.as_nobody().call(method, path).header("cookie", &cookie).header("host", "streamward.test")
    };
    call(Method::GET, "/broadcasters").await.assert_status(200);
    call(Method::POST, "/broadcasters").json(body()).await.assert_status(401);
    for origin in ["https://evil.example", "http://streamward.test:8080", "null"] {
        let forged = || call(Method::POST, "/broadcasters").header("origin", origin);
        let refused = forged().json(body()).await.assert_status(401);
        assert!(refused.text("/detail").contains("Origin"), "{refused:?}");
        call(Method::DELETE, "/session").header("origin", origin).await.assert_status(401);
        let sign_in = json!({"email": "ada@example.org", "password": PASSWORD});
        call(Method::POST, "/session").header("origin", origin).json(sign_in).await.assert_status(401);
    }
    let own = call(Method::POST, "/broadcasters").header("origin", "http://streamward.test");
    own.json(body()).await.assert_status(201);
    // A token needs none, also if the browser sends the cookie with it.
    let token = format!("Bearer {}", app.token(Role::Admin));
    let with_token = call(Method::POST, "/broadcasters").header("authorization", &token);
    with_token.json(body()).await.assert_status(201);
    assert_eq!(app.as_viewer().get("/broadcasters").await.json()["count"], 2);
}

#[tokio::test]
async fn behind_a_proxy_with_tls_the_cookie_is_secure() {
    let proxies = vec!["192.0.2.1/32".parse().expect("a network")];
    let app = TestApp::with(Engine::Memory, Setup { trusted_proxies: proxies, ..Setup::default() }).await;
    app.user("ada@example.org", json!({})).await;
    let answer = app
        .sign_in("ada@example.org", PASSWORD)
        .header("x-forwarded-proto", "https")
        .await
        .assert_status(201);
    assert!(answer.header("set-cookie").ends_with("; Secure"), "{answer:?}");
}

#[tokio::test]
async fn a_session_ends_when_it_is_not_used_and_in_the_end_anyway() {
    let app = TestApp::memory().await;
    app.user("ada@example.org", json!({"administrator": true})).await;
    let ada = app.signed_in("ada@example.org").await;
    let hours = |hours: u64| Duration::from_secs(hours * 3_600);
    for _ in 0..70 {
        app.clock.advance(hours(10));
        ada.get("/session").await.assert_status(200);
    }
    app.clock.advance(hours(13));
    ada.get("/session").await.assert_status(401);
    let ada = app.signed_in("ada@example.org").await;
    for _ in 0..71 {
        app.clock.advance(hours(10));
        ada.get("/session").await.assert_status(200);
    }
    app.clock.advance(hours(11));
    ada.get("/session").await.assert_status(401);
}

#[apply(every_engine)]
#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one_or_all_at_once(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let id = app.user("ada@example.org", json!({"roles": [{"role": "viewer"}]})).await;
    app.user("bob@example.org", json!({"roles": [{"role": "admin"}]})).await;
    let [first, second, third] = [
        app.signed_in("ada@example.org").await,
        app.signed_in("ada@example.org").await,
        app.signed_in("ada@example.org").await,
    ];
    let bob = app.signed_in("bob@example.org").await;
    let path = format!("/users/{id}/sessions");
    let list = first.get(&path).await.assert_status(200).json();
    assert_eq!(list["count"], 3);
    assert_eq!(list["sessions"][0]["ip_address"], "192.0.2.1");
    bob.get(&path).await.assert_status(404);
    let of_second = second.get("/session").await.text("/session_id");
    bob.delete(&format!("{path}/{of_second}")).await.assert_status(404);
    first.delete(&format!("{path}/{of_second}")).await.assert_status(204);
    first.delete(&format!("{path}/{of_second}")).await.assert_status(404);
    second.get("/streams").await.assert_status(401);
    third.get("/streams").await.assert_status(200);
    app.as_admin().delete(&path).await.assert_status(204);
    for one in [first, third] {
        one.get("/streams").await.assert_status(401);
    }
    bob.get("/streams").await.assert_status(200);
}

#[apply(every_engine)]
#[tokio::test]
async fn sessions_end_with_the_permissions_and_with_the_user(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let id = app.user("ada@example.org", json!({"administrator": true})).await;
    app.user("bob@example.org", json!({"administrator": true})).await;
    let path = format!("/users/{id}");
    let ada = app.signed_in("ada@example.org").await;
    app.as_admin().patch(&path).json(json!({"display_name": "Ada"})).await.assert_status(200);
    ada.get("/users").await.assert_status(200);
    let demotion = json!({"administrator": false, "roles": [{"role": "viewer"}]});
    app.as_admin().patch(&path).json(demotion).await.assert_status(200);
    ada.get("/users").await.assert_status(401);
    let ada = app.signed_in("ada@example.org").await;
    ada.get("/users").await.assert_status(403);
    ada.get("/streams").await.assert_status(200);
    app.as_admin().delete(&path).await.assert_status(204);
    ada.get("/streams").await.assert_status(401);
}

#[tokio::test]
async fn the_last_administrator_cannot_be_removed() {
    let app = TestApp::memory().await;
    let id = app.user("ada@example.org", json!({"administrator": true})).await;
    let (path, demotion) = (format!("/users/{id}"), json!({"administrator": false}));
    let last = "last-administrator";
    app.as_admin().delete(&path).await.assert_status(409).assert_problem(last);
    app.as_admin().patch(&path).json(demotion.clone()).await.assert_status(409).assert_problem(last);
    app.user("bob@example.org", json!({"administrator": true})).await;
    app.as_admin().patch(&path).json(demotion).await.assert_status(200);
}

#[apply(every_engine)]
#[tokio::test]
async fn a_password_is_changed_by_oneself_and_by_an_administrator(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let id = app.user("ada@example.org", json!({"roles": [{"role": "viewer"}]})).await;
    let path = format!("/users/{id}/password");
    let (ada, other) = (app.signed_in("ada@example.org").await, app.signed_in("ada@example.org").await);
    let new = "another long password";
    let change = |current: Option<&str>| json!({"password": new, "current_password": current});
    ada.post(&path).json(change(None)).await.assert_refuses(&["current_password"]);
    ada.post(&path).json(change(Some("wrong wrong wrong"))).await.assert_refuses(&["current_password"]);
    let answer = ada.post(&path).json(change(Some(PASSWORD))).shown_once().await.assert_status(204);
    for ended in [&ada, &other] {
        ended.get("/streams").await.assert_status(401);
    }
    app.showing(Shows::Cookie(session_cookie(&answer))).get("/streams").await.assert_status(200);
    app.sign_in("ada@example.org", PASSWORD).await.assert_status(401);
    app.sign_in("ada@example.org", new).await.assert_status(201);

    app.user("bob@example.org", json!({"roles": [{"role": "admin"}]})).await;
    let bob = app.signed_in("bob@example.org").await;
    bob.post(&path).json(json!({"password": PASSWORD})).await.assert_status(404);
    let set = app.as_admin().post(&path).json(json!({"password": PASSWORD})).await.assert_status(204);
    assert_eq!(set.header("set-cookie"), "");
    app.sign_in("ada@example.org", PASSWORD).await.assert_status(201);
}

#[tokio::test]
async fn an_event_stream_ends_with_its_session() {
    let app = TestApp::memory().await;
    app.user("ada@example.org", json!({"roles": [{"role": "viewer"}]})).await;
    let ada = app.signed_in("ada@example.org").await;
    let stream = ada.get("/streams/events").open().await;
    assert_eq!(stream.status(), 200);
    ada.delete("/session").await.assert_status(204);
    let body = http_body_util::BodyExt::collect(stream.into_body());
    tokio::time::timeout(Duration::from_secs(60), body).await.expect("the stream ends").expect("a body");
}
