//! Stream keys: create, list, rotate, revoke.

use rstest_reuse::apply;
use streamward::domain::StreamKeyId;
use streamward::domain::access::Scope;
use streamward::domain::page::Page;
use streamward::domain::stream::EndReason;
use streamward::domain::stream_key::{CachedKey, Holder, KeyStatus, Label, OnConflict, StreamKey};
use streamward::ports::{KeyCreation, KeyFilter, Revocation, Rotation};

use crate::every_store;
use crate::fixture::{Engine, TTL, at, audit, broadcaster, by, connection, fresh_hash, key, path, request};

#[apply(every_store)]
#[tokio::test]
async fn create_stores_the_key_under_its_hash_with_an_event_and_the_audit_entry(#[case] engine: Engine) {
    let world = engine.world().await;
    let owner = world.broadcaster("Alice").await;
    let full = StreamKey {
        label: Label::parse("OBS, ✓").ok(),
        on_conflict: OnConflict::Takeover,
        expires_at: Some(at(100)),
        ..key(owner.id, "live/alice", at(3))
    };
    let hash = fresh_hash();
    assert_eq!(world.create(&full, &hash).await, KeyCreation::Created);
    assert_eq!(world.store.stream_key(&Scope::system(), full.id).await.unwrap(), Some(full.clone()));
    let page = streamward::domain::publish::PublishRequest { connection: None, ..request("c1") };
    assert_eq!(world.claim(&hash, &page, at(4)).await, full);
    assert_eq!(world.events().await.last(), Some(&("stream_key.created", full.id.0)));
    assert_eq!(world.audited().await, ["create", "create"]);
}

#[apply(every_store)]
#[tokio::test]
async fn create_for_an_unknown_broadcaster_writes_nothing(#[case] engine: Engine) {
    let world = engine.world().await;
    let orphan = key(broadcaster("Nobody", at(0)).id, "live/alice", at(0));
    assert_eq!(world.create(&orphan, &fresh_hash()).await, KeyCreation::UnknownBroadcaster);
    assert_eq!(world.store.stream_key(&Scope::system(), orphan.id).await.unwrap(), None);
    assert_eq!((world.events().await, world.audited().await), (vec![], vec![]));
}

#[apply(every_store)]
#[tokio::test]
async fn create_refuses_a_second_usable_key_for_a_path(#[case] engine: Engine) {
    let world = engine.world().await;
    let owner = world.broadcaster("Alice").await;
    let other = world.broadcaster("Bob").await;
    let try_at = async |when| {
        let second = key(other.id, "live/alice", at(when));
        (world.create(&second, &fresh_hash()).await, second)
    };
    let first = StreamKey { expires_at: Some(at(10)), ..key(owner.id, "live/alice", at(0)) };
    assert_eq!(world.create(&first, &fresh_hash()).await, KeyCreation::Created);
    let (events, audited) = (world.events().await, world.audited().await);
    assert_eq!(try_at(9).await.0, KeyCreation::PathTaken, "the first key is usable until it expires");
    assert_eq!((world.events().await, world.audited().await), (events, audited), "nothing was written");
    assert_eq!(world.create(&key(owner.id, "live/bob", at(9)), &fresh_hash()).await, KeyCreation::Created);
    let (created, second) = try_at(10).await;
    assert_eq!(created, KeyCreation::Created, "an expired key does not keep its path");
    assert_eq!(try_at(11).await.0, KeyCreation::PathTaken);
    world.store.revoke_stream_key(second.id, by(&audit("revoke", at(12)))).await.unwrap();
    assert_eq!(try_at(12).await.0, KeyCreation::Created, "a revoked key does not keep its path");
    world.store.delete_broadcaster(other.id, by(&audit("delete", at(13)))).await.unwrap();
    let again = key(owner.id, "live/alice", at(13));
    assert_eq!(world.create(&again, &fresh_hash()).await, KeyCreation::Created, "nor does a deleted one");
}

#[apply(every_store)]
#[tokio::test]
async fn create_refuses_a_second_usable_key_also_at_the_same_moment(#[case] engine: Engine) {
    let world = engine.world().await;
    let owner = world.broadcaster("Alice").await;
    let tries =
        (0..20).map(|_| async { world.create(&key(owner.id, "live/alice", at(0)), &fresh_hash()).await });
    let outcomes = futures_util::future::join_all(tries).await;
    let created = outcomes.iter().filter(|outcome| **outcome == KeyCreation::Created).count();
    let taken = outcomes.iter().filter(|outcome| **outcome == KeyCreation::PathTaken).count();
    assert_eq!((created, taken), (1, 19));
    assert_eq!(
        world
            .store
            .stream_keys(&Scope::system(), &KeyFilter::default(), &Page::default())
            .await
            .unwrap()
            .len(),
        1
    );
}

