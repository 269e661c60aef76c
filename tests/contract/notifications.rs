//! Subscriptions to notifications, and their messages.

use std::slice;

use rstest_reuse::apply;
use serde_json::json;
use streamward::adapters::system::SystemIds;
use streamward::domain::OrganizationId;
use streamward::domain::access::{Action, Actor, Permissions, Resource, Role, Scope};
use streamward::domain::notification::{
    Delivery, DeliveryId, DeliveryState, Filter, Kind, Notification, NotificationId, NotificationPatch, Reply,
};
use streamward::domain::page::Page;
use streamward::ports::{Change, IdGen as _, StoredDelivery};
use uuid::Uuid;

use crate::every_store;
use crate::fixture::{Engine, World, at, audit, by};

const ALL: &Scope = &Scope::system();

async fn stored(world: &World, owner: Option<OrganizationId>) -> Notification {
    let one = Notification {
        id: NotificationId(SystemIds.uuid()),
        organization_id: owner,
        name: "hook".into(),
        kind: Kind::Webhook,
        target: "example.org".into(),
        filter: Filter { topics: vec!["stream".into()], ..Filter::default() },
        enabled: true,
        problem: None,
        created_at: at(1),
        updated_at: at(1),
    };
    world.store.create_notification(&one, "sealed", by(&audit("create", at(1)))).await.unwrap();
    one
}

fn message(of: NotificationId, seq: i64, subject: Uuid) -> StoredDelivery {
    let delivery = Delivery {
        id: DeliveryId(SystemIds.uuid()),
        notification_id: of,
        seq,
        subject,
        event: "stream.ended".into(),
        created_at: at(seq),
        state: DeliveryState::Pending,
        attempts: 0,
        next_attempt_at: Some(at(seq)),
        give_up_at: at(1_000),
        last_status: None,
        last_words: None,
        delivered_at: None,
    };
    StoredDelivery { delivery, payload: json!({"seq": seq}) }
}

#[apply(every_store)]
#[tokio::test]
async fn subscription_is_stored_changed_and_deleted_and_begins_at_the_end_of_the_log(#[case] engine: Engine) {
    let world = engine.world().await;
    world.broadcaster("Alice").await;
    let one = stored(&world, None).await;
    let found = world.store.notification(ALL, one.id).await.unwrap().unwrap();
    assert_eq!((&found.notification, found.sealed.as_str(), found.cursor), (&one, "sealed", 1));
    assert_eq!(world.store.notifications(ALL, &Page::default()).await.unwrap(), slice::from_ref(&one));
    assert_eq!(world.store.enabled_notifications().await.unwrap(), [one.id]);
    world.store.disable_notification(one.id, "gone", at(2)).await.unwrap();
    assert_eq!(world.store.enabled_notifications().await.unwrap(), []);
    world.broadcaster("Bob").await;
    let patch = NotificationPatch {
        enabled: Some(true),
        sealed: Some(("sealed".into(), "other".into())),
        ..NotificationPatch::default()
    };
    let entry = audit("update", at(3));
    let on = world.store.update_notification(one.id, &patch, by(&entry)).await.unwrap().unwrap();
    assert_eq!((on.enabled, on.problem, on.updated_at), (true, None, at(3)));
    let found = world.store.notification(ALL, one.id).await.unwrap().unwrap();
    assert_eq!((found.sealed.as_str(), found.cursor), ("other", 2), "it begins with the next event");
    assert_eq!(
        world.store.update_notification(one.id, &patch, by(&entry)).await.unwrap(),
        None,
        "it was resealed"
    );
    assert!(world.store.delete_notification(one.id, by(&audit("delete", at(4)))).await.unwrap());
    assert!(!world.store.delete_notification(one.id, by(&audit("delete", at(5)))).await.unwrap());
    assert_eq!(world.store.notification(ALL, one.id).await.unwrap(), None);
}

