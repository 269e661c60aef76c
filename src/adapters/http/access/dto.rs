//! The bodies of `/api-tokens`.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::access::ApiTokenDraft;
use crate::domain::access::Role;

/// A token to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ApiTokenDraft)]
pub(super) struct DraftJson {
    /// Its purpose.
    #[schema(value_type = String, required = true, example = "dashboard", min_length = 1, max_length = 100)]
    name: Option<String>,
    #[schema(value_type = Role, required = true)]
    role: Option<String>,
    /// When it expires; must be in the future.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// Where it counts. Without it: in the whole installation, or in the only organization of the client.
    #[schema(value_type = Option<Uuid>)]
    organization_id: Option<String>,
}

impl From<DraftJson> for ApiTokenDraft {
    fn from(DraftJson { name, role, expires_at, organization_id }: DraftJson) -> Self {
        let (name, role) = (name.unwrap_or_default(), role.unwrap_or_default());
        Self { name, role, expires_at, organization_id }
    }
}
