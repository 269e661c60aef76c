//! Signing in with a provider (OpenID Connect): the real client, and a stand-in that signs real tokens.

mod real;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rstest_reuse::apply;
use serde_json::{Value, json};
use streamward::adapters::oidc::{OidcProvider, OidcSettings};
use streamward::adapters::system::SystemClock;
use streamward::app::user::Provider;
use streamward::domain::OrganizationId;
use streamward::domain::secret::Secret;
use streamward::domain::user::{Grant, Grants, ProviderName};
use streamward::ports::{Clock as _, Mailer};
use streamward_test_support::oidc::{CLIENT_ID, CLIENT_SECRET, OidcStub, Signer};

use crate::harness::{Answer, Caller, Engine, Setup, Shows, TestApp, every_engine};
use crate::user_links::Mailbox;

/// A person of the team, as the provider describes her.
fn ada() -> Value {
    json!({
        "sub": "248289761001", "email": "Ada@Example.org", "email_verified": true, "name": "Ada Lovelace",
        "groups": ["everybody", "tv-operators"],
    })
}

fn provider(issuer: &str) -> Provider {
    let settings = OidcSettings {
        issuer: issuer.to_owned(),
        client_id: CLIENT_ID.into(),
        client_secret: Some(Secret::new(CLIENT_SECRET)),
        scopes: vec!["email".into()],
        roles_claim: "groups".into(),
    };
    let of = [("tv-viewers", "viewer"), ("tv-operators", "operator"), ("tv-root", "administrator")];
    let of = of.map(|(value, grant)| (value.to_owned(), Grant::parse(grant).expect("a grant")));
    let grants = Grants { of: of.into(), organization: OrganizationId::DEFAULT };
    Provider { client: Arc::new(OidcProvider::new(settings).expect("a client")), grants }
}

async fn app_with(engine: Engine, issuer: &str) -> TestApp {
    TestApp::with(engine, setup(issuer)).await
}

fn setup(issuer: &str) -> Setup {
    let name = ProviderName::parse("company").expect("a name");
    Setup {
        providers: BTreeMap::from([(name, provider(issuer))]),
        configure: |config| config.http.public_url = Some("http://streamward.test".into()),
        ..Setup::default()
    }
}

/// The value of a cookie that an answer sets.
fn cookie(answer: &Answer, name: &str) -> Option<String> {
    let set = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().expect("text"));
    let pair = set.filter_map(|cookie| cookie.split(';').next()).find(|pair| pair.starts_with(name))?;
    Some(pair.to_owned()).filter(|pair| !pair.ends_with('='))
}

/// A browser that was sent to the provider: where to, and what it keeps.
struct Begun {
    location: String,
    kept: String,
}

struct World {
    app: TestApp,
    provider: OidcStub,
}

impl World {
    async fn new(engine: Engine) -> Self {
        let provider = OidcStub::start(SystemClock.now().micros() / 1_000_000).await;
        provider.set(|world| world.claims = ada());
        let app = app_with(engine, provider.issuer()).await;
        Self { app, provider }
    }

    async fn begin(&self) -> Begun {
        begin(&self.app).await
    }

    /// Comes back with this address.
    async fn back(&self, kept: &str, address: &str) -> Answer {
        back(&self.app, kept, address).await
    }

    /// Signs in as whom the provider says.
    async fn sign_in(&self) -> Answer {
        let begun = self.begin().await;
        let address = self.provider.authorize(&begun.location);
        self.back(&begun.kept, &address).await
    }

    async fn signed_in(&self) -> Caller {
        let answer = self.sign_in().await.assert_status(200);
        self.app.showing(Shows::Cookie(cookie(&answer, "streamward_session=").expect("a session")))
    }

    async fn refused(&self, status: u16, problem: &str, why: &str) {
        let answer = self.sign_in().await.assert_status(status).assert_problem(problem);
        assert!(answer.text("/detail").contains(why), "{answer:?}");
        assert_eq!(cookie(&answer, "streamward_session="), None);
    }
}

