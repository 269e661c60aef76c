//! Use-cases of organizations.

use std::sync::Arc;

use async_trait::async_trait;

use super::error::Conflict;
use super::list::List;
use super::{AppError, Core, Result};
use crate::domain::OrganizationId;
use crate::domain::access::{Action, Actor, Resource, Role};
use crate::domain::organization::{Organization, OrganizationName};
use crate::domain::page::{Newest, Page};
use crate::ports::{Change, OrganizationDeletion, OrganizationWrite};

const RESOURCE: Resource = Resource::read_by(Role::Admin).of_installation();

const KIND: &str = "organization";

/// Who owns what is not the installation's.
pub struct Organizations {
    core: Arc<Core>,
}

impl Organizations {
    /// Over the stores of `core`.
    pub fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// Creates an organization.
    pub async fn create(&self, actor: &Actor, name: &str) -> Result<Organization> {
        let id = OrganizationId(self.core.id());
        let entry = self.core.entry(actor, "create", KIND).on(&id);
        self.core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Manage, &RESOURCE)?;
                let name = OrganizationName::parse(name)?;
                let now = self.core.now();
                let organization = Organization { id, name, created_at: now, updated_at: now };
                let by = Change::new(&scope, &entry);
                written(self.core.store.create_organization(&organization, by).await?, &organization.name)?;
                Ok(organization)
            })
            .await
    }

    /// One organization.
    pub async fn get(&self, actor: &Actor, id: OrganizationId) -> Result<Organization> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        self.core.store.organization(&scope, id).await?.ok_or(AppError::NotFound(KIND))
    }

    /// Renames an organization.
    pub async fn rename(&self, actor: &Actor, id: OrganizationId, name: &str) -> Result<Organization> {
        let entry = self.core.entry(actor, "update", KIND).on(&id);
        self.core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Manage, &RESOURCE)?;
                let name = OrganizationName::parse(name)?;
                let by = Change::new(&scope, &entry);
                written(self.core.store.rename_organization(id, &name, by).await?, &name)
            })
            .await
    }

    /// Deletes an organization that owns nothing any more, and its API tokens. The first one stays.
    pub async fn delete(&self, actor: &Actor, id: OrganizationId) -> Result<()> {
        let entry = self.core.entry(actor, "delete", KIND).on(&id);
        self.core
            .audited(&entry, async {
                let scope = actor.authorize(Action::Manage, &RESOURCE)?;
                if id == OrganizationId::DEFAULT {
                    return Err(Conflict::FirstOrganization.into());
                }
                match self.core.store.delete_organization(id, Change::new(&scope, &entry)).await? {
                    OrganizationDeletion::Deleted => Ok(()),
                    OrganizationDeletion::NotFound => Err(AppError::NotFound(KIND)),
                    OrganizationDeletion::Owns(kind) => Err(Conflict::OrganizationInUse(kind).into()),
                }
            })
            .await
    }
}

fn written<T>(done: OrganizationWrite<T>, name: &OrganizationName) -> Result<T> {
    match done {
        OrganizationWrite::Done(done) => Ok(done),
        OrganizationWrite::NotFound => Err(AppError::NotFound(KIND)),
        OrganizationWrite::NameTaken => Err(Conflict::OrganizationTaken(name.to_string()).into()),
    }
}

#[async_trait]
impl List for Organizations {
    type Filter = ();
    type Row = Organization;

    /// Newest first.
    async fn list(&self, actor: &Actor, (): &(), page: &Page<Newest>) -> Result<Vec<Organization>> {
        let scope = actor.authorize(Action::Read, &RESOURCE)?;
        Ok(self.core.lists.turn().await.organizations(&scope, page).await?)
    }
}
