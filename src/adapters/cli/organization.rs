//! `streamward organization …`

use clap::Subcommand;

use super::owner::find;
use super::{Output, list_output};
use crate::adapters::views::OrganizationView;
use crate::app::list::Pages;
use crate::app::organization::Organizations;
use crate::domain::access::Actor;
use crate::domain::page::Page;

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
pub async fn run(
    organizations: &Organizations,
    command: &OrganizationCommand,
    out: &mut Output,
) -> anyhow::Result<()> {
    match command {
        OrganizationCommand::Create { name } => {
            let made = organizations.create(&Actor::cli("organization create"), name).await?;
            let text = format!("Created organization {} ({}).", made.name, made.id);
            out.thing(&OrganizationView::from(made), || text)
        }
        OrganizationCommand::List => {
            let pages = Pages::new(Actor::cli("organization list"), (), Page::default());
            let columns = ["id", "name", "created_at"];
            let list = ("organizations", &columns[..]);
            list_output::print(out, list, (organizations, pages), OrganizationView::from).await
        }
        OrganizationCommand::Rename { organization, name } => {
            let actor = Actor::cli("organization rename");
            let found = find(organizations, &actor, organization).await?;
            let renamed = organizations.rename(&actor, found.id, name).await?;
            let text = format!("Renamed organization {} to {}.", found.name, renamed.name);
            out.thing(&OrganizationView::from(renamed), || text)
        }
        OrganizationCommand::Delete { organization } => {
            let actor = Actor::cli("organization delete");
            let found = find(organizations, &actor, organization).await?;
            organizations.delete(&actor, found.id).await?;
            let text = format!("Deleted organization {} and its API tokens.", found.name);
            out.thing(&OrganizationView::from(found), || text)
        }
    }
}
