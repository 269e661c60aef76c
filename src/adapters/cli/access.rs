//! `streamward token …`

use anyhow::bail;
use clap::Subcommand;
use serde_json::json;

use super::owner::Owner;
use super::until::Until;
use super::{Output, list_output};
use crate::adapters::views::{ApiTokenView, NewApiToken};
use crate::app::access::{Access, ApiTokenDraft};
use crate::app::list::Pages;
use crate::app::organization::Organizations;
use crate::domain::ApiTokenId;
use crate::domain::access::{Actor, ApiToken};
use crate::domain::page::Page;

/// Commands about API tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Create a token; it is shown only once
    Create {
        /// A name that shows its purpose
        name: String,
        /// Its permissions
        #[arg(long, value_parser = ["viewer", "operator", "admin"])]
        role: String,
        /// How long it is valid
        #[command(flatten)]
        until: Until,
        /// Where it counts
        #[command(flatten)]
        owner: Owner,
    },
    /// List all tokens, without their secrets
    List,
    /// Delete a token; it is refused from then on
    Delete {
        /// Its id, or its name if no other token has it
        token: String,
    },
}

/// Runs the command.
pub async fn run(
    (access, organizations): (&Access, &Organizations),
    command: &TokenCommand,
    out: &mut Output,
) -> anyhow::Result<()> {
    match command {
        TokenCommand::Create { name, role, until, owner } => {
            let actor = Actor::cli("token create");
            let draft = ApiTokenDraft {
                name: name.clone(),
                role: role.clone(),
                expires_at: until.expires_at(access.now()),
                organization_id: owner.id(organizations, &actor).await?,
            };
            let made = access.create_token(&actor, &draft).await?;
            let (ApiToken { id, name, role, .. }, secret) = (&made.0, made.1.expose());
            let text = format!(
                "Created {role} token {name} ({id}). It is shown this once:\n\n  {secret}\n\n\
                 Use it as: Authorization: Bearer <token>"
            );
            out.thing(&NewApiToken::from(made), || text)
        }
        TokenCommand::List => {
            let pages = Pages::new(Actor::cli("token list"), (), Page::default());
            let columns = ["id", "name", "role", "organization_id", "created_at", "expires_at"];
            list_output::print(out, ("api_tokens", &columns), (access, pages), ApiTokenView::from).await
        }
        TokenCommand::Delete { token } => {
            let actor = Actor::cli("token delete");
            let id = find(access, &actor, token).await?;
            access.delete_token(&actor, id).await?;
            out.thing(&json!({ "id": id }), || format!("Deleted token {id}."))
        }
    }
}

async fn find(access: &Access, actor: &Actor, wanted: &str) -> anyhow::Result<ApiTokenId> {
    if let Ok(id) = wanted.parse::<ApiTokenId>() {
        return Ok(id);
    }
    let mut named = Vec::new();
    let mut pages = Pages::new(actor.clone(), (), Page::default());
    while !pages.is_over() {
        named.extend(pages.next(access).await?.into_iter().filter(|token| token.name == wanted));
    }
    match named.as_slice() {
        [token] => Ok(token.id),
        [] => bail!("no token is called {wanted:?}"),
        many => bail!("{} tokens are called {wanted:?}: name one by its id", many.len()),
    }
}
