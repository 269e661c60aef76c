//! Leases of instances, and the work that is assigned under them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use rstest_reuse::apply;
use streamward::adapters::system::SystemClock;
use streamward::ports::{Assignment, Clock as _, InstanceLease, Store};
use tokio::task::JoinSet;

use crate::every_store;
use crate::fixture::{Engine, World};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(150);

async fn lease(world: &World, instance: &str, ttl: Duration) -> InstanceLease {
    world.store.renew_instance(instance, 1_000, ttl).await.unwrap()
}

async fn expired() {
    tokio::time::sleep(SHORT + Duration::from_millis(50)).await;
}

/// The assignments of ten instances that take `keys` at the same moment.
async fn race(world: &World, keys: &[&str]) -> Vec<Assignment> {
    let names: Vec<String> = (0..10).map(|n| format!("instance-{n}")).collect();
    let taken = join_all(names.iter().map(|name| world.take(name, keys))).await;
    taken.into_iter().flatten().collect()
}

#[apply(every_store)]
#[tokio::test]
async fn renewing_extends_a_lease_with_the_same_epoch(#[case] engine: Engine) {
    let world = engine.world().await;
    let first = lease(&world, "us", SHORT).await;
    let ours = world.take_under(&first, &["work"]).await;
    assert_eq!(lease(&world, "us", LONG).await.epoch, first.epoch);
    expired().await;
    assert_eq!(world.take("them", &["work"]).await, [], "it was extended");
    let last = lease(&world, "us", LONG).await;
    assert_eq!(last.epoch, first.epoch);
    assert_eq!(world.take_under(&last, &["work"]).await, ours, "the assignment is the same");
}

#[apply(every_store)]
#[tokio::test]
async fn renewing_says_whether_another_instance_has_a_valid_lease(#[case] engine: Engine) {
    let world = engine.world().await;
    assert!(lease(&world, "us", LONG).await.is_alone);
    lease(&world, "us", LONG).await;
    assert!(lease(&world, "us", LONG).await.is_alone, "itself does not count");
    let theirs = lease(&world, "them", LONG).await;
    assert!(!theirs.is_alone);
    assert!(!lease(&world, "us", LONG).await.is_alone);
    world.store.release_instance(&theirs).await.unwrap();
    assert!(lease(&world, "us", LONG).await.is_alone);
    lease(&world, "of a clock that was ahead", 10 * LONG).await;
    assert!(lease(&world, "us", LONG).await.is_alone);
}

#[apply(every_store)]
#[tokio::test]
async fn end_of_all_leases_frees_everything_at_once(#[case] engine: Engine) {
    let world = engine.world().await;
    let first = lease(&world, "us", LONG).await;
    let ours = world.take_under(&first, &["work"]).await;
    world.store.end_all_leases().await.unwrap();
    let theirs = world.take("them", &["work"]).await;
    assert!(theirs[0].instance == "them" && theirs[0].epoch > ours[0].epoch);
    assert!(lease(&world, "us", LONG).await.epoch > first.epoch);
}

#[apply(every_store)]
#[tokio::test]
async fn a_lease_that_expired_or_was_released_is_given_anew_with_a_greater_epoch(#[case] engine: Engine) {
    let world = engine.world().await;
    let first = lease(&world, "us", SHORT).await;
    expired().await;
    let second = lease(&world, "us", LONG).await;
    assert!(second.epoch > first.epoch);
    world.store.release_instance(&second).await.unwrap();
    assert!(lease(&world, "us", LONG).await.epoch > second.epoch);
}

#[apply(every_store)]
#[tokio::test]
async fn a_free_key_is_assigned_to_exactly_one_instance(#[case] engine: Engine) {
    let world = engine.world().await;
    let keys = ["a", "b", "c"];
    let given = race(&world, &keys).await;
    let unique: BTreeSet<&str> = given.iter().map(|one| one.key.as_str()).collect();
    assert_eq!((given.len(), unique.len()), (3, 3), "{given:?}");
    assert!(given.iter().all(|one| one.epoch == 1));
}

