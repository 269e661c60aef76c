//! The audit log.

use rstest_reuse::apply;
use streamward::domain::access::Scope;
use streamward::domain::audit::{AuditEntry, AuditFilter, Outcome};

use crate::every_store;
use crate::fixture::{Engine, World, at, audit};

fn any() -> AuditFilter {
    AuditFilter { limit: 100, ..AuditFilter::default() }
}

async fn list(world: &World, filter: AuditFilter) -> (Vec<AuditEntry>, u64) {
    world.store.audit_entries(&Scope::system(), &filter).await.unwrap()
}

#[apply(every_store)]
#[tokio::test]
async fn entries_are_returned_as_they_were_recorded(#[case] engine: Engine) {
    let world = engine.world().await;
    let mut full = audit("publish", at(1)).on(&"id-1").failed("key_in_use: \"quoted\"");
    full.metadata.insert("count".into(), 3.into());
    full.ip_address = Some("2001:db8::1".into());
    full.request_id = Some("r1".into());
    full.told = true;
    let mut bare = audit("x", at(2));
    (bare.actor, bare.resource_type, bare.request_method, bare.request_path) = (None, None, None, None);
    world.store.record_audit(&[full.clone(), bare.clone()]).await.unwrap();
    world.store.record_audit(&[]).await.unwrap();
    assert_eq!(list(&world, any()).await, (vec![bare, full], 2));
}

#[apply(every_store)]
#[tokio::test]
async fn all_entries_are_stored_or_none(#[case] engine: Engine) {
    if engine == Engine::Memory {
        return; // Nothing can fail there.
    }
    let world = engine.world().await;
    let (first, second) = (audit("first", at(1)), audit("second", at(1)));
    world.store.record_audit(std::slice::from_ref(&second)).await.unwrap();
    assert!(world.store.record_audit(&[first, second.clone()]).await.is_err(), "the second is there already");
    assert_eq!(list(&world, any()).await, (vec![second], 1));
}

#[apply(every_store)]
#[tokio::test]
async fn the_page_that_passes_the_filter_newest_first_and_how_many_pass_in_all(#[case] engine: Engine) {
    let world = engine.world().await;
    let entry = |action: &str, when| AuditEntry { outcome: Outcome::Success, ..audit(action, at(when)) };
    let (a, b, c, d) =
        (entry("create", 1).on(&"k1"), entry("delete", 2).on(&"k2"), entry("create", 2), entry("create", 3));
    let d = AuditEntry { actor: Some("token:x".into()), resource_type: Some("stream".into()), ..d };
    let a = a.failed("refused");
    world.store.record_audit(&[a.clone(), b.clone(), c.clone(), d.clone()]).await.unwrap();
    assert_eq!(list(&world, any()).await, (vec![d.clone(), c.clone(), b.clone(), a.clone()], 4));
    let two = AuditFilter { limit: 2, ..any() };
    assert_eq!(list(&world, AuditFilter { offset: 1, ..two.clone() }).await, (vec![c.clone(), b.clone()], 4));
    assert_eq!(list(&world, AuditFilter { offset: 9, ..two }).await, (vec![], 4));
    for (filter, expected) in [
        (AuditFilter { from: Some(at(2)), ..any() }, vec![&d, &c, &b]),
        (AuditFilter { to: Some(at(2)), ..any() }, vec![&c, &b, &a]),
        (AuditFilter { from: Some(at(2)), to: Some(at(2)), ..any() }, vec![&c, &b]),
        (AuditFilter { actor: Some("token:x".into()), ..any() }, vec![&d]),
        (AuditFilter { action: Some("create".into()), ..any() }, vec![&d, &c, &a]),
        (AuditFilter { resource_type: Some("stream".into()), ..any() }, vec![&d]),
        (AuditFilter { resource_id: Some("k2".into()), ..any() }, vec![&b]),
        (AuditFilter { outcome: Some(Outcome::Failure), ..any() }, vec![&a]),
        (AuditFilter { outcome: Some(Outcome::Success), ..any() }, vec![&d, &c, &b]),
        (AuditFilter { outcome: Some(Outcome::Failure), action: Some("delete".into()), ..any() }, vec![]),
        (AuditFilter { to: Some(at(2)), action: Some("create".into()), ..any() }, vec![&c, &a]),
        (AuditFilter { action: Some("create".into()), resource_id: Some("k2".into()), ..any() }, vec![]),
        (AuditFilter { actor: d.actor.clone(), action: Some("create".into()), ..any() }, vec![&d]),
        (AuditFilter { resource_id: Some("' OR 1=1 --".into()), ..any() }, vec![]),
    ] {
        let count = expected.len() as u64;
        assert_eq!(list(&world, filter).await, (expected.into_iter().cloned().collect(), count));
    }
}

#[apply(every_store)]
#[tokio::test]
async fn pruning_removes_older_entries(#[case] engine: Engine) {
    let world = engine.world().await;
    let entries = [audit("a", at(1)), audit("b", at(2)), audit("c", at(3))];
    world.store.record_audit(&entries).await.unwrap();
    assert_eq!(world.store.prune_audit(at(2)).await.unwrap(), 1);
    assert_eq!(world.audited().await, ["c", "b"]);
    assert_eq!(world.store.prune_audit(at(2)).await.unwrap(), 0);
}
