//! `streamward organization …`

use clap::Subcommand;
use serde_json::json;

use super::api::{Api, Query, at};
use super::owner::{ORGANIZATION, find};
use super::{Output, list_output};
use crate::adapters::views::OrganizationView;

/// Commands about organizations. They accept an id or a name.
#[derive(Debug, Subcommand)]
pub enum OrganizationCommand {
    /// Create an organization
    Create {
        /// Its name
        name: String,
    },
    /// List all organizations
    List,
    /// Rename it
    Rename {
        /// Its id or name
        organization: String,
        /// The new name
        name: String,
    },
    /// Delete it and its API tokens, if it owns nothing else
    Delete {
        /// Its id or name
        organization: String,
    },
}

/// Runs the command.
pub async fn run(api: &Api, command: &OrganizationCommand, out: &mut Output) -> anyhow::Result<()> {
    let path = ORGANIZATION.path;
    match command {
        OrganizationCommand::Create { name } => {
            let made = api.post::<OrganizationView>(path, Some(&json!({"name": name}))).await?;
            out.thing(&made, || {
                format!("Created organization {} ({}).", at(&made, "/name"), at(&made, "/id"))
            })
        }
        OrganizationCommand::List => {
            let pages = api.pages::<OrganizationView>(ORGANIZATION.list, path, &Query::default());
            list_output::print_pages(out, (ORGANIZATION.list, &["id", "name", "created_at"]), pages, |_| ())
                .await
        }
        OrganizationCommand::Rename { organization, name } => {
            let found = find(api, organization).await?;
            let one = format!("{path}/{}", at(&found, "/id"));
            let renamed = api.patch::<OrganizationView>(one, &json!({"name": name})).await?;
            out.thing(&renamed, || {
                format!("Renamed organization {} to {}.", at(&found, "/name"), at(&renamed, "/name"))
            })
        }
        OrganizationCommand::Delete { organization } => {
            let found = find(api, organization).await?;
            api.delete(format!("{path}/{}", at(&found, "/id"))).await?;
            out.thing(&found, || format!("Deleted organization {} and its API tokens.", at(&found, "/name")))
        }
    }
}
