//! `streamward broadcaster …`

use clap::Subcommand;
use serde_json::{Value, json};

use super::api::{Api, Kind, Query, at, object, shell_word};
use super::failure::usage;
use super::owner::Owner;
use super::{Output, list_output};
use crate::adapters::views::BroadcasterView;

pub(super) const BROADCASTER: Kind = Kind {
    list: "broadcasters",
    path: "/broadcasters",
    noun: "broadcaster",
    field: "display_name",
    any_case: false,
    advice: "create it with: streamward broadcaster create {}",
};

/// Commands about broadcasters. They accept an id or an exact name.
#[derive(Debug, Subcommand)]
pub enum BroadcasterCommand {
    /// Create a broadcaster
    Create {
        /// Its name
        name: String,
        /// A JSON object to store with it
        #[arg(long, value_name = "JSON")]
        metadata: Option<String>,
        /// Who owns it
        #[command(flatten)]
        owner: Owner,
    },
    /// List all broadcasters
    List,
    /// Show one
    Show {
        /// Its id or name
        broadcaster: String,
    },
    /// Change its name or metadata
    Update {
        /// Its id or name
        broadcaster: String,
        /// The new name
        #[arg(long)]
        name: Option<String>,
        /// A JSON object that replaces the old one
        #[arg(long, value_name = "JSON")]
        metadata: Option<String>,
    },
    /// Delete it and its keys, and end its sessions; its streams stay as history
    Delete {
        /// Its id or name
        broadcaster: String,
    },
}

/// Runs the command.
pub async fn run(api: &Api, command: &BroadcasterCommand, out: &mut Output) -> anyhow::Result<()> {
    let path = BROADCASTER.path;
    match command {
        BroadcasterCommand::Create { name, metadata, owner } => {
            let draft = object([
                ("display_name", Some(json!(name))),
                ("metadata", parse(metadata.as_deref())?),
                ("organization_id", owner.id(api).await?),
            ]);
            let made = api.post::<BroadcasterView>(path, Some(&draft)).await?;
            let text = if out.is_json() { String::new() } else { created(api, &made).await? };
            out.thing(&made, || text)
        }
        BroadcasterCommand::List => {
            let pages = api.pages::<BroadcasterView>(BROADCASTER.list, path, &Query::default());
            let columns = ["id", "display_name", "created_at"];
            list_output::print_pages(out, (BROADCASTER.list, &columns), pages, |_| ()).await
        }
        BroadcasterCommand::Show { broadcaster } => {
            let found = find(api, broadcaster).await?;
            out.thing(&found, || describe(&found))
        }
        BroadcasterCommand::Update { broadcaster, name, metadata } => {
            if name.is_none() && metadata.is_none() {
                usage!("nothing to change: give --name or --metadata");
            }
            let name = name.as_ref().map(|name| json!(name));
            let draft = object([("display_name", name), ("metadata", parse(metadata.as_deref())?)]);
            let found = find(api, broadcaster).await?;
            let one = format!("{path}/{}", at(&found, "/id"));
            let updated = api.patch::<BroadcasterView>(one, &draft).await?;
            out.thing(&updated, || describe(&updated))
        }
        BroadcasterCommand::Delete { broadcaster } => {
            let found = find(api, broadcaster).await?;
            api.delete(format!("{path}/{}", at(&found, "/id"))).await?;
            let name = at(&found, "/display_name");
            out.thing(&found, || format!("Deleted broadcaster {name} and its stream keys."))
        }
    }
}

/// The broadcaster with this id, or the only one with this name.
pub(super) async fn find(api: &Api, wanted: &str) -> anyhow::Result<Value> {
    api.find::<BroadcasterView>(&BROADCASTER, wanted).await
}

/// The text about a new broadcaster. The next command names it so that it is found.
async fn created(api: &Api, made: &Value) -> anyhow::Result<String> {
    let (id, name) = (at(made, "/id"), at(made, "/display_name"));
    let others = api.named::<BroadcasterView>(&BROADCASTER, &name).await?.len().saturating_sub(1);
    let (note, word) = match others {
        0 => (String::new(), shell_word(&name)),
        1 => (format!("Another broadcaster is called {name} too: name each by its id.\n"), id.clone()),
        many => (format!("{many} others are called {name} too: name each by its id.\n"), id.clone()),
    };
    Ok(format!("Created broadcaster {name} ({id}).\n{note}Next: streamward key create --broadcaster {word}"))
}

fn parse(metadata: Option<&str>) -> anyhow::Result<Option<Value>> {
    match metadata.map(serde_json::from_str).transpose() {
        Ok(parsed) => Ok(parsed),
        Err(error) => usage!("--metadata is not JSON: {error}"),
    }
}

fn describe(found: &Value) -> String {
    let field = |name: &str| at(found, &format!("/{name}"));
    format!(
        "{}\n  id        {}\n  created   {}\n  updated   {}\n  metadata  {}",
        field("display_name"),
        field("id"),
        field("created_at"),
        field("updated_at"),
        field("metadata")
    )
}
