//! `streamward destination …`: where the programmes of channels are pushed.

use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use strum::VariantArray as _;

use super::channel::find;
use super::{Output, list_output};
use crate::adapters::views::{DestinationTestView, DestinationView};
use crate::app::channel::{Channels, DestinationDraft, DestinationTest, Destinations};
use crate::app::list::Pages;
use crate::domain::access::Actor;
use crate::domain::channel::{Destination, Platform};
use crate::domain::page::Page;
use crate::domain::secret::Secret;
use crate::ports::ProbedStep;

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
    fn draft(&self, name: Option<&String>, enabled: Option<bool>, key: Option<Secret>) -> DestinationDraft {
        DestinationDraft {
            name: name.cloned(),
            platform: None,
            url: self.url.clone(),
            backup_url: self.backup_url.clone().map(Some),
            key,
            enabled,
            rotate_session_every_seconds: self
                .rotate
                .map(|time| Some(u32::try_from(time.as_secs()).unwrap_or(u32::MAX))),
        }
    }

    fn is_empty(&self) -> bool {
        let Self { url, backup_url, key_file, rotate } = self;
        url.is_none() && backup_url.is_none() && key_file.is_none() && rotate.is_none()
    }

    fn key(&self) -> anyhow::Result<Option<Secret>> {
        self.key_file.as_deref().map(read_key).transpose()
    }
}

/// Reads a key. It is never an argument: others on this machine can see the arguments of a process.
fn read_key(file: &Path) -> anyhow::Result<Secret> {
    let text = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .context("the key cannot be read from the standard input")?;
        text
    } else {
        std::fs::read_to_string(file)
            .with_context(|| format!("the key cannot be read from {}", file.display()))?
    };
    let key = Secret::new(text.trim());
    if key.is_empty() {
        bail!("the key is empty: copy it from the platform's dashboard");
    }
    Ok(key)
}

/// Runs the command.
pub async fn run(
    channels: &Channels,
    destinations: &Destinations,
    command: &DestinationCommand,
    out: &mut Output,
) -> anyhow::Result<()> {
    match command {
        DestinationCommand::Add { channel, platform, name, place, disabled } => {
            let actor = Actor::cli("destination add");
            let id = find(channels, &actor, channel).await?.channel.id;
            let key = match place.key()? {
                Some(key) => key,
                None if std::io::stdin().is_terminal() => {
                    bail!("the key is missing: give --key-file FILE, or send it to the standard input")
                }
                None => read_key(Path::new("-"))?,
            };
            let name = name.clone().unwrap_or_else(|| platform.clone());
            let draft = place.draft(Some(&name), Some(!disabled), Some(key));
            let draft = DestinationDraft { platform: Some(platform.clone()), ..draft };
            print(out, "Added", destinations.create(&actor, id, draft).await?)
        }
        DestinationCommand::List { channel } => {
            let actor = Actor::cli("destination list");
            let id = find(channels, &actor, channel).await?.channel.id;
            let pages = Pages::new(actor, id, Page::default());
            let columns = ["id", "name", "platform", "enabled", "url", "backup_url"];
            list_output::print(out, ("destinations", &columns), (destinations, pages), DestinationView::from)
                .await
        }
        DestinationCommand::Update { channel, destination, name, place, enable, disable } => {
            let actor = Actor::cli("destination update");
            let id = find(channels, &actor, channel).await?.channel.id;
            let found = found(destinations, &actor, id, destination).await?;
            let enabled = (*enable || *disable).then_some(*enable);
            if name.is_none() && enabled.is_none() && place.is_empty() {
                bail!(
                    "nothing to change: give --name, --url, --key-file, --enable, --disable, or another setting"
                );
            }
            let draft = place.draft(name.as_ref(), enabled, place.key()?);
            print(out, "Changed", destinations.update(&actor, id, found.id, draft).await?)
        }
        DestinationCommand::Remove { channel, destination } => {
            let actor = Actor::cli("destination remove");
            let id = find(channels, &actor, channel).await?.channel.id;
            let found = found(destinations, &actor, id, destination).await?;
            destinations.delete(&actor, id, found.id).await?;
            print(out, "Deleted", found)
        }
        DestinationCommand::Test { channel, destination } => {
            let actor = Actor::cli("destination test");
            let id = find(channels, &actor, channel).await?.channel.id;
            let found = found(destinations, &actor, id, destination).await?;
            let test = destinations.test(&actor, id, found.id).await?;
            let (text, works) = (describe(&found, &test), test.works());
            out.thing(&DestinationTestView::from(test), || text)?;
            if works { Ok(()) } else { bail!("the destination {} cannot be reached as it is", found.name) }
        }
    }
}

async fn found(
    destinations: &Destinations,
    actor: &Actor,
    channel: crate::domain::channel::ChannelId,
    wanted: &str,
) -> anyhow::Result<Destination> {
    destinations.find(actor, channel, wanted).await.with_context(|| {
        format!("cannot find one destination {wanted:?}: name it by its id (streamward destination list)")
    })
}

fn print(out: &mut Output, done: &str, destination: Destination) -> anyhow::Result<()> {
    let off = if destination.enabled { "" } else { ", disabled" };
    let Destination { name, id, url, platform, .. } = &destination;
    let text = format!("{done} the destination {name} ({id}{off}): {platform}, {url}");
    out.thing(&DestinationView::from(destination), || text)
}

fn describe(destination: &Destination, test: &DestinationTest) -> String {
    let step = |step: &ProbedStep| {
        let result = step.error.as_deref().map_or_else(
            || format!("{} ms", step.took.as_millis()),
            |error| error.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
        );
        format!("  {:<10}  {result}", step.step.to_string())
    };
    let mut lines = vec![destination.url.to_string()];
    lines.extend(test.url.iter().map(step));
    if let (Some(url), Some(steps)) = (&destination.backup_url, &test.backup_url) {
        lines.push(url.to_string());
        lines.extend(steps.iter().map(step));
    }
    lines.join("\n")
}
