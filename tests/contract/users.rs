//! Users, their credentials and one-time links.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use rstest_reuse::apply;
use streamward::adapters::system::SystemIds;
use streamward::domain::access::{Role, Scope};
use streamward::domain::page::Page;
use streamward::domain::user::{Email, Identity, OneTimeLink, PasswordHash, User, UserPatch};
use streamward::domain::{OrganizationId, Timestamp, UserId};
use streamward::ports::{IdGen as _, OrganizationDeletion, UserWrite};

use crate::every_store;
use crate::fixture::{Engine, World, at, audit, by, fresh_hash};

pub(crate) fn user(email: &str, when: Timestamp) -> User {
    User {
        id: UserId(SystemIds.uuid()),
        email: Email::parse(email).unwrap(),
        display_name: "Ada".into(),
        administrator: false,
        roles: BTreeMap::from([(OrganizationId::DEFAULT, Role::Operator)]),
        identity: None,
        has_password: false,
        has_totp: false,
        created_at: when,
        updated_at: when,
        signed_in_at: None,
    }
}

fn administrator(email: &str) -> User {
    User { administrator: true, roles: BTreeMap::new(), ..user(email, at(0)) }
}

pub(crate) fn password(text: &str) -> PasswordHash {
    PasswordHash(format!("$argon2id${text}"))
}

impl World {
    pub(crate) async fn user(&self, user: &User) {
        let made = self.store.create_user(user, None, by(&audit("create", at(0)))).await.unwrap();
        assert_eq!(made, UserWrite::Done(()));
    }

    async fn read(&self, user: &User) -> Option<User> {
        self.store.user(&Scope::system(), user.id).await.unwrap()
    }
}

#[apply(every_store)]
#[tokio::test]
async fn a_user_is_stored_with_roles_and_password_and_the_audit_entry(#[case] engine: Engine) {
    let world = engine.world().await;
    let other = world.organization("Other").await;
    let before = world.audited().await.len();
    let mut ada = user("ada@example.org", at(0));
    ada.roles.insert(other, Role::Admin);
    let made = world.store.create_user(&ada, Some(&password("x")), by(&audit("create", at(0)))).await;
    assert_eq!(made.unwrap(), UserWrite::Done(()));
    assert_eq!(world.read(&ada).await, Some(User { has_password: true, ..ada.clone() }));
    assert_eq!(world.audited().await.len(), before + 1);
    let found = world.store.credentials_of(&ada.email).await.unwrap().unwrap();
    assert_eq!((found.user_id, &found.email, found.password), (ada.id, &ada.email, Some(password("x"))));
    assert_eq!(found.totp, None);
    assert_eq!(world.store.credentials(ada.id).await.unwrap().unwrap().email, ada.email);
    let nobody = Email::parse("bob@example.org").unwrap();
    assert_eq!(world.store.credentials_of(&nobody).await.unwrap(), None);
    assert_eq!(world.store.credentials(UserId(SystemIds.uuid())).await.unwrap(), None);
    assert_eq!(world.store.user(&Scope::system(), UserId(SystemIds.uuid())).await.unwrap(), None);
}

#[apply(every_store)]
#[tokio::test]
async fn no_two_users_have_the_same_address(#[case] engine: Engine) {
    let world = engine.world().await;
    let (ada, bob) = (user("ada@example.org", at(0)), user("bob@example.org", at(0)));
    world.user(&ada).await;
    let twin = user("ada@example.org", at(1));
    let made = world.store.create_user(&twin, None, by(&audit("again", at(1)))).await.unwrap();
    assert_eq!(made, UserWrite::EmailTaken);
    world.user(&bob).await;
    let patch = UserPatch { email: Some(ada.email.clone()), ..UserPatch::default() };
    let moved = world.store.update_user(bob.id, &patch, by(&audit("again", at(1)))).await.unwrap();
    assert_eq!(moved, UserWrite::EmailTaken);
    assert_eq!(world.read(&bob).await, Some(bob));
    assert_eq!(world.audited().await, ["create", "create"], "nothing was written");
}

