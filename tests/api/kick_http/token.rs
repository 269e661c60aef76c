//! The token: shared by all calls, replaced in time, and never shown.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use streamward::adapters::kick::{KickHttp, KickSettings, Timing};
use streamward::domain::secret::Secret;
use streamward::ports::{Clock as _, KickApi as _, RemoteError};
use streamward_test_support::kick::{Fault, KickStub, World};
use tokio::task::JoinSet;

use super::{all_live, client, named, settings, slug, users, with};
use crate::harness::TestClock;

#[tokio::test]
async fn fifty_calls_request_one_token_and_one_more_when_it_is_refused() {
    let kick = all_live(1).await;
    let http = client(&kick);
    for tokens in 1..=2 {
        let mut calls = JoinSet::new();
        for _ in 0..50 {
            let http = Arc::clone(&http);
            calls.spawn(async move { named(&http, "user1").await });
        }
        for found in calls.join_all().await {
            assert_eq!(found.expect("an answer").expect("a channel").user.get(), 1);
        }
        assert_eq!(kick.count("token"), tokens, "token requests so far");
        kick.set(World::forget_tokens);
    }
    assert!(kick.count("channels") > 100, "the second fifty were refused before they were answered");
}

#[tokio::test]
async fn a_token_is_replaced_shortly_before_its_end() {
    for (expires_in, life, margin) in [
        (json!(1_000), 1_000, 100),
        (json!("1000"), 1_000, 100),
        (json!(86_400), 86_400, 300),
        (json!(""), 3_600, 300),
        (json!(null), 3_600, 300),
        (json!(0), 3_600, 300),
    ] {
        let kick = KickStub::start().await;
        kick.set(|world| world.expires_in = expires_in.clone());
        let clock = Arc::new(TestClock::default());
        clock.stop();
        let http = KickHttp::new(&settings(&kick), Arc::clone(&clock) as _).expect("a client");
        let begun = clock.now();
        let until = http.token_valid_until().await.expect("a token");
        assert_eq!(until, begun.plus(Duration::from_secs(life)), "{expires_in}");
        // The clock runs; five seconds are the margin.
        let clock = Arc::new(TestClock::default());
        let http = KickHttp::new(&settings(&kick), Arc::clone(&clock) as _).expect("a client");
        http.token_valid_until().await.expect("a token");
        let before = kick.count("token");
        clock.advance(Duration::from_secs(life - margin - 5));
        http.token_valid_until().await.expect("a token");
        assert_eq!(kick.count("token"), before, "{expires_in}: still good");
        clock.advance(Duration::from_secs(6));
        http.token_valid_until().await.expect("a token");
        assert_eq!(kick.count("token"), before + 1, "{expires_in}: replaced");
    }
}

#[tokio::test]
async fn an_old_token_is_used_to_its_end_if_no_new_one_is_given() {
    let kick = all_live(1).await;
    kick.set(|world| world.expires_in = json!(1_000));
    let clock = Arc::new(TestClock::default());
    let http = KickHttp::new(&settings(&kick), Arc::clone(&clock) as _).expect("a client");
    http.channels(&users([1])).await.expect("an answer");
    kick.set(|world| world.always("token", Some(Fault::Error(503, "unavailable".to_owned()))));
    clock.advance(Duration::from_secs(950));
    for _ in 0..5 {
        http.channels(&users([1])).await.expect("an answer with the old token");
    }
    assert_eq!(kick.count("token"), 2, "a failed attempt is not repeated at once");
    clock.advance(Duration::from_secs(51));
    let result = http.channels(&users([1])).await;
    assert!(matches!(&result, Err(RemoteError::Status { status: 503, .. })), "{result:?}");
}

