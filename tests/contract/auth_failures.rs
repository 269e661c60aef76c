//! Refused attempts to publish.

use rstest_reuse::apply;
use streamward::domain::OrganizationId;
use streamward::domain::access::{Action, Actor, Permissions, Resource, Role, Scope};
use streamward::domain::auth_failure::{AuthFailure, KeyOfAttempt, RefusedAttempt};
use streamward::domain::page::{Page, Placed as _};

use crate::every_store;
use crate::fixture::{Engine, World, at, broadcaster, key, server};

fn unknown(path: &str) -> RefusedAttempt {
    RefusedAttempt {
        media_server: Some(server("default")),
        protocol: Some("rtmp".into()),
        path: Some(path.into()),
        ip_address: Some("192.0.2.7".into()),
        ..RefusedAttempt::of_cause("unknown_key")
    }
}

fn of_key(path: &str) -> RefusedAttempt {
    let key = key(broadcaster("Alice", at(0)).id, "live/alice", at(0));
    RefusedAttempt {
        organization_id: Some(OrganizationId::DEFAULT),
        cause: "wrong_path".into(),
        detail: Some("more, \"quoted\"".into()),
        key: Some(KeyOfAttempt::from(&key)),
        ..unknown(path)
    }
}

async fn list(world: &World) -> Vec<AuthFailure> {
    world.store.auth_failures(&Scope::system(), &Page::default()).await.unwrap()
}

#[apply(every_store)]
#[tokio::test]
async fn rows_are_returned_as_they_were_recorded_and_equal_attempts_are_added_up(#[case] engine: Engine) {
    let world = engine.world().await;
    let (known, other) = (of_key("live/alcie"), unknown("cam.1"));
    let first = [
        AuthFailure::new(known.clone(), (at(1), at(5)), 3),
        AuthFailure::new(other.clone(), (at(2), at(2)), 1),
    ];
    world.store.record_auth_failures(&first, 10).await.unwrap();
    assert_eq!(list(&world).await, first);
    // Another instance counted other ones of the same kind, also earlier ones.
    let second = [AuthFailure::new(other.clone(), (at(0), at(9)), 4)];
    world.store.record_auth_failures(&second, 10).await.unwrap();
    world.store.record_auth_failures(&[], 10).await.unwrap();
    let added = AuthFailure::new(other, (at(0), at(9)), 5);
    assert_eq!(list(&world).await, [added, AuthFailure::new(known, (at(1), at(5)), 3)]);
}

#[apply(every_store)]
#[tokio::test]
async fn the_newest_rows_of_known_keys_and_as_many_of_unknown_ones_are_kept_and_the_others_are_counted(
    #[case] engine: Engine,
) {
    let world = engine.world().await;
    for when in 1..=6 {
        let rows = [
            AuthFailure::new(of_key(&format!("live/{when}")), (at(when), at(when)), 1),
            AuthFailure::new(unknown(&format!("live/{when}")), (at(when), at(when)), 10),
        ];
        world.store.record_auth_failures(&rows, 2).await.unwrap();
    }
    let rows = list(&world).await;
    let sums = rows.iter().map(|row| row.count).sum::<u64>();
    assert_eq!((rows.len(), sums), (5, 66));
    let removed = rows.iter().find(|row| row.attempt.cause == "removed").unwrap();
    assert_eq!((removed.count, removed.first_at, removed.last_at), (44, at(1), at(4)));
    let mut kept: Vec<String> = rows.iter().filter_map(|row| row.attempt.path.clone()).collect();
    kept.sort();
    assert_eq!(kept, ["live/5", "live/5", "live/6", "live/6"]);
}

#[apply(every_store)]
#[tokio::test]
async fn the_page_with_the_newest_last_attempt_first_within_the_scope(#[case] engine: Engine) {
    let world = engine.world().await;
    let rows: Vec<AuthFailure> =
        (1..=4).map(|n| AuthFailure::new(unknown(&n.to_string()), (at(0), at(n)), 1)).collect();
    world.store.record_auth_failures(&rows, 10).await.unwrap();
    let first = world.store.auth_failures(&Scope::system(), &Page::first(3)).await.unwrap();
    assert_eq!(first, [rows[3].clone(), rows[2].clone(), rows[1].clone()]);
    let rest = Page { after: Some(first[2].place()), ..Page::first(3) };
    assert_eq!(world.store.auth_failures(&Scope::system(), &rest).await.unwrap(), rows[..1]);
}

#[apply(every_store)]
#[tokio::test]
async fn pruning_removes_rows_whose_last_attempt_was_before(#[case] engine: Engine) {
    let world = engine.world().await;
    let rows: Vec<AuthFailure> =
        (1..=3).map(|n| AuthFailure::new(unknown(&n.to_string()), (at(0), at(n)), 1)).collect();
    world.store.record_auth_failures(&rows, 10).await.unwrap();
    assert_eq!(world.store.prune_auth_failures(at(2)).await.unwrap(), 1);
    assert_eq!(list(&world).await.len(), 2);
}

#[apply(every_store)]
#[tokio::test]
async fn paths_near_are_those_of_keys_after_and_before_it_in_the_alphabet(#[case] engine: Engine) {
    let world = engine.world().await;
    for path in ["a", "b", "c", "d", "e"] {
        world.key(path).await;
    }
    let near = async |path: &str, limit| {
        let near = world.store.paths_near(path, limit).await.unwrap();
        near.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(near("c", 1).await, ["c", "b"]);
    assert_eq!(near("bb", 2).await, ["c", "d", "b", "a"]);
    assert_eq!(near("x.y", 1).await, ["e"]);
    assert_eq!(near("", 9).await, ["a", "b", "c", "d", "e"]);
}

#[apply(every_store)]
#[tokio::test]
async fn rows_of_others_and_of_unknown_keys_do_not_exist(#[case] engine: Engine) {
    let world = engine.world().await;
    let rows = [
        AuthFailure::new(of_key("live/x"), (at(1), at(2)), 1),
        AuthFailure::new(unknown("live/x"), (at(1), at(1)), 1),
    ];
    world.store.record_auth_failures(&rows, 10).await.unwrap();
    let [ours, theirs, third] = [1, 7, 8].map(|id| match id {
        1 => OrganizationId::DEFAULT,
        id => OrganizationId(uuid::Uuid::from_u128(id)),
    });
    for (of, seen) in [(vec![ours], 1), (vec![ours, theirs], 1), (vec![theirs], 0), (vec![theirs, third], 0)]
    {
        let permissions = Permissions::in_organizations(of.iter().map(|id| (*id, Role::Viewer)));
        let scope = Actor { permissions, ..Actor::cli("test") }
            .authorize(Action::Read, &Resource::READ_BY_ALL)
            .unwrap();
        let listed = world.store.auth_failures(&scope, &Page::default()).await.unwrap();
        assert_eq!(listed, rows[..seen], "{of:?}");
    }
    assert_eq!(list(&world).await, rows);
}
