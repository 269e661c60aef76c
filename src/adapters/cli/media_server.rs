//! `streamward media-server …`

use clap::Subcommand;

use super::Output;
use crate::adapters::views::MediaServerView;
use crate::app::media_server::MediaServers;
use crate::domain::access::Actor;

/// Commands about media servers.
#[derive(Debug, Subcommand)]
pub enum MediaServerCommand {
    /// List the configured media servers and their state
    List,
}

/// Runs the command.
pub async fn run(
    media_servers: &MediaServers,
    command: &MediaServerCommand,
    out: &mut Output,
) -> anyhow::Result<()> {
    let MediaServerCommand::List = command;
    let all = media_servers.list(&Actor::cli("media-server list")).await?;
    let columns =
        ["name", "reachable", "version", "streams", "last_reconcile", "drift_repaired", "last_error"];
    out.list("media_servers", &all.into_iter().map(MediaServerView::from).collect::<Vec<_>>(), &columns)
}