#[apply(every_store)]
#[tokio::test]
async fn keys_that_pass_the_filter_newest_first_ties_by_id(#[case] engine: Engine) {
    let world = engine.world().await;
    let (alice, bob) = (world.broadcaster("Alice").await, world.broadcaster("Bob").await);
    let old = StreamKey { expires_at: Some(at(2)), ..key(alice.id, "a", at(1)) };
    let keys = [old, key(alice.id, "b", at(5)), key(bob.id, "c", at(5)), key(bob.id, "a", at(9))];
    for one in &keys {
        assert_eq!(world.create(one, &fresh_hash()).await, KeyCreation::Created);
    }
    let [a1, b, c, a2] = keys;
    let list = async |filter: KeyFilter| {
        world.store.stream_keys(&Scope::system(), &filter, &Page::default()).await.unwrap()
    };
    assert_eq!(list(KeyFilter::default()).await, [a2.clone(), c.clone(), b.clone(), a1.clone()]);
    let of_alice = KeyFilter { broadcaster_id: Some(alice.id), path: None };
    assert_eq!(list(of_alice).await, [b, a1.clone()]);
    assert_eq!(list(KeyFilter { broadcaster_id: None, path: Some(path("a")) }).await, [a2.clone(), a1]);
    assert_eq!(list(KeyFilter { broadcaster_id: Some(bob.id), path: Some(path("a")) }).await, [a2]);
    assert_eq!(list(KeyFilter { broadcaster_id: None, path: Some(path("z")) }).await, []);
}

#[apply(every_store)]
#[tokio::test]
async fn rotate_makes_the_old_secret_invalid_and_the_new_one_valid_evicts_the_holder_and_marks_its_streams(
    #[case] engine: Engine,
) {
    let world = engine.world().await;
    let (alice, old, stream) = world.live("live/alice", "c1").await;
    let new = fresh_hash();
    let rotated =
        world.store.rotate_stream_key(alice.id, &new, "sk_newer", by(&audit("rotate", at(5)))).await.unwrap();
    let expected = StreamKey {
        key_prefix: "sk_newer".into(),
        holder: Holder::Evicted { by: connection("default", "c1") },
        last_used_at: Some(at(1)),
        takeovers: world.stored(&alice).await.takeovers,
        ..alice.clone()
    };
    let ending = stream.end_requested(EndReason::KeyRotated).unwrap();
    assert_eq!(rotated, Rotation::Rotated { key: Box::new(expected.clone()), ending: vec![ending.clone()] });
    assert_eq!(world.stored(&alice).await, expected);
    assert_eq!(world.store.stream(&Scope::system(), ending.id).await.unwrap(), Some(ending));
    assert_eq!(world.store.claim_for_publish(&old, &request("c2"), at(6), TTL).await.unwrap(), None);
    let claimed = world.claim(&new, &request("c2"), at(6)).await;
    assert_eq!(claimed.holder.connection(), Some(&connection("default", "c2")));
    assert_eq!(world.events().await.last(), Some(&("stream_key.rotated", alice.id.0)));
    assert_eq!(world.audited().await[0], "rotate");
}

#[apply(every_store)]
#[tokio::test]
async fn rotate_of_a_key_without_a_holder_evicts_nobody(#[case] engine: Engine) {
    let world = engine.world().await;
    let (alice, _) = world.key("live/alice").await;
    let new = fresh_hash();
    let rotated =
        world.store.rotate_stream_key(alice.id, &new, "sk_newer", by(&audit("rotate", at(5)))).await.unwrap();
    let expected = StreamKey { key_prefix: "sk_newer".into(), ..alice.clone() };
    assert_eq!(rotated, Rotation::Rotated { key: Box::new(expected.clone()), ending: vec![] });
    assert_eq!(world.stored(&alice).await, expected);
}

#[apply(every_store)]
#[tokio::test]
async fn rotate_of_an_unknown_or_unusable_key_writes_nothing(#[case] engine: Engine) {
    let world = engine.world().await;
    let (expiring, hash) =
        world.key_with("live/alice", |key| StreamKey { expires_at: Some(at(10)), ..key }).await;
    let (revoked, _) = world.key("live/bob").await;
    world.store.revoke_stream_key(revoked.id, by(&audit("revoke", at(4)))).await.unwrap();
    let (events, audited) = (world.events().await, world.audited().await);
    let rotate = async |id| {
        let entry = audit("rotate", at(10));
        world.store.rotate_stream_key(id, &fresh_hash(), "sk_newer", by(&entry)).await.unwrap()
    };
    let nobody = StreamKeyId(broadcaster("Nobody", at(0)).id.0);
    assert_eq!(rotate(nobody).await, Rotation::NotFound);
    assert_eq!(rotate(expiring.id).await, Rotation::NotUsable(KeyStatus::Expired));
    assert_eq!(rotate(revoked.id).await, Rotation::NotUsable(KeyStatus::Revoked));
    assert_eq!(world.stored(&expiring).await, expiring);
    assert!(world.hashes().await.contains(&hash));
    assert_eq!((world.events().await, world.audited().await), (events, audited));
}