#[apply(every_store)]
#[tokio::test]
async fn a_key_of_an_expired_instance_is_assigned_to_exactly_one_with_a_greater_epoch(
    #[case] engine: Engine,
) {
    let world = engine.world().await;
    let old = lease(&world, "old", SHORT).await;
    let had = world.take_under(&old, &["work"]).await;
    assert_eq!(world.take("new", &["work"]).await, []);
    expired().await;
    let given = race(&world, &["work"]).await;
    assert_eq!(given.len(), 1);
    assert!(given[0].epoch > had[0].epoch);
    lease(&world, "old", LONG).await;
    assert_eq!(world.take("old", &["work"]).await, [], "it has changed hands");
}

/// As after the clock of the database was set back.
#[apply(every_store)]
#[tokio::test]
async fn key_of_an_instance_whose_lease_is_too_far_in_the_future_is_free(#[case] engine: Engine) {
    let world = engine.world().await;
    let killed = lease(&world, "killed", 2 * LONG).await;
    let had = world.take_under(&killed, &["work"]).await;
    let has = world.take("us", &["work"]).await;
    assert!(has[0].epoch > had[0].epoch);
    assert_eq!(world.take("them", &["work"]).await, [], "ours is valid");
}

#[apply(every_store)]
#[tokio::test]
async fn an_instance_regains_its_keys_after_its_lease_expired_with_a_greater_epoch(#[case] engine: Engine) {
    let world = engine.world().await;
    let old = lease(&world, "us", SHORT).await;
    let had = world.take_under(&old, &["work"]).await;
    expired().await;
    let has = world.take("us", &["work"]).await;
    assert!(has[0].epoch > had[0].epoch);
}

#[apply(every_store)]
#[tokio::test]
async fn taking_returns_the_holder_of_each_key(#[case] engine: Engine) {
    let world = engine.world().await;
    let theirs = world.take("them", &["a"]).await;
    let ours = lease(&world, "us", LONG).await;
    let keys = ["a".to_owned(), "b".to_owned()];
    let mut who = world.store.take_assignments(&ours, &keys).await.unwrap();
    who.sort_by(|one, other| one.key.cmp(&other.key));
    assert_eq!(who, [theirs[0].clone(), Assignment { key: "b".into(), instance: "us".into(), epoch: 1 }]);
    assert_eq!(world.take("them", &["c"]).await.len(), 1, "other keys are not its own");
}