async fn begin(app: &TestApp) -> Begun {
    let path = "/session/oidc/company?return_to=/dashboard?tab=1";
    let answer = app.as_nobody().get(path).await.assert_status(303);
    let kept = cookie(&answer, "streamward_sign_in=").expect("a cookie");
    Begun { location: answer.header("location"), kept }
}

async fn back(app: &TestApp, kept: &str, address: &str) -> Answer {
    let path = address.strip_prefix("http://streamward.test").expect("our address");
    app.as_nobody().get(path).header("cookie", kept).shown_once().await
}

#[apply(every_engine)]
#[tokio::test]
async fn a_person_signs_in_with_a_provider(#[case] engine: Engine) {
    let world = World::new(engine).await;
    let begun = world.begin().await;
    assert!(!begun.kept.contains("dashboard"), "it is sealed: {}", begun.kept);
    let answer = world.back(&begun.kept, &world.provider.authorize(&begun.location)).await.assert_status(200);
    let page = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(page.contains("content=\"0;url=/dashboard?tab=1\""), "{page}");
    let cookies: Vec<&str> =
        answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().expect("text")).collect();
    assert!(cookies[0].starts_with("streamward_session=") && cookies[0].contains("SameSite=Strict"));
    assert!(cookies[1].starts_with("streamward_sign_in=;") && cookies[1].contains("Max-Age=0"));

    let ada = world.app.showing(Shows::Cookie(cookie(&answer, "streamward_session=").expect("a session")));
    let me = ada.get("/session").await.assert_status(200).json();
    assert_eq!(me["actor"], "user:ada@example.org");
    let user = &me["user"];
    assert_eq!((&user["display_name"], &user["has_password"]), (&json!("Ada Lovelace"), &json!(false)));
    assert_eq!(user["issuer"], world.provider.issuer());
    assert_eq!(me["roles"], json!([{"organization_id": OrganizationId::DEFAULT, "role": "operator"}]));
    // Once more: the same person, whatever the address is now.
    world.provider.set(|world| world.claims["email"] = json!("countess@example.org"));
    let again = world.signed_in().await;
    let renamed = again.get("/session").await.json();
    assert_eq!(
        (&renamed["user"]["id"], &renamed["actor"]),
        (&user["id"], &json!("user:countess@example.org"))
    );
    ada.get("/session").await.assert_status(200);

    let of_user = world.app.audit("resource_type=user").await;
    let made = of_user.iter().find(|entry| entry["action"] == "create").expect("an entry");
    assert_eq!((&made["actor"], &made["resource_id"]), (&json!("user:ada@example.org"), &user["id"]));
    let entry = world.app.audit("resource_type=session").await.pop().expect("an entry");
    assert_eq!((&entry["action"], &entry["actor"]), (&json!("sign_in"), &me["actor"]));
    assert_eq!(entry["organization_id"], json!(OrganizationId::DEFAULT));
    assert_eq!(entry["metadata"]["session_id"], me["session_id"]);
    assert_eq!(entry["metadata"]["user_id"], user["id"]);
    // The discovery document and the keys were read once.
    let read =
        |path: &str| world.provider.set(|world| world.calls.iter().filter(|call| *call == path).count());
    assert_eq!((read("/.well-known/openid-configuration"), read("/jwks"), read("/token")), (1, 1, 2));
}

#[tokio::test]
async fn another_instance_completes_a_sign_in_and_none_completes_it_twice() {
    let world = World::new(Engine::Sqlite).await;
    let other = world.app.another().await;
    let begun = world.begin().await;
    let address = world.provider.authorize(&begun.location);
    back(&other, &begun.kept, &address).await.assert_status(200);
    for app in [&world.app, &other] {
        let replayed = back(app, &begun.kept, &address).await.assert_status(401);
        replayed.assert_problem("sign-in-expired");
    }
    assert_eq!(world.provider.set(|world| world.calls.iter().filter(|call| *call == "/token").count()), 1);
}

