//! What protects signing in: limits of attempts, answers that tell nothing, the second factor.

use std::cell::Cell;
use std::time::Duration;

use futures_util::future::join_all;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rstest_reuse::apply;
use serde_json::{Value, json};
use sha1::Sha1;

use crate::harness::{Answer, Engine, Setup, TestApp, every_engine};
use crate::users::PASSWORD;

const ADA: &str = "ada@example.org";
const WRONG: &str = "wrong wrong wrong";

/// An instance that believes `X-Forwarded-For`.
async fn app(engine: Engine) -> TestApp {
    let proxies = vec!["192.0.2.1/32".parse().expect("a network")];
    TestApp::with(engine, Setup { trusted_proxies: proxies, ..Setup::default() }).await
}

/// Signs in from an address, with cookies.
async fn from(app: &TestApp, address: &str, cookie: &str, password: &str) -> Answer {
    let call = app.sign_in(ADA, password).header("x-forwarded-for", address);
    if cookie.is_empty() { call.await } else { call.header("cookie", cookie).await }
}

fn device(answer: &Answer) -> String {
    let set = answer.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    let pair = set.filter_map(|cookie| cookie.split(';').next());
    pair.rev().find(|pair| pair.starts_with("streamward_device=")).expect("a device's cookie").to_owned()
}

#[tokio::test]
async fn the_answer_does_not_tell_whether_there_is_such_a_user() {
    let app = TestApp::memory().await;
    app.clock.stop();
    app.user(ADA, json!({})).await;
    app.as_admin().post("/users").json(json!({"email": "new@example.org"})).await.assert_status(201);
    let mut answers = Vec::new();
    for email in [ADA, "new@example.org", "nobody@example.org"] {
        let mut refused = Vec::new();
        for _ in 0..8 {
            let answer = app.sign_in(email, WRONG).await;
            let (status, mut body) = (answer.status.as_u16(), answer.json());
            body["request_id"] = Value::Null;
            let headers: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
            refused.push((status, body, headers, answer.header("retry-after")));
        }
        assert_eq!((refused[0].0, refused[7].0), (401, 429));
        answers.push(refused);
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
}

/// Both take one hash of a password. The time of a single call is noise; that of the hash is not.
#[tokio::test]
async fn the_time_does_not_tell_either() {
    let app = TestApp::memory().await;
    let mut of_users = Duration::MAX;
    let mut of_nobody = Duration::MAX;
    for n in 0..4 {
        let (user, nobody) = (format!("user{n}@example.org"), format!("nobody{n}@example.org"));
        app.user(&user, json!({})).await;
        for (email, best) in [(user, &mut of_users), (nobody, &mut of_nobody)] {
            for _ in 0..3 {
                let started = tokio::time::Instant::now();
                app.sign_in(&email, WRONG).await.assert_status(401);
                *best = started.elapsed().min(*best);
            }
        }
    }
    assert!(of_nobody > of_users / 4, "nobody: {of_nobody:?}, a user: {of_users:?}");
}

#[apply(every_engine)]
#[tokio::test]
async fn attempts_are_limited_and_attackers_lock_nobody_out(#[case] engine: Engine) {
    let app = app(engine).await;
    app.clock.stop();
    app.user(ADA, json!({})).await;
    let known = device(&from(&app, "203.0.113.1", "", PASSWORD).await.assert_status(201));
    // An attacker guesses, as fast as they can.
    let guesses = join_all((0..30).map(|_| from(&app, "198.51.100.7", "", WRONG))).await;
    let tried = guesses.iter().filter(|answer| answer.status.as_u16() == 401).count();
    assert_eq!(tried, 5, "the others have to wait");
    let refused = from(&app, "198.51.100.7", "", PASSWORD).await.assert_status(429);
    refused.assert_problem("too-many-attempts");
    // The right person gets in meanwhile: where they were before, on their device, and elsewhere.
    from(&app, "203.0.113.1", "", PASSWORD).await.assert_status(201);
    from(&app, "198.51.100.7", &known, PASSWORD).await.assert_status(201);
    from(&app, "203.0.113.99", "", PASSWORD).await.assert_status(201);
    // The cookie of another device is worth nothing.
    from(&app, "198.51.100.8", "streamward_device=x.y", WRONG).await.assert_status(401);
    // Waiting helps.
    app.clock.advance(Duration::from_secs(3_600));
    from(&app, "198.51.100.7", "", PASSWORD).await.assert_status(201);
}

#[apply(every_engine)]
#[tokio::test]
async fn failed_attempts_on_an_account_are_in_the_audit_log_and_others_are_not(#[case] engine: Engine) {
    let app = app(engine).await;
    let id = app.user(ADA, json!({})).await;
    for _ in 0..3 {
        app.sign_in(ADA, WRONG).await.assert_status(401);
        app.sign_in("nobody@example.org", WRONG).await.assert_status(401);
    }
    let mut failed = Vec::new();
    // The housekeeping task writes them.
    tokio::time::timeout(Duration::from_secs(60), async {
        while failed.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
            failed = app.audit("action=sign_in&resource_type=user").await;
        }
    })
    .await
    .expect("an entry");
    let entry = &failed[0];
    assert_eq!((&entry["resource_id"], &entry["outcome"]), (&json!(id), &json!("failure")));
    assert_eq!((&entry["actor"], &entry["ip_address"]), (&Value::Null, &json!("192.0.2.1")));
    let all = app.audit("").await;
    assert!(!all.iter().any(|entry| entry.to_string().contains("nobody@")), "{all:?}");
}

