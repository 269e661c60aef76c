//! `streamward auth …`

use clap::Subcommand;

use super::{Output, list_output};
use crate::adapters::views::AuthFailureView;
use crate::app::auth_failures::AuthFailures;
use crate::app::list::Pages;
use crate::domain::access::Actor;
use crate::domain::page::Page;

/// Commands about publish decisions.
#[derive(Debug, Subcommand)]
pub enum AuthCommand {
    /// List refused attempts to publish, the newest first, and what to do about them
    Failures,
}

/// Runs the command.
pub async fn run(failures: &AuthFailures, command: &AuthCommand, out: &mut Output) -> anyhow::Result<()> {
    let AuthCommand::Failures = command;
    let pages = Pages::new(Actor::cli("auth failures"), (), Page::default());
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
    list_output::print(out, ("auth_failures", &columns), (failures, pages), AuthFailureView::from).await
}
