//! Webhooks signed by Kick are accepted, all others are refused, and none causes a panic.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use proptest::prelude::{Strategy, any};
use serde_json::{Value, json};
use streamward::adapters::kick::{KickWebhooks, WebhookKeySettings};
use streamward::domain::Timestamp;
use streamward::domain::streamer::decide::ReportedStatus;
use streamward::domain::streamer::{Session, Source};
use streamward::ports::{
    RemoteError, StatusUpdate, Subject, WebhookError, WebhookHeaders, WebhookVerifier as _,
};
use streamward_test_support::fuzz::{fuzz, texts};
use streamward_test_support::kick::{
    Fault, KickStub, OTHER_TEST_KEY, SignedWebhook, TEST_KEY, stopped, went_live,
};
use streamward_test_support::process::eventually;
use tokio::task::JoinSet;

use super::{settings, user};
use crate::harness::{Answer, Engine, Setup, TestApp};

const ID: &str = "01JAXK8N4QWRTY5PM7ZEBVJDS8";
const NOW: &str = "2026-01-31T12:00:01Z";
const BEGAN: &str = "2026-01-31T23:00:00+11:00";

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).expect("a time")
}

fn headers(webhook: &SignedWebhook) -> WebhookHeaders {
    WebhookHeaders {
        message_id: Some(webhook.message_id.clone()),
        timestamp: Some(webhook.timestamp.clone()),
        signature: Some(webhook.signature.clone()),
        kind: Some(webhook.kind.clone()),
        version: Some(webhook.version.clone()),
    }
}

/// A verifier that fetches the key from the stand-in.
fn fetching(kick: &KickStub) -> KickWebhooks {
    KickWebhooks::new(&settings(kick), WebhookKeySettings::default()).expect("a verifier")
}

/// A verifier with the test key configured.
fn given() -> KickWebhooks {
    let key =
        WebhookKeySettings { pem: Some(TEST_KEY.public_pem.to_owned()), ..WebhookKeySettings::default() };
    KickWebhooks::new(&streamward::adapters::kick::KickSettings::default(), key).expect("a verifier")
}

fn live() -> SignedWebhook {
    SignedWebhook::new(&TEST_KEY, ID, NOW, &went_live(123, "user1", BEGAN, "hi"))
}

async fn verify(
    verifier: &KickWebhooks,
    webhook: &SignedWebhook,
) -> Result<Option<StatusUpdate>, WebhookError> {
    verifier.verify(&headers(webhook), &webhook.body, at(NOW)).await
}

#[tokio::test]
async fn a_signed_webhook_is_a_status_update() {
    let kick = KickStub::start().await;
    let verifier = fetching(&kick);
    let update = verify(&verifier, &live()).await.expect("accepted").expect("a status update");
    let session = Session {
        started_at: Some(at("2026-01-31T12:00:00Z")),
        title: Some("hi".to_owned()),
        ..Session::default()
    };
    let expected = StatusUpdate {
        subject: Subject::User(user(123)),
        reported: ReportedStatus::Started(session),
        source: Source::Webhook,
        received_at: at(NOW),
    };
    assert_eq!(update, expected);

    let end = SignedWebhook::new(&TEST_KEY, ID, NOW, &stopped(123, "user1", BEGAN, "2026-01-31T12:00:01Z"));
    let update = verify(&verifier, &end).await.expect("accepted").expect("a status update");
    let session = Session {
        started_at: Some(at("2026-01-31T12:00:00Z")),
        ended_at: Some(at("2026-01-31T12:00:01Z")),
        ..Session::default()
    };
    assert_eq!(update.reported, ReportedStatus::Stopped { session, banned: false });
    assert_eq!(kick.count("public_key"), 1, "the key is kept");
    assert_eq!(kick.count("token"), 0, "and costs no token");
}

#[tokio::test]
async fn a_configured_key_is_not_fetched() {
    assert!(verify(&given(), &live()).await.expect("accepted").is_some());
    let one_line = TEST_KEY.public_pem.trim().replace('\n', "\\n");
    for (pem, good) in [(one_line.as_str(), true), ("", false), ("-----BEGIN PUBLIC KEY-----", false)] {
        let key = WebhookKeySettings { pem: Some(pem.to_owned()), ..WebhookKeySettings::default() };
        let made = KickWebhooks::new(&streamward::adapters::kick::KickSettings::default(), key);
        match made {
            Ok(verifier) => assert!(good && verify(&verifier, &live()).await.is_ok(), "{pem}"),
            Err(error) => assert!(!good && matches!(error, RemoteError::Unsupported(_)), "{pem}: {error}"),
        }
    }
}

