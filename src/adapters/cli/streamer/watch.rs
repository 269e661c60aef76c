//! `streamward streamer watch`: shows the status of streamers, and its changes.
use std::sync::Arc;

use anyhow::bail;
use clap::Args;
use std::io::{IsTerminal as _, stdout};
use tokio_util::sync::CancellationToken;

use super::super::Output;
use super::{plain_output, terminal};
use crate::app::events::Events;
use crate::app::streamer::Streamers;
use crate::domain::access::Actor;
use crate::domain::streamer::feed::WatchStatus;
use crate::domain::streamer::{Slug, Streamer};
use crate::ports::StreamerFilter;

/// The streamers to show, and how.
#[derive(Debug, Clone, Args)]
pub struct WatchArgs {
    /// Only these; by default all watched ones
    #[arg(value_name = "USERNAME")]
    pub usernames: Vec<String>,
    /// Watch Kick from this process, without writing to the database or sending anything to others
    #[arg(long)]
    pub dry_run: bool,
}

/// Shows the streamers until `stop`, a key, or a closed output: as a table in a terminal, otherwise a line for each
/// status change, or a JSON object with `--json`. With `--dry-run`, the services use a temporary store.
pub async fn watch(
    streamers: &Streamers,
    events: &Arc<Events>,
    args: &WatchArgs,
    stop: CancellationToken,
    out: &mut Output,
) -> anyhow::Result<()> {
    let watched = Watched::new(&args.usernames);
    watched.check(streamers).await?;
    if out.is_json() || !stdout().is_terminal() {
        plain_output::print_changes(events, &watched, stop, out).await
    } else {
        terminal::show(streamers, &watched, args.dry_run, stop).await
    }
}

/// The streamers to show.
pub(super) struct Watched {
    actor: Actor,
    /// Plain names; all if there are none.
    names: Vec<String>,
}

impl Watched {
    pub(super) fn new(names: &[String]) -> Self {
        let names = names.iter().map(|name| plain(name)).collect();
        Self { actor: Actor::cli("streamer watch"), names }
    }

    pub(super) fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Whether this one is shown.
    pub(super) fn includes(&self, streamer: &Streamer) -> bool {
        self.names.is_empty() || self.names.iter().any(|name| name.eq_ignore_ascii_case(&streamer.username))
    }

    /// The present rows of the shown streamers.
    pub(super) async fn streamers(&self, streamers: &Streamers) -> anyhow::Result<Vec<Streamer>> {
        let filter = StreamerFilter { is_active: Some(true), ..StreamerFilter::default() };
        let mut streamers = streamers.list(&self.actor, &filter).await?;
        streamers.retain(|streamer| self.includes(streamer));
        Ok(streamers)
    }

    /// The watch status.
    pub(super) async fn status(&self, streamers: &Streamers) -> anyhow::Result<Option<WatchStatus>> {
        Ok(streamers.watch_status(&self.actor).await?)
    }

    /// Names without a row are mistyped or paused.
    async fn check(&self, streamers: &Streamers) -> anyhow::Result<()> {
        let found = self.streamers(streamers).await?;
        let is_there =
            |name: &&String| found.iter().any(|streamer| name.eq_ignore_ascii_case(&streamer.username));
        if let Some(name) = self.names.iter().find(|name| !is_there(name)) {
            bail!("{name} is not watched: `streamward streamer add {name}`, or `resume` if it is paused");
        }
        Ok(())
    }
}

/// A name in plain form: without `@` or an address around it.
pub(super) fn plain(name: &str) -> String {
    Slug::parse(name).map_or_else(|_| name.to_ascii_lowercase(), String::from)
}
