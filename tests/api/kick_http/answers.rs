//! The client's results for right and wrong answers of Kick.

use serde_json::json;
use streamward::adapters::kick::KickSettings;
use streamward::domain::Timestamp;
use streamward::domain::streamer::{ChannelId, Session};
use streamward::ports::{KickApi as _, MOST_USERS, RemoteError};
use streamward_test_support::kick::{Broadcast, Fault, KickStub};

use super::{BEGAN, all_live, client, named, settings, slug, user, users, with};

#[tokio::test]
async fn a_name_is_resolved_to_its_channel_and_livestream() {
    let kick = all_live(1).await;
    kick.set(|world| world.add(2, "quiet"));
    let http = client(&kick);
    let found = named(&http, "User1").await.expect("an answer").expect("a channel");
    assert_eq!((found.user, found.slug), (user(1), slug("user1")));
    let session = Session {
        id: None,
        started_at: Timestamp::parse_rfc3339(BEGAN),
        ended_at: None,
        title: Some("title 10".to_owned()),
        category: Some("Just Chatting".to_owned()),
        viewers: Some(7),
    };
    assert_eq!(found.live, Some(session));
    let quiet = named(&http, "quiet").await.expect("an answer").expect("a channel");
    assert_eq!((quiet.user, quiet.live), (user(2), None));
}

#[tokio::test]
async fn every_form_of_an_unknown_name_is_none() {
    let kick = all_live(1).await;
    let http = client(&kick);
    assert_eq!(named(&http, "nobody").await, Ok(None), "400");
    kick.set(|world| world.unknown_spoils = false);
    assert_eq!(named(&http, "nobody").await, Ok(None), "empty");
    kick.set(|world| world.next("channels", Fault::Error(404, "Not Found".to_owned())));
    assert_eq!(named(&http, "nobody").await, Ok(None), "404");
}

#[tokio::test]
async fn unknown_names_do_not_hide_the_others() {
    let kick = all_live(40).await;
    let http = client(&kick);
    let mut slugs: Vec<_> = (1..=40).map(|n| slug(&format!("user{n}"))).collect();
    for n in [0, 7, 8, 30, 44] {
        slugs.insert(n, slug(&format!("nobody{n}")));
    }
    let found = http.channels_named(&slugs).await.expect("an answer");
    let mut found: Vec<u64> = found.iter().map(|channel| channel.user.get()).collect();
    found.sort_unstable();
    assert_eq!(found, (1..=40).collect::<Vec<_>>());
}

#[tokio::test]
async fn after_a_rename_only_the_number_finds_the_new_name() {
    let kick = all_live(1).await;
    let http = client(&kick);
    kick.set(|world| world.rename(1, "newname"));
    assert_eq!(named(&http, "user1").await, Ok(None));
    let found = http.channels(&users([1])).await.expect("an answer");
    assert_eq!(found[0].slug, slug("newname"));
}

#[tokio::test]
async fn channels_returns_fifty_and_half_of_the_live_ones_as_not_live() {
    let kick = all_live(50).await;
    let http = client(&kick);
    let found = http.channels(&users(1..=50)).await.expect("an answer");
    assert_eq!(found.len(), 50);
    assert_eq!(found.iter().filter(|channel| channel.live.is_some()).count(), 25);
    assert_eq!(kick.count("channels"), 1);
    let live = http.live_among(&users(1..=50)).await.expect("an answer");
    assert_eq!(live.len(), 50, "the other endpoint returns all");
    let found = http.channels(&users(1..=25)).await.expect("an answer");
    assert_eq!(
        found.iter().filter(|channel| channel.live.is_some()).count(),
        25,
        "smaller requests return all too"
    );
}

