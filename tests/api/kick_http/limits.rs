//! The pace of requests to Kick, and the effect of a 429.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use streamward::adapters::kick::{KickSettings, Timing};
use streamward::ports::{Clock as _, KickApi as _, RemoteError};
use streamward_test_support::kick::Fault;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{all_live, client, settings, users, with};
use crate::harness::TestClock;

#[tokio::test]
async fn requests_of_all_calls_are_spread() {
    let kick = all_live(1).await;
    let per_minute = NonZeroU32::new(1_200).expect("not zero");
    let http =
        with(&KickSettings { requests_per_minute: per_minute, burst: NonZeroU32::MIN, ..settings(&kick) });
    let mut calls = JoinSet::new();
    for _ in 0..11 {
        let http = Arc::clone(&http);
        calls.spawn(async move { http.channels(&users([1])).await.expect("an answer") });
    }
    calls.join_all().await;
    let requests: Vec<Instant> = kick
        .requests()
        .iter()
        .filter(|request| request.endpoint == "channels")
        .map(|request| request.at)
        .collect();
    assert_eq!(requests.len(), 11);
    // Ten times 50 ms; the first one may have been late.
    assert!(requests[10] - requests[0] >= Duration::from_millis(400), "{:?}", requests[10] - requests[0]);
}

#[tokio::test]
async fn after_a_429_every_call_waits_for_its_retry_time() {
    let kick = all_live(1).await;
    let http = client(&kick);
    http.channels(&users([1])).await.expect("an answer");
    kick.set(|world| world.next("channels", Fault::TooMany(Some("1".to_owned()))));
    let begun = Instant::now();
    let first = {
        let http = Arc::clone(&http);
        async move { http.channels(&users([1])).await }
    };
    let second = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        http.live_among(&users([1])).await
    };
    let (first, second) = tokio::join!(first, second);
    assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
    let requests = kick.requests();
    let late = requests.iter().filter(|request| request.at - begun >= Duration::from_millis(950)).count();
    assert_eq!(late, 2, "both calls came after the wait");
    assert_eq!((kick.count("channels"), kick.count("livestreams")), (3, 1));
}

#[tokio::test]
async fn the_retry_time_may_be_a_date() {
    let kick = all_live(1).await;
    let http = client(&kick);
    let until = TestClock::default().now().plus(Duration::from_secs(2)).micros() / 1_000_000;
    let until = chrono::DateTime::from_timestamp(until, 0).expect("a time").format("%a, %d %b %Y %T GMT");
    kick.set(|world| world.next("channels", Fault::TooMany(Some(until.to_string()))));
    let begun = Instant::now();
    http.channels(&users([1])).await.expect("an answer");
    let took = begun.elapsed();
    assert!(took > Duration::from_millis(500) && took < Duration::from_secs(4), "{took:?}");
}

#[tokio::test]
async fn a_429_without_a_time_waits_for_the_default_and_a_second_one_is_an_error() {
    let kick = all_live(1).await;
    let timing = Timing { hold: Duration::from_millis(300), ..settings(&kick).timing };
    let http = with(&KickSettings { timing, ..settings(&kick) });
    kick.set(|world| world.next("channels", Fault::TooMany(None)));
    let begun = Instant::now();
    http.channels(&users([1])).await.expect("an answer");
    assert!(begun.elapsed() >= Duration::from_millis(300));
    kick.set(|world| world.always("channels", Some(Fault::TooMany(None))));
    let result = http.channels(&users([1])).await;
    assert!(matches!(&result, Err(RemoteError::Status { status: 429, .. })), "{result:?}");
    assert_eq!(kick.count("channels"), 4);
}

#[tokio::test]
async fn a_long_wait_is_an_error_at_once_and_no_requests_are_sent_meanwhile() {
    let kick = all_live(1).await;
    let http = client(&kick);
    kick.set(|world| world.next("channels", Fault::TooMany(Some("86400".to_owned()))));
    let begun = Instant::now();
    http.live_among(&users([1])).await.expect("nothing is held yet");
    let result = http.channels(&users([1])).await;
    let Err(RemoteError::Status { status: 429, message }) = &result else { panic!("{result:?}") };
    // A day is too long: ten minutes is the limit.
    assert!(message.contains("in 599 s") || message.contains("in 600 s"), "{message}");
    let result = http.live_among(&users([1])).await;
    assert!(matches!(&result, Err(RemoteError::Status { status: 429, .. })), "{result:?}");
    for _ in 0..5 {
        assert!(http.channels(&users([1])).await.is_err());
    }
    assert_eq!((kick.count("channels"), kick.count("livestreams")), (1, 1));
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_slow_answer_ends_in_time() {
    let kick = all_live(1).await;
    let timing = Timing { call: Duration::from_millis(300), ..settings(&kick).timing };
    let http = with(&KickSettings { timing, ..settings(&kick) });
    kick.set(|world| world.next("channels", Fault::Slow(Duration::from_secs(20))));
    let begun = Instant::now();
    assert_eq!(http.channels(&users([1])).await, Err(RemoteError::TimedOut));
    assert!(begun.elapsed() < Duration::from_secs(3));
}