#[apply(every_store)]
#[tokio::test]
async fn revoke_makes_the_key_invalid_at_once_and_marks_its_streams(#[case] engine: Engine) {
    let world = engine.world().await;
    let (alice, hash, stream) = world.live("live/alice", "c1").await;
    let before = world.stored(&alice).await;
    let revoked = world.store.revoke_stream_key(alice.id, by(&audit("revoke", at(5)))).await.unwrap();
    let key = StreamKey { revoked_at: Some(at(5)), ..before };
    let ending = stream.end_requested(EndReason::KeyRevoked).unwrap();
    let expected = Revocation { key: key.clone(), ending: vec![ending.clone()], newly: true };
    assert_eq!(revoked, Some(expected));
    assert_eq!(world.stored(&alice).await, key);
    assert_eq!(world.store.stream(&Scope::system(), ending.id).await.unwrap(), Some(ending));
    assert_eq!(world.claim(&hash, &request("c1"), at(6)).await, key, "asking again changes nothing");
    assert_eq!(world.events().await.last(), Some(&("stream_key.revoked", alice.id.0)));
    assert_eq!(world.audited().await[0], "revoke");
}

#[apply(every_store)]
#[tokio::test]
async fn revoke_is_idempotent_and_still_returns_active_streams(#[case] engine: Engine) {
    let world = engine.world().await;
    let (alice, _, stream) = world.live("live/alice", "c1").await;
    let revoke = async |when| {
        let entry = audit("revoke", when);
        world.store.revoke_stream_key(alice.id, by(&entry)).await.unwrap().unwrap()
    };
    let first = revoke(at(5)).await;
    let (events, audited) = (world.events().await, world.audited().await);
    let second = revoke(at(7)).await;
    assert_eq!(second, Revocation { newly: false, ..first });
    assert_eq!(second.ending.len(), 1);
    assert_eq!((world.events().await, world.audited().await), (events, audited));
    let gone = streamward::domain::reconcile::Changes {
        ended: vec![(stream.id, EndReason::PublisherLeft)],
        ..Default::default()
    };
    world.apply("default", &gone, at(8)).await;
    assert_eq!(revoke(at(9)).await.ending, []);
}

#[apply(every_store)]
#[tokio::test]
async fn revoke_of_an_unknown_key_is_none(#[case] engine: Engine) {
    let world = engine.world().await;
    let nobody = StreamKeyId(broadcaster("Nobody", at(0)).id.0);
    let revoked = world.store.revoke_stream_key(nobody, by(&audit("revoke", at(5)))).await.unwrap();
    assert_eq!(revoked, None);
    assert_eq!((world.events().await, world.audited().await), (vec![], vec![]));
}

#[apply(every_store)]
#[tokio::test]
async fn cached_keys_are_all_that_are_not_revoked_in_order_and_in_pages(#[case] engine: Engine) {
    let world = engine.world().await;
    assert_eq!(world.store.cached_keys(None, 10).await.unwrap(), []);
    let (first, usable) = world.key("a").await;
    let (_, expired) = world.key_with("b", |key| StreamKey { expires_at: Some(at(1)), ..key }).await;
    let (revoked, _) = world.key("c").await;
    world.store.revoke_stream_key(revoked.id, by(&audit("revoke", at(5)))).await.unwrap();
    let all = world.store.cached_keys(None, 10).await.unwrap();
    assert_eq!(all.iter().map(|key| key.hash).collect::<Vec<_>>(), [usable, expired]);
    let cached = CachedKey { hash: usable, id: first.id, path: first.path, expires_at: None };
    assert_eq!((&all[0], all[1].expires_at), (&cached, Some(at(1))));
    assert_eq!(world.store.cached_keys(None, 1).await.unwrap(), all[..1]);
    assert_eq!(world.store.cached_keys(Some(usable), 10).await.unwrap(), all[1..]);
    assert_eq!(world.store.cached_keys(Some(expired), 10).await.unwrap(), []);
}

#[apply(every_store)]
#[tokio::test]
async fn cached_keys_of_some_keys_are_those_that_exist_and_are_not_revoked(#[case] engine: Engine) {
    let world = engine.world().await;
    let (first, hash) = world.key("a").await;
    world.key("b").await;
    let (revoked, _) = world.key("c").await;
    world.store.revoke_stream_key(revoked.id, by(&audit("revoke", at(5)))).await.unwrap();
    let nobody = StreamKeyId(broadcaster("Nobody", at(0)).id.0);
    let cached = world.store.cached_keys_of(&[first.id, revoked.id, nobody]).await.unwrap();
    assert_eq!(cached.iter().map(|key| key.hash).collect::<Vec<_>>(), [hash]);
    assert_eq!(world.store.cached_keys_of(&[]).await.unwrap(), []);
}
