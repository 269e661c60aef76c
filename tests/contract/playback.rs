//! Playback tokens, the keys that sign them, and what stream keys say about who may watch.

use std::slice;
use std::time::Duration;

use rstest_reuse::apply;
use streamward::adapters::system::SystemIds;
use streamward::domain::access::{Action, Actor, Permissions, Resource, Role, Scope};
use streamward::domain::network::CidrBlock;
use streamward::domain::page::Page;
use streamward::domain::path_pattern::PathPattern;
use streamward::domain::playback::{
    PathRule, PlaybackAccess, PlaybackToken, PlaybackTokenId, RevokedToken, SealedKey,
};
use streamward::domain::stream_key::StreamKey;
use streamward::domain::{OrganizationId, StreamKeyId, Timestamp};
use streamward::ports::{Change, IdGen as _, KeyUpdate, PlaybackChanges};

use crate::every_store;
use crate::fixture::{Engine, World, at, audit, by};

const ALL: &Scope = &Scope::system();

fn token(paths: &[&str], when: Timestamp) -> PlaybackToken {
    PlaybackToken {
        id: PlaybackTokenId(SystemIds.uuid()),
        organization_id: None,
        paths: paths.iter().map(|path| PathPattern::parse(path).unwrap()).collect(),
        address: CidrBlock::parse("192.0.2.0/24").ok(),
        max_sessions: Some(3),
        created_at: when,
        expires_at: when.plus(Duration::from_secs(100)),
        revoked_at: None,
    }
}

fn key(number: i64) -> SealedKey {
    SealedKey { number, sealed: format!("sealed {number}"), created_at: at(1), signs_from: at(2) }
}

fn revoked(token: &PlaybackToken) -> RevokedToken {
    RevokedToken { id: token.id, expires_at: token.expires_at }
}

impl World {
    async fn playback_token(&self, paths: &[&str], when: Timestamp) -> PlaybackToken {
        let token = token(paths, when);
        self.store.create_playback_token(&token, by(&audit("create", when))).await.unwrap();
        token
    }
}

#[apply(every_store)]
#[tokio::test]
async fn tokens_are_listed_as_they_were_made_newest_first(#[case] engine: Engine) {
    let world = engine.world().await;
    let one = world.playback_token(&["live/alice", "events/*"], at(1)).await;
    let plain = PlaybackToken { address: None, max_sessions: None, ..token(&["a"], at(2)) };
    world.store.create_playback_token(&plain, by(&audit("create", at(2)))).await.unwrap();
    assert_eq!(world.store.playback_tokens(ALL, &Page::default()).await.unwrap(), [plain, one]);
    assert_eq!(world.audited().await, ["create", "create"]);
}

#[apply(every_store)]
#[tokio::test]
async fn revoked_token_is_a_change_once_until_it_expires(#[case] engine: Engine) {
    let world = engine.world().await;
    let one = world.playback_token(&["a"], at(1)).await;
    let before = world.store.playback_changes(0, at(1)).await.unwrap();
    assert_eq!(before, PlaybackChanges::default());
    let done = world.store.revoke_playback_token(one.id, by(&audit("delete", at(2)))).await.unwrap();
    assert_eq!(done, Some(PlaybackToken { revoked_at: Some(at(2)), ..one.clone() }));
    let again = world.store.revoke_playback_token(one.id, by(&audit("again", at(3)))).await.unwrap();
    assert_eq!(again, done, "the first time counts");
    let none = PlaybackTokenId(SystemIds.uuid());
    assert_eq!(world.store.revoke_playback_token(none, by(&audit("none", at(3)))).await.unwrap(), None);
    let changes = world.store.playback_changes(0, at(3)).await.unwrap();
    assert_eq!(changes, PlaybackChanges { last: 1, revoked: vec![revoked(&one)] });
    assert_eq!(world.store.playback_changes(1, at(3)).await.unwrap().revoked, []);
    assert_eq!(world.store.playback_changes(0, one.expires_at).await.unwrap().revoked, []);
    assert_eq!(world.audited().await, ["delete", "create"]);
}