#[tokio::test]
async fn only_the_browser_that_began_completes_a_sign_in_in_time() {
    let world = World::new(Engine::Memory).await;
    let (mine, other) = (world.begin().await, world.begin().await);
    let address = world.provider.authorize(&mine.location);
    let wrong_state = address.replace("state=", "state=x");
    let no_state = address.replace("state=", "other=");
    let damaged = format!("{}x", mine.kept);
    for (kept, address) in [
        (&other.kept, &address),
        (&String::from("a=b"), &address),
        (&damaged, &address),
        (&mine.kept, &wrong_state),
        (&mine.kept, &no_state),
    ] {
        world.back(kept, address).await.assert_status(401).assert_problem("sign-in-expired");
    }
    world.app.clock.advance(Duration::from_secs(601));
    world.back(&mine.kept, &address).await.assert_status(401).assert_problem("sign-in-expired");
    assert_eq!(world.provider.set(|world| world.calls.iter().filter(|call| *call == "/token").count()), 0);
}

#[tokio::test]
async fn a_provider_that_refuses_is_quoted() {
    let world = World::new(Engine::Memory).await;
    let begun = world.begin().await;
    let address = world.provider.authorize(&begun.location);
    let denied = address.replace("code=", "error=access_denied&code=");
    let refused = world.back(&begun.kept, &denied).await.assert_status(401).assert_problem("sign-in-refused");
    assert!(refused.text("/detail").contains("access_denied"), "{refused:?}");
    let begun = world.begin().await;
    let address = world.provider.authorize(&begun.location);
    let (before, _) = address.split_once("&iss=").expect("an issuer");
    let mixed_up = format!("{before}&iss=https://evil.example");
    world.back(&begun.kept, &mixed_up).await.assert_status(401).assert_problem("sign-in-refused");
    let begun = world.begin().await;
    let unknown = world.provider.authorize(&begun.location).replace("code=code", "code=other");
    let refused =
        world.back(&begun.kept, &unknown).await.assert_status(401).assert_problem("sign-in-refused");
    assert!(refused.text("/detail").contains("invalid_grant"), "{refused:?}");
}

#[tokio::test]
async fn an_id_token_is_for_us_for_this_sign_in_and_for_now() {
    let world = World::new(Engine::Memory).await;
    let now = world.provider.set(|world| world.now);
    for (wrong, why) in [
        (json!({"nonce": "another"}), "nonce"),
        (json!({"nonce": null}), "nonce"),
        (json!({"aud": "another"}), "aud"),
        (json!({"aud": ["another", CLIENT_ID]}), "aud"),
        (json!({"azp": "another"}), "aud"),
        (json!({"aud": null}), "cannot be read"),
        (json!({"iss": "https://evil.example"}), "issuer"),
        (json!({"iss": [world.provider.issuer()]}), "issuer"),
        (json!({"exp": now - 61}), "expired"),
        (json!({"exp": format!("{}", now + 300)}), "cannot be read"),
        (json!({"exp": null}), "cannot be read"),
        (json!({"nbf": now + 300}), "not valid yet"),
        (json!({"sub": null}), "cannot be read"),
    ] {
        world.provider.set(|world| world.wrong = wrong.clone());
        world.refused(401, "sign-in-refused", why).await;
    }
    assert_eq!(world.app.as_admin().get("/users").await.json()["count"], 0, "nobody was made a user");
    world.provider.set(|world| world.wrong = json!({"aud": ["another", CLIENT_ID], "azp": CLIENT_ID}));
    world.signed_in().await;
}

#[tokio::test]
async fn keys_of_the_provider_may_change() {
    let world = World::new(Engine::Memory).await;
    world.signed_in().await;
    // A key that the provider does not publish.
    world.provider.set(|world| world.signer = Signer::OtherRsa);
    world.refused(401, "sign-in-refused", "does not publish the key").await;
    // Now it does.
    world.provider.set(|world| world.published = vec![Signer::Rsa, Signer::OtherRsa]);
    world.signed_in().await;
    world
        .provider
        .set(|world| (world.signer, world.published) = (Signer::Ec, vec![Signer::OtherRsa, Signer::Ec]));
    world.signed_in().await;
}

#[tokio::test]
async fn a_forged_signature_is_refused() {
    let world = World::new(Engine::Memory).await;
    // Signed by the wrong key under the name of the right one.
    world.provider.set(|world| (world.signer, world.alias) = (Signer::OtherRsa, Some(Signer::Rsa)));
    world.refused(401, "sign-in-refused", "signature").await;
}