#[tokio::test]
async fn a_failed_token_request_is_repeated_after_a_pause() {
    let kick = all_live(1).await;
    let timing = Timing { token_pause: Duration::from_millis(200), ..settings(&kick).timing };
    let http = with(&KickSettings { timing, ..settings(&kick) });
    kick.set(|world| world.next("token", Fault::Error(500, "oops".to_owned())));
    for _ in 0..5 {
        let result = http.token_valid_until().await;
        assert!(matches!(&result, Err(RemoteError::Status { status: 500, .. })), "{result:?}");
    }
    assert_eq!(kick.count("token"), 1);
    tokio::time::sleep(Duration::from_millis(250)).await;
    http.token_valid_until().await.expect("a token");
    assert_eq!(kick.count("token"), 2);
}

#[tokio::test]
async fn a_refused_token_is_replaced_but_not_at_every_refusal() {
    let kick = all_live(1).await;
    let http = client(&kick);
    kick.set(|world| world.next("channels", Fault::Unauthorised));
    http.channels(&users([1])).await.expect("an answer");
    assert_eq!((kick.count("token"), kick.count("channels")), (2, 2));

    let http = client(&kick);
    kick.set(|world| world.always("channels", Some(Fault::Unauthorised)));
    for _ in 0..10 {
        assert_eq!(http.channels(&users([1])).await, Err(RemoteError::Unauthorised));
    }
    assert!(kick.count("token") <= 2 + 3, "{} token requests", kick.count("token"));
}

#[tokio::test]
async fn a_wrong_secret_is_reported_and_not_retried_constantly() {
    let kick = all_live(1).await;
    let http = with(&KickSettings { client_secret: Secret::new("hunter2"), ..settings(&kick) });
    for _ in 0..10 {
        let result = http.channels(&users([1])).await.expect_err("the secret is wrong");
        assert_eq!(result, RemoteError::Unauthorised);
        assert_eq!(result.to_string(), "refused our credentials");
    }
    assert_eq!((kick.count("token"), kick.count("channels")), (1, 0));
}

#[tokio::test]
async fn without_credentials_the_keys_to_set_are_named() {
    let kick = all_live(1).await;
    for (client_id, client_secret) in [("", "secret"), ("id", "")] {
        let (client_id, client_secret) = (client_id.to_owned(), Secret::new(client_secret));
        let http = with(&KickSettings { client_id, client_secret, ..settings(&kick) });
        let results = [
            named(&http, "user1").await.err(),
            http.channels(&users([1])).await.err(),
            http.live_among(&users([1])).await.err(),
            http.token_valid_until().await.err(),
        ];
        for result in results {
            let Some(RemoteError::Unsupported(text)) = result else { panic!("{result:?}") };
            assert!(text.contains("`kick.client_id`") && text.contains("`kick.client_secret`"), "{text}");
        }
    }
    assert!(kick.requests().is_empty());
}

#[tokio::test]
async fn neither_secret_nor_token_is_in_any_error() {
    let kick = all_live(1).await;
    // Kick repeats the whole request in every way.
    let echo = "no stub-client-secret and no stub-token-1 here".to_owned();
    let as_json = json!({"message": echo, "data": echo, "error": echo}).to_string();
    for body in [echo, as_json] {
        for status in [400, 403, 418, 500] {
            for endpoint in ["token", "channels", "livestreams", "livestreams_v2", "site"] {
                let http = client(&kick);
                kick.set(|world| {
                    world.tokens_given = 0;
                    world.always(endpoint, Some(Fault::Error(status, body.clone())));
                });
                let results = [
                    named(&http, "user1").await.err(),
                    http.channels(&users([1])).await.err(),
                    http.live_among(&users([1])).await.err(),
                    http.token_valid_until().await.err(),
                    http.ids_on_site(&slug("user1")).await.err().filter(|_| endpoint != "site"),
                ];
                kick.set(|world| world.always(endpoint, None));
                for result in results.into_iter().flatten() {
                    for shown in [format!("{result}"), format!("{result:?}")] {
                        assert!(!shown.contains("stub-client-secret"), "{endpoint}: {shown}");
                        assert!(!shown.contains("stub-token"), "{endpoint}: {shown}");
                    }
                }
            }
        }
    }
    assert!(!format!("{:?}", settings(&kick)).contains("stub-client-secret"));
}
