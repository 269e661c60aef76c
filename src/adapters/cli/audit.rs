//! `streamward audit …`

use clap::{Args, Subcommand};
use serde_json::Value;

use super::api::{Api, Query};
use super::{Output, list_output};
use crate::adapters::views::AuditEntryView;

/// The most entries of a page of the API.
const PAGE: u32 = 100;

/// Commands about the audit log.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// List who did what, newest first: every change, allowed or refused, and the decisions about publishers
    List(AuditListArgs),
}

/// Which entries.
#[derive(Debug, Args)]
pub struct AuditListArgs {
    /// Only what was done, or only what was refused or failed
    #[arg(long, value_parser = ["success", "failure"])]
    outcome: Option<String>,
    /// Only what this caller did, e.g. cli, token:NAME, user:ADDRESS
    #[arg(long)]
    actor: Option<String>,
    /// Only this action, e.g. create, delete, rotate, publish
    #[arg(long)]
    action: Option<String>,
    /// Only about this kind of resource, e.g. `stream_key`
    #[arg(long, value_name = "KIND")]
    resource_type: Option<String>,
    /// Only about the resource with this id
    #[arg(long, value_name = "ID")]
    resource_id: Option<String>,
    /// Only at or after this time, e.g. 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only at or before this time
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = PAGE)]
    limit: u32,
}

/// Runs the command.
pub async fn run(api: &Api, command: &AuditCommand, out: &mut Output) -> anyhow::Result<()> {
    let AuditCommand::List(wanted) = command;
    let query = Query::default()
        .with("outcome", wanted.outcome.as_deref())
        .with("actor", wanted.actor.as_deref())
        .with("action", wanted.action.as_deref())
        .with("resource_type", wanted.resource_type.as_deref())
        .with("resource_id", wanted.resource_id.as_deref())
        .with("from", wanted.from.as_deref())
        .with("to", wanted.to.as_deref());
    let pages = api.pages::<AuditEntryView>("audit_logs", "/audit-logs", &query);
    let columns = [
        "timestamp",
        "actor",
        "action",
        "resource=resource_type",
        "about",
        "outcome",
        "from=ip_address",
        "reason=failure_reason",
    ];
    list_output::print_pages(out, ("audit_logs", &columns), pages.of(PAGE).at_most(wanted.limit), add_about)
        .await
}

/// What the entry is about, in the word that a person knows it by, if the entry has one.
fn add_about(entry: &mut Value) {
    let metadata = &entry["metadata"];
    let named = ["path", "name", "display_name"].map(|field| &metadata[field]);
    let about = named.into_iter().find(|value| value.is_string()).unwrap_or(&entry["resource_id"]);
    entry["about"] = about.clone();
}
