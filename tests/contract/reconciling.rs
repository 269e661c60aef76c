//! The store's side of the reconcile loop.

use rstest_reuse::apply;
use streamward::domain::StreamKeyId;
use streamward::domain::access::Scope;
use streamward::domain::event::{EventBody, StreamEventKind};
use streamward::domain::media_server::{ObservedPath, SourceId, StreamStats};
use streamward::domain::page::Page;
use streamward::domain::path::IngestPath;
use streamward::domain::reconcile::{Changes, HookEvent, HookKind, Observation, Refresh, Start};
use streamward::domain::stream::{EndReason, StreamState};
use streamward::domain::stream_key::{Holder, OnConflict, StreamKey};
use streamward::ports::{Assignment, PollResult, StatusFilter, StoreError, StreamFilter};

use crate::every_store;
use crate::fixture::{
    Engine, World, at, audit, broadcaster, by, connection, fresh_hash, new_id, path, request, request_from,
    server, start,
};

fn started(starts: Vec<Start>) -> Changes {
    Changes { started: starts, ..Changes::default() }
}

async fn record_poll(world: &World, name: &str, poll: PollResult, when: i64) {
    let assignment = world.assignment(name).await;
    world.store.record_poll(&assignment, &server(name), &poll, at(when)).await.unwrap();
}

fn failed() -> PollResult {
    PollResult::Failed("no answer".into())
}

async fn active(world: &World) -> usize {
    world.store.streams(&Scope::system(), &StreamFilter::default(), &Page::default()).await.unwrap().len()
}

fn observation(raw: &str, hash: Option<streamward::domain::secret::SecretHash>) -> Observation {
    let seen = ObservedPath {
        path: IngestPath::from_media_server(raw),
        live: true,
        configured: false,
        source: None,
        stats: StreamStats::default(),
    };
    Observation { seen, hash }
}

#[apply(every_store)]
#[tokio::test]
async fn the_view_has_all_active_streams_of_the_server_and_every_key_that_may_be_meant(
    #[case] engine: Engine,
) {
    let world = engine.world().await;
    let (a, _, stream) = world.live("a", "c1").await;
    let (held, held_hash) = world.key("held").await;
    world.claim(&held_hash, &request("c2"), at(1)).await;
    let (seen, _) = world.key("seen").await;
    let (hooked, _) = world.key("hooked").await;
    let (revoked, _) = world.key("revoked").await;
    world.store.revoke_stream_key(revoked.id, by(&audit("revoke", at(2)))).await.unwrap();
    let (private, private_hash) = world.key("private").await;
    world.store.revoke_stream_key(private.id, by(&audit("revoke", at(2)))).await.unwrap();
    let (hashed, hook_hash) = world.key("hashed").await;
    let (_, elsewhere_hash) = world.key("elsewhere").await;
    world.claim(&elsewhere_hash, &request_from(Some(connection("second", "c3"))), at(1)).await;
    world.live_on("second", "far", "c4").await;
    world.key("unrelated").await;
    let (_, _, over) = world.live("over", "c5").await;
    let gone = Changes { ended: vec![(over.id, EndReason::PublisherLeft)], ..Changes::default() };
    world.apply("default", &gone, at(3)).await;

    let observations =
        [observation("seen", None), observation("revoked", None), observation("x", Some(private_hash))];
    let hook_event = |on: Option<&str>, hash| HookEvent {
        server: server("default"),
        kind: HookKind::Ready,
        path: on.map(path),
        hash,
        source_id: None,
        source_kind: None,
        at: at(3),
    };
    let hook_events = [hook_event(Some("hooked"), None), hook_event(None, Some(hook_hash))];
    let view = world.store.reconcile_view(&server("default"), &observations, &hook_events).await.unwrap();
    assert_eq!(view.streams.len(), 1);
    assert_eq!((&view.streams[0].stream, view.streams[0].refreshed_at), (&stream, at(2)));
    let mut ids: Vec<StreamKeyId> = view.keys.iter().map(|(_, key)| key.id).collect();
    ids.sort();
    let mut expected = [a.id, held.id, seen.id, hooked.id, private.id, hashed.id];
    expected.sort();
    assert_eq!(ids, expected);
    let of_held = view.keys.iter().find(|(_, key)| key.id == held.id).unwrap();
    assert_eq!(*of_held, (held_hash, world.stored(&held).await));
    let nothing = world.store.reconcile_view(&server("new"), &[], &[]).await.unwrap();
    assert!(nothing.streams.is_empty() && nothing.keys.is_empty());
}

