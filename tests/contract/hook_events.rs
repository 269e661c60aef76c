//! Hook events that have not been handled yet.

use rstest_reuse::apply;
use streamward::domain::media_server::{SourceId, SourceKind};
use streamward::domain::reconcile::{HookEvent, HookKind};

use crate::every_store;
use crate::fixture::{Engine, World, at, fresh_hash, path, server};

fn hook_event(on: &str, id: &str) -> HookEvent {
    HookEvent {
        server: server(on),
        kind: HookKind::NotReady,
        path: Some(path("live/alice")),
        hash: None,
        source_id: SourceId::parse(id),
        source_kind: Some(SourceKind::Rtmp),
        at: at(1),
    }
}

async fn ids(world: &World, on: &str) -> Vec<String> {
    let hook_events = world.store.hook_events(&server(on)).await.unwrap();
    assert!(hook_events.is_sorted_by(|a, b| a.seq < b.seq));
    hook_events.into_iter().map(|stored| stored.hook_event.source_id.unwrap().to_string()).collect()
}

#[apply(every_store)]
#[tokio::test]
async fn a_hook_event_is_stored_with_only_the_hash_of_a_private_path(#[case] engine: Engine) {
    let world = engine.world().await;
    let private = HookEvent {
        kind: HookKind::Ready,
        path: None,
        hash: Some(fresh_hash()),
        source_id: None,
        source_kind: None,
        ..hook_event("default", "c1")
    };
    let public = hook_event("default", "c1");
    world.store.record_hook_event(&private).await.unwrap();
    world.store.record_hook_event(&public).await.unwrap();
    let stored = world.store.hook_events(&server("default")).await.unwrap();
    assert_eq!(stored.into_iter().map(|stored| stored.hook_event).collect::<Vec<_>>(), [private, public]);
}

#[apply(every_store)]
#[tokio::test]
async fn hook_events_of_a_server_are_in_the_order_of_arrival(#[case] engine: Engine) {
    let world = engine.world().await;
    for (on, id) in [("default", "c1"), ("second", "c2"), ("default", "c3"), ("default", "c0")] {
        world.store.record_hook_event(&hook_event(on, id)).await.unwrap();
    }
    assert_eq!(ids(&world, "default").await, ["c1", "c3", "c0"]);
    assert_eq!(ids(&world, "second").await, ["c2"]);
    assert_eq!(ids(&world, "other").await, [""; 0]);
}

#[apply(every_store)]
#[tokio::test]
async fn dropping_drops_the_servers_hook_events_up_to_and_including_a_number(#[case] engine: Engine) {
    let world = engine.world().await;
    for (on, id) in [("default", "c1"), ("second", "c2"), ("default", "c3"), ("default", "c4")] {
        world.store.record_hook_event(&hook_event(on, id)).await.unwrap();
    }
    let assignment = world.assignment("default").await;
    let seq = world.store.hook_events(&server("default")).await.unwrap()[1].seq;
    world.store.delete_hook_events(&assignment, &server("default"), seq).await.unwrap();
    assert_eq!(ids(&world, "default").await, ["c4"]);
    assert_eq!(ids(&world, "second").await, ["c2"]);
}

/// Deleting up to the last number read must not delete an event that arrived in between.
#[apply(every_store)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_hook_event_is_seen_before_it_is_dropped(#[case] engine: Engine) {
    const WRITERS: usize = 4;
    const EACH: usize = 30;
    let world = engine.world().await;
    let assignment = world.assignment("default").await;
    let writers = (0..WRITERS).map(|writer| {
        let world = &world;
        async move {
            for n in 0..EACH {
                world
                    .store
                    .record_hook_event(&hook_event("default", &format!("{writer}-{n}")))
                    .await
                    .unwrap();
            }
        }
    });
    let reader = async {
        let mut seen = 0;
        while seen < WRITERS * EACH {
            let hook_events = world.store.hook_events(&server("default")).await.unwrap();
            seen += hook_events.len();
            if let Some(last) = hook_events.last() {
                world.store.delete_hook_events(&assignment, &server("default"), last.seq).await.unwrap();
            }
            tokio::task::yield_now().await;
        }
        seen
    };
    let all = futures_util::future::join(futures_util::future::join_all(writers), reader);
    let (_, seen) =
        tokio::time::timeout(std::time::Duration::from_secs(60), all).await.expect("none is lost");
    assert_eq!(seen, WRITERS * EACH);
}