#[apply(every_store)]
#[tokio::test]
async fn a_user_of_a_provider_is_found_by_issuer_and_subject(#[case] engine: Engine) {
    let world = engine.world().await;
    let identity = |issuer: &str, subject: &str| Identity { issuer: issuer.into(), subject: subject.into() };
    let (ours, other) = ("https://login.example", "https://other.example");
    let of = |email: &str, identity| User { identity: Some(identity), ..user(email, at(0)) };
    let ada = of("ada@example.org", identity(ours, "1"));
    world.user(&ada).await;
    world.user(&of("bob@example.org", identity(ours, "2"))).await;
    world.user(&of("eve@example.org", identity(other, "1"))).await;
    world.user(&user("password@example.org", at(0))).await;
    assert_eq!(world.read(&ada).await, Some(ada.clone()));
    assert_eq!(world.store.user_of(&identity(ours, "1")).await.unwrap(), Some(ada.clone()));
    for absent in [identity(ours, "3"), identity("https://login.example/", "1"), identity("", "")] {
        assert_eq!(world.store.user_of(&absent).await.unwrap(), None, "{absent:?}");
    }
    let twin = of("twin@example.org", identity(ours, "1"));
    let made = world.store.create_user(&twin, None, by(&audit("again", at(1)))).await.unwrap();
    assert_eq!(made, UserWrite::EmailTaken);
    let patch = UserPatch { display_name: Some("Countess".into()), ..UserPatch::default() };
    world.store.update_user(ada.id, &patch, by(&audit("update", at(1)))).await.unwrap();
    let found = world.store.user_of(&identity(ours, "1")).await.unwrap().unwrap();
    assert_eq!((found.id, found.display_name.as_str()), (ada.id, "Countess"));
}

#[apply(every_store)]
#[tokio::test]
async fn all_users_newest_first_ties_by_id(#[case] engine: Engine) {
    let world = engine.world().await;
    let all = [user("a@x", at(2)), user("b@x", at(2)), user("c@x", at(9))];
    for one in &all {
        world.user(one).await;
    }
    let [a, b, c] = all;
    let listed = world.store.users(&Scope::system(), &Page::default()).await.unwrap();
    assert_eq!(listed, [c.clone(), b, a]);
    assert_eq!(world.store.users(&Scope::system(), &Page::first(1)).await.unwrap(), [c]);
}

#[apply(every_store)]
#[tokio::test]
async fn a_change_replaces_what_it_names(#[case] engine: Engine) {
    let world = engine.world().await;
    let organization = world.organization("Other").await;
    let ada = user("ada@example.org", at(0));
    world.user(&ada).await;
    let roles = BTreeMap::from([(organization, Role::Viewer)]);
    let patch = UserPatch {
        display_name: Some("Countess".into()),
        roles: Some(roles.clone()),
        ..UserPatch::default()
    };
    let expected = User { display_name: "Countess".into(), roles, updated_at: at(5), ..ada.clone() };
    let changed = world.store.update_user(ada.id, &patch, by(&audit("update", at(5)))).await.unwrap();
    assert_eq!(changed, UserWrite::Done(expected.clone()));
    assert_eq!(world.read(&ada).await, Some(expected));
    assert_eq!(world.audited().await.first().map(String::as_str), Some("update"));
    let absent = world.store.update_user(UserId(SystemIds.uuid()), &patch, by(&audit("x", at(6)))).await;
    assert_eq!(absent.unwrap(), UserWrite::Absent);
}

#[apply(every_store)]
#[tokio::test]
async fn a_role_needs_an_organization_and_ends_with_it(#[case] engine: Engine) {
    let world = engine.world().await;
    let nowhere = OrganizationId(SystemIds.uuid());
    let roles = BTreeMap::from([(nowhere, Role::Viewer)]);
    let bob = User { roles: roles.clone(), ..user("bob@example.org", at(0)) };
    let made = world.store.create_user(&bob, None, by(&audit("create", at(0)))).await.unwrap();
    assert_eq!((made, world.read(&bob).await), (UserWrite::NoOrganization(nowhere), None));
    let other = world.organization("Other").await;
    let mut ada = user("ada@example.org", at(0));
    ada.roles.insert(other, Role::Admin);
    world.user(&ada).await;
    let patch = UserPatch { roles: Some(roles), ..UserPatch::default() };
    let changed = world.store.update_user(ada.id, &patch, by(&audit("update", at(5)))).await.unwrap();
    assert_eq!((changed, world.read(&ada).await), (UserWrite::NoOrganization(nowhere), Some(ada.clone())));
    let deleted = world.store.delete_organization(other, by(&audit("delete", at(6)))).await.unwrap();
    assert_eq!(deleted, OrganizationDeletion::Deleted);
    ada.roles.remove(&other);
    assert_eq!(world.read(&ada).await, Some(ada));
}

