//! Leases.

use std::time::Duration;

use rstest_reuse::apply;
use streamward::ports::Lease;

use crate::every_store;
use crate::fixture::Engine;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(300);

#[apply(every_store)]
#[tokio::test]
async fn a_free_lease_is_given_to_exactly_one_of_several_owners(#[case] engine: Engine) {
    let world = engine.world().await;
    let owners: Vec<String> = (0..10).map(|n| format!("owner-{n}")).collect();
    let asks = owners.iter().map(|owner| world.store.acquire_lease("work", owner, LONG));
    let answers = futures_util::future::join_all(asks).await;
    let given: Vec<Lease> = answers.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!((given.len(), given[0].epoch), (1, 1));
    let other = world.store.acquire_lease("other work", "x", LONG).await.unwrap();
    assert!(other.is_some(), "leases of other names are their own");
}

#[apply(every_store)]
#[tokio::test]
async fn an_expired_lease_is_given_to_exactly_one_with_a_greater_epoch(#[case] engine: Engine) {
    let world = engine.world().await;
    let old = world.store.acquire_lease("work", "old", SHORT).await.unwrap().unwrap();
    assert_eq!(world.store.acquire_lease("work", "new", LONG).await.unwrap(), None);
    tokio::time::sleep(SHORT + Duration::from_millis(50)).await;
    let owners: Vec<String> = (0..10).map(|n| format!("owner-{n}")).collect();
    let asks = owners.iter().map(|owner| world.store.acquire_lease("work", owner, LONG));
    let answers = futures_util::future::join_all(asks).await;
    let given: Vec<Lease> = answers.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(given.len(), 1);
    assert!(given[0].epoch > old.epoch);
    assert!(!world.store.renew_lease(&old, LONG).await.unwrap(), "it has changed hands");
}

#[apply(every_store)]
#[tokio::test]
async fn its_present_owner_gets_it_again_with_the_same_epoch_and_extended(#[case] engine: Engine) {
    let world = engine.world().await;
    let first = world.store.acquire_lease("work", "us", SHORT).await.unwrap().unwrap();
    let again = world.store.acquire_lease("work", "us", LONG).await.unwrap();
    assert_eq!(again, Some(first.clone()));
    tokio::time::sleep(SHORT + Duration::from_millis(50)).await;
    assert_eq!(world.store.acquire_lease("work", "them", LONG).await.unwrap(), None, "it was extended");
    assert!(world.store.renew_lease(&first, LONG).await.unwrap());
}

#[apply(every_store)]
#[tokio::test]
async fn renewing_extends_a_lease_that_is_held(#[case] engine: Engine) {
    let world = engine.world().await;
    let lease = world.store.acquire_lease("work", "us", SHORT).await.unwrap().unwrap();
    assert!(world.store.renew_lease(&lease, LONG).await.unwrap());
    tokio::time::sleep(SHORT + Duration::from_millis(50)).await;
    assert!(world.store.renew_lease(&lease, LONG).await.unwrap());
    let forged = Lease { epoch: lease.epoch + 1, ..lease.clone() };
    assert!(!world.store.renew_lease(&forged, LONG).await.unwrap());
    let stranger = Lease { owner: "them".into(), ..lease };
    assert!(!world.store.renew_lease(&stranger, LONG).await.unwrap());
}

#[apply(every_store)]
#[tokio::test]
async fn renewing_is_false_once_it_has_expired_and_its_old_owner_gets_a_greater_epoch(
    #[case] engine: Engine,
) {
    let world = engine.world().await;
    let lease = world.store.acquire_lease("work", "us", SHORT).await.unwrap().unwrap();
    tokio::time::sleep(SHORT + Duration::from_millis(50)).await;
    assert!(!world.store.renew_lease(&lease, LONG).await.unwrap());
    let again = world.store.acquire_lease("work", "us", LONG).await.unwrap().unwrap();
    assert!(again.epoch > lease.epoch);
}

#[apply(every_store)]
#[tokio::test]
async fn releasing_frees_the_lease_if_it_is_still_ours(#[case] engine: Engine) {
    let world = engine.world().await;
    let ours = world.store.acquire_lease("work", "us", LONG).await.unwrap().unwrap();
    world.store.release_lease(&ours).await.unwrap();
    let theirs = world.store.acquire_lease("work", "them", LONG).await.unwrap().unwrap();
    assert!(theirs.epoch > ours.epoch);
    world.store.release_lease(&ours).await.unwrap();
    assert!(world.store.renew_lease(&theirs, LONG).await.unwrap(), "it is not ours to release any more");
}