#[tokio::test]
async fn twenty_sign_ins_at_once_succeed_and_auth_is_answered_meanwhile() {
    let app = TestApp::memory().await;
    let people: Vec<String> = (0..20).map(|n| format!("person{n}@example.org")).collect();
    for email in &people {
        app.user(email, json!({})).await;
    }
    let key = app.key("live/alice").await;
    let signed_in = Cell::new(0);
    let sign_ins = join_all(people.iter().map(|email| async {
        app.sign_in(email, PASSWORD).await.assert_status(201);
        signed_in.set(signed_in.get() + 1);
    }));
    let auth = async {
        app.request_publish(&key, "c1").await.assert_status(200);
        signed_in.get()
    };
    let (_, before) = tokio::join!(sign_ins, auth);
    assert!(before < 20, "the answer to the encoder did not wait for all passwords");
    assert_eq!(signed_in.get(), 20);
}

/// The code that an authenticator app shows.
pub(crate) fn code(secret: &str, seconds: i64) -> String {
    let (mut key, mut number, mut bits) = (Vec::new(), 0u64, 0);
    for character in secret.bytes() {
        let value = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|known| *known == character);
        number = (number << 5) | value.expect("base32") as u64;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            key.push(u8::try_from((number >> bits) & 0xff).expect("a byte"));
        }
    }
    let mut mac = <Hmac<Sha1>>::new_from_slice(&key).expect("any length");
    mac.update(&(seconds / 30).to_be_bytes());
    let hash: [u8; 20] = mac.finalize().into_bytes().into();
    let at = usize::from(hash[19] & 15);
    let number = u32::from_be_bytes(hash[at..at + 4].try_into().expect("four")) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

#[apply(every_engine)]
#[tokio::test]
async fn a_second_factor_is_needed_once_it_is_confirmed(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    app.clock.stop();
    let id = app.user(ADA, json!({"roles": [{"role": "viewer"}]})).await;
    let ada = app.signed_in(ADA).await;
    let path = format!("/users/{id}/second-factor");
    let (confirm, remove) = (format!("{path}/confirm"), format!("{path}/remove"));
    let with_password = || json!({"password": PASSWORD});
    ada.post(&path).json(json!({"password": WRONG})).await.assert_refuses(&["password"]);
    app.as_admin().post(&path).json(with_password()).await.assert_status(404);
    ada.post(&confirm).json(json!({"code": "123456"})).await.assert_status(409);
    let made = ada.post(&path).json(with_password()).shown_once().await.assert_status(201);
    let secret = made.text("/secret");
    assert!(made.text("/uri").starts_with("otpauth://totp/Streamward:ada%40example.org?secret="), "{made:?}");
    app.sign_in(ADA, PASSWORD).await.assert_status(201);

    ada.post(&confirm).json(json!({"code": "000000"})).await.assert_status(401);
    let first = code(&secret, app.clock.seconds());
    let codes = ada.post(&confirm).json(json!({"code": first})).shown_once().await.assert_status(200).json();
    let codes: Vec<String> = serde_json::from_value(codes["recovery_codes"].clone()).expect("codes");
    assert_eq!(codes.len(), 10);
    ada.post(&path).json(with_password()).await.assert_status(409).assert_problem("second-factor-state");

    let sign_in = |code: &str| {
        let body = json!({"email": ADA, "password": PASSWORD, "code": code});
        app.as_nobody().post("/session").json(body).shown_once()
    };
    app.sign_in(ADA, PASSWORD).await.assert_status(401).assert_problem("second-factor-needed");
    sign_in(&first).await.assert_status(401).assert_problem("unauthenticated");
    app.clock.advance(Duration::from_secs(30));
    let next = code(&secret, app.clock.seconds());
    sign_in(&next).await.assert_status(201);
    sign_in(&next).await.assert_status(401);
    sign_in(&codes[0].to_uppercase()).await.assert_status(201);
    sign_in(&codes[0]).await.assert_status(401);

    ada.post(&remove).json(json!({})).await.assert_refuses(&["password"]);
    ada.post(&remove).json(with_password()).await.assert_status(204);
    app.sign_in(ADA, PASSWORD).await.assert_status(201);
    app.as_admin().post(&remove).json(json!({})).await.assert_status(409);
    let actions: Vec<Value> =
        app.audit(&format!("resource_id={id}")).await.iter().map(|entry| entry["action"].clone()).collect();
    for action in ["offer_totp", "confirm_totp", "remove_totp"] {
        assert!(actions.contains(&json!(action)), "{actions:?}");
    }
}