#[apply(every_store)]
#[tokio::test]
async fn messages_are_queued_once_and_due_in_order_per_subject(#[case] engine: Engine) {
    let world = engine.world().await;
    let one = stored(&world, None).await;
    let (a, b) = (SystemIds.uuid(), SystemIds.uuid());
    let made = [message(one.id, 1, a), message(one.id, 2, a), message(one.id, 3, b)];
    assert!(world.store.queue_deliveries(one.id, 0, 3, &made).await.unwrap());
    assert!(!world.store.queue_deliveries(one.id, 0, 3, &[message(one.id, 1, a)]).await.unwrap());
    assert_eq!(world.store.pending_deliveries(one.id).await.unwrap(), 3);
    let due = world.store.due_deliveries(one.id, at(9), 10).await.unwrap();
    assert_eq!(due, [made[0].clone(), made[2].clone()]);
    assert_eq!(world.store.due_deliveries(one.id, at(0), 10).await.unwrap(), []);
    let taken = Reply { status: Some(200), words: "ok".into(), is_taken: true };
    let sent = made[0].delivery.clone().attempted(&taken, at(9), std::time::Duration::from_secs(1), 0);
    world.store.record_attempt(&sent).await.unwrap();
    assert_eq!(world.store.due_deliveries(one.id, at(9), 1).await.unwrap(), [made[1].clone()]);
    let delivered =
        world.store.deliveries(ALL, one.id, Some(DeliveryState::Delivered), &Page::default()).await.unwrap();
    assert_eq!(delivered, [sent]);
    assert_eq!(world.store.prune_deliveries(at(100)).await.unwrap(), 1, "those to be sent are kept");
}

#[apply(every_store)]
#[tokio::test]
async fn dead_messages_are_replayed(#[case] engine: Engine) {
    let world = engine.world().await;
    let one = stored(&world, None).await;
    let made = message(one.id, 1, SystemIds.uuid());
    world.store.queue_deliveries(one.id, 0, 1, slice::from_ref(&made)).await.unwrap();
    let refused = Reply { status: Some(410), words: "gone".into(), is_taken: false };
    let dead = made.delivery.clone().attempted(&refused, at(9), std::time::Duration::from_secs(1), 0);
    world.store.record_attempt(&dead).await.unwrap();
    let replay = async |which, entry| {
        world.store.replay_deliveries(one.id, which, at(2_000), by(&entry)).await.unwrap()
    };
    assert_eq!(replay(None, audit("replay", at(10))).await, Some(1));
    let due = world.store.due_deliveries(one.id, at(10), 1).await.unwrap();
    assert_eq!((due[0].delivery.attempts, due[0].delivery.give_up_at), (0, at(2_000)));
    assert_eq!(replay(Some(DeliveryId(SystemIds.uuid())), audit("replay", at(11))).await, None);
    assert_eq!(replay(Some(made.delivery.id), audit("replay", at(12))).await, Some(1));
}

#[apply(every_store)]
#[tokio::test]
async fn notifications_of_others_and_of_the_installation_do_not_exist(#[case] engine: Engine) {
    let world = engine.world().await;
    let theirs = world.organization("Theirs").await;
    let scope = |of| {
        let permissions = Permissions::in_organizations([(of, Role::Admin)]);
        let actor = Actor { permissions, ..Actor::cli("test") };
        actor.authorize(Action::Read, &Resource::READ_BY_ALL).unwrap()
    };
    let (ours, of_theirs) = (scope(OrganizationId::DEFAULT), scope(theirs));
    let (one, of_all) = (stored(&world, Some(theirs)).await, stored(&world, None).await);
    world.store.queue_deliveries(one.id, 0, 1, &[message(one.id, 1, SystemIds.uuid())]).await.unwrap();
    assert_eq!(world.store.notifications(&of_theirs, &Page::default()).await.unwrap(), slice::from_ref(&one));
    assert_eq!(world.store.notification(&of_theirs, of_all.id).await.unwrap(), None);
    let list = world.store.deliveries(&of_theirs, one.id, None, &Page::default()).await.unwrap();
    assert_eq!(list.len(), 1);
    assert_eq!(world.store.notifications(&ours, &Page::default()).await.unwrap(), []);
    assert_eq!(world.store.notification(&ours, one.id).await.unwrap(), None);
    assert_eq!(world.store.deliveries(&ours, one.id, None, &Page::default()).await.unwrap(), []);
    let entry = audit("x", at(9));
    let change = Change::new(&ours, &entry);
    let patch = NotificationPatch::default();
    assert_eq!(world.store.update_notification(one.id, &patch, change).await.unwrap(), None);
    assert!(!world.store.delete_notification(one.id, change).await.unwrap());
    assert_eq!(world.store.replay_deliveries(one.id, None, at(9), change).await.unwrap(), None);
}