#[apply(every_store)]
#[tokio::test]
async fn the_last_administrator_stays(#[case] engine: Engine) {
    let world = engine.world().await;
    let (ada, bob) = (administrator("ada@example.org"), administrator("bob@example.org"));
    world.user(&ada).await;
    world.user(&user("carol@example.org", at(0))).await;
    let demotion = UserPatch { administrator: Some(false), ..UserPatch::default() };
    let entry = audit("update", at(1));
    assert_eq!(
        world.store.update_user(ada.id, &demotion, by(&entry)).await.unwrap(),
        UserWrite::LastAdministrator
    );
    assert_eq!(world.store.delete_user(ada.id, by(&entry)).await.unwrap(), UserWrite::LastAdministrator);
    world.user(&bob).await;
    assert_eq!(world.store.delete_user(ada.id, by(&entry)).await.unwrap(), UserWrite::Done(()));
    assert_eq!(world.read(&ada).await, None);
    assert_eq!(world.read(&bob).await, Some(bob));
}

#[apply(every_store)]
#[tokio::test]
async fn two_calls_at_once_do_not_remove_the_last_two_administrators(#[case] engine: Engine) {
    for _ in 0..5 {
        let world = engine.world().await;
        let both = [administrator("ada@example.org"), administrator("bob@example.org")];
        for one in &both {
            world.user(one).await;
        }
        let demotion = UserPatch { administrator: Some(false), ..UserPatch::default() };
        let (first, second) = (audit("update", at(1)), audit("delete", at(1)));
        let (demoted, deleted) = tokio::join!(
            world.store.update_user(both[0].id, &demotion, by(&first)),
            world.store.delete_user(both[1].id, by(&second)),
        );
        let refused = [
            demoted.unwrap() == UserWrite::LastAdministrator,
            deleted.unwrap() == UserWrite::LastAdministrator,
        ];
        assert_eq!(refused.iter().filter(|refused| **refused).count(), 1);
    }
}

#[apply(every_store)]
#[tokio::test]
async fn a_second_factor_is_offered_confirmed_and_removed(#[case] engine: Engine) {
    let world = engine.world().await;
    let ada = user("ada@example.org", at(0));
    world.user(&ada).await;
    let (store, id, entry) = (&world.store, ada.id, || audit("totp", at(1)));
    let codes = [fresh_hash(), fresh_hash()];
    assert!(!store.confirm_totp(id, 1, &codes, by(&entry())).await.unwrap(), "none was offered");
    assert!(!store.remove_totp(id, by(&entry())).await.unwrap());
    assert!(store.offer_totp(id, "first", by(&entry())).await.unwrap());
    assert!(store.offer_totp(id, "second", by(&entry())).await.unwrap());
    let offered = store.credentials(id).await.unwrap().unwrap().totp.unwrap();
    assert_eq!((offered.sealed.as_str(), offered.confirmed, offered.last_step), ("second", false, None));
    assert!(store.confirm_totp(id, 7, &codes, by(&entry())).await.unwrap());
    assert!(!store.confirm_totp(id, 8, &codes, by(&entry())).await.unwrap());
    assert!(!store.offer_totp(id, "third", by(&entry())).await.unwrap(), "one is confirmed");
    let confirmed = store.credentials(id).await.unwrap().unwrap().totp.unwrap();
    assert_eq!(
        (confirmed.sealed.as_str(), confirmed.confirmed, confirmed.last_step),
        ("second", true, Some(7))
    );
    assert!(world.read(&ada).await.unwrap().has_totp);
    assert_eq!(world.audited().await.len(), 1 + 3, "what is refused writes nothing");

    assert!(!store.use_totp_step(id, 7).await.unwrap());
    let uses = join_all((0..5).map(|_| store.use_totp_step(id, 8))).await;
    assert_eq!(uses.iter().filter(|used| *used.as_ref().unwrap()).count(), 1, "a step counts once");
    let uses = join_all((0..5).map(|_| store.use_recovery_code(id, &codes[0]))).await;
    assert_eq!(uses.iter().filter(|used| *used.as_ref().unwrap()).count(), 1, "a recovery code counts once");
    assert!(!store.use_recovery_code(UserId(SystemIds.uuid()), &codes[1]).await.unwrap());

    assert!(store.remove_totp(id, by(&entry())).await.unwrap());
    assert_eq!(store.credentials(id).await.unwrap().unwrap().totp, None);
    assert!(!store.use_recovery_code(id, &codes[1]).await.unwrap());
    assert!(!world.read(&ada).await.unwrap().has_totp);
}

