//! Organizations.

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::DateTime;
use super::list::list;
use crate::domain::organization::Organization;

list! {
    /// All organizations.
    OrganizationList { organizations: OrganizationView }
}

/// Who owns channels, clips, broadcasters, stream keys, streamers and studios.
#[derive(Serialize, ToSchema)]
#[schema(as = Organization)]
pub(crate) struct OrganizationView {
    id: Uuid,
    #[schema(example = "Rescue")]
    name: String,
    created_at: DateTime,
    updated_at: DateTime,
}

impl From<Organization> for OrganizationView {
    fn from(Organization { id, name, created_at, updated_at }: Organization) -> Self {
        Self { id: id.0, name: name.into(), created_at, updated_at }
    }
}
