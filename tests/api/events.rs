//! `/streams/events`: every change in order, none lost.

use std::time::Duration;

use rstest_reuse::apply;
use serde_json::json;
use streamward::domain::Timestamp;

use crate::harness::{Engine, Reader, Shows, TestApp, every_engine};

#[apply(every_engine)]
#[tokio::test]
async fn reader_sees_a_stream_start_change_and_end(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let mut reader = Reader::open(app.as_viewer().get("/streams/events")).await;
    // Events of keys and broadcasters are in the same log, but in other topics.
    let key = app.key("live/alice").await;
    let stream = app.live(&key, "c1").await;
    let started = reader.next().await;
    assert_eq!((started.event.as_str(), &started.data["stream"]), ("stream.started", &stream));
    assert!(started.data["at"].is_string());
    app.media().watched_by("live/alice", 2);
    let updated = reader.next().await;
    assert_eq!((updated.event.as_str(), &updated.data["stream"]["readers"]), ("stream.updated", &json!(2)));
    app.media().leave("live/alice");
    let ended = reader.next().await;
    assert_eq!((ended.event.as_str(), &ended.data["stream"]["status"]), ("stream.ended", &json!("ended")));
    assert_eq!(ended.data["stream"], app.ended(&stream["id"]).await);
    assert!(started.id < updated.id && updated.id < ended.id);
}

#[apply(every_engine)]
#[tokio::test]
async fn reader_that_resumes_misses_nothing_across_a_restart(#[case] engine: Engine) {
    let mut app = TestApp::on(engine).await;
    let mut reader = Reader::open(app.as_viewer().get("/streams/events")).await;
    let key = app.key("live/alice").await;
    let stream = app.live(&key, "c1").await;
    let seen = reader.next().await.id;
    drop(reader);
    app.media().leave("live/alice");
    app.ended(&stream["id"]).await;
    app.restart().await;
    let resume = |id: i64| app.as_viewer().get("/streams/events").header("last-event-id", &id.to_string());
    let mut reader = Reader::open(resume(seen)).await;
    let ended = reader.next().await;
    assert_eq!((ended.event.as_str(), &ended.data["stream"]["id"]), ("stream.ended", &stream["id"]));
    // Then it continues with new events.
    app.live(&key, "c2").await;
    assert_eq!(reader.next().await.event, "stream.started");
    // From the beginning, and by query parameter.
    let mut all = Reader::open(resume(0)).await;
    let events = [all.next().await, all.next().await, all.next().await].map(|got| got.event);
    assert_eq!(events, ["stream.started", "stream.ended", "stream.started"]);
    let query = format!("/streams/events?last_event_id={seen}");
    assert_eq!(Reader::open(app.as_viewer().get(&query)).await.next().await.id, ended.id);
}

#[tokio::test]
async fn unknown_last_event_id_resets_the_reader() {
    let app = TestApp::memory().await;
    let mut reader =
        Reader::open(app.as_viewer().get("/streams/events").header("last-event-id", "999999")).await;
    let reset = reader.next().await;
    assert_eq!((reset.event.as_str(), &reset.data), ("reset", &json!({})));
    let key = app.key("live/alice").await;
    app.live(&key, "c1").await;
    let started = reader.next().await;
    assert!(started.event == "stream.started" && started.id > reset.id);
    for invalid in ["-1", "x", "1.5"] {
        let call = app.as_viewer().get("/streams/events").header("last-event-id", invalid);
        call.await.assert_refuses(&["Last-Event-ID"]);
    }
}

#[tokio::test]
async fn reader_that_does_not_read_is_dropped_and_the_others_continue() {
    const STREAMS: usize = 200;
    let app = TestApp::memory().await;
    let mut slow = Reader::open(app.as_viewer().get("/streams/events")).await;
    let mut quick = Reader::open(app.as_viewer().get("/streams/events")).await;
    for n in 0..STREAMS {
        let key = app.key(&format!("live/{n}")).await;
        app.request_publish(&key, &format!("c{n}")).await.assert_status(200);
        app.media().go_live(&key.path, &format!("c{n}"));
    }
    // More events than a reader may be behind.
    for round in 1..=7 {
        for _ in 0..STREAMS {
            assert!(quick.next().await.event.starts_with("stream."));
        }
        for n in 0..STREAMS {
            app.media().watched_by(&format!("live/{n}"), round);
        }
    }
    slow.until_closed(Duration::from_secs(30)).await;
}

#[tokio::test]
async fn burst_in_one_topic_drops_no_reader_of_another() {
    let app = TestApp::memory().await;
    let mut reader = Reader::open(app.as_viewer().get("/streams/events")).await;
    for n in 0..5_000 {
        app.broadcaster(&format!("b{n}")).await;
    }
    let key = app.key("live/alice").await;
    app.live(&key, "c1").await;
    assert_eq!(reader.next().await.event, "stream.started");
}

