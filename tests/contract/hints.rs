//! Hooks that were not acted upon yet.

use rstest_reuse::apply;
use streamward::domain::media_server::{SourceId, SourceKind};
use streamward::domain::reconcile::{Hint, HintKind};

use crate::every_store;
use crate::fixture::{Engine, World, at, fresh_hash, path, server};

fn hint(on: &str, id: &str) -> Hint {
    Hint {
        server: server(on),
        kind: HintKind::NotReady,
        path: Some(path("live/alice")),
        hash: None,
        source_id: SourceId::parse(id),
        source_kind: Some(SourceKind("rtmpConn".into())),
        at: at(1),
    }
}

async fn ids(world: &World, on: &str) -> Vec<String> {
    let hints = world.store.hints(&server(on)).await.unwrap();
    assert!(hints.is_sorted_by(|a, b| a.seq < b.seq));
    hints.into_iter().map(|stored| stored.hint.source_id.unwrap().to_string()).collect()
}

#[apply(every_store)]
#[tokio::test]
async fn a_hint_is_kept_a_private_path_as_its_hash_only(#[case] engine: Engine) {
    let world = engine.world().await;
    let private = Hint {
        kind: HintKind::Ready,
        path: None,
        hash: Some(fresh_hash()),
        source_id: None,
        source_kind: None,
        ..hint("default", "c1")
    };
    let public = hint("default", "c1");
    world.store.push_hint(&private).await.unwrap();
    world.store.push_hint(&public).await.unwrap();
    let stored = world.store.hints(&server("default")).await.unwrap();
    assert_eq!(stored.into_iter().map(|stored| stored.hint).collect::<Vec<_>>(), [private, public]);
}

#[apply(every_store)]
#[tokio::test]
async fn hints_of_a_server_in_the_order_of_arrival(#[case] engine: Engine) {
    let world = engine.world().await;
    for (on, id) in [("default", "c1"), ("edge", "c2"), ("default", "c3"), ("default", "c0")] {
        world.store.push_hint(&hint(on, id)).await.unwrap();
    }
    assert_eq!(ids(&world, "default").await, ["c1", "c3", "c0"]);
    assert_eq!(ids(&world, "edge").await, ["c2"]);
    assert_eq!(ids(&world, "other").await, [""; 0]);
}

#[apply(every_store)]
#[tokio::test]
async fn dropping_drops_the_servers_hints_up_to_and_including_a_number(#[case] engine: Engine) {
    let world = engine.world().await;
    for (on, id) in [("default", "c1"), ("edge", "c2"), ("default", "c3"), ("default", "c4")] {
        world.store.push_hint(&hint(on, id)).await.unwrap();
    }
    let lease = world.lease("default").await;
    let seq = world.store.hints(&server("default")).await.unwrap()[1].seq;
    world.store.drop_hints(&lease, &server("default"), seq).await.unwrap();
    assert_eq!(ids(&world, "default").await, ["c4"]);
    assert_eq!(ids(&world, "edge").await, ["c2"]);
}

/// Whoever drops up to what it has read must not drop what came in between.
#[apply(every_store)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_hint_is_seen_before_it_is_dropped(#[case] engine: Engine) {
    const WRITERS: usize = 4;
    const EACH: usize = 30;
    let world = engine.world().await;
    let lease = world.lease("default").await;
    let writers = (0..WRITERS).map(|writer| {
        let world = &world;
        async move {
            for n in 0..EACH {
                world.store.push_hint(&hint("default", &format!("{writer}-{n}"))).await.unwrap();
            }
        }
    });
    let reader = async {
        let mut seen = 0;
        while seen < WRITERS * EACH {
            let hints = world.store.hints(&server("default")).await.unwrap();
            seen += hints.len();
            if let Some(last) = hints.last() {
                world.store.drop_hints(&lease, &server("default"), last.seq).await.unwrap();
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
