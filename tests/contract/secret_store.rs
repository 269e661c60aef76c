//! Sealed secrets.

use rstest_reuse::apply;

use crate::every_store;
use crate::fixture::Engine;

#[apply(every_store)]
#[tokio::test]
async fn a_secret_is_stored_unless_there_is_one_of_that_name(#[case] engine: Engine) {
    let world = engine.world().await;
    assert_eq!(world.store.sealed("hook").await.unwrap(), None);
    assert_eq!(world.store.seal_if_absent("hook", "v1.a").await.unwrap(), "v1.a");
    assert_eq!(world.store.seal_if_absent("hook", "v1.b").await.unwrap(), "v1.a");
    assert_eq!(world.store.sealed("hook").await.unwrap().as_deref(), Some("v1.a"));
    assert_eq!(world.store.sealed("relay").await.unwrap(), None);
}

#[apply(every_store)]
#[tokio::test]
async fn simultaneous_seals_all_return_the_same_secret(#[case] engine: Engine) {
    let world = engine.world().await;
    let sealed: Vec<String> = (0..10).map(|n| format!("v1.{n}")).collect();
    let tries = sealed.iter().map(|sealed| world.store.seal_if_absent("hook", sealed));
    let got: Vec<String> =
        futures_util::future::join_all(tries).await.into_iter().map(Result::unwrap).collect();
    assert!(got.iter().all(|one| *one == got[0]), "{got:?}");
    assert_eq!(world.store.sealed("hook").await.unwrap().as_ref(), Some(&got[0]));
}