#[tokio::test]
async fn any_part_that_is_changed_or_swapped_breaks_the_signature() {
    let verifier = given();
    let (good, other) = (
        live(),
        SignedWebhook::new(
            &TEST_KEY,
            "01JAXK8N4QWRTY5PM7ZEBVJDS9",
            "2026-01-31T12:00:02Z",
            &stopped(123, "user1", BEGAN, NOW),
        ),
    );
    assert!(verify(&verifier, &good).await.is_ok() && verify(&verifier, &other).await.is_ok());
    let mut changed_body = good.clone();
    let text = String::from_utf8(good.body.clone()).expect("text");
    changed_body.body = text.replace("123", "124").into_bytes();
    let mut longer_body = good.clone();
    longer_body.body.push(b' ');
    let not_kicks = SignedWebhook::new(&OTHER_TEST_KEY, ID, NOW, &went_live(123, "user1", BEGAN, "hi"));
    for (what, forged) in [
        ("another key", not_kicks),
        ("another body", SignedWebhook { body: other.body.clone(), ..good.clone() }),
        ("another id", SignedWebhook { message_id: other.message_id.clone(), ..good.clone() }),
        ("another time", SignedWebhook { timestamp: other.timestamp.clone(), ..good.clone() }),
        (
            "the same time otherwise",
            SignedWebhook { timestamp: "2026-01-31T12:00:01.0Z".into(), ..good.clone() },
        ),
        ("another signature", SignedWebhook { signature: other.signature.clone(), ..good.clone() }),
        ("an empty signature", SignedWebhook { signature: "AAAA".into(), ..good.clone() }),
        ("a changed body", changed_body),
        ("a longer body", longer_body),
    ] {
        assert_eq!(verify(&verifier, &forged).await, Err(WebhookError::Signature), "{what}");
    }
}

#[tokio::test]
async fn moving_the_parts_of_the_signed_text_is_refused() {
    // One signed text, two ids: one ends at the first dot, the other at the next.
    let inner = went_live(666, "victim", BEGAN, "hi").to_string();
    let body = format!("{NOW}.{inner}").into_bytes();
    let outer = SignedWebhook::raw(&TEST_KEY, ID, NOW, body);
    let mut cut = outer.clone();
    cut.message_id = format!("{ID}.{NOW}");
    cut.body = inner.into_bytes();
    let verifier = given();
    assert_eq!(verify(&verifier, &cut).await, Err(WebhookError::Header("Kick-Event-Message-Id")));
    assert!(matches!(verify(&verifier, &outer).await, Err(WebhookError::Body(_))));
}

#[tokio::test]
async fn only_recent_webhooks_are_accepted() {
    let verifier = given();
    for (now, accepted) in [
        ("2026-01-31T12:05:01Z", true),
        ("2026-01-31T12:05:02Z", false),
        ("2026-01-31T11:55:01Z", true),
        ("2026-01-31T11:55:00Z", false),
        ("2027-01-31T12:00:01Z", false),
    ] {
        let result = verifier.verify(&headers(&live()), &live().body, at(now)).await;
        match result {
            Ok(update) => assert!(accepted && update.is_some(), "{now}"),
            Err(error) => {
                assert_eq!(
                    (accepted, error.to_string()),
                    (false, WebhookError::Stale(300).to_string()),
                    "{now}"
                );
            }
        }
    }
    assert_eq!(WebhookError::Stale(300).to_string(), "it is stamped more than 5 minutes before or after now");
}

#[tokio::test]
async fn a_header_that_is_missing_or_malformed_is_named() {
    type Spoil = fn(&mut WebhookHeaders);
    let cases: [(&str, Spoil); 9] = [
        ("Kick-Event-Message-Id", |h| h.message_id = None),
        ("Kick-Event-Message-Id", |h| h.message_id = Some("a".repeat(65))),
        ("Kick-Event-Message-Timestamp", |h| h.timestamp = None),
        ("Kick-Event-Message-Timestamp", |h| h.timestamp = Some("1769860801".to_owned())),
        ("Kick-Event-Signature", |h| h.signature = None),
        ("Kick-Event-Signature", |h| h.signature = Some(String::new())),
        ("Kick-Event-Signature", |h| h.signature = Some("not base64!".to_owned())),
        ("Kick-Event-Type", |h| h.kind = None),
        ("Kick-Event-Version", |h| h.version = None),
    ];
    let verifier = given();
    for (name, spoil) in cases {
        let mut headers = headers(&live());
        spoil(&mut headers);
        let result = verifier.verify(&headers, &live().body, at(NOW)).await;
        assert_eq!(result, Err(WebhookError::Header(name)));
    }
}