#[apply(every_store)]
#[tokio::test]
async fn started_makes_the_session_the_live_holder_and_writes_an_event(#[case] engine: Engine) {
    let world = engine.world().await;
    let (key, hash) = world.key("live/alice").await;
    world.claim(&hash, &request("c1"), at(1)).await;
    let id = new_id();
    let assignment = world.assignment("default").await;
    let changes = started(vec![start(key.id, connection("default", "c1"))]);
    let applied =
        world.store.apply_changes(&assignment, &server("default"), &changes, at(2), &|| id).await.unwrap();
    assert_eq!((applied.started.len(), applied.postponed), (1, 0));
    assert_eq!(applied.started[0].id, id, "the id is taken from new_id");
    assert_eq!(world.store.stream(&Scope::system(), id).await.unwrap().as_ref(), Some(&applied.started[0]));
    assert_eq!(world.stored(&key).await.holder, Holder::Live { by: connection("default", "c1") });
    let events = world.store.events_after(&Scope::system(), None, 0, 100).await.unwrap();
    let last = events.last().unwrap();
    let started = EventBody::stream(StreamEventKind::Started, &applied.started[0]);
    assert_eq!((last.at, last.decode().unwrap().body), (at(2), started));
}

#[apply(every_store)]
#[tokio::test]
async fn started_only_if_the_key_is_usable_and_not_occupied_by_another_connection(#[case] engine: Engine) {
    let world = engine.world().await;
    let other = request("other");
    let (occupied, hash) = world.key("occupied").await;
    world.claim(&hash, &other, at(1)).await;
    let (lapsed, hash) = world.key("lapsed").await;
    world.store.claim_for_publish(&hash, &other, at(1), std::time::Duration::from_secs(1)).await.unwrap();
    let (expired, _) = world.key_with("expired", |key| StreamKey { expires_at: Some(at(2)), ..key }).await;
    let (revoked, _) = world.key("revoked").await;
    world.store.revoke_stream_key(revoked.id, by(&audit("revoke", at(1)))).await.unwrap();
    let (evicted, hash) = world.key("evicted").await;
    world.claim(&hash, &request("c1"), at(1)).await;
    let entry = audit("rotate", at(1));
    let renewed = fresh_hash();
    world.store.rotate_stream_key(evicted.id, &renewed, "sk_abcde", by(&entry)).await.unwrap();
    let deleted = StreamKeyId(broadcaster("Nobody", at(0)).id.0);
    let events = world.events().await.len();
    for id in [occupied.id, expired.id, revoked.id, evicted.id, deleted] {
        let applied =
            world.apply("default", &started(vec![start(id, connection("default", "c1"))]), at(2)).await;
        assert_eq!((applied.started.len(), applied.postponed), (0, 1));
    }
    assert_eq!((world.events().await.len(), active(&world).await), (events, 0), "nothing was written");
    assert_eq!(world.stored(&occupied).await.holder.connection(), other.connection.as_ref());
    for id in [lapsed.id, occupied.id] {
        let when = if id == lapsed.id { at(2) } else { at(100) };
        let applied =
            world.apply("default", &started(vec![start(id, connection("default", "c1"))]), when).await;
        assert_eq!(applied.started.len(), 1);
    }
    let late = started(vec![start(evicted.id, connection("default", "c2"))]);
    assert_eq!(world.apply("default", &late, at(2)).await.postponed, 1, "it was let in before the rotation");
    world.claim(&renewed, &request("c2"), at(2)).await;
    assert_eq!(world.apply("default", &late, at(2)).await.started.len(), 1, "it came with the new secret");
}

#[apply(every_store)]
#[tokio::test]
async fn a_session_may_start_under_another_name_than_its_claim(#[case] engine: Engine) {
    let world = engine.world().await;
    let (key, hash) = world.key("live/alice").await;
    world.claim(&hash, &request("connection"), at(1)).await;
    let session = connection("default", "session");
    let alias = Start {
        aliases: SourceId::parse("connection").into_iter().collect(),
        ..start(key.id, session.clone())
    };
    assert_eq!(world.apply("default", &started(vec![alias]), at(2)).await.started.len(), 1);
    assert_eq!(world.stored(&key).await.holder, Holder::Live { by: session });
}