#[tokio::test(start_paused = true)]
async fn event_stream_ends_when_the_service_stops() {
    let app = TestApp::memory().await;
    let mut reader = Reader::open(app.as_viewer().get("/streams/events")).await;
    app.stop.cancel();
    // Sooner than the first comment, after fifteen seconds.
    reader.until_closed(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn reader_is_dropped_within_a_second_of_the_deletion_of_its_token_and_a_signer_after_five_minutes() {
    let app = TestApp::memory().await;
    let mut reader = Reader::open(app.as_viewer().get("/streams/events")).await;
    let mut signer = Reader::open(app.as_signer().get("/streams/events")).await;
    let tokens = app.as_admin().get("/api-tokens").await.json();
    let viewer = tokens["api_tokens"].as_array().and_then(|all| all.iter().find(|t| t["name"] == "viewer"));
    let viewer = viewer.and_then(|token| token["id"].as_str()).expect("the viewer's token").to_owned();
    app.as_admin().delete(&format!("/api-tokens/{viewer}")).await.assert_status(204);
    let deleted = tokio::time::Instant::now();
    reader.until_closed(Duration::from_secs(60)).await;
    assert!(deleted.elapsed() <= Duration::from_secs(1), "{:?}", deleted.elapsed());
    assert!(signer.any().await.expect("a comment").comment);
    signer.until_closed(Duration::from_secs(600)).await;
    assert!(deleted.elapsed() <= Duration::from_secs(301), "{:?}", deleted.elapsed());
}

#[tokio::test(start_paused = true)]
async fn reader_is_dropped_within_a_second_of_the_expiry_of_its_token() {
    let app = TestApp::memory().await;
    app.clock.stop();
    let expires_at = Timestamp::from_seconds(app.clock.seconds() + 60).to_string();
    let draft = json!({"name": "short", "role": "viewer", "expires_at": expires_at});
    let token = app.as_admin().post("/api-tokens").json(draft).shown_once().await.assert_status(201);
    let shown = app.showing(Shows::Bearer(token.text("/token")));
    let mut reader = Reader::open(shown.get("/streams/events")).await;
    app.clock.advance(Duration::from_secs(58));
    assert!(reader.any().await.expect("it is still valid").comment);
    app.clock.advance(Duration::from_secs(2));
    reader.until_closed(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn comment_is_sent_every_fifteen_seconds_and_the_answer_ends_after_an_hour() {
    let app = TestApp::memory().await;
    let mut reader = Reader::open(app.as_viewer().get("/streams/events")).await;
    let opened = tokio::time::Instant::now();
    let first = reader.any().await.expect("a comment");
    assert!(first.comment && opened.elapsed() >= Duration::from_secs(15));
    reader.until_closed(Duration::from_secs(2 * 3_600)).await;
    let lasted = opened.elapsed();
    assert!(lasted >= Duration::from_secs(3_600) && lasted < Duration::from_secs(3_620), "{lasted:?}");
}

#[apply(every_engine)]
#[tokio::test]
async fn one_reader_sees_the_events_of_several_topics_in_order(#[case] engine: Engine) {
    let app = TestApp::on(engine).await;
    let mut all = Reader::open(app.as_viewer().get("/events")).await;
    let mut some = Reader::open(app.as_viewer().get("/events?topics=stream,broadcaster")).await;
    let key = app.key("live/alice").await;
    let stream = app.live(&key, "c1").await;
    let (mut seen, mut fewer) = (vec![], vec![]);
    for _ in 0..3 {
        seen.push(all.next().await);
    }
    for _ in 0..2 {
        fewer.push(some.next().await);
    }
    let types = |seen: &[crate::harness::Got]| -> Vec<String> {
        seen.iter().map(|got| got.data["type"].as_str().expect("a type").to_owned()).collect()
    };
    assert_eq!(types(&seen), ["broadcaster.created", "stream_key.created", "stream.started"]);
    assert_eq!(types(&fewer), ["broadcaster.created", "stream.started"]);
    assert!(seen.iter().all(|got| got.event.is_empty() && got.data["seq"] == got.id), "{seen:?}");
    assert!(seen.windows(2).all(|two| two[0].id < two[1].id));
    assert_eq!(seen[2].data["data"]["stream"], stream);
    assert_eq!((&seen[2].data["subject_id"], &seen[2].data["topic"]), (&stream["id"], &json!("stream")));
    assert_eq!(seen[1].data["data"]["path"], "live/alice");
    assert!(seen[0].data["data"]["display_name"].is_string());

    // The log has the same, the newest first, page by page.
    let log = app.as_viewer().get("/event-log?limit=2").await.assert_status(200).json();
    assert_eq!(log["events"], json!([seen[2].data, seen[1].data]));
    let next = format!("/event-log?limit=2&cursor={}", log["next_cursor"].as_str().expect("a cursor"));
    let rest = app.as_viewer().get(&next).await.assert_status(200).json();
    assert_eq!((&rest["events"], &rest["next_cursor"]), (&json!([seen[0].data]), &json!(null)));
    for filter in [format!("subject_id={}", stream["id"].as_str().expect("an id")), "topic=stream".to_owned()]
    {
        let of_stream = app.as_viewer().get(&format!("/event-log?{filter}")).await.assert_status(200).json();
        assert_eq!(of_stream["events"], json!([seen[2].data]), "{filter}");
    }

    // It resumes behind any event, also behind one that it did not want.
    let resume =
        |id: i64| app.as_viewer().get("/events?topics=stream").header("last-event-id", &id.to_string());
    assert_eq!(Reader::open(resume(seen[0].id)).await.next().await.id, seen[2].id);
    let mut reset = Reader::open(resume(999_999)).await;
    assert_eq!(reset.next().await.event, "reset");
    app.as_viewer().get("/events?topics=stream,nonsense").await.assert_refuses(&["topics"]);
    app.as_viewer().get("/event-log?topic=nonsense").await.assert_refuses(&["topic"]);
}

#[tokio::test(start_paused = true)]
async fn quiet_stream_of_all_events_sends_a_ping_that_pages_can_see() {
    let app = TestApp::memory().await;
    let mut reader = Reader::open(app.as_viewer().get("/events?topics=studio")).await;
    let before = tokio::time::Instant::now();
    let ping = reader.next().await;
    assert_eq!((ping.event.as_str(), ping.data), ("ping", json!({})));
    assert_eq!(before.elapsed().as_secs(), 15);
}
