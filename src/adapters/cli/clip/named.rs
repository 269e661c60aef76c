//! The clip that a command names.

use serde_json::Value;

use crate::adapters::cli::api::{Api, Kind};
use crate::adapters::views::ClipView;

pub(super) const CLIP: Kind = Kind {
    list: "clips",
    path: "/clips",
    noun: "clip",
    field: "name",
    any_case: false,
    advice: "see: streamward clip list",
};

/// The clip with this id, or the only one with this name.
pub(super) async fn find(api: &Api, wanted: &str) -> anyhow::Result<Value> {
    api.find::<ClipView>(&CLIP, wanted).await
}
