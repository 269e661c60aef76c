//! `/organizations`: who owns what is not the installation's.

mod dto;

use std::sync::Arc;

use super::handler::{
    Admin, Answer, Call, Created, Done, Id, NoContent, Routes, StrictJson, created, ok, routes,
};
use super::list::{ListAnswer, ListCall, PageQuery};
use crate::adapters::views::{OrganizationList, OrganizationView};
use crate::app::organization::Organizations;
use crate::domain::OrganizationId;
use dto::DraftJson;

/// The routes.
pub fn routes() -> Routes<Arc<Organizations>> {
    Routes::new("organizations")
        .about("Who owns channels, clips, broadcasters, stream keys, streamers and studios. One is there from the start.")
        .management(Admin, "organization", routes!(list_organizations))
        .management(Admin, "organization", routes!(create_organization))
        .management(Admin, "organization", routes!(read_organization))
        .management(Admin, "organization", routes!(update_organization, delete_organization))
}

/// List organizations
///
/// Newest first. The whole list, or a page with `limit` or `cursor`. This and all else about organizations is for
/// administrators of the installation.
#[utoipa::path(
    get, path = "/organizations", params(PageQuery), responses((status = 200, body = OrganizationList))
)]
async fn list_organizations(call: ListCall<Organizations, PageQuery>) -> ListAnswer {
    call.answer(|_, organization| OrganizationView::from(organization)).await
}

/// Create an organization
#[utoipa::path(
    post, path = "/organizations", request_body = DraftJson,
    responses(
        (status = 201, body = OrganizationView),
        (status = 409, description = "`organization-taken`: Another organization has the name"),
    ),
)]
async fn create_organization(
    Call(organizations, actor): Call<Organizations>,
    StrictJson(DraftJson { name }): StrictJson<DraftJson>,
) -> Created<OrganizationView> {
    let made = organizations.create(&actor, &name.unwrap_or_default()).await?;
    created(Some(format!("/organizations/{}", made.id)), made)
}

/// Read an organization
#[utoipa::path(get, path = "/organizations/{id}", responses((status = 200, body = OrganizationView)))]
async fn read_organization(
    Call(organizations, actor): Call<Organizations>,
    Id(id): Id<OrganizationId>,
) -> Answer<OrganizationView> {
    ok(organizations.get(&actor, id).await?)
}

/// Rename an organization
#[utoipa::path(
    patch, path = "/organizations/{id}", request_body = DraftJson,
    responses(
        (status = 200, body = OrganizationView),
        (status = 409, description = "`organization-taken`: Another organization has the name"),
    ),
)]
async fn update_organization(
    Call(organizations, actor): Call<Organizations>,
    Id(id): Id<OrganizationId>,
    StrictJson(DraftJson { name }): StrictJson<DraftJson>,
) -> Answer<OrganizationView> {
    ok(organizations.rename(&actor, id, &name.unwrap_or_default()).await?)
}

/// Delete an organization
///
/// Its API tokens are invalid from then on. Streams that ended and the audit log stay as history.
#[utoipa::path(
    delete, path = "/organizations/{id}",
    responses(
        (status = 204, description = "It is deleted"),
        (status = 409, description = "`organization-in-use`: It owns something, or is the first one"),
    ),
)]
async fn delete_organization(
    Call(organizations, actor): Call<Organizations>,
    Id(id): Id<OrganizationId>,
) -> Done {
    organizations.delete(&actor, id).await?;
    Ok(NoContent)
}
