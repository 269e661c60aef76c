//! `streamward streamer …`: manages the watched streamers. `lookup.rs` requests one from Kick; `watch.rs` shows the live
//! table.

mod lookup;
mod plain_output;
mod render;
mod table;
mod terminal;
mod view;
mod watch;
pub(super) mod watch_status;
mod watched;

use anyhow::{Context as _, bail};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::owner::Owner;
use super::{Output, list_output};
use crate::app::AppError;
use crate::app::list::{List as _, Pages};
use crate::app::organization::Organizations;
use crate::app::streamer::{MOST_EVENTS, StreamerDraft, Streamers};
use crate::domain::StreamerId;
use crate::domain::access::Actor;
use crate::domain::page::Page;
use crate::domain::streamer::{Status, Streamer};
use crate::ports::StreamerFilter;

pub use lookup::lookup;
pub use watch::{WatchArgs, watch};
use watched::plain;

/// Commands about streamers. They accept a name on Kick or an id.
#[derive(Debug, Subcommand)]
pub enum StreamerCommand {
    /// List streamers by name
    List {
        /// Only streamers with this status
        #[arg(long, value_parser = status_parser())]
        status: Option<Status>,
        /// Only paused streamers
        #[arg(long)]
        inactive: bool,
    },
    /// Add one or more streamers and watch them
    Add(AddArgs),
    /// Delete a streamer and the history
    Remove {
        /// Name or id
        streamer: String,
    },
    /// Stop watching a streamer, but keep the row and the history
    Pause {
        /// Name or id
        streamer: String,
    },
    /// Watch a paused streamer again
    Resume {
        /// Name or id
        streamer: String,
    },
    /// Show a streamer's status changes, newest first
    Events {
        /// Name or id
        streamer: String,
        /// At most this many
        #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_EVENTS)))]
        limit: u32,
    },
    /// Show Kick's present report about a name; stores no change
    Test {
        /// The name on Kick; it need not be on the list
        username: String,
    },
    /// Show the status of all streamers: a live table in a terminal, otherwise a line for each change
    Watch(WatchArgs),
}

/// The streamers to add.
#[derive(Clone, Debug, Args)]
pub struct AddArgs {
    /// Names as in kick.com/NAME
    #[arg(required = true, value_name = "USERNAME")]
    usernames: Vec<String>,
    /// A name that you choose
    #[arg(long, value_name = "NAME")]
    display_name: Option<String>,
    /// Kick's user id; requested from Kick if absent
    #[arg(long, value_name = "N")]
    user_id: Option<u64>,
    /// Kick's channel id; requested from Kick's web site if absent
    #[arg(long, value_name = "N")]
    channel_id: Option<u64>,
    /// Kick's chatroom id
    #[arg(long, value_name = "N")]
    chatroom_id: Option<u64>,
    /// Who owns them
    #[command(flatten)]
    owner: Owner,
}

fn status_parser() -> impl TypedValueParser<Value = Status> {
    let values = [("unknown", "Not known yet"), ("online", "Live"), ("offline", "Not live")];
    let values = values.map(|(word, help)| PossibleValue::new(word).help(help));
    PossibleValuesParser::new(values).try_map(|word| word.parse::<Status>())
}

/// Runs the commands that need the store only. The others are [`lookup`] and [`watch`].
pub async fn run(
    (streamers, organizations): (&Streamers, &Organizations),
    command: &StreamerCommand,
    out: &mut Output,
) -> anyhow::Result<()> {
    match command {
        StreamerCommand::List { status, inactive } => list(streamers, *status, *inactive, out).await,
        StreamerCommand::Add(args) => add((streamers, organizations), args, out).await,
        StreamerCommand::Remove { streamer } => remove(streamers, streamer, out).await,
        StreamerCommand::Pause { streamer } => set_active(streamers, streamer, false, out).await,
        StreamerCommand::Resume { streamer } => set_active(streamers, streamer, true, out).await,
        StreamerCommand::Events { streamer, limit } => events(streamers, streamer, *limit, out).await,
        StreamerCommand::Test { .. } | StreamerCommand::Watch(_) => {
            bail!("this command cannot run with the store alone")
        }
    }
}

async fn list(
    streamers: &Streamers,
    status: Option<Status>,
    inactive: bool,
    out: &mut Output,
) -> anyhow::Result<()> {
    let is_active = inactive.then_some(false);
    let filter = StreamerFilter { status, is_active, ..StreamerFilter::default() };
    let pages = Pages::new(Actor::cli("streamer list"), filter, Page::default());
    let columns =
        ["username", "status", "last_status_update", "is_active", "user_id", "channel_id", "problem"];
    let view = |streamer| view::streamer(&streamer);
    list_output::print(out, ("streamers", &columns), (streamers, pages), view).await
}

