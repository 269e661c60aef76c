//! `streamward media-server …`

use clap::Subcommand;
use serde_json::{Value, json};

use super::Output;
use crate::app::media_server::{MediaServerOverview, MediaServers};
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
    out.list("media_servers", &all.iter().map(view).collect::<Vec<_>>(), &columns)
}

fn view(server: &MediaServerOverview) -> Value {
    let status = server.status.as_ref();
    json!({
        "name": server.name,
        "streams": server.streams,
        "reachable": status.map(|s| s.reachable),
        "since": status.map(|s| s.since),
        "version": status.and_then(|s| s.version.as_ref()),
        "last_reconcile": status.and_then(|s| s.last_reconcile),
        "last_error": status.and_then(|s| s.last_error.as_ref()),
        "drift_repaired": status.map(|s| s.drift_repaired),
        "last_hook": status.and_then(|s| s.last_hook),
        "last_auth": status.and_then(|s| s.last_auth),
    })
}
