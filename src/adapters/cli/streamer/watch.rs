//! `streamward streamer watch`: shows the status of streamers, and its changes.

use std::io::{IsTerminal as _, stdout};
use std::sync::Arc;

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::super::Output;
use super::watched::Watched;
use super::{plain_output, terminal};
use crate::app::events::Events;
use crate::app::streamer::Streamers;

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
    let watched = Watched::new(&args.usernames, streamers).await?;
    if out.is_json() || !stdout().is_terminal() {
        plain_output::print_changes(events, &watched, stop, out).await
    } else {
        terminal::show(streamers, &watched, args.dry_run, stop).await
    }
}