#[apply(every_store)]
#[tokio::test]
async fn all_active_tokens_that_open_a_path_are_revoked_together(#[case] engine: Engine) {
    let world = engine.world().await;
    let of = |paths: &'static [&'static str]| world.playback_token(paths, at(50));
    let (exact, below, both) = (of(&["live/a"]).await, of(&["live/*"]).await, of(&["x", "live/a"]).await);
    let other = of(&["live/b", "a"]).await;
    world.playback_token(&["live/a"], at(-100)).await;
    let path = PathPattern::parse("live/a").unwrap();
    let mut done = world.store.revoke_playback_tokens_for(&path, by(&audit("delete", at(60)))).await.unwrap();
    let mut expected = [&exact, &below, &both].map(revoked);
    done.sort_by_key(|token| token.id);
    expected.sort_by_key(|token| token.id);
    assert_eq!(done, expected, "the expired one is left alone");
    assert_eq!(world.store.playback_changes(0, at(60)).await.unwrap().last, 1);
    let again = world.store.revoke_playback_tokens_for(&path, by(&audit("again", at(61)))).await.unwrap();
    assert_eq!(again, []);
    let below = PathPattern::parse("live/*").unwrap();
    let rest = world.store.revoke_playback_tokens_for(&below, by(&audit("rest", at(62)))).await.unwrap();
    assert_eq!(rest, [revoked(&other)]);
    assert_eq!(world.audited().await.iter().filter(|action| *action != "create").count(), 2);
}

#[apply(every_store)]
#[tokio::test]
async fn signing_keys_have_numbers_that_are_used_once(#[case] engine: Engine) {
    let world = engine.world().await;
    assert!(world.store.add_playback_key(&key(1), false, None).await.unwrap());
    let second = key(2);
    let calls = (0..10).map(|_| world.store.add_playback_key(&second, false, None));
    let answers = futures_util::future::join_all(calls).await;
    assert_eq!(answers.iter().filter(|answer| *answer.as_ref().unwrap()).count(), 1);
    assert!(!world.store.add_playback_key(&key(1), false, None).await.unwrap(), "a later one is there");
    assert_eq!(world.store.playback_keys().await.unwrap(), [key(1), key(2)]);
    let changes = world.store.playback_changes(0, at(1)).await.unwrap().last;
    assert_eq!(world.store.remove_playback_keys(2).await.unwrap(), 1);
    assert_eq!(world.store.remove_playback_keys(2).await.unwrap(), 0);
    assert_eq!(world.store.playback_changes(0, at(1)).await.unwrap().last, changes + 1);
    let one = token(&["a"], at(1));
    world.store.create_playback_token(&one, by(&audit("create", at(1)))).await.unwrap();
    let entry = audit("rotate", at(3));
    assert!(world.store.add_playback_key(&key(3), true, Some(&entry)).await.unwrap());
    assert_eq!(world.store.playback_keys().await.unwrap(), [key(3)]);
    assert_eq!(world.audited().await, ["rotate", "create"]);
    let changed = world.store.playback_changes(changes + 1, at(3)).await.unwrap();
    assert_eq!(changed, PlaybackChanges { last: changes + 2, revoked: vec![revoked(&one)] });
}

#[apply(every_store)]
#[tokio::test]
async fn pruning_removes_tokens_that_expired_before(#[case] engine: Engine) {
    let world = engine.world().await;
    let (old, young) = (world.playback_token(&["a"], at(1)).await, world.playback_token(&["a"], at(2)).await);
    assert_eq!(world.store.prune_playback_tokens(young.expires_at).await.unwrap(), 1);
    assert_eq!(world.store.playback_tokens(ALL, &Page::default()).await.unwrap(), [young]);
    assert_ne!(old.expires_at, at(2));
}

