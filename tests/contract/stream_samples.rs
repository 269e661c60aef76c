//! What live streams carried.

use std::time::Duration;

use rstest_reuse::apply;
use streamward::domain::access::Scope;
use streamward::ports::{LiveSample, StreamSample};

use crate::every_store;
use crate::fixture::{Engine, at, path, server};

fn sample(on: &str, of: &str, when: i64, readers: u32, bytes_per_second: Option<u64>) -> LiveSample {
    LiveSample { media_server: server(on), path: path(of), at: at(when), readers, bytes_per_second }
}

fn step(when: i64, readers: u32, bytes_per_second: Option<u64>) -> StreamSample {
    StreamSample { at: at(when), readers, bytes_per_second }
}

#[apply(every_store)]
#[tokio::test]
async fn samples_of_live_streams_are_stored_once_and_read_by_steps(#[case] engine: Engine) {
    let world = engine.world().await;
    let (_, _, a) = world.live("a", "c1").await;
    let (_, _, b) = world.live_on("second", "b", "c2").await;
    let store = &world.store;
    let taken = [
        sample("default", "a", 20, 1, None),
        sample("default", "a", 30, 5, Some(100)),
        sample("default", "a", 40, 2, Some(300)),
        sample("second", "b", 20, 7, Some(1)),
        // Not there: another media server, another path.
        sample("second", "a", 50, 9, Some(9)),
        sample("default", "z", 50, 9, Some(9)),
    ];
    store.record_stream_samples(&taken).await.unwrap();
    // Another instance took it too.
    store.record_stream_samples(&[sample("default", "a", 20, 8, Some(8))]).await.unwrap();
    store.record_stream_samples(&[]).await.unwrap();
    let read = async |id, from, to, seconds| {
        let (range, each) = ((at(from), at(to)), Duration::from_secs(seconds));
        store.stream_samples(&Scope::system(), id, range, each).await.unwrap()
    };
    let all = [step(20, 1, None), step(30, 5, Some(100)), step(40, 2, Some(300))];
    assert_eq!(read(a.id, 0, 100, 10).await, all);
    assert_eq!(read(a.id, 30, 40, 10).await, [all[1]]);
    assert_eq!(
        read(a.id, 0, 100, 60).await,
        [step(20, 5, Some(200))],
        "the most readers, the average of what was measured"
    );
    assert_eq!(read(b.id, 0, 100, 10).await, [step(20, 7, Some(1))]);
    assert_eq!(read(a.id, 50, 100, 10).await, []);
}

#[apply(every_store)]
#[tokio::test]
async fn pruning_removes_older_samples(#[case] engine: Engine) {
    let world = engine.world().await;
    let (_, _, a) = world.live("a", "c1").await;
    let taken = [sample("default", "a", 20, 1, None), sample("default", "a", 30, 2, None)];
    world.store.record_stream_samples(&taken).await.unwrap();
    assert_eq!(world.store.prune_stream_samples(at(30)).await.unwrap(), 1);
    let rest =
        world.store.stream_samples(&Scope::system(), a.id, (at(0), at(99)), Duration::from_secs(10)).await;
    assert_eq!(rest.unwrap(), [step(30, 2, None)]);
}
