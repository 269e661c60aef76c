//! The option `--organization` of commands that create something.

use clap::Args;
use serde_json::Value;

use super::api::{Api, Kind, at};
use crate::adapters::views::OrganizationView;

pub(super) const ORGANIZATION: Kind = Kind {
    list: "organizations",
    path: "/organizations",
    noun: "organization",
    field: "name",
    any_case: true,
    advice: "create it with: streamward organization create {}",
};

/// Who owns a new resource.
#[derive(Clone, Debug, Default, Args)]
pub struct Owner {
    /// The organization that owns it: id or name. Without it: the first one; a token is for the whole installation
    #[arg(long, value_name = "ORGANIZATION")]
    organization: Option<String>,
}

impl Owner {
    /// The id of the organization, if one is named.
    pub(super) async fn id(&self, api: &Api) -> anyhow::Result<Option<Value>> {
        let Some(wanted) = &self.organization else { return Ok(None) };
        Ok(Some(at(&find(api, wanted).await?, "/id").into()))
    }
}

/// The organization with this id or name.
pub(super) async fn find(api: &Api, wanted: &str) -> anyhow::Result<Value> {
    api.find::<OrganizationView>(&ORGANIZATION, wanted).await
}