#[tokio::test]
async fn other_events_are_accepted_and_ignored() {
    let verifier = given();
    for (kind, version) in [("chat.message.sent", "1"), ("livestream.status.updated", "2"), ("x", "")] {
        let webhook = SignedWebhook { kind: kind.to_owned(), version: version.to_owned(), ..live() };
        let expected =
            if version.is_empty() { Err(WebhookError::Header("Kick-Event-Version")) } else { Ok(None) };
        assert_eq!(verify(&verifier, &webhook).await, expected, "{kind} {version}");
        // These need a signature too.
        let forged = SignedWebhook { signature: "AAAA".to_owned(), version: "1".to_owned(), ..webhook };
        assert_eq!(verify(&verifier, &forged).await, Err(WebhookError::Signature));
    }
}

#[tokio::test]
async fn a_signed_body_of_another_shape_is_refused() {
    let verifier = given();
    let mut no_user = went_live(1, "a", BEGAN, "");
    no_user["broadcaster"]["user_id"] = json!(0);
    let chat = json!({"broadcaster": {"user_id": 1}, "sender": {"user_id": 2}, "content": "is_live: true"});
    for body in [no_user, chat, json!({}), json!([]), Value::Null, json!("x")] {
        let webhook = SignedWebhook::new(&TEST_KEY, ID, NOW, &body);
        let result = verify(&verifier, &webhook).await;
        assert_eq!(result, Err(WebhookError::Body("livestream.status.updated")), "{body}");
    }
    let webhook = SignedWebhook::raw(&TEST_KEY, ID, NOW, vec![0xff, 0x00]);
    assert!(matches!(verify(&verifier, &webhook).await, Err(WebhookError::Body(_))));
}

#[tokio::test]
async fn a_new_key_is_fetched_but_not_for_every_forgery() {
    let kick = KickStub::start().await;
    let refetch = Duration::from_millis(300);
    let key = WebhookKeySettings { refetch, ..WebhookKeySettings::default() };
    let verifier = KickWebhooks::new(&settings(&kick), key).expect("a verifier");
    let forged = SignedWebhook::new(&OTHER_TEST_KEY, ID, NOW, &went_live(1, "a", BEGAN, ""));
    for _ in 0..20 {
        assert_eq!(verify(&verifier, &forged).await, Err(WebhookError::Signature));
    }
    assert_eq!(kick.count("public_key"), 1);
    kick.set(|world| world.public_key = OTHER_TEST_KEY.public_pem.to_owned());
    tokio::time::sleep(refetch).await;
    assert!(verify(&verifier, &forged).await.expect("now it is Kick's").is_some());
    assert_eq!(verify(&verifier, &live()).await, Err(WebhookError::Signature), "and the old one no more");
    assert_eq!(kick.count("public_key"), 2);
}

/// With the settings of the service: Kick's new key is known within seconds, not after a minute.
#[tokio::test]
async fn a_new_key_is_accepted_within_seconds() {
    let kick = KickStub::start().await;
    let verifier = fetching(&kick);
    assert!(verify(&verifier, &live()).await.is_ok());
    kick.set(|world| world.public_key = OTHER_TEST_KEY.public_pem.to_owned());
    let renewed = SignedWebhook::new(&OTHER_TEST_KEY, ID, NOW, &went_live(1, "a", BEGAN, ""));
    let accepted = async || Ok(verify(&verifier, &renewed).await.ok());
    eventually("it is accepted", Duration::from_secs(20), accepted).await.expect("accepted");
    assert_eq!(kick.count("public_key"), 2);
}

#[tokio::test]
async fn a_failed_key_fetch_is_reported_and_retried_soon() {
    let kick = KickStub::start().await;
    let retry = Duration::from_secs(1);
    let key = WebhookKeySettings { retry, ..WebhookKeySettings::default() };
    let verifier = KickWebhooks::new(&settings(&kick), key).expect("a verifier");
    for fault in [Fault::Error(500, "oops".to_owned()), Fault::Body("{\"data\":{}}".to_owned())] {
        kick.set(|world| world.next("public_key", fault));
        let before = kick.count("public_key");
        for _ in 0..5 {
            assert!(matches!(verify(&verifier, &live()).await, Err(WebhookError::KeyUnavailable(_))));
        }
        assert_eq!(kick.count("public_key"), before + 1);
        tokio::time::sleep(retry).await;
    }
    assert!(verify(&verifier, &live()).await.expect("accepted").is_some());
}

#[tokio::test]
async fn a_known_key_survives_a_failed_fetch() {
    let kick = KickStub::start().await;
    let key = WebhookKeySettings { refetch: Duration::ZERO, ..WebhookKeySettings::default() };
    let verifier = KickWebhooks::new(&settings(&kick), key).expect("a verifier");
    assert!(verify(&verifier, &live()).await.is_ok());
    kick.set(|world| world.always("public_key", Some(Fault::Error(500, "oops".to_owned()))));
    let forged = SignedWebhook::new(&OTHER_TEST_KEY, ID, NOW, &went_live(1, "a", BEGAN, ""));
    assert_eq!(verify(&verifier, &forged).await, Err(WebhookError::Signature));
    assert!(verify(&verifier, &live()).await.expect("accepted").is_some());
}

