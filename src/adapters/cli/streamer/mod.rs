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

use anyhow::bail;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use uuid::Uuid;

use super::api::{Api, Query, array, at, object};
use super::failure::{Exit, not_found, usage};
use super::owner::Owner;
use super::{Output, list_output};
use crate::adapters::views::StreamerView;
use crate::app::list::List as _;
use crate::app::streamer::{MOST_EVENTS, Streamers};
use crate::domain::access::Actor;
use crate::domain::page::Page;
use crate::domain::streamer::{Status, Streamer};
use crate::ports::StreamerFilter;

const LIST: &str = "streamers";
const PATH: &str = "/streamers";

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

/// Runs the commands of the API. The others are [`lookup`] and [`watch`]. `note` is a last line for who adds a streamer.
pub async fn run(
    api: &Api,
    note: Option<&str>,
    command: &StreamerCommand,
    out: &mut Output,
) -> anyhow::Result<()> {
    match command {
        StreamerCommand::List { status, inactive } => list(api, *status, *inactive, out).await,
        StreamerCommand::Add(args) => add(api, args, note, out).await,
        StreamerCommand::Remove { streamer } => remove(api, streamer, out).await,
        StreamerCommand::Pause { streamer } => set_active(api, streamer, false, out).await,
        StreamerCommand::Resume { streamer } => set_active(api, streamer, true, out).await,
        StreamerCommand::Events { streamer, limit } => events(api, streamer, *limit, out).await,
        StreamerCommand::Test { .. } | StreamerCommand::Watch(_) => {
            bail!("this command needs more than the API")
        }
    }
}

async fn list(api: &Api, status: Option<Status>, inactive: bool, out: &mut Output) -> anyhow::Result<()> {
    let query = Query::default()
        .with("status", status.map(|status| status.to_string()))
        .with("active", inactive.then_some("false"));
    let columns = [
        "username",
        "status",
        "since=last_status_update",
        "active=is_active",
        "user_id",
        "channel_id",
        "problem",
    ];
    let pages = api.pages::<StreamerView>(LIST, PATH, &query);
    list_output::print_pages(out, (LIST, &columns), pages, |_| ()).await
}

/// Adds the streamers one by one, also after a refusal.
async fn add(api: &Api, args: &AddArgs, note: Option<&str>, out: &mut Output) -> anyhow::Result<()> {
    let AddArgs { usernames, display_name, user_id, channel_id, chatroom_id, owner } = args;
    let is_of_one = display_name.is_some() || user_id.or(*channel_id).or(*chatroom_id).is_some();
    if is_of_one && usernames.len() > 1 {
        usage!("--display-name and Kick's ids apply to one streamer: add the names one by one");
    }
    let organization = owner.id(api).await?;
    let (mut views, mut lines, mut refusals, mut refused) = (vec![], vec![], vec![], vec![]);
    for username in usernames {
        let number = |number: &Option<u64>| number.map(|number| json!(number));
        let draft = object([
            ("username", Some(json!(username))),
            ("display_name", display_name.as_ref().map(|name| json!(name))),
            ("user_id", number(user_id)),
            ("channel_id", number(channel_id)),
            ("chatroom_id", number(chatroom_id)),
            ("organization_id", organization.clone()),
        ]);
        match api.post::<StreamerView>(PATH, Some(&draft)).await {
            Ok(added) => {
                lines.push(format!("Watching {} ({})", at(&added, "/username"), at(&added, "/id")));
                views.push(added);
            }
            Err(error) if error.exit() == Exit::Unreachable || usernames.len() == 1 => {
                return Err(error.into());
            }
            Err(error) => {
                refusals.push(json!({"username": username, "error": error.to_string()}));
                refused.push(format!("Not added: {username}: {error}"));
            }
        }
    }
    lines.append(&mut refused);
    lines.extend(note.map(str::to_owned));
    let all = json!({"streamers": views, "count": views.len(), "refused": refusals});
    out.thing(&all, || lines.join("\n"))?;
    match refusals.len() {
        0 => Ok(()),
        some => bail!("{some} of {} names were not added", usernames.len()),
    }
}

async fn remove(api: &Api, wanted: &str, out: &mut Output) -> anyhow::Result<()> {
    let found = find(api, wanted).await?;
    api.delete(format!("{PATH}/{}", at(&found, "/id"))).await?;
    out.thing(&found, || format!("Removed {} and the history.", at(&found, "/username")))
}

async fn set_active(api: &Api, wanted: &str, is_active: bool, out: &mut Output) -> anyhow::Result<()> {
    let found = find(api, wanted).await?;
    let one = format!("{PATH}/{}", at(&found, "/id"));
    let now = api.patch::<StreamerView>(one, &json!({"is_active": is_active})).await?;
    out.thing(&now, || {
        let name = at(&now, "/username");
        if is_active {
            format!("{name} is watched.")
        } else {
            format!("{name} is not watched until `streamward streamer resume {name}`.")
        }
    })
}

async fn events(api: &Api, wanted: &str, limit: u32, out: &mut Output) -> anyhow::Result<()> {
    let found = find(api, wanted).await?;
    let path = format!("{PATH}/{}/events?limit={limit}", at(&found, "/id"));
    let answer = api.get::<Value>(path).await?;
    let views: Vec<Value> =
        array(&answer, "/events").iter().map(|event| view::status_event(event.clone())).collect();
    let columns = [
        "occurred_at",
        "from=previous_status",
        "to=new_status",
        "source",
        "session=session_id",
        "title=session_title",
        "banned",
    ];
    list_output::print_rows(out, ("events", &columns), &views)
}

async fn find(api: &Api, wanted: &str) -> anyhow::Result<Value> {
    if Uuid::parse_str(wanted).is_ok() {
        return Ok(api.get::<StreamerView>(format!("{PATH}/{wanted}")).await?);
    }
    let query = Query::default().with("username", Some(plain(wanted)));
    let found = api.pages::<StreamerView>(LIST, PATH, &query).at_most(1).next().await?;
    match found.unwrap_or_default().pop() {
        Some(found) => Ok(found),
        None => not_found!(
            "cannot find {wanted:?}: the streamer does not exist (`streamward streamer list` shows all names)"
        ),
    }
}

/// The streamer with this name, as people write it or as another program wrote it.
async fn named(streamers: &Streamers, actor: &Actor, wanted: &str) -> anyhow::Result<Option<Streamer>> {
    let filter = StreamerFilter { username: Some(plain(wanted)), ..StreamerFilter::default() };
    Ok(streamers.list(actor, &filter, &Page::first(1)).await?.pop())
}
