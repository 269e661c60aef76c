//! Sessions, and attempts to sign in.

use std::net::IpAddr;
use std::time::Duration;

use futures_util::future::join_all;
use rstest_reuse::apply;
use streamward::adapters::system::SystemIds;
use streamward::domain::access::{Role, Scope};
use streamward::domain::secret::{MasterKey, SecretHash};
use streamward::domain::user::{AttemptKeys, Email, Session, SessionOwner, User, UserPatch};
use streamward::domain::{SessionId, Timestamp, UserId};
use streamward::ports::IdGen as _;

use crate::every_store;
use crate::fixture::{Engine, World, at, audit, by, fresh_hash};
use crate::users::{password, user};

fn session(owner: SessionOwner, when: Timestamp) -> Session {
    Session {
        id: SessionId(SystemIds.uuid()),
        owner,
        created_at: when,
        used_at: when,
        expires_at: when.plus(Duration::from_secs(100)),
        ip_address: Some("192.0.2.1".into()),
        user_agent: None,
    }
}

impl World {
    async fn session(&self, session: &Session) -> SecretHash {
        let (hash, entry) = (fresh_hash(), audit("sign_in", session.created_at));
        assert!(self.store.create_session(session, &hash, None, &entry).await.unwrap());
        hash
    }

    async fn ada(&self) -> User {
        let ada = user("ada@example.org", at(0));
        self.user(&ada).await;
        ada
    }

    async fn has(&self, hash: &SecretHash) -> bool {
        self.store.session_by_hash(hash).await.unwrap().is_some()
    }
}

#[apply(every_store)]
#[tokio::test]
async fn a_session_is_stored_under_the_hash_of_its_secret_and_when_its_user_signed_in(
    #[case] engine: Engine,
) {
    let world = engine.world().await;
    let ada = world.ada().await;
    let of_user = session(SessionOwner::User(ada.id), at(3));
    let of_token = session(SessionOwner::Token(fresh_hash()), at(4));
    for one in [&of_user, &of_token] {
        let hash = world.session(one).await;
        assert_eq!(world.store.session_by_hash(&hash).await.unwrap().as_ref(), Some(one));
    }
    assert!(!world.has(&fresh_hash()).await);
    let read = world.store.user(&Scope::system(), ada.id).await.unwrap().unwrap();
    assert_eq!(read.signed_in_at, Some(at(3)));
    assert_eq!(world.audited().await, ["sign_in", "sign_in", "create"]);
}

#[apply(every_store)]
#[tokio::test]
async fn no_session_is_stored_for_a_user_who_is_gone_or_has_another_password(#[case] engine: Engine) {
    let world = engine.world().await;
    let ada = world.ada().await;
    let entry = audit("sign_in", at(1));
    let nobody = session(SessionOwner::User(UserId(SystemIds.uuid())), at(1));
    assert!(!world.store.create_session(&nobody, &fresh_hash(), None, &entry).await.unwrap());
    world.store.set_password(ada.id, &password("new"), by(&audit("password", at(1)))).await.unwrap();
    let (late, old) = (session(SessionOwner::User(ada.id), at(2)), password("old"));
    assert!(!world.store.create_session(&late, &fresh_hash(), Some(&old), &entry).await.unwrap());
    let (hash, new) = (fresh_hash(), password("new"));
    assert!(world.store.create_session(&late, &hash, Some(&new), &entry).await.unwrap());
    assert!(world.has(&hash).await);
    assert_eq!(world.audited().await.len(), 3);
}

#[apply(every_store)]
#[tokio::test]
async fn use_prolongs_a_session(#[case] engine: Engine) {
    let world = engine.world().await;
    let ada = world.ada().await;
    let one = session(SessionOwner::User(ada.id), at(0));
    let hash = world.session(&one).await;
    world.store.renew_session(one.id, at(50), at(150)).await.unwrap();
    let renewed = world.store.session_by_hash(&hash).await.unwrap().unwrap();
    assert_eq!((renewed.used_at, renewed.expires_at), (at(50), at(150)));
    world.store.renew_session(SessionId(SystemIds.uuid()), at(50), at(150)).await.unwrap();
}

#[apply(every_store)]
#[tokio::test]
async fn sessions_of_a_user_that_have_not_expired_the_last_used_first(#[case] engine: Engine) {
    let world = engine.world().await;
    let ada = world.ada().await;
    let bob = user("bob@example.org", at(0));
    world.user(&bob).await;
    let own = [1, 3, 2].map(|second| session(SessionOwner::User(ada.id), at(second)));
    let others =
        [session(SessionOwner::User(bob.id), at(9)), session(SessionOwner::Token(fresh_hash()), at(9))];
    for one in own.iter().chain(&others) {
        world.session(one).await;
    }
    let [first, third, second] = own;
    let listed = world.store.sessions_of(ada.id, at(10)).await.unwrap();
    assert_eq!(listed, [third.clone(), second, first]);
    assert_eq!(world.store.sessions_of(ada.id, at(102)).await.unwrap(), [third]);
}

