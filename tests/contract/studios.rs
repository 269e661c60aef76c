//! What persons order of studios.

use futures_util::future::join_all;
use rstest_reuse::apply;
use streamward::domain::access::Scope;
use streamward::domain::event::OrderDetails;
use streamward::domain::page::{Page, Placed as _};
use streamward::domain::studio::{
    Desired, Drill, DrillReport, DrillState, Hold, Order, OrderKind, Reason, Schedule, Studio,
};
use streamward::ports::{DrillCreation, StudioReport};

use crate::every_store;
use crate::fixture::{Engine, World, at, audit, by};
use crate::studio_fixture::{drill, name, scene, schedule, studio, unknown};

const ALL: &Scope = &Scope::system();

async fn order(world: &World, called: &str, order: &Order, seconds: i64) -> Option<Studio> {
    let entry = audit("order", at(seconds));
    world.store.order_studio(&name(called), order, Some("a \"reason\""), by(&entry)).await.unwrap()
}

fn hold(until: Option<i64>) -> Hold {
    let scene = Some(scene("Owner Live"));
    Hold { since: at(1), until: until.map(at), scene, by: "ann".into(), reason: Some("news".into()) }
}

#[apply(every_store)]
#[tokio::test]
async fn open_stores_the_studio_unless_one_of_its_name_is_stored_and_returns_what_is_stored(
    #[case] engine: Engine,
) {
    let world = engine.world().await;
    assert_eq!(world.store.studio(ALL, &name("main")).await.unwrap(), None);
    let (first, other) = (studio("main", at(1)), studio("Main", at(2)));
    for one in [&first, &other] {
        assert_eq!(&world.store.open_studio(one).await.unwrap(), one, "names differ in case");
    }
    let ordered = order(&world, "main", &Order::Schedule(schedule()), 3).await.unwrap();
    assert_eq!(world.store.open_studio(&studio("main", at(4))).await.unwrap(), ordered);
    assert_eq!(world.store.studio(ALL, &name("main")).await.unwrap(), Some(ordered));
    assert_eq!(world.store.studio(ALL, &name("Main")).await.unwrap(), Some(other));
}

#[apply(every_store)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn studio_that_is_opened_by_many_at_once_is_stored_once(#[case] engine: Engine) {
    let world = engine.world().await;
    let opened = join_all((0..6).map(|n| {
        let one = studio("main", at(n));
        let world = &world;
        async move { world.store.open_studio(&one).await.unwrap() }
    }));
    let opened = opened.await;
    let stored = world.store.studio(ALL, &name("main")).await.unwrap().unwrap();
    assert!(opened.iter().all(|one| *one == stored), "{opened:?}");
}

#[apply(every_store)]
#[tokio::test]
async fn order_is_carried_out_by_the_actor_with_an_event_that_has_the_reason(#[case] engine: Engine) {
    let world = engine.world().await;
    let (mut expected, other) = (world.studio("main").await, world.studio("other").await);
    let orders = [
        Order::Start,
        Order::Hold(hold(None)),
        Order::Schedule(schedule()),
        Order::Stop,
        Order::Release,
        Order::Schedule(Schedule::empty("UTC".parse().unwrap())),
    ];
    for (seconds, one) in (5..).zip(&orders) {
        let entry = audit("order", at(seconds));
        expected = expected.ordered(one, entry.actor.as_deref().unwrap(), at(seconds));
        assert_eq!(order(&world, "main", one, seconds).await.as_ref(), Some(&expected));
        assert_eq!(world.store.studio(ALL, &name("main")).await.unwrap().as_ref(), Some(&expected));
        let told = world.studio_events().await.pop().unwrap().order.unwrap();
        let (by, reason) = (entry.actor.clone().unwrap(), Some("a \"reason\"".to_owned()));
        assert_eq!(told, OrderDetails { order: one.kind(), by, reason });
    }
    let ordered = (expected.desired, expected.desired_by.is_some(), expected.updated_at);
    assert_eq!(ordered, (Some(Desired::Stopped), true, at(10)));
    assert_eq!(world.events().await, vec![("studio.ordered", expected.id.0); orders.len()]);
    assert_eq!(world.audited().await, vec!["order"; orders.len()]);
    assert_eq!(world.store.studio(ALL, &name("other")).await.unwrap(), Some(other));

    assert_eq!(order(&world, "nobody", &Order::Start, 20).await, None);
    assert_eq!(world.events().await.len(), orders.len());
    assert_eq!(world.audited().await.len(), orders.len());
}

