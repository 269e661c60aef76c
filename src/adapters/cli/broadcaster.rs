//! `streamward broadcaster …`

use anyhow::{Context as _, bail};
use clap::Subcommand;

use super::owner::Owner;
use super::{Output, list_output};
use crate::adapters::views::BroadcasterView;
use crate::app::AppError;
use crate::app::broadcaster::{BroadcasterDraft, Broadcasters};
use crate::app::list::Pages;
use crate::app::organization::Organizations;
use crate::domain::BroadcasterId;
use crate::domain::access::Actor;
use crate::domain::broadcaster::Broadcaster;
use crate::domain::page::Page;

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
pub async fn run(
    (broadcasters, organizations): (&Broadcasters, &Organizations),
    command: &BroadcasterCommand,
    out: &mut Output,
) -> anyhow::Result<()> {
    match command {
        BroadcasterCommand::Create { name, metadata, owner } => {
            let actor = Actor::cli("broadcaster create");
            let organization_id = owner.id(organizations, &actor).await?;
            let draft = BroadcasterDraft { organization_id, ..draft(Some(name), metadata.as_deref())? };
            let made = broadcasters.create(&actor, draft).await?;
            let (name, quoted) = (&made.display_name, shell_word(made.display_name.as_str()));
            let next = format!("Next: streamward key create --broadcaster {quoted}");
            let text = format!("Created broadcaster {name} ({}).\n{next}", made.id);
            out.thing(&BroadcasterView::from(made), || text)
        }
        BroadcasterCommand::List => {
            let pages = Pages::new(Actor::cli("broadcaster list"), (), Page::default());
            let columns = ["id", "display_name", "created_at"];
            list_output::print(out, ("broadcasters", &columns), (broadcasters, pages), BroadcasterView::from)
                .await
        }
        BroadcasterCommand::Show { broadcaster } => {
            let found = find(broadcasters, &Actor::cli("broadcaster show"), broadcaster).await?;
            let text = describe(&found);
            out.thing(&BroadcasterView::from(found), || text)
        }
        BroadcasterCommand::Update { broadcaster, name, metadata } => {
            if name.is_none() && metadata.is_none() {
                bail!("nothing to change: give --name or --metadata");
            }
            let actor = Actor::cli("broadcaster update");
            let found = find(broadcasters, &actor, broadcaster).await?;
            let draft = draft(name.as_deref(), metadata.as_deref())?;
            let updated = broadcasters.update(&actor, found.id, draft).await?;
            let text = describe(&updated);
            out.thing(&BroadcasterView::from(updated), || text)
        }
        BroadcasterCommand::Delete { broadcaster } => {
            let actor = Actor::cli("broadcaster delete");
            let found = find(broadcasters, &actor, broadcaster).await?;
            broadcasters.delete(&actor, found.id).await?;
            let text = format!("Deleted broadcaster {} and its stream keys.", found.display_name);
            out.thing(&BroadcasterView::from(found), || text)
        }
    }
}

/// The broadcaster with this id, or the only one with this name.
pub(super) async fn find(
    broadcasters: &Broadcasters,
    actor: &Actor,
    wanted: &str,
) -> anyhow::Result<Broadcaster> {
    if let Ok(id) = wanted.parse::<BroadcasterId>() {
        return Ok(broadcasters.get(actor, id).await?);
    }
    let mut named = Vec::new();
    let mut pages = Pages::new(actor.clone(), (), Page::default());
    while !pages.is_over() {
        let page = pages.next(broadcasters).await?;
        named.extend(page.into_iter().filter(|broadcaster| broadcaster.display_name.as_str() == wanted));
    }
    match named.len() {
        0 => Err(AppError::NotFound("broadcaster")).with_context(|| format!("cannot find {wanted:?}")),
        1 => Ok(named.remove(0)),
        many => bail!("{many} broadcasters are called {wanted:?}: name one by its id"),
    }
}

fn draft(name: Option<&str>, metadata: Option<&str>) -> anyhow::Result<BroadcasterDraft> {
    let metadata = metadata.map(serde_json::from_str).transpose().context("--metadata is not JSON")?;
    Ok(BroadcasterDraft { display_name: name.map(str::to_owned), metadata, organization_id: None })
}

fn describe(broadcaster: &Broadcaster) -> String {
    let Broadcaster { id, display_name, metadata, created_at, updated_at, .. } = broadcaster;
    let metadata = metadata.to_json();
    format!(
        "{display_name}\n  id        {id}\n  created   {created_at}\n  updated   {updated_at}\n  metadata  {metadata}"
    )
}

/// Quotes `word` for a shell.
fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
