//! The bodies of `/broadcasters`.

use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A broadcaster to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BroadcasterDraft)]
pub(super) struct DraftJson {
    #[schema(value_type = String, required = true, example = "Alice", min_length = 1, max_length = 255)]
    pub(super) display_name: Option<String>,
    /// At most 16 KiB.
    #[schema(value_type = Option<Object>)]
    pub(super) metadata: Option<Value>,
    /// Who owns it. Without it: the first organization, or the only one of the client.
    #[schema(value_type = Option<Uuid>)]
    pub(super) organization_id: Option<String>,
}

/// Changes of a broadcaster. Absent fields stay unchanged.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BroadcasterPatch)]
pub(super) struct PatchJson {
    #[schema(example = "Alice", min_length = 1, max_length = 255)]
    pub(super) display_name: Option<String>,
    /// At most 16 KiB. Replaces the old metadata completely.
    #[schema(value_type = Option<Object>)]
    pub(super) metadata: Option<Value>,
}
