//! Organizations.

use rstest_reuse::apply;
use streamward::adapters::system::SystemIds;
use streamward::domain::access::{ApiToken, Role, Scope};
use streamward::domain::broadcaster::Broadcaster;
use streamward::domain::clip::Clip;
use streamward::domain::organization::{Organization, OrganizationName};
use streamward::domain::page::Page;
use streamward::domain::streamer::Streamer;
use streamward::domain::{ApiTokenId, OrganizationId, Timestamp};
use streamward::ports::{IdGen as _, OrganizationDeletion, OrganizationWrite, StoreError};

use crate::channel_fixture::creation;
use crate::clips::clip;
use crate::every_store;
use crate::fixture::{Engine, World, at, audit, broadcaster, by, fresh_hash};
use crate::streamer_fixture::streamer;
use crate::studio_fixture::studio;

const ALL: &Scope = &Scope::system();

pub(crate) fn organization(name: &str, when: Timestamp) -> Organization {
    let name = OrganizationName::parse(name).unwrap();
    Organization { id: OrganizationId(SystemIds.uuid()), name, created_at: when, updated_at: when }
}

impl World {
    /// A stored organization.
    pub(crate) async fn organization(&self, name: &str) -> OrganizationId {
        let one = organization(name, at(0));
        assert_eq!(self.create_organization(&one).await, OrganizationWrite::Done(()));
        one.id
    }

    async fn create_organization(&self, one: &Organization) -> OrganizationWrite<()> {
        self.store.create_organization(one, by(&audit("create", one.created_at))).await.unwrap()
    }

    async fn delete_organization(&self, id: OrganizationId) -> OrganizationDeletion {
        self.store.delete_organization(id, by(&audit("delete", at(9)))).await.unwrap()
    }
}

#[apply(every_store)]
#[tokio::test]
async fn first_organization_is_there_from_the_start(#[case] engine: Engine) {
    let world = engine.world().await;
    let found = world.store.organization(ALL, OrganizationId::DEFAULT).await.unwrap().unwrap();
    assert_eq!(found, Organization::first());
    assert_eq!(world.store.organizations(ALL, &Page::default()).await.unwrap(), [found]);
}

#[apply(every_store)]
#[tokio::test]
async fn create_stores_the_organization_and_the_audit_entry_unless_the_name_is_taken(#[case] engine: Engine) {
    let world = engine.world().await;
    let (first, second) = (organization("Rescue", at(1)), organization("Temple", at(1)));
    assert_eq!(world.create_organization(&first).await, OrganizationWrite::Done(()));
    assert_eq!(world.create_organization(&second).await, OrganizationWrite::Done(()));
    let same = organization("rESCUE", at(2));
    assert_eq!(world.create_organization(&same).await, OrganizationWrite::NameTaken);
    assert_eq!(world.store.organization(ALL, first.id).await.unwrap(), Some(first.clone()));
    assert_eq!(world.store.organization(ALL, same.id).await.unwrap(), None);
    assert_eq!(world.audited().await, ["create", "create"]);
    let all = world.store.organizations(ALL, &Page::default()).await.unwrap();
    assert_eq!(all[..2], [second, first], "newest first, ties by id");
}

#[apply(every_store)]
#[tokio::test]
async fn of_two_that_create_a_name_at_once_one_does(#[case] engine: Engine) {
    let world = engine.world().await;
    let (one, two) = (organization("Rescue", at(1)), organization("RESCUE", at(1)));
    let (one, two) = tokio::join!(world.create_organization(&one), world.create_organization(&two));
    assert_ne!(one, two);
    assert_eq!(world.audited().await.len(), 1);
}

#[apply(every_store)]
#[tokio::test]
async fn rename_changes_the_name_and_nothing_else_unless_it_is_taken(#[case] engine: Engine) {
    let world = engine.world().await;
    let rescue = organization("Rescue", at(1));
    world.create_organization(&rescue).await;
    let rename = async |id, name: &str| {
        let name = OrganizationName::parse(name).unwrap();
        world.store.rename_organization(id, &name, by(&audit("update", at(5)))).await.unwrap()
    };
    assert_eq!(rename(rescue.id, "default").await, OrganizationWrite::NameTaken);
    assert_eq!(world.store.organization(ALL, rescue.id).await.unwrap(), Some(rescue.clone()));
    let expected = rescue.clone().renamed(OrganizationName::parse("RESCUE").unwrap(), at(5));
    assert_eq!(rename(rescue.id, "RESCUE").await, OrganizationWrite::Done(expected.clone()));
    assert_eq!(world.store.organization(ALL, rescue.id).await.unwrap(), Some(expected));
    assert_eq!(rename(OrganizationId(SystemIds.uuid()), "x").await, OrganizationWrite::NotFound);
    assert_eq!(world.audited().await, ["update", "create"]);
}

