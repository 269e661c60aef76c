//! Broadcasters.

use rstest_reuse::apply;
use streamward::domain::access::Scope;
use streamward::domain::broadcaster::{BroadcasterPatch, DisplayName, Metadata};
use streamward::domain::page::Page;
use streamward::domain::stream::EndReason;

use crate::every_store;
use crate::fixture::{Engine, at, audit, broadcaster, by};

#[apply(every_store)]
#[tokio::test]
async fn create_stores_the_broadcaster_an_event_and_the_audit_entry(#[case] engine: Engine) {
    let world = engine.world().await;
    let alice = world.broadcaster("Alice").await;
    assert_eq!(world.store.broadcaster(&Scope::system(), alice.id).await.unwrap(), Some(alice.clone()));
    assert_eq!(world.events().await, [("broadcaster.created", alice.id.0)]);
    assert_eq!(world.audited().await, ["create"]);
}

#[apply(every_store)]
#[tokio::test]
async fn create_stores_all_of_them_or_none(#[case] engine: Engine) {
    if engine == Engine::Memory {
        return; // Nothing can fail there.
    }
    let world = engine.world().await;
    let entry = audit("create", at(0));
    world.store.record_audit(std::slice::from_ref(&entry)).await.unwrap();
    let alice = broadcaster("Alice", at(0));
    assert!(
        world.store.create_broadcaster(&alice, by(&entry)).await.is_err(),
        "the audit entry is there already"
    );
    assert_eq!(world.store.broadcaster(&Scope::system(), alice.id).await.unwrap(), None);
    assert_eq!(world.events().await, []);
}

#[apply(every_store)]
#[tokio::test]
async fn an_unknown_broadcaster_is_none(#[case] engine: Engine) {
    let world = engine.world().await;
    assert_eq!(
        world.store.broadcaster(&Scope::system(), broadcaster("Nobody", at(0)).id).await.unwrap(),
        None
    );
}

#[apply(every_store)]
#[tokio::test]
async fn all_broadcasters_newest_first_ties_by_id(#[case] engine: Engine) {
    let world = engine.world().await;
    let all =
        [broadcaster("a", at(5)), broadcaster("b", at(5)), broadcaster("c", at(9)), broadcaster("d", at(1))];
    for one in &all {
        world.store.create_broadcaster(one, by(&audit("create", at(0)))).await.unwrap();
    }
    let [a, b, c, d] = all;
    assert_eq!(world.store.broadcasters(&Scope::system(), &Page::default()).await.unwrap(), [c, b, a, d]);
}

#[apply(every_store)]
#[tokio::test]
async fn update_changes_what_the_patch_names_and_nothing_else(#[case] engine: Engine) {
    let world = engine.world().await;
    let alice = world.broadcaster("Alice").await;
    let bob = world.broadcaster("Bob").await;
    let metadata = Metadata::parse(serde_json::json!({"x": 1})).unwrap();
    let patch = BroadcasterPatch { metadata: Some(metadata.clone()), ..BroadcasterPatch::default() };
    let updated =
        world.store.update_broadcaster(alice.id, &patch, by(&audit("update", at(7)))).await.unwrap();
    let expected =
        streamward::domain::broadcaster::Broadcaster { metadata, updated_at: at(7), ..alice.clone() };
    assert_eq!(updated, Some(expected.clone()));
    assert_eq!(world.store.broadcaster(&Scope::system(), alice.id).await.unwrap(), Some(expected));
    assert_eq!(world.store.broadcaster(&Scope::system(), bob.id).await.unwrap(), Some(bob));
    assert_eq!(world.events().await.last(), Some(&("broadcaster.updated", alice.id.0)));
    assert_eq!(world.audited().await[0], "update");
}

#[apply(every_store)]
#[tokio::test]
async fn update_of_an_unknown_broadcaster_returns_none_and_writes_nothing(#[case] engine: Engine) {
    let world = engine.world().await;
    let nobody = broadcaster("Nobody", at(0)).id;
    let patch =
        BroadcasterPatch { display_name: DisplayName::parse("x").ok(), ..BroadcasterPatch::default() };
    let updated = world.store.update_broadcaster(nobody, &patch, by(&audit("update", at(7)))).await.unwrap();
    assert_eq!(updated, None);
    assert_eq!((world.events().await, world.audited().await), (vec![], vec![]));
}

#[apply(every_store)]
#[tokio::test]
async fn delete_removes_it_and_its_keys_marks_its_streams_and_keeps_them_as_history(#[case] engine: Engine) {
    let world = engine.world().await;
    let (key, hash, stream) = world.live("live/alice", "c1").await;
    let (other, _, untouched) = world.live("live/bob", "c2").await;
    let deleted =
        world.store.delete_broadcaster(key.broadcaster_id, by(&audit("delete", at(9)))).await.unwrap();
    let ending = stream.end_requested(EndReason::BroadcasterDeleted).unwrap();
    assert_eq!(deleted, Some(vec![ending.clone()]));
    assert_eq!(world.store.broadcaster(&Scope::system(), key.broadcaster_id).await.unwrap(), None);
    assert_eq!(world.store.stream_key(&Scope::system(), key.id).await.unwrap(), None);
    assert!(!world.hashes().await.contains(&hash));
    assert_eq!(world.store.stream(&Scope::system(), ending.id).await.unwrap(), Some(ending));
    assert_eq!(world.store.stream(&Scope::system(), untouched.id).await.unwrap(), Some(untouched));
    assert!(world.store.stream_key(&Scope::system(), other.id).await.unwrap().is_some());
    assert_eq!(world.events().await.last(), Some(&("broadcaster.deleted", key.broadcaster_id.0)));
    assert_eq!(world.audited().await[0], "delete");
}

#[apply(every_store)]
#[tokio::test]
async fn delete_of_an_unknown_broadcaster_returns_none_and_writes_nothing(#[case] engine: Engine) {
    let world = engine.world().await;
    let nobody = broadcaster("Nobody", at(0)).id;
    let deleted = world.store.delete_broadcaster(nobody, by(&audit("delete", at(9)))).await.unwrap();
    assert_eq!(deleted, None);
    assert_eq!((world.events().await, world.audited().await), (vec![], vec![]));
}