#[apply(every_store)]
#[tokio::test]
async fn a_session_is_ended_by_its_user_only(#[case] engine: Engine) {
    let world = engine.world().await;
    let ada = world.ada().await;
    let sessions = [1, 2, 3].map(|second| session(SessionOwner::User(ada.id), at(second)));
    let mut hashes = Vec::new();
    for one in &sessions {
        hashes.push(world.session(one).await);
    }
    let (store, [first, second, _]) = (&world.store, &sessions);
    let somebody_else = Some(UserId(SystemIds.uuid()));
    assert!(!store.end_session(first.id, somebody_else, by(&audit("end", at(5)))).await.unwrap());
    assert!(store.end_session(first.id, Some(ada.id), by(&audit("end", at(5)))).await.unwrap());
    assert!(!store.end_session(first.id, Some(ada.id), by(&audit("end", at(5)))).await.unwrap());
    assert!(store.end_session(second.id, None, by(&audit("end", at(5)))).await.unwrap());
    assert_eq!([world.has(&hashes[0]).await, world.has(&hashes[1]).await], [false, false]);
    assert!(world.has(&hashes[2]).await);
    assert_eq!(world.audited().await.iter().filter(|action| *action == "end").count(), 2);
    assert_eq!(world.store.end_sessions_of(ada.id, by(&audit("end all", at(6)))).await.unwrap(), 1);
    assert!(!world.has(&hashes[2]).await);
}

#[apply(every_store)]
#[tokio::test]
async fn sessions_end_with_the_password_the_permissions_and_the_user(#[case] engine: Engine) {
    let world = engine.world().await;
    let ada = world.ada().await;
    let owner = SessionOwner::User(ada.id);
    let token = world.session(&session(SessionOwner::Token(fresh_hash()), at(1))).await;

    let hash = world.session(&session(owner, at(1))).await;
    let name = UserPatch { display_name: Some("Countess".into()), ..UserPatch::default() };
    world.store.update_user(ada.id, &name, by(&audit("update", at(2)))).await.unwrap();
    assert!(world.has(&hash).await, "a name is no permission");
    let mut roles = ada.roles.clone();
    roles.values_mut().for_each(|role| *role = Role::Viewer);
    let patch = UserPatch { roles: Some(roles), ..UserPatch::default() };
    world.store.update_user(ada.id, &patch, by(&audit("update", at(2)))).await.unwrap();
    assert!(!world.has(&hash).await);

    let hash = world.session(&session(owner, at(3))).await;
    world.store.set_password(ada.id, &password("new"), by(&audit("password", at(4)))).await.unwrap();
    assert!(!world.has(&hash).await);

    let hash = world.session(&session(owner, at(5))).await;
    world.store.delete_user(ada.id, by(&audit("delete", at(6)))).await.unwrap();
    assert!(!world.has(&hash).await);
    assert!(world.has(&token).await, "that of a token is nobody's");
}

#[apply(every_store)]
#[tokio::test]
async fn pruning_forgets_sessions_that_expired_before(#[case] engine: Engine) {
    let world = engine.world().await;
    let ada = world.ada().await;
    let old = world.session(&session(SessionOwner::User(ada.id), at(0))).await;
    let young = world.session(&session(SessionOwner::User(ada.id), at(1))).await;
    assert_eq!(world.store.prune_sessions(at(101)).await.unwrap(), 1);
    assert_eq!([world.has(&old).await, world.has(&young).await], [false, true]);
}

fn keys(address: &str) -> AttemptKeys {
    let email = Email::parse("ada@example.org").unwrap();
    let address: IpAddr = address.parse().unwrap();
    AttemptKeys::new(&MasterKey::new([1; 32]).hasher(), ("sign in", &email), Some(address), None)
}

#[apply(every_store)]
#[tokio::test]
async fn attempts_at_once_are_counted_one_after_the_other(#[case] engine: Engine) {
    let world = engine.world().await;
    let keys = keys("192.0.2.1");
    let waits = join_all((0..20).map(|_| world.store.count_attempt(&keys, at(0)))).await;
    let free = waits.iter().filter(|wait| wait.as_ref().unwrap().is_none()).count();
    assert_eq!(free, 5);
    let wait = world.store.count_attempt(&keys, at(0)).await.unwrap();
    assert_eq!(wait, Some(Duration::from_secs(1)));
    assert_eq!(world.store.count_attempt(&keys, at(1)).await.unwrap(), None);
}

#[apply(every_store)]
#[tokio::test]
async fn a_success_gives_the_attempt_back_and_the_address_is_known(#[case] engine: Engine) {
    let world = engine.world().await;
    let keys = keys("192.0.2.1");
    for second in 0..20 {
        assert_eq!(world.store.count_attempt(&keys, at(second)).await.unwrap(), None);
        world.store.give_attempt_back(&keys, at(second)).await.unwrap();
    }
    // Of its rows, only the one of the account at this address says something that lasts.
    assert!(world.store.prune_attempts(at(3_600)).await.unwrap() >= 1);
    assert_eq!(world.store.prune_attempts(at(7_200)).await.unwrap(), 0);
    let known = Duration::from_secs(100 * 86_400);
    assert_eq!(world.store.prune_attempts(at(0).plus(known)).await.unwrap(), 1);
}
