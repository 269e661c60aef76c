//! The event log.

use rstest_reuse::apply;
use streamward::domain::access::Scope;
use streamward::domain::event::{StoredEvent, Topic};
use streamward::domain::studio::Order;
use streamward::ports::{EventFilter, PollResult};

use crate::every_store;
use crate::fixture::{Engine, World, at, audit, broadcaster, by, server};

async fn fill(world: &World, count: i64) -> Vec<StoredEvent> {
    for n in 0..count {
        let one = broadcaster(&format!("b{n}"), at(n));
        world.store.create_broadcaster(&one, by(&audit("create", at(n)))).await.unwrap();
    }
    world.store.events_after(&Scope::system(), None, 0, 1_000).await.unwrap()
}

#[apply(every_store)]
#[tokio::test]
async fn up_to_limit_events_above_a_number_in_order(#[case] engine: Engine) {
    let world = engine.world().await;
    assert_eq!(world.store.events_after(&Scope::system(), None, 0, 10).await.unwrap(), []);
    let all = fill(&world, 5).await;
    assert_eq!(all.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    assert!(all.iter().zip(0..).all(|(event, n)| event.at == at(n)));
    assert!(all.iter().all(|event| event.kind == "broadcaster.created"));
    assert_eq!(all[0].data["display_name"], "b0");
    assert_eq!(world.store.events_after(&Scope::system(), None, 1, 2).await.unwrap(), all[1..3]);
    assert_eq!(world.store.events_after(&Scope::system(), None, 5, 10).await.unwrap(), []);
    assert_eq!(world.store.events_after(&Scope::system(), None, -1, 100).await.unwrap(), all);
}

#[apply(every_store)]
#[tokio::test]
async fn the_number_of_the_last_event_starts_at_0_and_survives_pruning(#[case] engine: Engine) {
    let world = engine.world().await;
    assert_eq!(world.store.last_event().await.unwrap(), 0);
    fill(&world, 4).await;
    assert_eq!(world.store.last_event().await.unwrap(), 4);
    assert_eq!(world.store.prune_events(at(100)).await.unwrap(), 4);
    assert_eq!(world.store.last_event().await.unwrap(), 4);
}

#[apply(every_store)]
#[tokio::test]
async fn the_first_event_is_the_oldest_one_not_pruned(#[case] engine: Engine) {
    let world = engine.world().await;
    assert_eq!(world.store.first_event().await.unwrap(), None);
    fill(&world, 4).await;
    assert_eq!(world.store.first_event().await.unwrap(), Some(1));
    world.store.prune_events(at(2)).await.unwrap();
    assert_eq!(world.store.first_event().await.unwrap(), Some(3));
    world.store.prune_events(at(100)).await.unwrap();
    assert_eq!(world.store.first_event().await.unwrap(), None);
}

#[apply(every_store)]
#[tokio::test]
async fn pruning_removes_older_events_and_numbers_are_never_used_again(#[case] engine: Engine) {
    let world = engine.world().await;
    let all = fill(&world, 4).await;
    assert_eq!(world.store.prune_events(at(2)).await.unwrap(), 2);
    assert_eq!(world.store.events_after(&Scope::system(), None, 0, 10).await.unwrap(), all[2..]);
    assert_eq!(world.store.prune_events(at(100)).await.unwrap(), 2);
    world.broadcaster("next").await;
    assert_eq!(world.store.events_after(&Scope::system(), None, 0, 10).await.unwrap()[0].seq, 5);
}

#[apply(every_store)]
#[tokio::test]
async fn events_of_one_topic_are_read_without_those_of_the_others(#[case] engine: Engine) {
    let world = engine.world().await;
    let (key, ..) = world.live("a", "c1").await;
    let xqc = world.streamer("xqc").await;
    let classroom = world.channel("Classroom").await;
    let studio = world.studio("main").await;
    let entry = audit("start", at(9));
    world.store.order_studio(&studio.name, &Order::Start, None, by(&entry)).await.unwrap();
    world.store.revoke_stream_key(key.id, by(&audit("revoke", at(9)))).await.unwrap();
    let (assignment, gone) = (world.assignment("default").await, PollResult::Failed("gone".to_owned()));
    for when in [10, 20] {
        world.store.record_poll(&assignment, &server("default"), &gone, at(when)).await.unwrap();
    }
    let all = world.store.events_after(&Scope::system(), None, 0, 100).await.unwrap();
    let expected = [
        (Topic::Broadcaster, key.broadcaster_id.0),
        (Topic::StreamKey, key.id.0),
        (Topic::Stream, all[2].subject),
        (Topic::Streamer, xqc.id.0),
        (Topic::Broadcaster, classroom.inputs.broadcaster.0),
        (Topic::StreamKey, classroom.inputs.live_key.0),
        (Topic::StreamKey, classroom.inputs.programme_key.0),
        (Topic::Channel, classroom.id.0),
        (Topic::Studio, studio.id.0),
        (Topic::StreamKey, key.id.0),
        (Topic::MediaServer, all[10].subject),
    ];
    let topics: Vec<_> = all.iter().map(|row| (row.decode().unwrap().body.topic(), row.subject)).collect();
    assert_eq!(topics, expected);
    for topic in Topic::ALL {
        let wanted: Vec<_> = all.iter().filter(|row| row.topic == topic.as_str()).cloned().collect();
        let of = async |seq, limit| {
            world.store.events_after(&Scope::system(), Some(*topic), seq, limit).await.unwrap()
        };
        assert_eq!(of(0, 100).await, wanted);
        assert_eq!(of(0, 1).await, wanted[..1]);
        assert_eq!(of(wanted[0].seq, 100).await, wanted[1..]);
    }
}

#[apply(every_store)]
#[tokio::test]
async fn the_last_events_come_first_by_topic_and_by_what_they_are_about(#[case] engine: Engine) {
    let world = engine.world().await;
    let (key, ..) = world.live("a", "c1").await;
    world.store.revoke_stream_key(key.id, by(&audit("revoke", at(9)))).await.unwrap();
    let mut all = world.store.events_after(&Scope::system(), None, 0, 100).await.unwrap();
    all.reverse();
    let read = async |topic, subject, seq, limit| {
        let filter = EventFilter { topic, subject };
        world.store.events_before(&Scope::system(), &filter, seq, limit).await.unwrap()
    };
    assert_eq!(read(None, None, i64::MAX, 100).await, all);
    assert_eq!(read(None, None, all[1].seq, 1).await, all[2..3]);
    let of = |wanted: &dyn Fn(&StoredEvent) -> bool| -> Vec<StoredEvent> {
        all.iter().filter(|row| wanted(row)).cloned().collect()
    };
    let of_keys = of(&|row| row.topic == "stream_key");
    assert_eq!(of_keys.len(), 2);
    assert_eq!(read(Some(Topic::StreamKey), None, i64::MAX, 100).await, of_keys);
    assert_eq!(read(Some(Topic::StreamKey), None, of_keys[0].seq, 100).await, of_keys[1..]);
    assert_eq!(read(None, Some(key.id.0), i64::MAX, 100).await, of_keys);
    assert_eq!(read(Some(Topic::StreamKey), Some(key.id.0), i64::MAX, 1).await, of_keys[..1]);
    assert_eq!(read(Some(Topic::Stream), Some(key.id.0), i64::MAX, 100).await, []);
    assert_eq!(
        read(None, Some(key.broadcaster_id.0), i64::MAX, 100).await,
        of(&|row| row.topic == "broadcaster")
    );
}

/// Four writers, and a reader like `/streams/events`. The reader must never see a gap: it would miss a number that is
/// filled in later.
#[apply(every_store)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_beside_concurrent_writers_misses_nothing(#[case] engine: Engine) {
    const WRITERS: usize = 4;
    const EACH: usize = 40;
    let world = engine.world().await;
    let writers = (0..WRITERS).map(|_| async {
        for _ in 0..EACH {
            world.broadcaster("x").await;
        }
    });
    let reader = async {
        let mut seen = Vec::new();
        while seen.len() < WRITERS * EACH {
            let last = seen.last().copied().unwrap_or(0);
            let next = world.store.events_after(&Scope::system(), None, last, 7).await.unwrap();
            seen.extend(next.iter().map(|event| event.seq));
            assert!(seen.iter().copied().eq(1..=i64::try_from(seen.len()).unwrap()), "{seen:?}");
            tokio::task::yield_now().await;
        }
    };
    futures_util::future::join(futures_util::future::join_all(writers), reader).await;
}
