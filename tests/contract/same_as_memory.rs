//! Runs random steps of keys and streams on the store in memory and on a SQL store. Every answer and every row must be
//! the same. This also proves that the SQL of the publish decision matches the domain's function.

use std::fmt::Debug;
use streamward::domain::access::Scope;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rstest_reuse::apply;
use streamward::domain::broadcaster::Broadcaster;
use streamward::domain::media_server::{Connection, StreamStats};
use streamward::domain::page::Page;
use streamward::domain::publish::{PublishRequest, decide_publish};
use streamward::domain::reconcile::{Changes, Refresh};
use streamward::domain::secret::SecretHash;
use streamward::domain::stream::{EndReason, Stream};
use streamward::domain::stream_key::{OnConflict, StreamKey};
use streamward::domain::{StreamId, Timestamp};
use streamward::ports::{KeyCreation, KeyFilter, PollResult, StatusFilter, StreamFilter};
use strum::VariantArray as _;

use crate::every_store;
use crate::fixture::{
    Engine, TTL, World, at, audit, broadcaster, by, fresh_hash, key, new_id, path, request_from, server,
    start,
};

const SERVERS: [&str; 2] = ["default", "second"];
const PATHS: [&str; 3] = ["live/a", "live/b", "live/c"];

/// A random step. Numbers select among the existing things.
#[derive(Clone, Debug)]
enum Step {
    Wait { seconds: i64 },
    Create { owner: usize, path: usize, takeover: bool, lasts: Option<i64> },
    Publish { secret: usize, server: usize, connection: Option<u8>, path: Option<usize> },
    Rotate { key: usize },
    Revoke { key: usize },
    DeleteOwner { owner: usize },
    Start { key: usize, server: usize, connection: u8, alias: Option<u8> },
    End { stream: usize, reason: EndReason },
    Refresh { stream: usize, readers: u32, announce: bool },
    RequestEnd { stream: usize },
    PollResult { server: usize, fails: bool },
    Release { server: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let some = 0usize..6;
    let (server, connection) = (0..SERVERS.len(), 0u8..4);
    let create = (0usize..3, 0..PATHS.len(), any::<bool>(), prop::option::of(1i64..40));
    let request = (
        0usize..10,
        server.clone(),
        prop::option::weighted(0.9, connection.clone()),
        prop::option::of(0..PATHS.len()),
    );
    let begin = (some.clone(), server.clone(), connection.clone(), prop::option::weighted(0.2, connection));
    let one = prop_oneof![
        3 => (0i64..12).prop_map(|seconds| Step::Wait { seconds }),
        4 => create.prop_map(|(owner, path, takeover, lasts)| Step::Create { owner, path, takeover, lasts }),
        12 => request.prop_map(|(secret, server, connection, path)| Step::Publish { secret, server, connection, path }),
        2 => some.clone().prop_map(|key| Step::Rotate { key }),
        1 => some.clone().prop_map(|key| Step::Revoke { key }),
        1 => (0usize..3).prop_map(|owner| Step::DeleteOwner { owner }),
        8 => begin.prop_map(|(key, server, connection, alias)| Step::Start { key, server, connection, alias }),
        4 => (some.clone(), prop::sample::select(EndReason::VARIANTS))
            .prop_map(|(stream, reason)| Step::End { stream, reason }),
        2 => (some.clone(), 0u32..3, any::<bool>())
            .prop_map(|(stream, readers, announce)| Step::Refresh { stream, readers, announce }),
        1 => some.prop_map(|stream| Step::RequestEnd { stream }),
        2 => (server.clone(), any::<bool>()).prop_map(|(server, fails)| Step::PollResult { server, fails }),
        1 => server.prop_map(|server| Step::Release { server }),
    ];
    vec(one, 1..60)
}

/// The things created so far, the same in both stores.
struct Story {
    now: Timestamp,
    owners: Vec<Broadcaster>,
    keys: Vec<StreamKey>,
    secrets: Vec<SecretHash>,
    streams: Vec<Stream>,
}

fn pick<T>(from: &[T], number: usize) -> Option<&T> {
    from.get(number % from.len().max(1))
}

fn source(server: usize, connection: u8) -> Connection {
    crate::fixture::connection(SERVERS[server], &format!("c{connection}"))
}

/// Runs one step on both stores and compares the answers.
macro_rules! both {
    ($worlds:expr, |$world:ident| $call:expr) => {{
        let [one, other] = $worlds;
        let $world = one;
        let first = $call;
        let $world = other;
        let second = $call;
        assert_eq!(format!("{first:?}"), format!("{second:?}"));
        first
    }};
}

async fn play(worlds: [&World; 2], story: &mut Story, step: &Step) {
    let now = story.now;
    match step {
        Step::Wait { seconds } => {
            story.now = now.plus(std::time::Duration::from_secs(seconds.unsigned_abs()));
        }
        Step::Create { owner, path, takeover, lasts } => {
            let Some(owner) = pick(&story.owners, *owner) else { return };
            let conflict = if *takeover { OnConflict::Takeover } else { OnConflict::Reject };
            let expires_at = lasts.map(|l| now.plus(std::time::Duration::from_secs(l.unsigned_abs())));
            let key = StreamKey { on_conflict: conflict, expires_at, ..key(owner.id, PATHS[*path], now) };
            let hash = fresh_hash();
            if both!(worlds, |world| world.create(&key, &hash).await) == KeyCreation::Created {
                story.keys.push(key);
                story.secrets.push(hash);
            }
        }
        Step::Publish { secret, server, connection, path: named } => {
            let Some(hash) = pick(&story.secrets, *secret) else { return };
            let request = PublishRequest {
                path: named.map(|n| path(PATHS[n])),
                ..request_from(connection.map(|c| source(*server, c)))
            };
            let after =
                both!(worlds, |world| world.store.claim_for_publish(hash, &request, now, TTL).await.unwrap());
            // An accepted request becomes the holder. A request refused by the current row does not.
            if let (Some(key), Some(asking)) = (after, &request.connection) {
                let allowed = decide_publish(&key, &request, now, TTL).is_ok();
                let holds = key.holder.connection() == Some(asking);
                assert!(!allowed || holds, "{key:?} {request:?}");
            }
        }
        Step::Rotate { key } => {
            let Some(key) = pick(&story.keys, *key) else { return };
            let hash = fresh_hash();
            let entry = audit("rotate", now);
            both!(worlds, |world| {
                world.store.rotate_stream_key(key.id, &hash, "sk_newer", by(&entry)).await.unwrap()
            });
            story.secrets.push(hash);
        }
        Step::Revoke { key } => {
            let Some(key) = pick(&story.keys, *key) else { return };
            let entry = audit("revoke", now);
            both!(worlds, |world| world.store.revoke_stream_key(key.id, by(&entry)).await.unwrap());
        }
        Step::DeleteOwner { owner } => {
            let Some(owner) = pick(&story.owners, *owner) else { return };
            let entry = audit("delete", now);
            both!(worlds, |world| world.store.delete_broadcaster(owner.id, by(&entry)).await.unwrap());
        }
        Step::Start { key, server, connection, alias } => {
            let Some(key) = pick(&story.keys, *key) else { return };
            let mut start = start(key.id, source(*server, *connection));
            start.aliases = alias.map(|n| source(*server, n).id).into_iter().collect();
            let changes = Changes { started: vec![start], ..Changes::default() };
            apply_to(worlds, story, SERVERS[*server], changes).await;
        }
        Step::End { stream, reason } => {
            let Some(stream) = pick(&story.streams, *stream) else { return };
            let changes = Changes { ended: vec![(stream.id, *reason)], ..Changes::default() };
            let on = stream.media_server.to_string();
            apply_to(worlds, story, &on, changes).await;
        }
        Step::Refresh { stream, readers, announce } => {
            let Some(stream) = pick(&story.streams, *stream) else { return };
            let stats = StreamStats { readers: *readers, ..stream.stats.clone() };
            let refreshed = vec![Refresh { stream: stream.id, stats, announce: *announce }];
            let on = stream.media_server.to_string();
            apply_to(worlds, story, &on, Changes { refreshed, ..Changes::default() }).await;
        }
        Step::RequestEnd { stream } => {
            let Some(stream) = pick(&story.streams, *stream) else { return };
            let entry = audit("end", now);
            both!(worlds, |world| {
                world.store.request_end(stream.id, EndReason::EndedByOperator, by(&entry)).await.unwrap()
            });
        }
        Step::PollResult { server: on, fails } => {
            let poll = if *fails {
                PollResult::Failed("down".into())
            } else {
                PollResult::Succeeded { version: None, run: None, repaired: 1 }
            };
            both!(worlds, |world| {
                let assignment = world.assignment(SERVERS[*on]).await;
                world.store.record_poll(&assignment, &server(SERVERS[*on]), &poll, now).await.unwrap();
            });
        }
        Step::Release { server: on } => {
            both!(worlds, |world| {
                let assignment = world.assignment(SERVERS[*on]).await;
                world.store.release_holders(&assignment, &server(SERVERS[*on]), now).await.unwrap()
            });
        }
    }
}

async fn apply_to(worlds: [&World; 2], story: &mut Story, on: &str, changes: Changes) {
    let id: StreamId = new_id();
    let applied = both!(worlds, |world| {
        let assignment = world.assignment(on).await;
        world.store.apply_changes(&assignment, &server(on), &changes, story.now, &|| id).await.unwrap()
    });
    story.streams.extend(applied.started);
}

/// Everything that can be read.
async fn all(world: &World) -> impl Debug + PartialEq + use<> {
    let store = &world.store;
    let streams = StreamFilter { status: StatusFilter::All, ..StreamFilter::default() };
    let mut views = Vec::new();
    for on in SERVERS {
        let mut view = store.reconcile_view(&server(on), &[], &[]).await.unwrap();
        view.keys.sort_by_key(|(_, key)| key.id);
        view.streams.sort_by_key(|active| active.stream.id);
        views.push((view.keys, view.streams));
    }
    let hashes = store.cached_keys(None, 10_000).await.unwrap();
    let keys = store.stream_keys(&Scope::system(), &KeyFilter::default(), &Page::default()).await.unwrap();
    let streams = store.streams(&Scope::system(), &streams, &Page::default()).await.unwrap();
    let active = streams.iter().filter(|stream| stream.is_active());
    let mut of: Vec<_> = active.map(|stream| stream.stream_key_id).collect();
    let count = of.len();
    of.sort();
    of.dedup();
    assert_eq!(of.len(), count, "one key has two active streams");
    (
        (keys, hashes, streams, views),
        store.events_after(&Scope::system(), None, 0, 100_000).await.unwrap(),
        world.audited().await,
        store.broadcasters(&Scope::system(), &Page::default()).await.unwrap(),
        store.media_servers(&Scope::system()).await.unwrap(),
    )
}

async fn compare(engine: Engine, steps: &[Step]) {
    let (memory, other) = (Engine::Memory.world().await, engine.world().await);
    let worlds = [&memory, &other];
    let owners: Vec<Broadcaster> = ["a", "b", "c"].map(|name| broadcaster(name, at(0))).into();
    for owner in &owners {
        let entry = audit("create", at(0));
        both!(worlds, |world| world.store.create_broadcaster(owner, by(&entry)).await.unwrap());
    }
    let mut story = Story { now: at(0), owners, keys: vec![], secrets: vec![], streams: vec![] };
    for step in steps {
        play(worlds, &mut story, step).await;
    }
    assert_eq!(all(&memory).await, all(&other).await);
}

#[apply(every_store)]
#[test]
fn the_same_happens_as_in_memory(#[case] engine: Engine) {
    let cases = if engine == Engine::Memory { 200 } else { 24 };
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runner
        .run(&steps(), |steps| {
            runtime.block_on(compare(engine, &steps));
            Ok(())
        })
        .unwrap();
}
