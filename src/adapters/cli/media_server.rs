//! `streamward media-server …`

use clap::Subcommand;

use super::{Output, list_output};
use crate::adapters::views::MediaServerView;
use crate::app::list::Pages;
use crate::app::media_server::MediaServers;
use crate::domain::access::Actor;
use crate::domain::page::Page;

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
    let pages = Pages::new(Actor::cli("media-server list"), (), Page::default());
    let columns =
        ["name", "reachable", "version", "streams", "last_reconcile", "drift_repaired", "last_error"];
    list_output::print(out, ("media_servers", &columns), (media_servers, pages), MediaServerView::from).await
}