#[apply(every_store)]
#[tokio::test]
async fn a_session_whose_stream_is_recorded_already_only_regains_the_key(#[case] engine: Engine) {
    let world = engine.world().await;
    let (key, hash) = world.key_with("a", |key| StreamKey { on_conflict: OnConflict::Takeover, ..key }).await;
    world.claim(&hash, &request("c1"), at(1)).await;
    let stream = world.start(&key, connection("default", "c1"), at(2)).await;
    world.claim(&hash, &request("c2"), at(3)).await;
    let events = world.events().await;
    let again = started(vec![start(key.id, connection("default", "c1"))]);
    let applied = world.apply("default", &again, at(4)).await;
    assert_eq!((applied.started.len(), applied.postponed), (0, 1), "the newcomer has a claim");
    let applied = world.apply("default", &again, at(100)).await;
    assert_eq!((applied.started.len(), applied.postponed), (0, 0));
    assert_eq!(world.stored(&key).await.holder, Holder::Live { by: connection("default", "c1") });
    assert_eq!(world.store.stream(&Scope::system(), stream.id).await.unwrap(), Some(stream));
    assert_eq!(world.events().await, events);
}

#[apply(every_store)]
#[tokio::test]
async fn there_are_never_two_active_streams_for_one_key(#[case] engine: Engine) {
    let world = engine.world().await;
    let (key, hash) = world.key_with("a", |key| StreamKey { on_conflict: OnConflict::Takeover, ..key }).await;
    world.claim(&hash, &request("c1"), at(1)).await;
    let twice =
        started(vec![start(key.id, connection("default", "c1")), start(key.id, connection("default", "c1"))]);
    let applied = world.apply("default", &twice, at(2)).await;
    assert_eq!((applied.started.len(), active(&world).await), (1, 1));
    // A takeover: the new connection has the key, and the old stream has not ended yet.
    world.claim(&hash, &request("c2"), at(3)).await;
    let newcomer = start(key.id, connection("default", "c2"));
    let applied = world.apply("default", &started(vec![newcomer.clone()]), at(4)).await;
    assert_eq!((applied.started.len(), applied.postponed, active(&world).await), (0, 1, 1));
    let elsewhere = started(vec![start(key.id, connection("second", "c2"))]);
    assert_eq!(world.apply("second", &elsewhere, at(100)).await.postponed, 1);
    let first = world
        .store
        .streams(&Scope::system(), &StreamFilter::default(), &Page::default())
        .await
        .unwrap()
        .remove(0);
    let both = Changes {
        ended: vec![(first.id, EndReason::Takeover)],
        started: vec![newcomer],
        ..Changes::default()
    };
    let applied = world.apply("default", &both, at(5)).await;
    assert_eq!((applied.ended.len(), applied.started.len(), active(&world).await), (1, 1, 1));
    assert_eq!(world.stored(&key).await.holder, Holder::Live { by: connection("default", "c2") });
}

#[apply(every_store)]
#[tokio::test]
async fn an_active_stream_on_an_unreachable_server_is_ended_as_takeover_first(#[case] engine: Engine) {
    let world = engine.world().await;
    let (key, hash, stream) = world.live_on("second", "live/alice", "c1").await;
    record_poll(&world, "second", failed(), 10).await;
    let here = connection("default", "c2");
    let refused = world.claim(&hash, &request_from(Some(here.clone())), at(11)).await;
    assert_eq!(refused.holder.connection(), Some(&connection("second", "c1")));
    let assignment = world.assignment("second").await;
    assert_eq!(world.store.release_holders(&assignment, &server("second"), at(12)).await.unwrap(), 1);
    world.claim(&hash, &request_from(Some(here.clone())), at(13)).await;
    let applied = world.apply("default", &started(vec![start(key.id, here.clone())]), at(14)).await;
    assert_eq!((applied.started.len(), applied.ended.len()), (1, 1));
    let expected = StreamState::Ended { ended_at: at(14), end_reason: EndReason::Takeover };
    assert_eq!(world.store.stream(&Scope::system(), stream.id).await.unwrap().unwrap().state, expected);
    assert_eq!((active(&world).await, world.stored(&key).await.holder), (1, Holder::Live { by: here }));
    let events = world.events().await;
    let kinds: Vec<&str> = events[events.len() - 2..].iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, ["stream.ended", "stream.started"]);
}

