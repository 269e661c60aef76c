//! The store of organizations.

use async_trait::async_trait;

use super::{Change, Result};
use crate::domain::OrganizationId;
use crate::domain::access::Scope;
use crate::domain::organization::{Organization, OrganizationName};
use crate::domain::page::{Newest, Page};

/// The result of creating or renaming an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrganizationWrite<T> {
    /// It is stored.
    Done(T),
    /// There is no such organization; nothing was written.
    NotFound,
    /// Another one has the name; nothing was written.
    NameTaken,
}

/// The result of deleting an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrganizationDeletion {
    /// It is gone, and so are its API tokens.
    Deleted,
    /// There is no such organization; nothing was written.
    NotFound,
    /// It owns resources of this kind (the name of their table); nothing was written.
    Owns(&'static str),
}

/// Organizations. [`OrganizationId::DEFAULT`] is there from the start.
#[async_trait]
pub trait OrganizationStore: Send + Sync {
    /// MUST store the organization and the audit entry, or neither of them if another one has the name, in any case of
    /// ASCII letters, also of concurrent calls.
    async fn create_organization(
        &self,
        organization: &Organization,
        by: Change<'_>,
    ) -> Result<OrganizationWrite<()>>;

    /// MUST return the organization as it was last stored, or `None`.
    async fn organization(&self, scope: &Scope, id: OrganizationId) -> Result<Option<Organization>>;

    /// MUST return the page of all organizations, newest first, ties by id.
    async fn organizations(&self, scope: &Scope, page: &Page<Newest>) -> Result<Vec<Organization>>;

    /// MUST change the name and nothing else, with the audit entry; nothing at all if the name is taken.
    async fn rename_organization(
        &self,
        id: OrganizationId,
        name: &OrganizationName,
        by: Change<'_>,
    ) -> Result<OrganizationWrite<Organization>>;

    /// MUST remove the organization and its API tokens, with the audit entry, unless it owns a broadcaster, channel, clip,
    /// streamer or studio, also if that is created at the same moment. MUST keep streams that ended, events and the audit
    /// log as history.
    async fn delete_organization(&self, id: OrganizationId, by: Change<'_>) -> Result<OrganizationDeletion>;
}
