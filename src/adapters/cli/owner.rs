//! The option `--organization` of commands that create something.

use anyhow::{Context as _, bail};
use clap::Args;

use crate::app::AppError;
use crate::app::list::Pages;
use crate::app::organization::Organizations;
use crate::domain::OrganizationId;
use crate::domain::access::Actor;
use crate::domain::organization::{Organization, OrganizationName};
use crate::domain::page::Page;

/// Who owns a new resource.
#[derive(Clone, Debug, Default, Args)]
pub struct Owner {
    /// The organization that owns it: id or name. Without it: the first one; a token is for the whole installation
    #[arg(long, value_name = "ORGANIZATION")]
    organization: Option<String>,
}

impl Owner {
    /// The id of the organization, if one is named.
    pub(super) async fn id(
        &self,
        organizations: &Organizations,
        actor: &Actor,
    ) -> anyhow::Result<Option<String>> {
        let Some(wanted) = &self.organization else { return Ok(None) };
        Ok(Some(find(organizations, actor, wanted).await?.id.to_string()))
    }
}

/// The organization with this id or name.
pub(super) async fn find(
    organizations: &Organizations,
    actor: &Actor,
    wanted: &str,
) -> anyhow::Result<Organization> {
    if let Ok(id) = wanted.parse::<OrganizationId>() {
        return Ok(organizations.get(actor, id).await?);
    }
    let Ok(name) = OrganizationName::parse(wanted) else {
        bail!("{wanted:?} is not the name of an organization")
    };
    let mut pages = Pages::new(actor.clone(), (), Page::default());
    while !pages.is_over() {
        let found = pages.next(organizations).await?.into_iter().find(|one| one.name.is(&name));
        if let Some(found) = found {
            return Ok(found);
        }
    }
    Err(AppError::NotFound("organization")).with_context(|| format!("cannot find {wanted:?}"))
}
