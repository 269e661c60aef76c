//! `streamward auth …`

use clap::Subcommand;

use super::api::{Api, Query};
use super::{Output, list_output};
use crate::adapters::views::{AuthFailureList, AuthFailureView};

/// Commands about publish decisions.
#[derive(Debug, Subcommand)]
pub enum AuthCommand {
    /// List refused attempts to publish, the newest first, and what to do about them
    Failures,
    /// List the addresses with the most wrong stream keys, API tokens, signatures and passwords
    Offenders,
}

/// Runs the command.
pub async fn run(api: &Api, command: &AuthCommand, out: &mut Output) -> anyhow::Result<()> {
    if matches!(command, AuthCommand::Offenders) {
        let list = api.get::<AuthFailureList>("/auth-failures?limit=1").await?;
        let offenders = list["offenders"].as_array().map(Vec::as_slice).unwrap_or_default();
        let columns = ["address", "attempts", "paths", "since", "last_at", "causes"];
        return list_output::print_rows(out, ("offenders", &columns), offenders);
    }
    let pages = api.pages::<AuthFailureView>("auth_failures", "/auth-failures", &Query::default());
    let columns = [
        "last_at",
        "count",
        "cause",
        "path",
        "nearest_path",
        "key_path",
        "key_prefix",
        "ip_address",
        "advice",
    ];
    list_output::print_pages(out, ("auth_failures", &columns), pages, |_| ()).await
}