#[apply(every_store)]
#[tokio::test]
async fn hold_that_has_expired_is_removed_once(#[case] engine: Engine) {
    let world = engine.world().await;
    let id = world.studio("main").await.id;
    let held = order(&world, "main", &Order::Hold(hold(Some(60))), 7).await.unwrap();
    let expire = async |id, seconds| world.store.expire_studio_hold(id, at(seconds)).await.unwrap();
    assert!(!expire(id, 59).await);
    assert_eq!(world.store.studio(ALL, &held.name).await.unwrap().as_ref(), Some(&held));
    assert!(expire(id, 60).await);
    let after = Studio { hold: None, ..held };
    assert_eq!(world.store.studio(ALL, &after.name).await.unwrap(), Some(after));
    assert!(!expire(id, 61).await);
    assert!(!expire(unknown(), 61).await);
    order(&world, "main", &Order::Hold(hold(None)), 70).await.unwrap();
    assert!(!expire(id, 1_000_000).await, "it has no end");
}

#[apply(every_store)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_drill_of_a_studio_is_open_at_a_time(#[case] engine: Engine) {
    let world = engine.world().await;
    let (main, other) = (world.studio("main").await, world.studio("other").await);
    let create = async |one| {
        let entry = audit("drill", at(1));
        world.store.create_drill(&one, by(&entry)).await.unwrap()
    };
    assert_eq!(create(drill(unknown(), at(1))).await, DrillCreation::NotFound);
    assert_eq!((world.events().await, world.audited().await), (vec![], vec![]));
    assert_eq!(world.store.open_drill(main.id).await.unwrap(), None);
    let created = join_all((0..6).map(|_| create(drill(main.id, at(1))))).await;
    assert_eq!(created.iter().filter(|one| **one == DrillCreation::Created).count(), 1);
    assert_eq!(created.iter().filter(|one| **one == DrillCreation::Busy).count(), 5);
    assert_eq!(world.audited().await, ["drill"]);
    assert_eq!(world.events().await, [("studio.ordered", main.id.0)]);
    let told = world.studio_events().await.pop().unwrap().order.unwrap();
    assert_eq!(told, OrderDetails { order: OrderKind::Drill, by: "ann".into(), reason: None });
    assert_eq!(create(drill(other.id, at(1))).await, DrillCreation::Created);

    let open = world.store.open_drill(main.id).await.unwrap().unwrap();
    let running = Drill { state: DrillState::Running, started_at: Some(at(2)), ..open.clone() };
    let report = |drill: &_| StudioReport { drill: Some(Clone::clone(drill)), ..StudioReport::default() };
    world.record_studio(main.id, &report(&running), at(2)).await;
    assert_eq!(world.store.open_drill(main.id).await.unwrap().as_ref(), Some(&running));
    assert_eq!(create(drill(main.id, at(3))).await, DrillCreation::Busy);
    let times = DrillReport {
        noticed_ms: Some(2_000),
        recovered_ms: None,
        reasons: vec![Reason::ObsUnresponsive, Reason::ObsGone],
    };
    let ended = Drill {
        state: DrillState::Failed,
        ended_at: Some(at(5)),
        report: Some(times),
        error: Some("OBS did not come back".into()),
        ..running
    };
    world.record_studio(main.id, &report(&ended), at(5)).await;
    assert_eq!(world.store.open_drill(main.id).await.unwrap(), None);
    assert_eq!(world.store.drills(ALL, main.id, &Page::default()).await.unwrap(), [ended]);
    assert_eq!(create(drill(main.id, at(6))).await, DrillCreation::Created);
    let never_stored = drill(main.id, at(7));
    world.record_studio(main.id, &report(&never_stored), at(7)).await;
    assert_eq!(world.store.drills(ALL, main.id, &Page::default()).await.unwrap().len(), 2);
}

#[apply(every_store)]
#[tokio::test]
async fn drills_of_a_studio_are_listed_newest_first_in_pages(#[case] engine: Engine) {
    let world = engine.world().await;
    let (main, other) = (world.studio("main").await, world.studio("other").await);
    let mut all = Vec::new();
    for (of, seconds) in [(main.id, 5), (main.id, 9), (other.id, 7), (main.id, 1)] {
        let mut one = drill(of, at(seconds));
        (one.state, one.ended_at) = (DrillState::Done, Some(at(seconds)));
        assert_eq!(
            world.store.create_drill(&one, by(&audit("drill", at(seconds)))).await.unwrap(),
            DrillCreation::Created
        );
        all.push(one);
    }
    let [b, a, _, c] = &all[..] else { panic!("{all:?}") };
    let read = async |page| world.store.drills(ALL, main.id, &page).await.unwrap();
    assert_eq!(read(Page::default()).await, [a.clone(), b.clone(), c.clone()]);
    assert_eq!(read(Page::first(2)).await, [a.clone(), b.clone()]);
    assert_eq!(read(Page { limit: Some(5), after: Some(b.place()) }).await, std::slice::from_ref(c));
    assert_eq!(world.store.drills(ALL, unknown(), &Page::default()).await.unwrap(), []);
}