#[apply(every_engine)]
#[tokio::test]
async fn roles_follow_the_claim_at_every_sign_in(#[case] engine: Engine) {
    let world = World::new(engine).await;
    let groups = |groups: Value| world.provider.set(|world| world.claims["groups"] = groups);
    let before = world.signed_in().await;
    before.get("/tasks").await.assert_status(403);
    before.get("/streams").await.assert_status(200);
    groups(json!(["tv-viewers"]));
    let lowered = world.signed_in().await;
    before.get("/session").await.assert_status(401);
    let me = lowered.get("/session").await.json();
    assert_eq!(me["roles"][0]["role"], "viewer");
    groups(json!(["tv-root"]));
    let raised = world.signed_in().await;
    lowered.get("/session").await.assert_status(401);
    assert_eq!(raised.get("/session").await.json()["role"], "admin");
    // Another administrator, or this one could not be taken away.
    world.app.user("root@example.org", json!({"administrator": true})).await;
    groups(json!([]));
    world.refused(403, "no-role", "gives you no role").await;
    raised.get("/session").await.assert_status(401);
    let users = world.app.as_admin().get("/users").await.json();
    let user = users["users"].as_array().expect("users").iter().find(|user| user["id"] == me["user"]["id"]);
    let user = user.expect("the user");
    assert_eq!((&user["roles"], &user["administrator"]), (&json!([]), &json!(false)));
    let refused = world.app.audit("resource_type=user&action=sign_in").await;
    assert_eq!(
        (&refused[0]["action"], &refused[0]["actor"]),
        (&json!("sign_in"), &json!("user:ada@example.org"))
    );
}

#[tokio::test]
async fn the_last_administrator_is_signed_out_when_the_claim_is_gone() {
    let world = World::new(Engine::Memory).await;
    world.provider.set(|world| world.claims["groups"] = json!(["tv-root"]));
    let root = world.signed_in().await;
    world.provider.set(|world| world.claims["groups"] = json!(["tv-viewers"]));
    world.refused(409, "last-administrator", "last administrator").await;
    root.get("/session").await.assert_status(401);
}

#[tokio::test]
async fn somebody_without_a_role_does_not_become_a_user() {
    let world = World::new(Engine::Memory).await;
    for claims in [json!({"groups": ["everybody"]}), json!({"groups": {"tv-root": true}}), json!({})] {
        let mut person = json!({"sub": "2", "email": "mallory@example.org"});
        person.as_object_mut().expect("an object").extend(claims.as_object().expect("an object").clone());
        world.provider.set(|world| world.claims = person);
        world.refused(403, "no-role", "company").await;
    }
    assert_eq!(world.app.as_admin().get("/users").await.json()["count"], 0);
}

#[tokio::test]
async fn an_address_links_nobody_to_an_existing_user() {
    let world = World::new(Engine::Memory).await;
    let id = world.app.user("ada@example.org", json!({"administrator": true})).await;
    world.refused(409, "email-taken", "ada@example.org").await;
    let user = world.app.as_admin().get(&format!("/users/{id}")).await.json();
    assert_eq!((&user["has_password"], &user["issuer"]), (&json!(true), &Value::Null));
    world.provider.set(|world| world.claims["email_verified"] = json!(false));
    world.refused(401, "sign-in-refused", "verified e-mail").await;
    world.provider.set(|world| world.claims["email"] = Value::Null);
    world.refused(401, "sign-in-refused", "verified e-mail").await;
}

#[tokio::test]
async fn claims_that_the_token_lacks_are_read_from_the_user_info() {
    let world = World::new(Engine::Memory).await;
    world.provider.set(|world| {
        world.claims = json!({"sub": "7"});
        world.userinfo = Some(json!({"sub": "7", "email": "bob@example.org", "groups": ["tv-viewers"]}));
    });
    let bob = world.signed_in().await;
    assert_eq!(bob.get("/session").await.json()["actor"], "user:bob@example.org");
    world.provider.set(|world| world.claims = json!({"sub": "8"}));
    world.refused(401, "sign-in-refused", "somebody else").await;
}