#[apply(every_store)]
#[tokio::test]
async fn delete_removes_the_organization_and_its_tokens_and_no_others(#[case] engine: Engine) {
    let world = engine.world().await;
    let (id, other) = (world.organization("Rescue").await, world.organization("Temple").await);
    let mut hashes = vec![];
    for owner in [Some(id), Some(other), None] {
        let (hash, token_id) = (fresh_hash(), ApiTokenId(SystemIds.uuid()));
        let token = ApiToken {
            id: token_id,
            organization_id: owner,
            name: "x".into(),
            role: Role::Admin,
            created_at: at(1),
            expires_at: None,
        };
        world.store.create_api_token(&token, &hash, by(&audit("create", at(1)))).await.unwrap();
        assert_eq!(world.store.api_token_by_hash(&hash).await.unwrap(), Some(token));
        hashes.push(hash);
    }
    assert_eq!(world.delete_organization(id).await, OrganizationDeletion::Deleted);
    assert_eq!(world.store.organization(ALL, id).await.unwrap(), None);
    let mut there = vec![];
    for hash in &hashes {
        there.push(world.store.api_token_by_hash(hash).await.unwrap().is_some());
    }
    assert_eq!(there, [false, true, true]);
    assert_eq!(world.delete_organization(id).await, OrganizationDeletion::NotFound);
    assert_eq!(world.audited().await.iter().filter(|action| *action == "delete").count(), 1);
}

#[apply(every_store)]
#[tokio::test]
async fn organization_that_owns_something_is_not_deleted(#[case] engine: Engine) {
    let world = engine.world().await;
    let id = world.organization("Rescue").await;
    let one = Broadcaster { organization_id: id, ..broadcaster("Alice", at(1)) };
    world.store.create_broadcaster(&one, by(&audit("create", at(1)))).await.unwrap();
    assert_eq!(world.delete_organization(id).await, OrganizationDeletion::Owns("broadcasters"));
    assert!(world.store.organization(ALL, id).await.unwrap().is_some());
    world.store.delete_broadcaster(one.id, by(&audit("delete", at(2)))).await.unwrap();

    let ours = streamward::domain::studio::Studio { organization_id: id, ..studio("main", at(1)) };
    world.store.open_studio(&ours).await.unwrap();
    assert_eq!(world.delete_organization(id).await, OrganizationDeletion::Owns("studios"));
    // It is configured for another organization now.
    let moved = world.store.open_studio(&studio("main", at(3))).await.unwrap();
    assert_eq!(moved.organization_id, OrganizationId::DEFAULT);
    assert_eq!((moved.id, moved.created_at), (ours.id, ours.created_at));
    assert_eq!(world.delete_organization(id).await, OrganizationDeletion::Deleted);
    assert_eq!(
        world.delete_organization(OrganizationId::DEFAULT).await,
        OrganizationDeletion::Owns("studios")
    );
}

/// An organization that is deleted while something is created in it.
#[apply(every_store)]
#[tokio::test]
async fn nothing_is_created_in_an_organization_that_is_gone(#[case] engine: Engine) {
    let world = engine.world().await;
    let id = world.organization("Rescue").await;
    assert_eq!(world.delete_organization(id).await, OrganizationDeletion::Deleted);
    let before = world.audited().await.len();
    let (entry, hash) = (audit("create", at(1)), fresh_hash());
    let by = || by(&entry);
    let one = Broadcaster { organization_id: id, ..broadcaster("Alice", at(1)) };
    let token = ApiToken {
        id: ApiTokenId(SystemIds.uuid()),
        organization_id: Some(id),
        name: "x".into(),
        role: Role::Admin,
        created_at: at(1),
        expires_at: None,
    };
    let mut channel = creation("gone", at(1));
    channel.channel.organization_id = id;
    channel.broadcaster.organization_id = id;
    let streamer = Streamer { organization_id: id, ..streamer("gone", at(1)) };
    let clip = Clip { organization_id: id, ..clip("gone", at(1)) };
    let store = &world.store;
    let refused = [
        ("broadcaster", store.create_broadcaster(&one, by()).await.err()),
        ("token", store.create_api_token(&token, &hash, by()).await.err()),
        ("channel", store.create_channel(&channel, by()).await.err()),
        ("streamer", store.create_streamer(&streamer, by()).await.err()),
        ("clip", store.create_clip(&clip, u64::MAX, by()).await.err()),
    ];
    for (kind, error) in refused {
        assert!(matches!(error, Some(StoreError::OwnerGone)), "{kind}: {error:?}");
    }
    assert_eq!(world.audited().await.len(), before, "nothing was written");
}

#[apply(every_store)]
#[tokio::test]
async fn of_a_creation_and_the_deletion_of_its_organization_at_once_one_fails(#[case] engine: Engine) {
    let world = engine.world().await;
    for n in 0..8 {
        let id = world.organization(&format!("Rescue {n}")).await;
        let one = Broadcaster { organization_id: id, ..broadcaster("Alice", at(1)) };
        let entry = audit("create", at(1));
        let (made, deleted) =
            tokio::join!(world.store.create_broadcaster(&one, by(&entry)), world.delete_organization(id));
        match (made, deleted) {
            (Ok(()), OrganizationDeletion::Owns("broadcasters")) => {}
            (Err(StoreError::OwnerGone), OrganizationDeletion::Deleted) => {}
            other => panic!("{other:?}"),
        }
    }
}
