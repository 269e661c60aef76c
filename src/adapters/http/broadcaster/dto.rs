//! The bodies of `/broadcasters`.

use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::app::broadcaster::BroadcasterDraft;

/// A broadcaster to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BroadcasterDraft)]
pub(super) struct DraftJson {
    #[schema(value_type = String, required = true, example = "Alice", min_length = 1, max_length = 255)]
    display_name: Option<String>,
    /// At most 16 KiB.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Value>,
}

/// Changes of a broadcaster. Absent fields stay unchanged.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BroadcasterPatch)]
pub(super) struct PatchJson {
    #[schema(example = "Alice", min_length = 1, max_length = 255)]
    display_name: Option<String>,
    /// At most 16 KiB. Replaces the old metadata completely.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Value>,
}

macro_rules! into_draft {
    ($($from:ident),+) => {$(
        impl From<$from> for BroadcasterDraft {
            fn from($from { display_name, metadata }: $from) -> Self {
                Self { display_name, metadata }
            }
        }
    )+};
}

into_draft!(DraftJson, PatchJson);
