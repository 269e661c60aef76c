//! `streamward destination …`: where the programmes of channels are pushed.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use strum::VariantArray as _;
use uuid::Uuid;

use super::api::{Api, Query, array, at, object};
use super::channel::find;
use super::failure::usage;
use super::secret_file::read_secret;
use super::{Failure, Output, list_output};
use crate::adapters::views::{DestinationTestView, DestinationView};
use crate::domain::channel::Platform;
use crate::domain::secret::Secret;

const LIST: &str = "destinations";

/// Commands about destinations. They accept the id or name of the channel and of the destination.
#[derive(Debug, Subcommand)]
pub enum DestinationCommand {
    /// Push the programme of a channel to a platform too
    Add {
        /// The channel's id or name
        channel: String,
        /// The platform; it fills in the address
        #[arg(value_parser = PossibleValuesParser::new(Platform::VARIANTS.iter().map(|one| <&str>::from(*one))))]
        platform: String,
        /// Its name; that of the platform if absent
        #[arg(long)]
        name: Option<String>,
        /// Address and key
        #[command(flatten)]
        place: PlaceArgs,
        /// Do not push to it yet
        #[arg(long)]
        disabled: bool,
    },
    /// List the destinations of a channel, without their keys
    List {
        /// The channel's id or name
        channel: String,
    },
    /// Change a destination; the others are not interrupted
    Update {
        /// The channel's id or name
        channel: String,
        /// The destination's id or name
        destination: String,
        /// The new name
        #[arg(long)]
        name: Option<String>,
        /// Address and key
        #[command(flatten)]
        place: PlaceArgs,
        /// Push to it
        #[arg(long, conflicts_with = "disable")]
        enable: bool,
        /// Do not push to it any more
        #[arg(long)]
        disable: bool,
    },
    /// Delete a destination; its session ends
    Remove {
        /// The channel's id or name
        channel: String,
        /// The destination's id or name
        destination: String,
    },
    /// Reach a destination step by step, without publishing; exit code 1 if it cannot be reached
    Test {
        /// The channel's id or name
        channel: String,
        /// The destination's id or name
        destination: String,
    },
}

/// Where a destination is.
#[derive(Debug, Args)]
pub struct PlaceArgs {
    /// Its address without the key, e.g. rtmps://host/app or srt://host:9000
    #[arg(long)]
    url: Option<String>,
    /// The address if the first fails
    #[arg(long, value_name = "URL")]
    backup_url: Option<String>,
    /// A file with the platform's key; - reads it from the standard input. With SRT: the stream id, or
    /// streamid=…&passphrase=…
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// A new session begins after this time, e.g. 7h
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    rotate: Option<std::time::Duration>,
}

impl PlaceArgs {
    fn draft(&self, key: Option<Secret>, more: [(&str, Option<Value>); 3]) -> Value {
        let [first, second, third] = more;
        let rotate = self.rotate.map(|time| json!(u32::try_from(time.as_secs()).unwrap_or(u32::MAX)));
        object([
            first,
            second,
            third,
            ("url", self.url.as_ref().map(|url| json!(url))),
            ("backup_url", self.backup_url.as_ref().map(|url| json!(url))),
            ("key", key.map(|key| json!(key.expose()))),
            ("rotate_session_every_seconds", rotate),
        ])
    }

    fn is_empty(&self) -> bool {
        let Self { url, backup_url, key_file, rotate } = self;
        url.is_none() && backup_url.is_none() && key_file.is_none() && rotate.is_none()
    }

    fn key(&self) -> anyhow::Result<Option<Secret>> {
        self.key_file.as_deref().map(read_key).transpose()
    }
}

fn read_key(file: &Path) -> anyhow::Result<Secret> {
    let key = read_secret(file, "the key")?;
    if key.is_empty() {
        usage!("the key is empty: copy it from the platform's dashboard");
    }
    Ok(key)
}

