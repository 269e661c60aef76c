//! One-time links, and password reset by e-mail.

use std::future::IntoFuture as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rstest_reuse::apply;
use serde_json::json;
use streamward::ports::{Mail, Mailer, RemoteError};

use crate::harness::{Engine, Setup, Shows, TestApp, every_engine};
use crate::users::PASSWORD;

const ADA: &str = "ada@example.org";
const NEW: &str = "another long password";

/// The secret in a link.
fn secret(url: &str) -> String {
    url.split_once("/link#").expect("a link").1.split('\n').next().expect("a line").to_owned()
}

#[apply(every_engine)]
#[tokio::test]
async fn a_link_lets_a_person_set_the_password_once(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let made = app.as_admin().post("/users").json(json!({"email": ADA})).await.assert_status(201);
    let path = format!("/users/{}/link", made.text("/id"));
    app.sign_in(ADA, PASSWORD).await.assert_status(401);
    let link = app.as_admin().post(&path).shown_once().await.assert_status(201);
    let url = link.text("/url");
    assert!(url.starts_with("http://127.0.0.1:8080/link#swl_"), "{url}");
    let used = secret(&url);
    let redeem = |link: &str, password: &str| {
        app.as_nobody().post("/link").json(json!({"link": link, "password": password}))
    };
    redeem(&used, "short").await.assert_refuses(&["password"]);
    let with_email = json!({"link": used, "password": PASSWORD, "email": "eve@example.org"});
    app.as_nobody().post("/link").json(with_email).await.assert_refuses(&["email"]);
    let foreign = redeem(&used, PASSWORD).header("host", "a").header("origin", "http://b");
    foreign.await.assert_status(401);
    assert_eq!(redeem(&used, PASSWORD).shown_once().await.assert_status(200).text("/email"), ADA);
    redeem(&used, NEW).await.assert_status(401);
    app.sign_in(ADA, PASSWORD).await.assert_status(201);

    let late = app.as_admin().post(&path).shown_once().await.assert_status(201).text("/url");
    app.clock.advance(Duration::from_secs(72 * 3_600));
    redeem(&secret(&late), NEW).await.assert_status(401);
    for nonsense in ["", "swl_x", "swl_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        redeem(nonsense, NEW).await.assert_status(401);
    }
    let entry = &app.audit("action=redeem_link").await[0];
    assert_eq!(entry["actor"], "user:ada@example.org");
    let all = format!("{:?}", app.audit("").await);
    assert!(!all.contains(&used), "{all}");
}

#[apply(every_engine)]
#[tokio::test]
async fn a_setup_link_signs_in_once_on_any_instance_as_admin_and_ends_with_its_token(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let other = app.another().await;
    let code = async || {
        let made = app.as_admin().post("/setup-links").shown_once().await.assert_status(201);
        let url = made.text("/url");
        url.strip_prefix("http://127.0.0.1:8080/ui/#setup=").expect("a link to the page").to_owned()
    };
    let used = code().await;
    let body = json!({ "setup": used });
    let sign_in =
        |app: &TestApp| app.as_nobody().post("/session").json(body.clone()).shown_once().into_future();
    let answers = futures_util::future::join(sign_in(&app), sign_in(&other)).await;
    let (opened, refused) =
        if answers.0.status == 201 { (answers.0, answers.1) } else { (answers.1, answers.0) };
    let (opened, refused) = (opened.assert_status(201), refused.assert_status(401));
    assert!(refused.text("/detail").contains("used already"), "{refused:?}");
    assert_eq!((opened.text("/role"), opened.text("/name")), ("admin".into(), "setup link".into()));
    let cookie = opened.header("set-cookie").split(';').next().expect("a cookie").to_owned();
    let page = app.showing(Shows::Cookie(cookie));
    let me = page.get("/session").await.assert_status(200);
    assert_eq!(me.text("/expires_at"), opened.text("/expires_at"));
    page.get("/users").await.assert_status(200);
    // It is no token, before and after.
    app.showing(Shows::Bearer(format!("swt_{used}"))).get("/streams").await.assert_status(401);
    let tokens = app.as_admin().get("/api-tokens").await.json();
    let token =
        tokens["api_tokens"].as_array().expect("a list").iter().find(|token| token["name"] == "setup link");
    let id = token.expect("it is listed")["id"].as_str().expect("an id").to_owned();
    app.as_admin().delete(&format!("/api-tokens/{id}")).await.assert_status(204);
    page.get("/session").await.assert_status(401);

    let late = code().await;
    app.clock.advance(Duration::from_secs(72 * 3_600));
    app.as_nobody().post("/session").json(json!({ "setup": late })).await.assert_status(401);
    let both = json!({"setup": late, "token": "swt_x"});
    app.as_nobody().post("/session").json(both).await.assert_refuses(&["setup"]);
    assert!(!format!("{:?}", app.audit("").await).contains(&used));
    app.as_operator().post("/setup-links").await.assert_status(403);
}

#[tokio::test]
async fn the_page_of_a_link_runs_nothing_but_its_own_script() {
    let app = TestApp::memory().await;
    let page = app.as_nobody().get("/link").await.assert_status(200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'sha256-"), "{policy}");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
}

/// A mail server that keeps what it gets.
#[derive(Default)]
pub(crate) struct Mailbox(Mutex<Vec<Mail>>);

#[async_trait]
impl Mailer for Mailbox {
    async fn send(&self, mail: &Mail) -> Result<(), RemoteError> {
        self.0.lock().expect("not poisoned").push(mail.clone());
        Ok(())
    }
}

impl Mailbox {
    pub(crate) async fn wait_for(&self, count: usize) -> Mail {
        let all = || self.0.lock().expect("not poisoned").clone();
        let arrived = async {
            while all().len() < count {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), arrived).await.expect("an e-mail");
        all()[count - 1].clone()
    }
}

#[apply(every_engine)]
#[tokio::test]
async fn a_password_is_reset_by_e_mail(#[case] engine: Engine) {
    let mailbox = Arc::new(Mailbox::default());
    let mailer = Some(Arc::clone(&mailbox) as Arc<dyn Mailer>);
    let app = TestApp::with(engine, Setup { mailer, ..Setup::default() }).await;
    app.user(ADA, json!({"roles": [{"role": "viewer"}]})).await;
    let session = app.signed_in(ADA).await;
    let request = |email: &str| app.as_nobody().post("/password-resets").json(json!({"email": email}));
    request("nonsense").await.assert_refuses(&["email"]);
    let answers =
        [request("nobody@example.org").await.assert_status(202), request(ADA).await.assert_status(202)];
    assert_eq!(answers[0].body, answers[1].body);
    let mail = mailbox.wait_for(1).await;
    assert_eq!(mail.to.as_str(), ADA, "nobody else got one");
    let link = secret(mail.text.expose());
    let redeem = json!({"link": link, "password": NEW});
    app.as_nobody().post("/link").json(redeem).shown_once().await.assert_status(200);
    session.get("/streams").await.assert_status(401);
    app.sign_in(ADA, PASSWORD).await.assert_status(401);
    app.sign_in(ADA, NEW).await.assert_status(201);
    // Nobody is flooded with e-mails.
    app.clock.stop();
    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses.push(request(ADA).await.status.as_u16());
    }
    assert!(statuses.ends_with(&[429, 429]), "{statuses:?}");
}

#[tokio::test]
async fn without_a_mail_server_there_is_no_reset_by_e_mail() {
    let app = TestApp::memory().await;
    let refused = app.as_nobody().post("/password-resets").json(json!({"email": ADA})).await;
    refused.assert_status(501).assert_problem("not-supported");
}
