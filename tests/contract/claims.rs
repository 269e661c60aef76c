//! The publish decision in the store: one statement that decides and claims.

use std::time::Duration;

use futures_util::future::join_all;
use rstest_reuse::apply;
use streamward::domain::Timestamp;
use streamward::domain::publish::{PublishRequest, decide_publish};
use streamward::domain::secret::SecretHash;
use streamward::domain::stream_key::{Holder, OnConflict, StreamKey};
use tokio::time::timeout;

use crate::every_store;
use crate::fixture::{
    Engine, TTL, World, at, audit, by, connection, fresh_hash, path, request, request_from,
};

/// A key whose holder is set through the same calls as in the application.
async fn held(
    world: &World,
    on: &str,
    how: &str,
    conflict: OnConflict,
    expires: Option<Timestamp>,
) -> (StreamKey, SecretHash) {
    let (key, mut hash) =
        world.key_with(on, |key| StreamKey { on_conflict: conflict, expires_at: expires, ..key }).await;
    if how != "free" {
        world.claim(&hash, &request("holder"), at(10)).await;
    }
    match how {
        "live" => drop(world.start(&key, connection("default", "holder"), at(10)).await),
        "evicted" => {
            hash = fresh_hash();
            let entry = audit("rotate", at(10));
            world.store.rotate_stream_key(key.id, &hash, "sk_abcde", by(&entry)).await.unwrap();
        }
        _ => {}
    }
    (world.stored(&key).await, hash)
}

#[apply(every_store)]
#[tokio::test]
async fn the_holder_is_set_exactly_when_the_decision_allows_it_and_the_new_row_is_returned(
    #[case] engine: Engine,
) {
    let world = engine.world().await;
    let askers = [
        Some(connection("default", "holder")),
        Some(connection("default", "other")),
        Some(connection("elsewhere", "holder")),
        None,
    ];
    let mut number = 0;
    for how in ["free", "claimed", "live", "evicted"] {
        for conflict in [OnConflict::Reject, OnConflict::Takeover] {
            // The first is by a clock that was set back far.
            let times =
                [(None, -100), (None, 2), (None, 11), (None, 25), (Some(at(20)), 19), (Some(at(20)), 20)];
            for (expires, when) in times {
                for asker in &askers {
                    number += 1;
                    let on = format!("live/k{number}");
                    let (key, hash) = held(&world, &on, how, conflict, expires).await;
                    let request = request_from(asker.clone());
                    let wrong = PublishRequest { path: Some(path("live/wrong")), ..request.clone() };
                    agrees(&world, &key, &hash, &wrong, at(when)).await;
                    let named = PublishRequest { path: Some(path(&on)), ..request.clone() };
                    agrees(&world, &key, &hash, &named, at(when)).await;
                    let now = world.stored(&key).await;
                    agrees(&world, &now, &hash, &request, at(when + 1)).await;
                }
            }
        }
    }
}

#[apply(every_store)]
#[tokio::test]
async fn of_claims_of_different_keys_at_the_same_time_each_is_decided_as_if_it_were_alone(
    #[case] engine: Engine,
) {
    let world = &engine.world().await;
    let mut cases = Vec::new();
    for how in ["free", "claimed", "live", "evicted"] {
        for conflict in [OnConflict::Reject, OnConflict::Takeover] {
            for (expires, when) in [(None, 2), (None, 25), (Some(at(20)), 19), (Some(at(20)), 20)] {
                for (server, id) in [("default", "holder"), ("default", "other"), ("elsewhere", "holder")] {
                    let on = format!("live/k{}", cases.len());
                    let (key, hash) = held(world, &on, how, conflict, expires).await;
                    let asked = if cases.len() % 5 == 0 { "live/wrong" } else { &on };
                    let ip = "2001:db8::2".parse().ok().filter(|_| cases.len() % 2 == 0);
                    let request = request_from(Some(connection(server, id)));
                    let request = PublishRequest { path: Some(path(asked)), ip, ..request };
                    cases.push((key, hash, request, at(when)));
                }
            }
        }
    }
    let at_once = cases.iter().map(|(key, hash, request, when)| agrees(world, key, hash, request, *when));
    join_all(at_once).await;
}

/// Whoever runs the claims of others must not take them along when it gives up.
#[apply(every_store)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_give_up_harm_no_others(#[case] engine: Engine) {
    let world = &engine.world().await;
    let mut keys = Vec::new();
    for n in 0..60 {
        keys.push(world.key(&format!("live/{n}")).await);
    }
    for round in 0..20 {
        let claims = keys.iter().enumerate().map(|(n, (_, hash))| async move {
            let request = request(&format!("c{n}"));
            let claim = world.claim(hash, &request, at(round));
            let patience =
                if n % 3 == 0 { Duration::from_micros(n as u64 * 40) } else { Duration::from_secs(20) };
            match timeout(patience, claim).await {
                Ok(after) => assert_eq!(after.holder.connection(), request.connection.as_ref()),
                Err(_) => assert!(n % 3 == 0, "{n} waits for ever"),
            }
        });
        join_all(claims).await;
    }
}

async fn agrees(
    world: &World,
    before: &StreamKey,
    hash: &SecretHash,
    request: &PublishRequest,
    when: Timestamp,
) {
    let decision = decide_publish(before, request, when, TTL);
    let mut expected = before.clone();
    if let (Ok(claim), Some(_)) = (&decision, &request.connection) {
        (expected.holder, expected.takeovers) = (claim.holder.clone(), claim.takeovers);
        expected.last_used_at = Some(when);
    }
    let after = world.store.claim_for_publish(hash, request, when, TTL).await.unwrap().unwrap();
    assert_eq!(after, expected, "{before:?} with {request:?} at {when}: {decision:?}");
    assert_eq!(world.stored(before).await, expected);
}

