//! Kick's web site, used politely or not at all.

use std::time::Duration;

use streamward::adapters::kick::{KickSettings, Timing};
use streamward::domain::streamer::{ChannelId, ChatroomId, UserId};
use streamward::ports::{KickApi as _, RemoteError};
use streamward_test_support::kick::Fault;

use super::{all_live, client, settings, slug, with};

#[tokio::test]
async fn the_site_returns_all_three_numbers_to_an_honest_client() {
    let kick = all_live(1).await;
    let http = client(&kick);
    let ids = http.ids_on_site(&slug("user1")).await.expect("an answer").expect("a channel");
    let numbers =
        (ids.user.map(UserId::get), ids.channel.map(ChannelId::get), ids.chatroom.map(ChatroomId::get));
    assert_eq!(numbers, (Some(1), Some(1_000_001), Some(2_000_001)));
    assert_eq!(http.ids_on_site(&slug("nobody")).await, Ok(None));
    for request in kick.requests() {
        assert_eq!(request.user_agent.as_deref(), Some(concat!("streamward/", env!("CARGO_PKG_VERSION"))));
        assert_eq!(request.authorization, None, "the app's token is not for the site");
    }
}

#[tokio::test]
async fn the_site_is_used_only_if_configured() {
    let kick = all_live(1).await;
    let http = with(&KickSettings { allow_site: false, ..settings(&kick) });
    let result = http.ids_on_site(&slug("user1")).await;
    assert!(
        matches!(&result, Err(RemoteError::Unsupported(text)) if text.contains("kick.feed")),
        "{result:?}"
    );
    assert!(kick.requests().is_empty());
}

#[tokio::test]
async fn after_a_refusal_the_site_gets_no_requests_for_a_while() {
    for fault in [Fault::Error(403, "Request blocked".to_owned()), Fault::TooMany(None)] {
        let kick = all_live(1).await;
        let timing = Timing { site_closed: Duration::from_millis(300), ..settings(&kick).timing };
        let http = with(&KickSettings { timing, ..settings(&kick) });
        kick.set(|world| world.next("site", fault));
        for _ in 0..5 {
            let result = http.ids_on_site(&slug("user1")).await;
            assert!(matches!(&result, Err(RemoteError::Unsupported(_))), "{result:?}");
        }
        assert_eq!(kick.count("site"), 1);
        tokio::time::sleep(Duration::from_millis(350)).await;
        assert!(http.ids_on_site(&slug("user1")).await.expect("open again").is_some());
    }
}

#[tokio::test]
async fn an_html_page_is_an_error() {
    let kick = all_live(1).await;
    let http = client(&kick);
    for body in ["<!DOCTYPE html>", "{}", r#"{"id":0,"user_id":"x"}"#] {
        kick.set(|world| world.next("site", Fault::Body(body.to_owned())));
        let result = http.ids_on_site(&slug("user1")).await;
        assert!(matches!(&result, Err(RemoteError::Malformed(_))), "{result:?}");
    }
}
