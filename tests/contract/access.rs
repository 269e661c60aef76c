//! API tokens and used signatures.

use rstest_reuse::apply;
use streamward::adapters::system::SystemIds;
use streamward::domain::access::{ApiToken, Role, Scope};
use streamward::domain::page::Page;
use streamward::domain::{ApiTokenId, Timestamp};
use streamward::ports::IdGen as _;

use crate::every_store;
use crate::fixture::{Engine, at, audit, by, fresh_hash};

fn token(name: &str, when: Timestamp) -> ApiToken {
    ApiToken {
        id: ApiTokenId(SystemIds.uuid()),
        organization_id: None,
        name: name.into(),
        role: Role::Operator,
        created_at: when,
        expires_at: None,
    }
}

#[apply(every_store)]
#[tokio::test]
async fn a_token_is_stored_under_the_hash_of_its_secret_and_found_expired_or_not(#[case] engine: Engine) {
    let world = engine.world().await;
    let hash = fresh_hash();
    let expired = ApiToken { expires_at: Some(at(1)), ..token("old", at(0)) };
    world.store.create_api_token(&expired, &hash, by(&audit("create", at(0)))).await.unwrap();
    assert_eq!(world.store.api_token_by_hash(&hash).await.unwrap(), Some(expired));
    assert_eq!(world.store.api_token_by_hash(&fresh_hash()).await.unwrap(), None);
    assert_eq!(world.audited().await, ["create"]);
}

#[apply(every_store)]
#[tokio::test]
async fn all_tokens_newest_first_ties_by_id(#[case] engine: Engine) {
    let world = engine.world().await;
    let tokens = [token("a", at(2)), token("b", at(2)), token("c", at(1))];
    for one in &tokens {
        world.store.create_api_token(one, &fresh_hash(), by(&audit("create", at(0)))).await.unwrap();
    }
    let [a, b, c] = tokens;
    assert_eq!(world.store.api_tokens(&Scope::system(), &Page::default()).await.unwrap(), [b, a, c]);
}

#[apply(every_store)]
#[tokio::test]
async fn a_removed_token_is_not_found(#[case] engine: Engine) {
    let world = engine.world().await;
    let (hash, one) = (fresh_hash(), token("a", at(0)));
    world.store.create_api_token(&one, &hash, by(&audit("create", at(0)))).await.unwrap();
    assert!(world.store.delete_api_token(one.id, by(&audit("delete", at(1)))).await.unwrap());
    assert_eq!(world.store.api_token_by_hash(&hash).await.unwrap(), None);
    assert_eq!(world.store.api_tokens(&Scope::system(), &Page::default()).await.unwrap(), []);
    assert!(!world.store.delete_api_token(one.id, by(&audit("again", at(2)))).await.unwrap());
    assert_eq!(world.audited().await, ["delete", "create"], "nothing is written if it was not there");
}

#[apply(every_store)]
#[tokio::test]
async fn a_token_is_exchanged_once_while_it_is_valid(#[case] engine: Engine) {
    let world = engine.world().await;
    let (old, one) = (fresh_hash(), ApiToken { expires_at: Some(at(9)), ..token("link", at(0)) });
    world.store.create_api_token(&one, &old, by(&audit("create", at(0)))).await.unwrap();
    let entry = audit("exchange", at(1));
    let exchange = |new, now| {
        let (store, entry, old) = (&world.store, &entry, &old);
        async move { store.exchange_api_token(old, &new, at(now), at(50), entry).await.unwrap() }
    };
    assert!(!exchange(fresh_hash(), 9).await, "it has expired");
    let all = [fresh_hash(), fresh_hash(), fresh_hash()];
    let done = futures_util::future::join_all(all.map(|new| exchange(new, 8))).await;
    assert_eq!(done.iter().filter(|done| **done).count(), 1);
    let new = all[done.iter().position(|done| *done).unwrap()];
    let expected = ApiToken { expires_at: Some(at(50)), ..one };
    assert_eq!(world.store.api_token_by_hash(&new).await.unwrap(), Some(expected));
    assert_eq!(world.store.api_token_by_hash(&old).await.unwrap(), None);
    assert_eq!(world.audited().await, ["exchange", "create"]);
}

#[apply(every_store)]
#[tokio::test]
async fn a_signature_is_new_exactly_once(#[case] engine: Engine) {
    let world = engine.world().await;
    let signature = fresh_hash();
    let calls = (0..20).map(|n| world.store.remember_signature(&signature, at(n)));
    let answers = futures_util::future::join_all(calls).await;
    assert_eq!(answers.iter().filter(|answer| *answer.as_ref().unwrap()).count(), 1);
    assert!(!world.store.remember_signature(&signature, at(99)).await.unwrap());
    assert!(world.store.remember_signature(&fresh_hash(), at(99)).await.unwrap());
}

#[apply(every_store)]
#[tokio::test]
async fn pruning_forgets_signatures_remembered_before(#[case] engine: Engine) {
    let world = engine.world().await;
    let (old, young) = (fresh_hash(), fresh_hash());
    world.store.remember_signature(&old, at(1)).await.unwrap();
    world.store.remember_signature(&young, at(2)).await.unwrap();
    assert_eq!(world.store.prune_signatures(at(2)).await.unwrap(), 1);
    assert!(!world.store.remember_signature(&young, at(3)).await.unwrap());
    assert!(world.store.remember_signature(&old, at(3)).await.unwrap());
}
