//! `streamward token …`

use std::collections::HashMap;

use clap::Subcommand;
use serde_json::{Value, json};
use uuid::Uuid;

use super::api::{Api, Kind, Query, at, object};
use super::owner::{ORGANIZATION, Owner};
use super::until::Until;
use super::{Failure, Output, list_output};
use crate::adapters::views::{ApiTokenView, NewApiToken, OrganizationView};

const TOKEN: Kind = Kind {
    list: "api_tokens",
    path: "/api-tokens",
    noun: "token",
    field: "name",
    any_case: false,
    advice: "see: streamward token list",
};

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
pub async fn run(api: &Api, command: &TokenCommand, out: &mut Output) -> anyhow::Result<()> {
    match command {
        TokenCommand::Create { name, role, until, owner } => {
            let draft = object([
                ("name", Some(json!(name))),
                ("role", Some(json!(role))),
                ("expires_at", until.expires_at(api.now())),
                ("organization_id", owner.id(api).await?),
            ]);
            let made = api.post::<NewApiToken>(TOKEN.path, Some(&draft)).await?;
            out.thing(&made, || {
                let field = |name: &str| at(&made, &format!("/{name}"));
                let (role, name, id, secret) = (field("role"), field("name"), field("id"), field("token"));
                format!(
                    "Created {role} token {name} ({id}). It is shown this once:\n\n  {secret}\n\n\
                     Use it as: Authorization: Bearer <token>"
                )
            })
        }
        TokenCommand::List => list(api, out).await,
        TokenCommand::Delete { token } => {
            let id = find(api, token).await?;
            api.delete(format!("{}/{id}", TOKEN.path)).await?;
            out.thing(&json!({ "id": id }), || format!("Deleted token {id}."))
        }
    }
}

async fn list(api: &Api, out: &mut Output) -> anyhow::Result<()> {
    let mut names = HashMap::new();
    if !out.is_json() {
        let mut pages =
            api.pages::<OrganizationView>(ORGANIZATION.list, ORGANIZATION.path, &Query::default());
        while let Some(rows) = pages.next().await? {
            names.extend(rows.iter().map(|row| (at(row, "/id"), at(row, "/name"))));
        }
    }
    let complete = |row: &mut Value| {
        let organization = match at(row, "/organization_id") {
            all if all.is_empty() => "all of them".to_owned(),
            id => names.get(&id).cloned().unwrap_or(id),
        };
        row["organization"] = organization.into();
    };
    let pages = api.pages::<ApiTokenView>(TOKEN.list, TOKEN.path, &Query::default());
    let columns = ["id", "name", "role", "organization", "expires_at"];
    list_output::print_pages(out, (TOKEN.list, &columns), pages, complete).await
}

/// The id of a token. The API reads no single one.
async fn find(api: &Api, wanted: &str) -> Result<String, Failure> {
    if Uuid::parse_str(wanted).is_ok() {
        return Ok(wanted.to_owned());
    }
    match api.named::<ApiTokenView>(&TOKEN, wanted).await?.as_slice() {
        [token] => Ok(at(token, "/id")),
        [] => Err(Failure::NotFound(format!("no token is called {wanted:?} (see: streamward token list)"))),
        many => {
            let text = format!("{} tokens are called {wanted:?}: name one by its id", many.len());
            Err(Failure::Conflict(text))
        }
    }
}
