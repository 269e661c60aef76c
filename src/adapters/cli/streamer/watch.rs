//! `streamward streamer watch`: everyone's status as it is, and as it changes.
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

/// Whom to show, and how.
#[derive(Debug, Clone, Args)]
pub struct WatchArgs {
    /// Only these; all that are watched otherwise
    #[arg(value_name = "USERNAME")]
    pub usernames: Vec<String>,
    /// Watch Kick from here, and write nothing: not into the database, not to anyone
    #[arg(long)]
    pub dry_run: bool,
}

/// Shows the streamers until `stop`, a key, or the end of whoever reads: as a table if standard output is a
/// terminal, otherwise a line for each change of status, or a JSON object with `--json`.
///
/// With `--dry-run`, the services are over a store of their own, which already has the streamers in it.
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

/// Who is shown.
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

    /// Whether this one is among them.
    pub(super) fn includes(&self, streamer: &Streamer) -> bool {
        self.names.is_empty() || self.names.iter().any(|name| name.eq_ignore_ascii_case(&streamer.username))
    }

    /// Those who are shown, as they are now.
    pub(super) async fn streamers(&self, streamers: &Streamers) -> anyhow::Result<Vec<Streamer>> {
        let filter = StreamerFilter { is_active: Some(true), ..StreamerFilter::default() };
        let mut streamers = streamers.list(&self.actor, &filter).await?;
        streamers.retain(|streamer| self.includes(streamer));
        Ok(streamers)
    }

    /// How watching is doing.
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

/// A name without what people write around it.
pub(super) fn plain(name: &str) -> String {
    Slug::parse(name).map_or_else(|_| name.to_ascii_lowercase(), String::from)
}