#[apply(every_store)]
#[tokio::test]
async fn a_link_sets_the_password_of_its_user_once(#[case] engine: Engine) {
    let world = engine.world().await;
    let (ada, bob) = (user("ada@example.org", at(0)), user("bob@example.org", at(0)));
    world.user(&ada).await;
    world.user(&bob).await;
    let (used, other) = (fresh_hash(), fresh_hash());
    let link = OneTimeLink::new(Some(ada.id), at(1), OneTimeLink::SENT);
    for hash in [&used, &other] {
        assert!(world.store.create_link(&link, hash, by(&audit("link", at(1)))).await.unwrap());
    }
    assert_eq!(world.store.link(&used).await.unwrap(), Some(link));
    let (entry, of_bob) = (audit("redeem", at(2)), password("bob"));
    assert!(!world.store.redeem_link(&used, bob.id, &of_bob, &entry).await.unwrap(), "it is not Bob's");
    let (entries, new): (Vec<_>, _) = ((0..5).map(|_| audit("redeem", at(2))).collect(), password("new"));
    let calls = entries.iter().map(|entry| world.store.redeem_link(&used, ada.id, &new, entry));
    let done = join_all(calls).await;
    assert_eq!(done.iter().filter(|done| *done.as_ref().unwrap()).count(), 1);
    assert_eq!(world.store.credentials(ada.id).await.unwrap().unwrap().password, Some(new));
    assert_eq!(world.store.link(&other).await.unwrap(), None, "other links of the user are gone");
    assert_eq!(world.audited().await, ["redeem", "link", "link", "create", "create"]);
    let gone = OneTimeLink::new(Some(UserId(SystemIds.uuid())), at(1), OneTimeLink::SENT);
    assert!(!world.store.create_link(&gone, &fresh_hash(), by(&audit("link", at(1)))).await.unwrap());
}

#[apply(every_store)]
#[tokio::test]
async fn the_first_link_makes_one_administrator(#[case] engine: Engine) {
    let world = engine.world().await;
    let hashes = [fresh_hash(), fresh_hash()];
    let link = OneTimeLink::new(None, at(1), OneTimeLink::PASSED_ON);
    for hash in &hashes {
        assert!(world.store.create_link(&link, hash, by(&audit("link", at(1)))).await.unwrap());
    }
    let both = [administrator("ada@example.org"), administrator("bob@example.org")];
    let (first, second) = (audit("redeem", at(2)), audit("redeem", at(2)));
    let pass = password("x");
    let (one, two) = tokio::join!(
        world.store.redeem_first_link(&hashes[0], &both[0], &pass, &first),
        world.store.redeem_first_link(&hashes[1], &both[1], &pass, &second),
    );
    let done = [one.unwrap(), two.unwrap()];
    assert_eq!(done.iter().filter(|done| **done == UserWrite::Done(())).count(), 1, "{done:?}");
    assert_eq!(done.iter().filter(|done| **done == UserWrite::Absent).count(), 1, "{done:?}");
    let users = world.store.users(&Scope::system(), &Page::default()).await.unwrap();
    assert!(matches!(users.as_slice(), [User { administrator: true, has_password: true, .. }]));
    for hash in &hashes {
        assert_eq!(world.store.link(hash).await.unwrap(), None);
    }
}

#[apply(every_store)]
#[tokio::test]
async fn a_link_without_a_user_is_void_when_there_is_an_administrator(#[case] engine: Engine) {
    let world = engine.world().await;
    let (hash, ada) = (fresh_hash(), administrator("ada@example.org"));
    let link = OneTimeLink::new(None, at(1), OneTimeLink::PASSED_ON);
    assert!(world.store.create_link(&link, &hash, by(&audit("link", at(1)))).await.unwrap());
    world.user(&ada).await;
    let bob = administrator("bob@example.org");
    let done = world.store.redeem_first_link(&hash, &bob, &password("x"), &audit("redeem", at(2))).await;
    assert_eq!(done.unwrap(), UserWrite::Absent);
    assert_eq!(world.read(&bob).await, None);
}

#[apply(every_store)]
#[tokio::test]
async fn pruning_forgets_links_that_expired_before(#[case] engine: Engine) {
    let world = engine.world().await;
    let hashes = [fresh_hash(), fresh_hash()];
    for (hash, expires_at) in hashes.iter().zip([at(1), at(2)]) {
        let link = OneTimeLink { user_id: None, created_at: at(0), expires_at };
        assert!(world.store.create_link(&link, hash, by(&audit("link", at(0)))).await.unwrap());
    }
    assert_eq!(world.store.prune_links(at(2)).await.unwrap(), 1);
    assert_eq!(world.store.link(&hashes[0]).await.unwrap(), None);
    assert!(world.store.link(&hashes[1]).await.unwrap().is_some());
}
