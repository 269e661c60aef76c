//! `streamward media-server …`

use clap::Subcommand;

use super::api::{Api, Query};
use super::{Output, list_output};
use crate::adapters::views::MediaServerView;

/// Commands about media servers.
#[derive(Debug, Subcommand)]
pub enum MediaServerCommand {
    /// List the configured media servers and their state
    List,
}

/// Runs the command.
pub async fn run(api: &Api, command: &MediaServerCommand, out: &mut Output) -> anyhow::Result<()> {
    let MediaServerCommand::List = command;
    let pages = api.pages::<MediaServerView>("media_servers", "/media-servers", &Query::default());
    let columns =
        ["name", "reachable", "version", "streams", "last_reconcile", "drift=drift_repaired", "last_error"];
    list_output::print_pages(out, ("media_servers", &columns), pages, |_| ()).await
}
