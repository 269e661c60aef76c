//! The bodies and the query of playback tokens.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::playback::PlaybackTokenDraft;

/// A token to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PlaybackTokenDraft)]
pub(super) struct DraftJson {
    /// What it opens: paths, and `prefix/*` for all below one.
    #[schema(value_type = Vec<String>, required = true, min_items = 1, max_items = 20, example = json!(["live/alice", "events/*"]))]
    paths: Option<Vec<String>>,
    /// How long it is valid: at most 12 hours.
    #[schema(value_type = u64, required = true, minimum = 1, maximum = 43200, example = 3600)]
    ttl_seconds: Option<u64>,
    /// The address or network that its viewers must have.
    #[schema(example = "192.0.2.0/24")]
    address: Option<String>,
    /// How many sessions it allows at the same time.
    #[schema(minimum = 1, maximum = 100000)]
    max_sessions: Option<u32>,
    /// Whose streams it opens. Without it: everybody's, or those of the only organization of the client.
    #[schema(value_type = Option<Uuid>)]
    organization_id: Option<String>,
}

impl From<DraftJson> for PlaybackTokenDraft {
    fn from(DraftJson { paths, ttl_seconds, address, max_sessions, organization_id }: DraftJson) -> Self {
        Self { paths: paths.unwrap_or_default(), ttl_seconds, address, max_sessions, organization_id }
    }
}

/// Which tokens to revoke.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RevokeQuery {
    /// Those that open this path, or any path below it (`prefix/*`).
    #[param(value_type = String, required = true, example = "live/alice")]
    path: Option<String>,
}

impl RevokeQuery {
    /// The path.
    pub(super) fn path(self) -> String {
        self.path.unwrap_or_default()
    }
}

/// How to replace the signing key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PlaybackKeyRotation)]
pub(super) struct RotationJson {
    /// Whether the new key signs at once and all tokens that were made so far are refused. For a key that others may know.
    #[serde(default)]
    pub(super) at_once: bool,
}