#[apply(every_store)]
#[tokio::test]
async fn ended_ends_active_streams_only_frees_the_key_and_writes_an_event(#[case] engine: Engine) {
    let world = engine.world().await;
    let (key, _, stream) = world.live("live/alice", "c1").await;
    let (_, _, far) = world.live_on("second", "far", "c2").await;
    let changes = Changes {
        ended: vec![
            (stream.id, EndReason::PublisherLeft),
            (far.id, EndReason::PublisherLeft),
            (new_id(), EndReason::PublisherLeft),
        ],
        ..Changes::default()
    };
    let applied = world.apply("default", &changes, at(9)).await;
    let expected = stream.gone(at(9), EndReason::PublisherLeft).unwrap();
    assert_eq!(applied.ended, std::slice::from_ref(&expected), "and none that is on another server");
    assert_eq!(world.store.stream(&Scope::system(), expected.id).await.unwrap(), Some(expected.clone()));
    assert_eq!(world.stored(&key).await.holder, Holder::Free);
    assert_eq!(world.events().await.last(), Some(&("stream.ended", expected.id.0)));
    let events = world.events().await;
    assert_eq!(world.apply("default", &changes, at(10)).await.ended, [], "it has ended already");
    assert_eq!(world.events().await, events);
    assert_eq!(world.store.stream(&Scope::system(), expected.id).await.unwrap(), Some(expected));
}

#[apply(every_store)]
#[tokio::test]
async fn ended_frees_the_key_only_if_it_is_held_live_by_that_session(#[case] engine: Engine) {
    let world = engine.world().await;
    let (key, hash) = world.key_with("a", |key| StreamKey { on_conflict: OnConflict::Takeover, ..key }).await;
    world.claim(&hash, &request("c1"), at(1)).await;
    let stream = world.start(&key, connection("default", "c1"), at(2)).await;
    let claimed = world.claim(&hash, &request("c2"), at(3)).await;
    let changes = Changes { ended: vec![(stream.id, EndReason::Takeover)], ..Changes::default() };
    world.apply("default", &changes, at(4)).await;
    assert_eq!(world.stored(&key).await.holder, claimed.holder);
}

#[apply(every_store)]
#[tokio::test]
async fn refreshed_stores_the_numbers_and_writes_an_event_where_it_is_announced(#[case] engine: Engine) {
    let world = engine.world().await;
    let (_, _, quiet) = world.live("a", "c1").await;
    let (_, _, loud) = world.live("b", "c2").await;
    let (_, _, over) = world.live("c", "c3").await;
    let gone = Changes { ended: vec![(over.id, EndReason::PublisherLeft)], ..Changes::default() };
    world.apply("default", &gone, at(3)).await;
    let stats = StreamStats { readers: 7, tracks: vec!["AV1".into()], inbound_bytes: 9_000_000_000 };
    let events = world.events().await.len();
    let refresh = |stream, announce| Refresh { stream, stats: stats.clone(), announce };
    let refreshed = vec![refresh(quiet.id, false), refresh(loud.id, true), refresh(over.id, true)];
    let applied = world.apply("default", &Changes { refreshed, ..Changes::default() }, at(20)).await;
    assert_eq!(applied.refreshed, 2);
    for id in [quiet.id, loud.id] {
        assert_eq!(world.store.stream(&Scope::system(), id).await.unwrap().unwrap().stats, stats);
    }
    assert_ne!(world.store.stream(&Scope::system(), over.id).await.unwrap().unwrap().stats, stats);
    assert_eq!(world.events().await[events..], [("stream.updated", loud.id.0)]);
    let view = world.store.reconcile_view(&server("default"), &[], &[]).await.unwrap();
    assert!(view.streams.iter().all(|active| active.refreshed_at == at(20)));
}