#[tokio::test]
async fn an_empty_list_sends_no_request_and_a_long_one_is_refused() {
    let kick = all_live(1).await;
    let http = client(&kick);
    assert_eq!(http.channels(&[]).await, Ok(Vec::new()));
    assert_eq!(http.live_among(&[]).await, Ok(Vec::new()));
    let too_many = users(1..=MOST_USERS as u64 + 1);
    assert!(matches!(http.channels(&too_many).await, Err(RemoteError::Unsupported(_))));
    assert!(matches!(http.live_among(&too_many).await, Err(RemoteError::Unsupported(_))));
    assert!(kick.requests().is_empty());
}

#[tokio::test]
async fn a_deleted_user_does_not_hide_the_others() {
    let kick = all_live(50).await;
    kick.set(|world| world.people.remove(&17));
    let http = client(&kick);
    let found = http.channels(&users(1..=50)).await.expect("an answer");
    assert_eq!(found.len(), 49);
    assert!(kick.count("channels") <= 13, "{} requests", kick.count("channels"));
    assert_eq!(http.channels(&users([17])).await, Ok(Vec::new()));
}

#[tokio::test]
async fn constant_refusals_end_with_an_error_soon() {
    let kick = all_live(50).await;
    kick.set(|world| world.always("channels", Some(Fault::Error(400, "no".to_owned()))));
    let result = client(&kick).channels(&users(1..=50)).await;
    assert!(matches!(&result, Err(RemoteError::Status { status: 400, .. })), "{result:?}");
    assert!(kick.count("channels") <= 24, "{} requests", kick.count("channels"));
}

#[tokio::test]
async fn live_users_have_a_channel_and_a_session() {
    let kick = all_live(2).await;
    kick.set(|world| world.add(3, "quiet"));
    let live = client(&kick).live_among(&users([1, 3])).await.expect("an answer");
    assert_eq!(live.len(), 1);
    assert_eq!(live[0].user, user(1));
    assert_eq!(live[0].channel.map(ChannelId::get), Some(1_000_001));
    assert_eq!(live[0].slug, Some(slug("user1")));
    assert_eq!(live[0].session.started_at, Timestamp::parse_rfc3339(BEGAN));
    assert_eq!(live[0].session.id, None, "v1 has no number");
}

#[tokio::test]
async fn v2_is_used_once_v1_is_gone() {
    for gone in [404, 410] {
        let kick = all_live(3).await;
        kick.set(|world| world.always("livestreams", Some(Fault::Error(gone, "gone".to_owned()))));
        let http = client(&kick);
        for _ in 0..3 {
            let live = http.live_among(&users(1..=3)).await.expect("an answer");
            let ids: Vec<_> = live.iter().map(|live| live.session.id.as_deref()).collect();
            assert_eq!(ids, [Some("10"), Some("20"), Some("30")]);
        }
        assert_eq!((kick.count("livestreams"), kick.count("livestreams_v2")), (1, 3));
    }
}

#[tokio::test]
async fn pages_are_read_to_the_end_but_not_endlessly() {
    let kick = all_live(10).await;
    kick.set(|world| {
        world.livestreams_v1 = false;
        world.page = 4;
        world.add(11, "quiet");
    });
    let http = client(&kick);
    assert_eq!(http.live_among(&users(1..=11)).await.expect("an answer").len(), 10);
    assert_eq!(kick.count("livestreams_v2"), 3);
    let endless = json!({"data": [], "pagination": {"next_cursor": "again"}}).to_string();
    kick.set(|world| world.always("livestreams_v2", Some(Fault::Body(endless))));
    let result = http.live_among(&users(1..=11)).await;
    assert!(matches!(&result, Err(RemoteError::Malformed(_))), "{result:?}");
}

#[tokio::test]
async fn missing_endpoints_are_an_error_and_not_an_empty_list() {
    let kick = all_live(1).await;
    kick.set(|world| (world.livestreams_v1, world.livestreams_v2) = (false, false));
    let http = client(&kick);
    for _ in 0..2 {
        let result = http.live_among(&users([1])).await;
        assert!(matches!(&result, Err(RemoteError::Status { status: 404, .. })), "{result:?}");
    }
    kick.set(|world| world.livestreams_v1 = true);
    assert_eq!(http.live_among(&users([1])).await.expect("v1 is back").len(), 1);
}

