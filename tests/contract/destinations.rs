//! The destinations and rehearsals of channels.

use futures_util::future::join_all;
use rstest_reuse::apply;
use streamward::domain::access::Scope;
use streamward::domain::channel::{DestinationPatch, PushUrl, RehearsalState};
use streamward::domain::page::Page;
use streamward::ports::RehearsalCreation;

use crate::channel_fixture::{destination, rehearsal, unknown};
use crate::every_store;
use crate::fixture::{Engine, World, at, audit, by};

const ALL: &Scope = &Scope::system();

async fn sealed_keys(world: &World, channel: streamward::domain::channel::ChannelId) -> Vec<String> {
    let stored = world.store.programme(channel).await.unwrap().unwrap();
    stored.destinations.into_iter().map(|(_, key)| key).collect()
}

#[apply(every_store)]
#[tokio::test]
async fn create_stores_the_destination_its_key_an_event_and_the_audit_entry(#[case] engine: Engine) {
    let world = engine.world().await;
    let channel = world.channel("Classroom").await;
    let one = world.destination(channel.id, "YouTube", at(3)).await;
    assert_eq!(world.store.destination(ALL, channel.id, one.id).await.unwrap(), Some(one.clone()));
    assert_eq!(sealed_keys(&world, channel.id).await, ["sealed YouTube"]);
    assert_eq!(world.events().await.last(), Some(&("destination.created", channel.id.0)));
    assert_eq!(world.audited().await.len(), 2);
    let other = world.channel("Other").await;
    assert_eq!(
        world.store.destination(ALL, other.id, one.id).await.unwrap(),
        None,
        "it is of another channel"
    );
}

#[apply(every_store)]
#[tokio::test]
async fn create_for_an_unknown_channel_returns_false_and_writes_nothing(#[case] engine: Engine) {
    let world = engine.world().await;
    let one = destination(unknown(), "YouTube", at(3));
    assert!(!world.store.create_destination(&one, "sealed", by(&audit("create", at(3)))).await.unwrap());
    assert_eq!((world.events().await, world.audited().await), (vec![], vec![]));
}

#[apply(every_store)]
#[tokio::test]
async fn destinations_of_a_channel_are_listed_newest_first_in_pages(#[case] engine: Engine) {
    let world = engine.world().await;
    let (channel, other) = (world.channel("Classroom").await, world.channel("Other").await);
    let a = world.destination(channel.id, "a", at(5)).await;
    let b = world.destination(channel.id, "b", at(9)).await;
    world.destination(other.id, "c", at(7)).await;
    let read = async |page| world.store.destinations(ALL, channel.id, &page).await.unwrap();
    assert_eq!(read(Page::default()).await, [b.clone(), a.clone()]);
    assert_eq!(read(Page::first(1)).await, std::slice::from_ref(&b));
    let after = Some(streamward::domain::page::Placed::place(&b));
    assert_eq!(read(Page { limit: Some(5), after }).await, [a]);
}

#[apply(every_store)]
#[tokio::test]
async fn update_changes_what_the_patch_names_and_the_key_only_if_there_is_one(#[case] engine: Engine) {
    let world = engine.world().await;
    let channel = world.channel("Classroom").await;
    let one = world.destination(channel.id, "YouTube", at(3)).await;
    let patch = DestinationPatch {
        url: PushUrl::parse("rtmp://other.example/app").ok(),
        backup_url: Some(None),
        rotate_session_every_seconds: Some(None),
        ..DestinationPatch::default()
    };
    let change = async |patch, key, when| {
        let entry = audit("update", when);
        world.store.update_destination(channel.id, one.id, patch, key, by(&entry)).await.unwrap()
    };
    let expected = one.clone().patched(&patch, at(7));
    assert_eq!((&expected.backup_url, expected.rotate_session_every_seconds), (&None, None));
    assert_eq!(change(&patch, None, at(7)).await, Some(expected.clone()));
    assert_eq!(world.store.destination(ALL, channel.id, one.id).await.unwrap(), Some(expected));
    assert_eq!(sealed_keys(&world, channel.id).await, ["sealed YouTube"]);
    assert_eq!(world.events().await.last(), Some(&("destination.updated", channel.id.0)));
    change(&DestinationPatch::default(), Some("sealed anew"), at(8)).await.unwrap();
    assert_eq!(sealed_keys(&world, channel.id).await, ["sealed anew"]);

    let (before, other) = (world.events().await, world.channel("Other").await);
    let entry = audit("x", at(9));
    let refused =
        world.store.update_destination(other.id, one.id, &patch, Some("x"), by(&entry)).await.unwrap();
    assert_eq!(refused, None, "it is of another channel");
    assert_eq!(world.events().await.len(), before.len() + 4);
    assert_eq!(sealed_keys(&world, channel.id).await, ["sealed anew"]);
}

#[apply(every_store)]
#[tokio::test]
async fn delete_removes_the_destination_with_an_event(#[case] engine: Engine) {
    let world = engine.world().await;
    let (channel, other) = (world.channel("Classroom").await, world.channel("Other").await);
    let one = world.destination(channel.id, "YouTube", at(3)).await;
    let delete = async |of| {
        let entry = audit("delete", at(5));
        world.store.delete_destination(of, one.id, by(&entry)).await.unwrap()
    };
    let before = world.events().await.len();
    assert!(!delete(other.id).await, "it is of another channel");
    assert!(!delete(unknown()).await);
    assert_eq!(world.events().await.len(), before);
    assert!(delete(channel.id).await);
    assert_eq!(world.store.destination(ALL, channel.id, one.id).await.unwrap(), None);
    assert_eq!(world.events().await.last(), Some(&("destination.deleted", channel.id.0)));
    assert_eq!(world.audited().await[0], "delete");
    assert!(!delete(channel.id).await);
}

#[apply(every_store)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_rehearsal_of_a_channel_is_open_at_a_time(#[case] engine: Engine) {
    let world = engine.world().await;
    let (channel, other) = (world.channel("Classroom").await, world.channel("Other").await);
    let create = async |one| {
        let entry = audit("rehearse", at(1));
        world.store.create_rehearsal(&one, by(&entry)).await.unwrap()
    };
    assert_eq!(create(rehearsal(unknown(), at(1))).await, RehearsalCreation::NotFound);
    let audited = world.audited().await.len();
    let created = join_all((0..6).map(|_| create(rehearsal(channel.id, at(1))))).await;
    assert_eq!(created.iter().filter(|one| **one == RehearsalCreation::Created).count(), 1);
    assert!(created.iter().all(|one| *one != RehearsalCreation::NotFound));
    assert_eq!(world.audited().await.len(), audited + 1);
    assert_eq!(create(rehearsal(other.id, at(1))).await, RehearsalCreation::Created);

    let open = world.store.programme(channel.id).await.unwrap().unwrap().rehearsal.unwrap();
    assert_eq!(world.store.rehearsal(ALL, channel.id, open.id).await.unwrap(), Some(open.clone()));
    assert_eq!(world.store.rehearsal(ALL, other.id, open.id).await.unwrap(), None);
    let mut ended = open.clone();
    (ended.state, ended.ended_at, ended.error) =
        (RehearsalState::Failed, Some(at(5)), Some("stopped".into()));
    world.store.save_rehearsal(&ended).await.unwrap();
    assert_eq!(world.store.rehearsal(ALL, channel.id, open.id).await.unwrap(), Some(ended));
    assert_eq!(world.store.programme(channel.id).await.unwrap().unwrap().rehearsal, None);
    assert_eq!(create(rehearsal(channel.id, at(6))).await, RehearsalCreation::Created);
}