#[apply(every_store)]
#[tokio::test]
async fn an_instance_takes_as_many_as_its_capacity_and_every_key_runs_once(#[case] engine: Engine) {
    let world = engine.world().await;
    let keys: Vec<String> = (0..10).map(|n| format!("key-{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let small = world.store.renew_instance("small", 4, LONG).await.unwrap();
    let large = world.store.renew_instance("large", 100, LONG).await.unwrap();
    assert_eq!(world.take_under(&small, &keys).await.len(), 4);
    assert_eq!(world.take_under(&large, &keys).await.len(), 6, "the other takes the rest");
    assert_eq!(world.take_under(&small, &keys).await.len(), 4);
    world.store.release_instance(&large).await.unwrap();
    assert_eq!(world.take_under(&small, &keys).await.len(), 4, "it is full");
}

#[apply(every_store)]
#[tokio::test]
async fn nothing_is_assigned_to_an_instance_whose_lease_is_not_valid(#[case] engine: Engine) {
    let world = engine.world().await;
    let old = lease(&world, "us", SHORT).await;
    expired().await;
    assert_eq!(world.take_under(&old, &["a"]).await, []);
    let new = lease(&world, "us", LONG).await;
    assert_eq!(world.take_under(&old, &["a"]).await, [], "the lease is another one now");
    assert_eq!(world.take_under(&new, &["a"]).await.len(), 1);
}

#[apply(every_store)]
#[tokio::test]
async fn releasing_frees_only_assignments_that_are_still_current(#[case] engine: Engine) {
    let world = engine.world().await;
    let ours = world.take("us", &["a", "b"]).await;
    world.store.release_assignments(&ours).await.unwrap();
    let theirs = world.take("them", &["a", "b"]).await;
    assert_eq!(theirs.len(), 2);
    assert!(theirs.iter().all(|one| one.epoch > ours[0].epoch));
    world.store.release_assignments(&ours).await.unwrap();
    assert_eq!(world.take("us", &["a", "b"]).await, [], "it is not ours to release any more");
    world.store.release_assignments(&[]).await.unwrap();
}

#[apply(every_store)]
#[tokio::test]
async fn ending_a_lease_frees_everything_unless_a_newer_lease_exists(#[case] engine: Engine) {
    let world = engine.world().await;
    let old = lease(&world, "us", SHORT).await;
    expired().await;
    let new = lease(&world, "us", LONG).await;
    let ours = world.take_under(&new, &["a", "b"]).await;
    world.store.release_instance(&old).await.unwrap();
    assert_eq!(world.take("them", &["a", "b"]).await, []);
    world.store.release_instance(&new).await.unwrap();
    let theirs = world.take("them", &["a", "b"]).await;
    assert!(theirs.len() == 2 && theirs.iter().all(|one| one.epoch > ours[0].epoch));
}

#[apply(every_store)]
#[tokio::test]
async fn instances_that_expired_long_ago_and_have_no_keys_are_deleted(#[case] engine: Engine) {
    let world = engine.world().await;
    let [idle, busy] = [lease(&world, "idle", SHORT).await, lease(&world, "busy", SHORT).await];
    world.take_under(&busy, &["work"]).await;
    expired().await;
    let prune = async |before| world.store.prune_instances(before).await.unwrap();
    assert_eq!(prune(SystemClock.now().minus(LONG)).await, 0, "that was not long ago");
    assert!(lease(&world, "idle", SHORT).await.epoch > idle.epoch);
    expired().await;
    assert_eq!(prune(SystemClock.now()).await, 1);
    assert_eq!(lease(&world, "idle", LONG).await.epoch, 1, "as if it had never been there");
    assert!(lease(&world, "busy", LONG).await.epoch > busy.epoch);
    assert_eq!(prune(SystemClock.now()).await, 0, "their leases are valid");
}

/// Five instances take, release, expire and start again in random order.
#[apply(every_store)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_key_is_ever_assigned_twice_with_the_same_epoch(#[case] engine: Engine) {
    let world = engine.world().await;
    let mut instances = JoinSet::new();
    for n in 0..5 {
        let store = Arc::clone(&world.store);
        instances.spawn(async move { history(&*store, n).await });
    }
    let mut all = BTreeSet::new();
    for taken in instances.join_all().await {
        for one in taken {
            assert!(all.insert((one.key.clone(), one.epoch)), "{one:?} was given twice");
        }
    }
    for key in KEYS {
        let epochs: Vec<i64> = all.iter().filter(|(of, _)| of == key).map(|(_, epoch)| *epoch).collect();
        let expected: Vec<i64> = (1..).take(epochs.len()).collect();
        assert_eq!(epochs, expected, "{key}: every epoch had an owner");
    }
}

const KEYS: [&str; 4] = ["a", "b", "c", "d"];

/// The assignments of instance `n`, which depend only on `n` and the other instances.
async fn history(store: &dyn Store, n: u64) -> Vec<Assignment> {
    let (instance, keys) = (format!("instance-{n}"), KEYS.map(str::to_owned));
    let mut seed = n;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    let (mut has, mut given) = (BTreeSet::new(), Vec::new());
    let ttl = Duration::from_millis(20);
    for _ in 0..60 {
        let lease = store.renew_instance(&instance, 3, ttl).await.unwrap();
        let now: Vec<Assignment> = store.take_assignments(&lease, &keys).await.unwrap();
        for one in now.into_iter().filter(|one| one.instance == instance) {
            if has.insert((one.key.clone(), one.epoch)) {
                given.push(one);
            }
        }
        match random(6) {
            0 => store.release_instance(&lease).await.unwrap(),
            1 => store.release_assignments(&given).await.unwrap(),
            2 => tokio::time::sleep(ttl).await,
            _ => {}
        }
    }
    given
}