#[tokio::test]
async fn an_answer_about_other_users_is_an_error() {
    let kick = all_live(1).await;
    let others = json!({"data": [{"broadcaster_user_id": 99, "slug": "x", "started_at": BEGAN}]}).to_string();
    kick.set(|world| world.always("livestreams", Some(Fault::Body(others))));
    let result = client(&kick).live_among(&users([1])).await;
    assert!(matches!(&result, Err(RemoteError::Malformed(_))), "{result:?}");
}

#[tokio::test]
async fn malformed_items_are_skipped_and_malformed_answers_are_errors() {
    let kick = all_live(1).await;
    let http = client(&kick);
    let good = json!({"broadcaster_user_id": 1, "slug": "user1", "stream": null});
    let odd = [json!(null), json!("x"), json!({}), json!({"broadcaster_user_id": "x"}), json!({"slug": "a"})];
    let mixed: Vec<_> = odd.iter().cloned().chain([good.clone()]).collect();
    kick.set(|world| world.next("channels", Fault::Body(json!({"data": mixed}).to_string())));
    assert_eq!(http.channels(&users([1])).await.expect("an answer").len(), 1);
    for (what, body) in [
        ("only odd items", json!({"data": odd}).to_string()),
        ("no list", json!({"message": "OK"}).to_string()),
        ("a list that is none", json!({"data": {"0": good}}).to_string()),
        ("something else", json!("oops").to_string()),
        ("half of it", r#"{"data":[{"broadcaster_user_id":1"#.to_owned()),
        ("a page for people", "<!DOCTYPE html><title>Just a moment…</title>".to_owned()),
        ("nothing", String::new()),
    ] {
        kick.set(|world| {
            world.next("channels", Fault::Body(body.clone()));
            world.next("channels", Fault::Body(body.clone()));
            world.next("livestreams", Fault::Body(body));
        });
        let result = http.channels(&users([1])).await;
        assert!(matches!(&result, Err(RemoteError::Malformed(_))), "{what}: {result:?}");
        let result = named(&http, "user1").await;
        assert!(matches!(&result, Err(RemoteError::Malformed(_))), "{what}: {result:?}");
        let result = http.live_among(&users([1])).await;
        assert!(matches!(&result, Err(RemoteError::Malformed(_))), "{what}: {result:?}");
    }
}

#[tokio::test]
async fn errors_contain_the_text_of_kick_and_are_not_retried() {
    let kick = all_live(1).await;
    let http = client(&kick);
    let body = json!({"data": "boom", "message": "Internal"}).to_string();
    kick.set(|world| world.next("channels", Fault::Error(500, body)));
    let result = http.channels(&users([1])).await;
    let expected = RemoteError::Status { status: 500, message: "boom: Internal".to_owned() };
    assert_eq!(result, Err(expected));
    assert_eq!(kick.count("channels"), 1);
    let page = "<html>Request blocked by security policy</html>".to_owned();
    kick.set(|world| world.next("channels", Fault::Error(403, page)));
    let result = http.channels(&users([1])).await;
    let expected = RemoteError::Status { status: 403, message: "(a page for people)".to_owned() };
    assert_eq!(result, Err(expected));
}

#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let kick = KickStub::start().await;
    let nobody =
        std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let api_url = format!("http://{nobody}").parse().expect("an address");
    let http = with(&KickSettings { api_url, ..settings(&kick) });
    let result = http.channels(&users([1])).await;
    assert!(matches!(&result, Err(RemoteError::Unreachable(_))), "{result:?}");
}

#[tokio::test]
async fn times_are_read_with_any_offset() {
    let kick = all_live(1).await;
    kick.set(|world| world.go_live(1, Broadcast::new(1, "2025-01-01T11:00:00+11:00")));
    let live = client(&kick).live_among(&users([1])).await.expect("an answer");
    assert_eq!(live[0].session.started_at, Timestamp::parse_rfc3339("2025-01-01T00:00:00Z"));
}
