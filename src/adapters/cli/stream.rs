//! `streamward stream …`

use clap::{Subcommand, ValueEnum};
use serde_json::Value;
use uuid::Uuid;

use super::api::{Api, Query, at};
use super::failure::not_found;
use super::{Output, list_output};
use crate::adapters::views::{ExplanationView, StreamView};
use crate::domain::path::StreamPath;

/// Commands about streams.
#[derive(Debug, Subcommand)]
pub enum StreamCommand {
    /// List streams, newest first; the ended ones with the time and the reason
    List {
        /// Which ones
        #[arg(long, value_enum, default_value = "active")]
        status: Status,
        /// At most this many
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u32,
    },
    /// Say why a path is, or is not, on air, and what to do
    Explain {
        /// The public path
        path: String,
    },
    /// End a stream's session; its key stays valid
    End {
        /// The stream's id, or the path it is live on
        stream: String,
    },
}

/// Which streams.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Status {
    /// Live ones
    Active,
    /// Ended ones
    Ended,
    /// All
    All,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Ended => "ended",
            Self::All => "all",
        }
    }

    fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Active => {
                &["path", "broadcaster=broadcaster_name", "started_at", "source=source_type", "readers"]
            }
            Self::Ended | Self::All => &[
                "path",
                "broadcaster=broadcaster_name",
                "started_at",
                "ended_at",
                "reason=end_reason",
                "source=source_type",
            ],
        }
    }
}

/// Runs the command.
pub async fn run(api: &Api, command: &StreamCommand, out: &mut Output) -> anyhow::Result<()> {
    match command {
        StreamCommand::List { status, limit } => {
            let query = Query::default().with("status", Some(status.word()));
            let pages = api.pages::<StreamView>("streams", "/streams", &query).at_most(*limit);
            list_output::print_pages(out, ("streams", status.columns()), pages, |_| ()).await
        }
        StreamCommand::Explain { path } => {
            let query = Query::default().with("path", Some(path.as_str()));
            let told = api.get::<ExplanationView>(query.to_target("/explain")).await?;
            out.thing(&told, || explained(&told))
        }
        StreamCommand::End { stream } => {
            let one = format!("/streams/{}", find(api, stream).await?);
            api.delete(one.clone()).await?;
            let now = api.get::<StreamView>(one).await?;
            let path = at(&now, "/path");
            out.thing(&now, || {
                if now["status"] == "active" {
                    format!("Ending {path}; the running service disconnects it.")
                } else {
                    format!("{path} has ended.")
                }
            })
        }
    }
}

fn explained(told: &Value) -> String {
    let state = if told["on_air"] == true { "is on air" } else { "is not on air" };
    let mut text = format!("{} {state}.\n", at(told, "/path"));
    for sentence in told["sentences"].as_array().into_iter().flatten() {
        text += &format!("\n{:<4}  {}", at(sentence, "/status"), at(sentence, "/text"));
    }
    if told["next"].is_string() {
        text += &format!("\n\n→ {}", at(told, "/next"));
    }
    text
}

async fn find(api: &Api, wanted: &str) -> anyhow::Result<String> {
    if Uuid::parse_str(wanted).is_ok() {
        return Ok(wanted.to_owned());
    }
    // A text that is no path is on none.
    let live: Vec<Value> = match StreamPath::parse(wanted) {
        Ok(_) => {
            let query = Query::default().with("path", Some(wanted));
            api.pages::<StreamView>("streams", "/streams", &query)
                .at_most(1)
                .next()
                .await?
                .unwrap_or_default()
        }
        Err(_) => Vec::new(),
    };
    match live.first() {
        Some(stream) => Ok(at(stream, "/id")),
        None => not_found!("nothing is live on {wanted:?}"),
    }
}
