//! The bodies of `/organizations`.

use serde::Deserialize;
use utoipa::ToSchema;

/// An organization to create or to rename.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OrganizationDraft)]
pub(super) struct DraftJson {
    /// No two organizations have the same; upper and lower case do not matter.
    #[schema(value_type = String, required = true, example = "Rescue", min_length = 1, max_length = 100)]
    pub(super) name: Option<String>,
}