#[apply(every_store)]
#[tokio::test]
async fn what_keys_say_about_their_paths_is_kept_after_they_are_revoked(#[case] engine: Engine) {
    let world = engine.world().await;
    let token = |key| StreamKey { playback_access: Some(PlaybackAccess::Token), ..key };
    let (one, _) = world.key_with("live/one", token).await;
    let (two, _) = world.key("live/two").await;
    world.store.revoke_stream_key(one.id, by(&audit("delete", at(1)))).await.unwrap();
    let rule = |key: &StreamKey| PathRule {
        id: key.id,
        path: key.path.clone(),
        organization_id: key.organization_id,
        access: key.playback_access,
    };
    let mut keys = [&one, &two];
    keys.sort_by_key(|key| key.id);
    assert_eq!(world.store.path_rules(None, 10).await.unwrap(), keys.map(rule));
    assert_eq!(world.store.path_rules(None, 1).await.unwrap(), [rule(keys[0])]);
    assert_eq!(world.store.path_rules(Some(keys[0].id), 10).await.unwrap(), [rule(keys[1])]);
    let some = [StreamKeyId(SystemIds.uuid()), keys[1].id];
    assert_eq!(world.store.path_rules_of(&some).await.unwrap(), [rule(keys[1])]);
}

#[apply(every_store)]
#[tokio::test]
async fn usable_key_can_say_who_may_watch(#[case] engine: Engine) {
    let world = engine.world().await;
    let (key, _) = world.key("live/alice").await;
    let set = async |access, when: i64| {
        world.store.set_playback_access(key.id, access, by(&audit("update", at(when)))).await.unwrap()
    };
    let expected = StreamKey { playback_access: Some(PlaybackAccess::Token), ..key.clone() };
    assert_eq!(set(expected.playback_access, 1).await, KeyUpdate::Updated(Box::new(expected.clone())));
    assert_eq!(world.stored(&key).await, expected);
    assert_eq!(set(None, 2).await, KeyUpdate::Updated(Box::new(key.clone())));
    world.store.revoke_stream_key(key.id, by(&audit("delete", at(3)))).await.unwrap();
    assert!(matches!(set(None, 4).await, KeyUpdate::NotUsable(_)));
    let none = StreamKeyId(SystemIds.uuid());
    let answer = world.store.set_playback_access(none, None, by(&audit("none", at(5)))).await.unwrap();
    assert_eq!(answer, KeyUpdate::NotFound);
    assert_eq!(world.audited().await.iter().filter(|action| *action == "update").count(), 2);
}

#[apply(every_store)]
#[tokio::test]
async fn tokens_of_others_do_not_exist(#[case] engine: Engine) {
    let world = engine.world().await;
    let (theirs, third) = (world.organization("Theirs").await, world.organization("Third").await);
    let token_of = |organization_id| PlaybackToken { organization_id, ..token(&["live/a"], at(50)) };
    let (owned, everybodys) = (token_of(Some(theirs)), token_of(None));
    for one in [&owned, &everybodys] {
        world.store.create_playback_token(one, by(&audit("create", at(50)))).await.unwrap();
    }
    let scope = |of: OrganizationId| {
        let permissions = Permissions::in_organizations([(of, Role::Admin)]);
        let actor = Actor { permissions, ..Actor::cli("test") };
        actor.authorize(Action::Read, &Resource::READ_BY_ALL).unwrap()
    };
    let path = PathPattern::parse("live/*").unwrap();
    for blind in [scope(third), scope(OrganizationId::DEFAULT)] {
        let entry = audit("refused", at(51));
        let change = Change::new(&blind, &entry);
        assert_eq!(world.store.playback_tokens(&blind, &Page::default()).await.unwrap(), []);
        assert_eq!(world.store.revoke_playback_token(owned.id, change).await.unwrap(), None);
        assert_eq!(world.store.revoke_playback_tokens_for(&path, change).await.unwrap(), []);
    }
    assert_eq!(world.audited().await, ["create"; 4], "two organizations and two tokens");
    let (seeing, entry) = (scope(theirs), audit("delete", at(51)));
    let change = Change::new(&seeing, &entry);
    assert_eq!(
        world.store.playback_tokens(&seeing, &Page::default()).await.unwrap(),
        slice::from_ref(&owned)
    );
    assert_eq!(world.store.revoke_playback_token(everybodys.id, change).await.unwrap(), None);
    assert_eq!(world.store.revoke_playback_tokens_for(&path, change).await.unwrap(), [revoked(&owned)]);
}