#[apply(every_store)]
#[tokio::test]
async fn nothing_is_written_once_the_assignment_is_not_valid(#[case] engine: Engine) {
    let world = engine.world().await;
    let (key, hash) = world.key("live/alice").await;
    world.claim(&hash, &request("c1"), at(1)).await;
    let ours = world.assignment("default").await;
    world.store.release_assignments(std::slice::from_ref(&ours)).await.unwrap();
    let theirs = world.take("them", &[&ours.key]).await;
    assert!(theirs[0].epoch > ours.epoch);
    let never = Assignment { key: "reconcile:never".into(), ..ours.clone() };
    // Both are free. The lease of the first expired; the second was assigned under an expired lease.
    let short = std::time::Duration::from_millis(100);
    let lease = world.store.renew_instance("asleep", 10, short).await.unwrap();
    let asleep = world.take_under(&lease, &["reconcile:asleep"]).await.remove(0);
    let lease = world.store.renew_instance("woken", 10, short).await.unwrap();
    let woken = world.take_under(&lease, &["reconcile:woken"]).await.remove(0);
    tokio::time::sleep(short * 2).await;
    let lease = world.store.renew_instance("woken", 10, std::time::Duration::from_secs(60)).await.unwrap();
    let anew = world.take_under(&lease, &["reconcile:woken"]).await.remove(0);
    let events = world.events().await;
    let before = world.stored(&key).await;
    let changes = started(vec![start(key.id, connection("default", "c1"))]);
    for stale in [&ours, &never, &asleep, &woken] {
        let on = server("default");
        let fenced = |error: StoreError| assert!(matches!(error, StoreError::Fenced(_)), "{error}");
        fenced(world.store.apply_changes(stale, &on, &changes, at(2), &new_id).await.unwrap_err());
        fenced(world.store.release_holders(stale, &on, at(2)).await.unwrap_err());
        fenced(world.store.record_poll(stale, &on, &failed(), at(2)).await.unwrap_err());
        fenced(world.store.delete_hook_events(stale, &on, 100).await.unwrap_err());
    }
    assert_eq!((world.events().await, world.stored(&key).await), (events, before));
    assert_eq!(world.store.media_servers(&Scope::system()).await.unwrap(), []);
    world.store.release_holders(&anew, &server("default"), at(2)).await.unwrap();
}

#[apply(every_store)]
#[tokio::test]
async fn release_turns_live_holders_on_the_server_into_expired_claims(#[case] engine: Engine) {
    let world = engine.world().await;
    let (here, _, stream) = world.live("a", "c1").await;
    let (far, _, _) = world.live_on("second", "b", "c2").await;
    let (claimed, hash) = world.key("c").await;
    let claim = world.claim(&hash, &request("c3"), at(20)).await;
    let assignment = world.assignment("default").await;
    assert_eq!(world.store.release_holders(&assignment, &server("default"), at(21)).await.unwrap(), 1);
    let expected = Holder::Claimed { by: connection("default", "c1"), until: at(21) };
    assert_eq!(world.stored(&here).await.holder, expected);
    assert_eq!(world.stored(&far).await.holder, Holder::Live { by: connection("second", "c2") });
    assert_eq!(world.stored(&claimed).await, claim);
    assert!(
        world.store.stream(&Scope::system(), stream.id).await.unwrap().unwrap().is_active(),
        "the streams stay active"
    );
}

#[apply(every_store)]
#[tokio::test]
async fn thousands_of_changes_are_applied_whole(#[case] engine: Engine) {
    let world = engine.world().await;
    let owner = world.broadcaster("Alice").await;
    let count = 1_100;
    let mut starts = Vec::new();
    for n in 0..count {
        let one = crate::fixture::key(owner.id, &format!("live/{n}"), at(0));
        world.create(&one, &fresh_hash()).await;
        starts.push(start(one.id, connection("default", &format!("c{n}"))));
    }
    let applied = world.apply("default", &started(starts), at(1)).await;
    assert_eq!((applied.started.len(), active(&world).await), (count, count));
    let ended = applied.started.iter().map(|stream| (stream.id, EndReason::MediaServerRestarted)).collect();
    let applied = world.apply("default", &Changes { ended, ..Changes::default() }, at(2)).await;
    assert_eq!((applied.ended.len(), active(&world).await), (count, 0));
    let all = StreamFilter { status: StatusFilter::All, ..StreamFilter::default() };
    assert_eq!(world.store.streams(&Scope::system(), &all, &Page::default()).await.unwrap().len(), count);
}
