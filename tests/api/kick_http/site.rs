//! Kick's web site, asked politely or not at all.

use std::time::Duration;

use streamward::adapters::kick::{KickSettings, Timing};
use streamward::domain::streamer::{ChannelId, ChatroomId, UserId};
use streamward::ports::{KickApi as _, RemoteError};
use streamward_test_support::kick::Fault;

use super::{all_live, client, settings, slug, with};

#[tokio::test]
async fn the_site_tells_all_three_numbers_to_an_honest_client() {
    let kick = all_live(1).await;
    let http = client(&kick);
    let ids = http.ids_on_site(&slug("user1")).await.expect("an answer").expect("a channel");
    let numbers =
        (ids.user.map(UserId::get), ids.channel.map(ChannelId::get), ids.chatroom.map(ChatroomId::get));
    assert_eq!(numbers, (Some(1), Some(1_000_001), Some(2_000_001)));
    assert_eq!(http.ids_on_site(&slug("nobody")).await, Ok(None));
    for asked in kick.asked() {
        assert_eq!(asked.user_agent.as_deref(), Some(concat!("streamward/", env!("CARGO_PKG_VERSION"))));
        assert_eq!(asked.authorization, None, "the app's token is not for the site");
    }
}

#[tokio::test]
async fn it_is_not_asked_unless_that_is_allowed() {
    let kick = all_live(1).await;
    let http = with(&KickSettings { allow_site: false, ..settings(&kick) });
    let told = http.ids_on_site(&slug("user1")).await;
    assert!(matches!(&told, Err(RemoteError::Unsupported(text)) if text.contains("kick.feed")), "{told:?}");
    assert!(kick.asked().is_empty());
}

#[tokio::test]
async fn after_a_refusal_it_is_left_alone_for_a_while() {
    for fault in [Fault::Error(403, "Request blocked".to_owned()), Fault::TooMany(None)] {
        let kick = all_live(1).await;
        let timing = Timing { site_closed: Duration::from_millis(300), ..settings(&kick).timing };
        let http = with(&KickSettings { timing, ..settings(&kick) });
        kick.set(|world| world.next("site", fault));
        for _ in 0..5 {
            let told = http.ids_on_site(&slug("user1")).await;
            assert!(matches!(&told, Err(RemoteError::Unsupported(_))), "{told:?}");
        }
        assert_eq!(kick.count("site"), 1);
        tokio::time::sleep(Duration::from_millis(350)).await;
        assert!(http.ids_on_site(&slug("user1")).await.expect("open again").is_some());
    }
}

#[tokio::test]
async fn a_page_for_people_is_no_answer() {
    let kick = all_live(1).await;
    let http = client(&kick);
    for body in ["<!DOCTYPE html>", "{}", r#"{"id":0,"user_id":"x"}"#] {
        kick.set(|world| world.next("site", Fault::Says(body.to_owned())));
        let told = http.ids_on_site(&slug("user1")).await;
        assert!(matches!(&told, Err(RemoteError::Malformed(_))), "{told:?}");
    }
}