#[apply(every_engine)]
#[tokio::test]
async fn a_user_of_a_provider_has_no_password_and_gets_none(#[case] engine: Engine) {
    let world = World::new(engine).await;
    let ada = world.signed_in().await;
    let id = ada.get("/session").await.text("/user/id");
    let password = json!({"password": "correct horse battery", "current_password": "x"});
    let admin = world.app.as_admin();
    for (caller, path, body) in [
        (&admin, format!("/users/{id}/password"), password.clone()),
        (&ada, format!("/users/{id}/password"), password),
        (&admin, format!("/users/{id}/link"), json!({})),
        (&ada, format!("/users/{id}/second-factor"), json!({"password": "x"})),
    ] {
        let refused = caller.post(&path).json(body).await.assert_status(409).assert_problem("no-password");
        assert!(refused.text("/detail").contains(world.provider.issuer()), "{refused:?}");
    }
    let body = json!({"email": "ada@example.org", "password": "correct horse battery"});
    world.app.as_nobody().post("/session").json(body).await.assert_status(401);
}

#[tokio::test]
async fn a_password_reset_tells_where_the_person_signs_in() {
    let mailbox = Arc::new(Mailbox::default());
    let mut world = World::new(Engine::Memory).await;
    let mailer = Some(Arc::clone(&mailbox) as Arc<dyn Mailer>);
    world.app = TestApp::with(Engine::Memory, Setup { mailer, ..setup(world.provider.issuer()) }).await;
    world.signed_in().await;
    let reset = world.app.as_nobody().post("/password-resets").json(json!({"email": "ada@example.org"}));
    reset.await.assert_status(202);
    let mail = mailbox.wait_for(1).await;
    assert_eq!(mail.to.as_str(), "ada@example.org");
    assert!(mail.text.expose().contains(world.provider.issuer()), "{}", mail.text.expose());
    assert!(!mail.text.expose().contains("/link#"), "there is no link: {}", mail.text.expose());
}

#[tokio::test]
async fn a_provider_that_is_down_is_unavailable_until_it_is_back() {
    let world = World::new(Engine::Memory).await;
    let begin = || world.app.as_nobody().get("/session/oidc/company");
    world.provider.set(|world| world.is_down = true);
    begin().await.assert_status(503).assert_problem("provider-unavailable");
    world.provider.set(|world| (world.is_down, world.is_another) = (false, true));
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    begin().await.assert_status(503).assert_problem("provider-unavailable");
    world.provider.set(|world| world.is_another = false);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let begun = world.begin().await;
    // It fails in between.
    let address = world.provider.authorize(&begun.location);
    world.provider.set(|world| world.is_down = true);
    world.back(&begun.kept, &address).await.assert_status(503).assert_problem("provider-unavailable");
    world.provider.set(|world| world.is_down = false);
    world.signed_in().await;
}

#[tokio::test]
async fn nobody_is_sent_to_another_site() {
    let world = World::new(Engine::Memory).await;
    for bad in
        ["//evil.example", "https://evil.example", "/%5Cevil.example", "/%0A/evil", "dashboard", "%2F%2Fevil"]
    {
        let path = format!("/session/oidc/company?return_to={bad}");
        world.app.as_nobody().get(&path).await.assert_refuses(&["return_to"]);
    }
    world.app.as_nobody().get("/session/oidc/other").await.assert_status(404);
    world.app.as_nobody().get("/session/oidc/company?next=/").await.assert_status(400);
}

#[tokio::test]
async fn neither_secrets_nor_tokens_reach_answers() {
    let world = World::new(Engine::Memory).await;
    world.provider.set(|world| world.wrong = json!({"nonce": "another"}));
    let begun = world.begin().await;
    let address = world.provider.authorize(&begun.location);
    let refused = world.back(&begun.kept, &address).await;
    let text = format!("{refused:?}{}", begun.kept);
    for secret in [CLIENT_SECRET, "client+secret", "code-1"] {
        assert!(!text.replace(&refused.request, "").contains(secret), "{secret}: {text}");
    }
    assert!(!begun.location.contains("client+secret") && !begun.location.contains("code_verifier"));
}
