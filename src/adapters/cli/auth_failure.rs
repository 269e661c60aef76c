//! `streamward auth …`

use clap::Subcommand;

use super::api::{Api, Query};
use super::{Output, list_output};
use crate::adapters::views::AuthFailureView;

/// Commands about publish decisions.
#[derive(Debug, Subcommand)]
pub enum AuthCommand {
    /// List refused attempts to publish, the newest first, and what to do about them
    Failures,
}

/// Runs the command.
pub async fn run(api: &Api, command: &AuthCommand, out: &mut Output) -> anyhow::Result<()> {
    let AuthCommand::Failures = command;
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
