//! Streams as history.

use rstest_reuse::apply;
use streamward::domain::access::Scope;
use streamward::domain::page::Page;
use streamward::domain::reconcile::{Changes, Refresh};
use streamward::domain::stream::{EndReason, IngestForm, Stream, StreamState};
use streamward::ports::{StatusFilter, StreamFilter};

use crate::every_store;
use crate::fixture::{Engine, World, at, audit, by, connection, new_id, path, server};

async fn list(world: &World, filter: StreamFilter) -> Vec<Stream> {
    world.store.streams(&Scope::system(), &filter, &Page::default()).await.unwrap()
}

async fn end(world: &World, stream: &Stream, when: i64) -> Stream {
    let changes = Changes { ended: vec![(stream.id, EndReason::PublisherLeft)], ..Changes::default() };
    let on = stream.media_server.to_string();
    world.apply(&on, &changes, at(when)).await.ended.into_iter().next().unwrap()
}

/// Five streams: three live ones, two that ended.
pub(crate) async fn several(world: &World) -> [Stream; 5] {
    let (_, _, a) = world.live("a", "c1").await;
    let (bob, _, b) = world.live("b", "c2").await;
    let b = end(world, &b, 5).await;
    let b2 = world.start(&bob, connection("default", "c3"), at(6)).await;
    let (_, _, c) = world.live_on("second", "c", "c4").await;
    let (_, _, d) = world.live_on("second", "d", "c5").await;
    let d = end(world, &d, 7).await;
    [a, b, b2, c, d]
}

#[apply(every_store)]
#[tokio::test]
async fn streams_that_pass_the_filter_newest_first_ties_by_id_descending(#[case] engine: Engine) {
    let world = engine.world().await;
    let [a, b, b2, c, d] = several(&world).await;
    // All but b2 started at the same moment; ids grow.
    let everything = [b2.clone(), d.clone(), c.clone(), b.clone(), a.clone()];
    let all = StreamFilter { status: StatusFilter::All, ..StreamFilter::default() };
    assert_eq!(list(&world, all.clone()).await, everything);
    assert_eq!(list(&world, StreamFilter::default()).await, [b2.clone(), c.clone(), a.clone()]);
    let ended = StreamFilter { status: StatusFilter::Ended, ..StreamFilter::default() };
    assert_eq!(list(&world, ended).await, [d.clone(), b.clone()]);
    let of = StreamFilter { broadcaster_id: Some(b.broadcaster_id), ..all.clone() };
    assert_eq!(list(&world, of).await, [b2.clone(), b.clone()]);
    assert_eq!(list(&world, StreamFilter { path: Some(path("b")), ..all.clone() }).await, [b2, b]);
    assert_eq!(list(&world, StreamFilter { path: Some(path("z")), ..all.clone() }).await, []);
    let on = StreamFilter { media_server: Some(server("second")), ..all };
    assert_eq!(list(&world, on.clone()).await, [d, c.clone()]);
    assert_eq!(list(&world, StreamFilter { status: StatusFilter::Active, ..on }).await, [c]);
}

#[apply(every_store)]
#[tokio::test]
async fn a_stream_is_returned_live_or_ended_as_it_was_stored(#[case] engine: Engine) {
    let world = engine.world().await;
    let (key, _, live) = world.live("live/alice", "c1").await;
    let owner = world.store.broadcaster(&Scope::system(), key.broadcaster_id).await.unwrap().unwrap();
    assert_eq!(live.stream_key_id, key.id);
    assert_eq!((&live.broadcaster_name, &live.metadata), (&owner.display_name, &owner.metadata));
    assert_eq!((&live.path, &live.media_server), (&key.path, &server("default")));
    assert_eq!((live.started_at, live.state), (at(2), StreamState::Active { ending: None }));
    assert_eq!(live.source_id, Some(connection("default", "c1").id));
    assert_eq!((live.ingest, live.stats.inbound_bytes), (IngestForm::NamedPath, 42));
    assert_eq!(world.store.stream(&Scope::system(), live.id).await.unwrap(), Some(live.clone()));
    let ended = end(&world, &live, 9).await;
    let expected = StreamState::Ended { ended_at: at(9), end_reason: EndReason::PublisherLeft };
    assert_eq!((ended.state, ended.stats.readers), (expected, 0));
    assert_eq!(world.store.stream(&Scope::system(), live.id).await.unwrap(), Some(ended));
    assert_eq!(world.store.stream(&Scope::system(), new_id()).await.unwrap(), None);
}

#[apply(every_store)]
#[tokio::test]
async fn extreme_numbers_and_texts_are_stored_unchanged(#[case] engine: Engine) {
    let world = engine.world().await;
    let (_, _, live) = world.live("live/alice", "c1").await;
    let mut stats = live.stats.clone();
    stats.readers = u32::MAX;
    stats.inbound_bytes = i64::MAX.unsigned_abs();
    stats.tracks = vec!["\"';\\ %_ ä 🎥\u{202e}".into(), String::new()];
    let refresh = Refresh { stream: live.id, stats: stats.clone(), announce: true };
    world.apply("default", &Changes { refreshed: vec![refresh], ..Changes::default() }, at(3)).await;
    assert_eq!(world.store.stream(&Scope::system(), live.id).await.unwrap().unwrap().stats, stats);
}

#[apply(every_store)]
#[tokio::test]
async fn request_end_marks_an_active_stream_keeping_an_earlier_reason(#[case] engine: Engine) {
    let world = engine.world().await;
    let (_, _, live) = world.live("live/alice", "c1").await;
    let request = async |reason, action| {
        world.store.request_end(live.id, reason, by(&audit(action, at(5)))).await.unwrap()
    };
    let ending = live.clone().end_requested(EndReason::EndedByOperator).unwrap();
    assert_eq!(request(EndReason::EndedByOperator, "first").await, Some(ending.clone()));
    assert_eq!(request(EndReason::Takeover, "second").await, Some(ending.clone()), "the first reason stays");
    assert_eq!(world.store.stream(&Scope::system(), live.id).await.unwrap(), Some(ending.clone()));
    let ended = end(&world, &live, 9).await;
    let expected = StreamState::Ended { ended_at: at(9), end_reason: EndReason::EndedByOperator };
    assert_eq!(ended.state, expected);
    assert_eq!(
        request(EndReason::KeyRevoked, "third").await,
        Some(ended.clone()),
        "an ended one is left as it is"
    );
    assert_eq!(world.store.stream(&Scope::system(), live.id).await.unwrap(), Some(ended));
    let audited = world.audited().await;
    for action in ["first", "second", "third"] {
        assert!(audited.iter().any(|a| a == action), "{action} is audited all the same");
    }
}

#[apply(every_store)]
#[tokio::test]
async fn request_end_of_an_unknown_stream_is_none_and_writes_nothing(#[case] engine: Engine) {
    let world = engine.world().await;
    let none = world
        .store
        .request_end(new_id(), EndReason::EndedByOperator, by(&audit("end", at(5))))
        .await
        .unwrap();
    assert_eq!(none, None);
    assert_eq!(world.audited().await, [""; 0]);
}