#[tokio::test]
async fn a_flood_of_forgeries_costs_one_request() {
    let kick = KickStub::start().await;
    kick.set(|world| world.next("public_key", Fault::Slow(Duration::from_millis(200))));
    let verifier = Arc::new(fetching(&kick));
    let mut flood = JoinSet::new();
    for n in 0..50 {
        let verifier = Arc::clone(&verifier);
        let signer = if n == 25 { &TEST_KEY } else { &OTHER_TEST_KEY };
        let webhook = SignedWebhook::new(signer, ID, NOW, &went_live(1, "a", BEGAN, ""));
        flood.spawn(async move { verify(&verifier, &webhook).await.is_ok() });
    }
    let accepted = flood.join_all().await.into_iter().filter(|accepted| *accepted).count();
    assert_eq!((accepted, kick.count("public_key")), (1, 1));
}

/// Posts the webhook as Kick does.
async fn post(app: &TestApp, webhook: &SignedWebhook) -> Answer {
    let headers = [
        ("kick-event-message-id", &webhook.message_id),
        ("kick-event-message-timestamp", &webhook.timestamp),
        ("kick-event-signature", &webhook.signature),
        ("kick-event-type", &webhook.kind),
        ("kick-event-version", &webhook.version),
    ];
    let call = app.as_nobody().post("/kick/webhook").body(webhook.body.clone());
    headers.into_iter().fold(call, |call, (name, value)| call.header(name, value)).await
}

#[tokio::test]
async fn missing_key_has_its_own_problem_with_a_retry_time() {
    let kick = KickStub::start().await;
    kick.set(|world| world.next("public_key", Fault::Error(500, "oops".to_owned())));
    let key = WebhookKeySettings { retry: Duration::ZERO, ..WebhookKeySettings::default() };
    let verifier = Arc::new(KickWebhooks::new(&settings(&kick), key).expect("a verifier"));
    let setup = Setup { webhooks: Some(verifier), ..Setup::default() };
    let app = TestApp::with(Engine::Memory, setup).await;
    let now = Timestamp::from_seconds(app.clock.seconds()).to_string();
    let webhook = SignedWebhook::new(&TEST_KEY, ID, &now, &went_live(123, "user1", BEGAN, "hi"));
    let answer = post(&app, &webhook).await.assert_status(503).assert_problem("webhook-key-unavailable");
    assert!(answer.text("/detail").starts_with("Kick's public key could not be fetched"), "{answer:?}");
    assert_eq!(answer.header("retry-after"), "2");
    post(&app, &webhook).await.assert_status(204);
}

/// One verifier for all cases: making one reads the machine's certificates.
static SHARED: LazyLock<KickWebhooks> = LazyLock::new(given);

fn maybe(text: impl Strategy<Value = String>) -> impl Strategy<Value = Option<String>> {
    proptest::option::weighted(0.9, text)
}

#[test]
fn any_unsigned_webhook_is_refused() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let headers = (
        maybe("[A-Z0-9]{26}|.{0,40}"),
        maybe(r"2026-01-31T12:00:0[0-9](\.[0-9]{1,12})?Z|.{0,30}"),
        maybe("[A-Za-z0-9+/]{342}==|.{0,40}"),
        maybe("livestream.status.updated|.{0,20}"),
        maybe("1|.{0,5}"),
    );
    let bodies = proptest::collection::vec(any::<u8>(), 0..200);
    fuzz(&(headers, bodies), |((message_id, timestamp, signature, kind, version), body)| {
        let headers = WebhookHeaders { message_id, timestamp, signature, kind, version };
        let result = runtime.block_on(SHARED.verify(&headers, &body, at(NOW)));
        assert!(result.is_err(), "{result:?}");
    });
}

#[test]
fn any_signed_webhook_is_read_or_refused() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    // Signing takes most of the time.
    let bodies = (texts(&["hi", "2026-01-31T12:00:00Z"]), any::<bool>(), ".{0,40}", any::<bool>());
    fuzz(&bodies, |(title, live, started, is_shaped)| {
        let mut body = went_live(1, "a", &started, &title);
        body["is_live"] = json!(live);
        let body = if is_shaped { body.to_string() } else { title };
        let webhook = SignedWebhook::raw(&TEST_KEY, ID, NOW, body.into_bytes());
        let result = runtime.block_on(verify(&SHARED, &webhook));
        assert!(matches!(result, Ok(Some(_)) | Err(WebhookError::Body(_))), "{result:?}");
    });
}