#[apply(every_store)]
#[tokio::test]
async fn of_connections_that_take_a_key_from_each_other_the_third_within_a_minute_is_refused(
    #[case] engine: Engine,
) {
    let world = engine.world().await;
    let (key, hash) =
        world.key_with("live/alice", |key| StreamKey { on_conflict: OnConflict::Takeover, ..key }).await;
    let from = |id: &str, ip: &str| PublishRequest { ip: ip.parse().ok(), ..request(id) };
    let (one, other) = ("192.0.2.1", "2001:db8::2");
    // The holder may ask again, which keeps its claim.
    for (id, ip, when, is_allowed) in [
        ("a", one, 0, true),
        ("b", other, 2, true),
        ("a2", one, 4, true),
        ("b2", other, 6, false),
        ("a2", one, 18, true),
        ("b3", other, 30, false),
        ("a2", one, 31, true),
        ("a2", one, 45, true),
        ("a2", one, 59, true),
        ("b4", other, 61, false),
        ("b5", other, 62, true),
        ("a3", one, 63, false),
        ("a4", one, 64, true),
        ("b6", other, 65, false),
    ] {
        let before = world.stored(&key).await;
        agrees(&world, &before, &hash, &from(id, ip), at(when)).await;
        let holder = world.stored(&key).await.holder;
        assert_eq!(holder.connection() == Some(&connection("default", id)), is_allowed, "{id} at {when}");
    }
    let takeovers = world.stored(&key).await.takeovers;
    assert_eq!(takeovers.claimed_from, one.parse().ok());
    assert_eq!((takeovers.before, takeovers.last), (Some(at(62)), Some(at(64))));
}

#[apply(every_store)]
#[tokio::test]
async fn of_simultaneous_takeovers_no_more_than_two_are_allowed(#[case] engine: Engine) {
    let world = engine.world().await;
    let (_, hash) =
        world.key_with("live/alice", |key| StreamKey { on_conflict: OnConflict::Takeover, ..key }).await;
    let askers = (0..50).map(|n| {
        let (world, hash) = (&world, &hash);
        async move {
            let request = request(&format!("c{n}"));
            let after = world.claim(hash, &request, at(1)).await;
            after.holder.connection() == request.connection.as_ref()
        }
    });
    let allowed = join_all(askers).await.into_iter().filter(|allowed| *allowed).count();
    assert_eq!(allowed, 3, "the first one, and two takeovers");
}

#[apply(every_store)]
#[tokio::test]
async fn of_simultaneous_requests_exactly_one_becomes_the_holder(#[case] engine: Engine) {
    let world = engine.world().await;
    let (key, hash) = world.key("live/alice").await;
    let askers = (0..100).map(|n| {
        let (world, hash) = (&world, &hash);
        async move {
            let request = request(&format!("c{n}"));
            let after = world.claim(hash, &request, at(1)).await;
            after.holder.connection() == request.connection.as_ref()
        }
    });
    let winners = join_all(askers).await;
    assert_eq!(winners.iter().filter(|won| **won).count(), 1);
    let winner = winners.iter().position(|won| *won).unwrap();
    let expected =
        Holder::Claimed { by: connection("default", &format!("c{winner}")), until: at(1).plus(TTL) };
    assert_eq!(world.stored(&key).await.holder, expected);
}

#[apply(every_store)]
#[tokio::test]
async fn last_used_at_is_set_when_it_claims_and_only_then(#[case] engine: Engine) {
    let world = engine.world().await;
    let (_, hash) = world.key("live/alice").await;
    assert_eq!(world.claim(&hash, &request("c1"), at(1)).await.last_used_at, Some(at(1)));
    assert_eq!(world.claim(&hash, &request("c2"), at(2)).await.last_used_at, Some(at(1)), "refused");
    assert_eq!(world.claim(&hash, &request("c1"), at(3)).await.last_used_at, Some(at(3)));
}

#[apply(every_store)]
#[tokio::test]
async fn a_request_without_a_connection_changes_nothing(#[case] engine: Engine) {
    let world = engine.world().await;
    let (key, hash) = world.key("live/alice").await;
    assert_eq!(world.claim(&hash, &request_from(None), at(1)).await, key);
    assert_eq!(world.stored(&key).await, key);
}

#[apply(every_store)]
#[tokio::test]
async fn an_unknown_hash_is_none(#[case] engine: Engine) {
    let world = engine.world().await;
    for request in [request("c1"), request_from(None)] {
        let none = world.store.claim_for_publish(&fresh_hash(), &request, at(1), TTL).await.unwrap();
        assert_eq!(none, None);
    }
}

#[apply(every_store)]
#[tokio::test]
async fn a_second_request_of_the_live_connection_keeps_it_live(#[case] engine: Engine) {
    let world = engine.world().await;
    let (key, hash, _) = world.live("live/alice", "c1").await;
    let after =
        world.store.claim_for_publish(&hash, &request("c1"), at(9), Duration::ZERO).await.unwrap().unwrap();
    assert_eq!(after.holder, Holder::Live { by: connection("default", "c1") });
    assert_eq!(world.stored(&key).await, after);
}
