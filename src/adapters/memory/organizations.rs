//! Organizations, in memory.

use async_trait::async_trait;

use super::{MemoryStore, State, newest_first};
use crate::domain::OrganizationId;
use crate::domain::access::Scope;
use crate::domain::organization::{Organization, OrganizationName};
use crate::domain::page::{Newest, Page};
use crate::ports::{Change, OrganizationDeletion, OrganizationStore, OrganizationWrite, Result, StoreError};

impl State {
    fn is_organization_name_taken(&self, name: &OrganizationName, id: OrganizationId) -> bool {
        self.organizations.values().any(|one| one.id != id && one.name.is(name))
    }

    /// As the foreign keys of a database do.
    pub(super) fn must_have_organization(&self, id: OrganizationId) -> Result<()> {
        if self.organizations.contains_key(&id) { Ok(()) } else { Err(StoreError::OwnerGone) }
    }

    /// What the organization owns.
    fn owned_by(&self, id: OrganizationId) -> Option<&'static str> {
        [
            ("channels", self.channels.values().any(|(one, _)| one.organization_id == id)),
            ("broadcasters", self.broadcasters.values().any(|one| one.organization_id == id)),
            ("clips", self.clips.values().any(|one| one.clip.organization_id == id)),
            ("streamers", self.streamers.values().any(|one| one.organization_id == id)),
            ("studios", self.studios.values().any(|one| one.studio.organization_id == id)),
        ]
        .into_iter()
        .find_map(|(kind, owns)| owns.then_some(kind))
    }
}

#[async_trait]
impl OrganizationStore for MemoryStore {
    async fn create_organization(
        &self,
        organization: &Organization,
        by: Change<'_>,
    ) -> Result<OrganizationWrite<()>> {
        let mut state = self.state();
        if state.is_organization_name_taken(&organization.name, organization.id) {
            return Ok(OrganizationWrite::NameTaken);
        }
        state.organizations.insert(organization.id, organization.clone());
        state.audit.push(by.audit.clone().owned_by(organization.id));
        Ok(OrganizationWrite::Done(()))
    }

    async fn organization(&self, scope: &Scope, id: OrganizationId) -> Result<Option<Organization>> {
        Ok(self.state().organizations.get(&id).filter(|one| scope.includes(one.id)).cloned())
    }

    async fn organizations(&self, scope: &Scope, page: &Page<Newest>) -> Result<Vec<Organization>> {
        let state = self.state();
        Ok(newest_first(state.organizations.values().filter(|one| scope.includes(one.id)), page))
    }

    async fn rename_organization(
        &self,
        id: OrganizationId,
        name: &OrganizationName,
        by: Change<'_>,
    ) -> Result<OrganizationWrite<Organization>> {
        let mut state = self.state();
        let found = state.organizations.get(&id).filter(|one| by.scope.includes(one.id)).cloned();
        let Some(organization) = found else { return Ok(OrganizationWrite::NotFound) };
        if state.is_organization_name_taken(name, id) {
            return Ok(OrganizationWrite::NameTaken);
        }
        let organization = organization.renamed(name.clone(), by.at());
        state.organizations.insert(id, organization.clone());
        state.audit.push(by.audit.clone().owned_by(id));
        Ok(OrganizationWrite::Done(organization))
    }

    async fn delete_organization(&self, id: OrganizationId, by: Change<'_>) -> Result<OrganizationDeletion> {
        let mut state = self.state();
        if !state.organizations.contains_key(&id) || !by.scope.includes(id) {
            return Ok(OrganizationDeletion::NotFound);
        }
        if let Some(kind) = state.owned_by(id) {
            return Ok(OrganizationDeletion::Owns(kind));
        }
        state.tokens.retain(|_, (_, token)| token.organization_id != Some(id));
        state.notifications.retain(|_, one| one.notification.organization_id != Some(id));
        let State { notifications, deliveries, .. } = &mut *state;
        deliveries.retain(|_, one| notifications.contains_key(&one.delivery.notification_id));
        for stored in state.users.values_mut() {
            stored.user.roles.remove(&id);
        }
        state.organizations.remove(&id);
        state.audit.push(by.audit.clone().owned_by(id));
        Ok(OrganizationDeletion::Deleted)
    }
}