/// Adds the streamers one by one, also after a refusal.
async fn add(
    (streamers, organizations): (&Streamers, &Organizations),
    args: &AddArgs,
    out: &mut Output,
) -> anyhow::Result<()> {
    let AddArgs { usernames, display_name, user_id, channel_id, chatroom_id, owner } = args.clone();
    let is_of_one = display_name.is_some() || user_id.or(channel_id).or(chatroom_id).is_some();
    if is_of_one && usernames.len() > 1 {
        bail!("--display-name and Kick's ids apply to one streamer: add the names one by one");
    }
    let actor = Actor::cli("streamer add");
    let organization_id = owner.id(organizations, &actor).await?;
    let draft = StreamerDraft {
        display_name,
        user_id,
        channel_id,
        chatroom_id,
        organization_id,
        ..StreamerDraft::default()
    };
    let (mut views, mut lines, mut refusals, mut refused) = (vec![], vec![], vec![], vec![]);
    for username in &usernames {
        let draft = StreamerDraft { username: Some(username.clone()), ..draft.clone() };
        match streamers.create(&actor, draft).await {
            Ok(added) => {
                views.push(view::streamer(&added));
                lines.push(format!("Watching {} ({})", added.username, added.id));
            }
            Err(AppError::Store(error)) => return Err(error.into()),
            Err(error) => {
                refusals.push(json!({"username": username, "error": error.to_string()}));
                refused.push(format!("Not added: {username}: {error}"));
            }
        }
    }
    lines.append(&mut refused);
    if !streamers.settings().is_on {
        let advice = "kick.feed is not set here: nobody is watched until it is set where the service runs";
        lines.push(advice.to_owned());
    }
    let all = json!({"streamers": views, "count": views.len(), "refused": refusals});
    out.thing(&all, || lines.join("\n"))?;
    match refusals.len() {
        0 => Ok(()),
        some => bail!("{some} of {} names were not added", usernames.len()),
    }
}

async fn remove(streamers: &Streamers, wanted: &str, out: &mut Output) -> anyhow::Result<()> {
    let actor = Actor::cli("streamer remove");
    let found = find(streamers, &actor, wanted).await?;
    streamers.delete(&actor, found.id).await?;
    out.thing(&view::streamer(&found), || format!("Removed {} and the history.", found.username))
}

async fn set_active(
    streamers: &Streamers,
    wanted: &str,
    is_active: bool,
    out: &mut Output,
) -> anyhow::Result<()> {
    let actor = Actor::cli(if is_active { "streamer resume" } else { "streamer pause" });
    let found = find(streamers, &actor, wanted).await?;
    let draft = StreamerDraft { is_active: Some(is_active), ..StreamerDraft::default() };
    let now = streamers.update(&actor, found.id, draft).await?;
    out.thing(&view::streamer(&now), || {
        let name = &now.username;
        if is_active {
            format!("{name} is watched.")
        } else {
            format!("{name} is not watched until `streamward streamer resume {name}`.")
        }
    })
}

async fn events(streamers: &Streamers, wanted: &str, limit: u32, out: &mut Output) -> anyhow::Result<()> {
    let actor = Actor::cli("streamer events");
    let found = find(streamers, &actor, wanted).await?;
    let events = streamers.status_events(&actor, found.id, None, limit).await?;
    let views: Vec<Value> = events.iter().map(view::status_event).collect();
    let columns =
        ["occurred_at", "previous_status", "new_status", "source", "session_id", "session_title", "banned"];
    list_output::print_rows(out, ("events", &columns), &views)
}

async fn find(streamers: &Streamers, actor: &Actor, wanted: &str) -> anyhow::Result<Streamer> {
    if let Ok(id) = wanted.parse::<StreamerId>() {
        return Ok(streamers.get(actor, id).await?);
    }
    let found = named(streamers, actor, wanted).await?;
    found
        .ok_or(AppError::NotFound("streamer"))
        .with_context(|| format!("cannot find {wanted:?}: `streamward streamer list` shows all names"))
}

/// The streamer with this name, as people write it or as another program wrote it.
async fn named(streamers: &Streamers, actor: &Actor, wanted: &str) -> anyhow::Result<Option<Streamer>> {
    let filter = StreamerFilter { username: Some(plain(wanted)), ..StreamerFilter::default() };
    Ok(streamers.list(actor, &filter, &Page::first(1)).await?.pop())
}