/// Runs the command.
pub async fn run(api: &Api, command: &DestinationCommand, out: &mut Output) -> anyhow::Result<()> {
    match command {
        DestinationCommand::Add { channel, platform, name, place, disabled } => {
            let path = destinations_of(api, channel).await?;
            let key = match place.key()? {
                Some(key) => key,
                None if std::io::stdin().is_terminal() => {
                    usage!("the key is missing: give --key-file FILE, or send it to the standard input")
                }
                None => read_key(Path::new("-"))?,
            };
            let draft = place.draft(
                Some(key),
                [
                    ("name", Some(json!(name.as_ref().unwrap_or(platform)))),
                    ("platform", Some(json!(platform))),
                    ("enabled", Some(json!(!disabled))),
                ],
            );
            print(out, "Added", &api.post::<DestinationView>(path, Some(&draft)).await?)
        }
        DestinationCommand::List { channel } => {
            let path = destinations_of(api, channel).await?;
            let pages = api.pages::<DestinationView>(LIST, &path, &Query::default());
            let columns = ["id", "name", "platform", "enabled", "url"];
            list_output::print_pages(out, (LIST, &columns), pages, |_| ()).await
        }
        DestinationCommand::Update { channel, destination, name, place, enable, disable } => {
            let enabled = (*enable || *disable).then_some(*enable);
            if name.is_none() && enabled.is_none() && place.is_empty() {
                usage!(
                    "nothing to change: give --name, --url, --key-file, --enable, --disable, or another setting"
                );
            }
            let (one, _) = found(api, channel, destination).await?;
            let draft = place.draft(
                place.key()?,
                [
                    ("name", name.as_ref().map(|name| json!(name))),
                    ("platform", None),
                    ("enabled", enabled.map(|enabled| json!(enabled))),
                ],
            );
            print(out, "Changed", &api.patch::<DestinationView>(one, &draft).await?)
        }
        DestinationCommand::Remove { channel, destination } => {
            let (one, found) = found(api, channel, destination).await?;
            api.delete(one).await?;
            print(out, "Deleted", &found)
        }
        DestinationCommand::Test { channel, destination } => {
            let (one, found) = found(api, channel, destination).await?;
            let test = api.post::<DestinationTestView>(format!("{one}/test"), None).await?;
            out.thing(&test, || describe(&found, &test))?;
            let name = at(&found, "/name");
            if test["ok"] == true {
                Ok(())
            } else {
                bail!("the destination {name} cannot be reached as it is")
            }
        }
    }
}

/// The path of the destinations of a channel.
async fn destinations_of(api: &Api, channel: &str) -> anyhow::Result<String> {
    Ok(format!("/channels/{}/destinations", at(&find(api, channel).await?, "/id")))
}

/// A destination and its path.
async fn found(api: &Api, channel: &str, wanted: &str) -> anyhow::Result<(String, Value)> {
    let path = destinations_of(api, channel).await?;
    let is_it = |row: &Value| match Uuid::parse_str(wanted) {
        Ok(id) => at(row, "/id") == id.to_string(),
        Err(_) => row["name"] == wanted,
    };
    let (mut found, mut pages) = (Vec::new(), api.pages::<DestinationView>(LIST, &path, &Query::default()));
    while let Some(rows) = pages.next().await? {
        found.extend(rows.into_iter().filter(is_it));
    }
    let advice = "name it by its id (streamward destination list)";
    match found.len() {
        0 => Err(Failure::NotFound(format!("the channel has no destination {wanted:?}: {advice}")).into()),
        1 => {
            let found = found.remove(0);
            Ok((format!("{path}/{}", at(&found, "/id")), found))
        }
        many => Err(Failure::Conflict(format!("{many} destinations are called {wanted:?}: {advice}")).into()),
    }
}

fn print(out: &mut Output, done: &str, destination: &Value) -> anyhow::Result<()> {
    let field = |name: &str| at(destination, &format!("/{name}"));
    let off = if destination["enabled"] == true { "" } else { ", disabled" };
    out.thing(destination, || {
        let (name, id, platform, url) = (field("name"), field("id"), field("platform"), field("url"));
        format!("{done} the destination {name} ({id}{off}): {platform}, {url}")
    })
}

fn describe(destination: &Value, test: &Value) -> String {
    let step = |step: &Value| {
        let result = match step["error"].as_str() {
            None => format!("{} ms", at(step, "/milliseconds")),
            Some(error) => error.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
        };
        format!("  {:<10}  {result}", at(step, "/step"))
    };
    let mut lines = vec![at(destination, "/url")];
    lines.extend(array(test, "/url").iter().map(step));
    if test["backup_url"].is_array() {
        lines.push(at(destination, "/backup_url"));
        lines.extend(array(test, "/backup_url").iter().map(step));
    }
    lines.join("\n")
}
