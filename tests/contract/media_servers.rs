//! The last known state of each media server.

use rstest_reuse::apply;
use streamward::domain::access::Scope;
use streamward::domain::event::{EventBody, MediaServerEventKind};
use streamward::domain::media_server::MediaServerStatus;
use streamward::ports::{Contact, PollResult};

use crate::every_store;
use crate::fixture::{Engine, World, at, server};

async fn record(world: &World, name: &str, poll: PollResult, when: i64) -> MediaServerStatus {
    let assignment = world.assignment(name).await;
    world.store.record_poll(&assignment, &server(name), &poll, at(when)).await.unwrap();
    status(world, name).await
}

async fn status(world: &World, name: &str) -> MediaServerStatus {
    let all = world.store.media_servers(&Scope::system()).await.unwrap();
    all.into_iter().find(|status| status.name == server(name)).expect("it is recorded")
}

fn seen(repaired: u64) -> PollResult {
    PollResult::Succeeded { version: Some("v1.20.1".into()), run: Some("r1".into()), repaired }
}

fn failed(why: &str) -> PollResult {
    PollResult::Failed(why.into())
}

#[apply(every_store)]
#[tokio::test]
async fn a_poll_is_recorded_since_changes_only_with_reachability_and_repairs_add_up(#[case] engine: Engine) {
    let world = engine.world().await;
    let first = record(&world, "default", seen(2), 1).await;
    let expected = MediaServerStatus {
        name: server("default"),
        version: Some("v1.20.1".into()),
        run: Some("r1".into()),
        reachable: true,
        since: at(1),
        last_reconcile: Some(at(1)),
        last_error: None,
        drift_repaired: 2,
        last_hook: None,
        last_auth: None,
        told_unreachable: false,
    };
    assert_eq!(first, expected);
    let second = record(&world, "default", seen(3), 2).await;
    let expected = MediaServerStatus { last_reconcile: Some(at(2)), drift_repaired: 5, ..expected };
    assert_eq!(second, expected);
    let down = record(&world, "default", failed("refused"), 3).await;
    let expected =
        MediaServerStatus { reachable: false, since: at(3), last_error: Some("refused".into()), ..expected };
    assert_eq!(down, expected);
    let still = record(&world, "default", failed("timed out"), 4).await;
    let expected = MediaServerStatus { last_error: Some("timed out".into()), ..expected };
    assert_eq!(still, expected);
    let back =
        record(&world, "default", PollResult::Succeeded { version: None, run: None, repaired: 0 }, 5).await;
    let expected = MediaServerStatus {
        version: None,
        run: None,
        reachable: true,
        since: at(5),
        last_reconcile: Some(at(5)),
        last_error: None,
        ..expected
    };
    assert_eq!(back, expected);
}

#[apply(every_store)]
#[tokio::test]
async fn a_first_poll_may_fail(#[case] engine: Engine) {
    let world = engine.world().await;
    let status = record(&world, "default", failed("refused"), 3).await;
    assert_eq!((status.reachable, status.since, status.last_reconcile), (false, at(3), None));
}

#[apply(every_store)]
#[tokio::test]
async fn a_contact_is_recorded_and_never_moves_backwards(#[case] engine: Engine) {
    let world = engine.world().await;
    let contact = async |contact, when| {
        world.store.record_contact(&server("default"), contact, at(when)).await.unwrap();
        let status = status(&world, "default").await;
        (status.last_auth, status.last_hook)
    };
    assert_eq!(contact(Contact::Auth, 5).await, (Some(at(5)), None));
    assert_eq!(contact(Contact::Hook, 7).await, (Some(at(5)), Some(at(7))));
    assert_eq!(contact(Contact::Auth, 4).await, (Some(at(5)), Some(at(7))));
    assert_eq!(contact(Contact::Hook, 9).await, (Some(at(5)), Some(at(9))));
    assert!(!status(&world, "default").await.reachable, "it was never polled");
    let polled = record(&world, "default", seen(0), 10).await;
    assert_eq!((polled.reachable, polled.since, polled.last_auth), (true, at(10), Some(at(5))));
}

#[apply(every_store)]
#[tokio::test]
async fn all_recorded_servers_are_listed_by_name(#[case] engine: Engine) {
    let world = engine.world().await;
    assert_eq!(world.store.media_servers(&Scope::system()).await.unwrap(), []);
    for name in ["b_1", "a-1", "a", "b"] {
        record(&world, name, seen(0), 1).await;
    }
    let names: Vec<String> = world
        .store
        .media_servers(&Scope::system())
        .await
        .unwrap()
        .into_iter()
        .map(|status| status.name.to_string())
        .collect();
    assert_eq!(names, ["a", "a-1", "b", "b_1"]);
}

#[apply(every_store)]
#[tokio::test]
async fn outage_of_ten_seconds_is_one_event_and_its_end_another(#[case] engine: Engine) {
    let world = engine.world().await;
    let poll = async |poll: PollResult, when: i64| {
        let assignment = world.assignment("default").await;
        world.store.record_poll(&assignment, &server("default"), &poll, at(when)).await.unwrap()
    };
    assert!(!poll(seen(0), 1).await, "nothing was said of an outage");
    assert!(!poll(failed("refused"), 2).await && !poll(failed("refused"), 11).await, "it may be a restart");
    assert!(!poll(seen(0), 12).await);
    assert!(!poll(failed("refused"), 20).await);
    assert!(poll(failed("timed out"), 30).await);
    assert!(!poll(failed("timed out"), 31).await && !poll(failed("timed out"), 100).await, "it is known");
    assert!(poll(seen(0), 101).await);
    assert!(!poll(seen(0), 102).await);
    let log = world.store.events_after(&Scope::system(), None, 0, 100).await.unwrap();
    let told = log.iter().map(|row| match row.decode().unwrap().body {
        EventBody::MediaServer(event) => (event.kind, event.name, event.since, event.error),
        other => panic!("{other:?}"),
    });
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            (MediaServerEventKind::Unreachable, server("default"), at(20), Some("timed out".to_owned())),
            (MediaServerEventKind::Reachable, server("default"), at(101), None),
        ]
    );
    assert_eq!(log[0].subject, log[1].subject);
}
