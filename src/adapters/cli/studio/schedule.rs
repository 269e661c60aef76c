//! `streamward studio schedule …`: what plays when.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;
use serde::Deserialize;

use super::named::name;
use super::view;
use crate::adapters::cli::Output;
use crate::adapters::views::{SchedulePreviewView, ScheduleView};
use crate::app::studio::{ScheduleDraft, Studios};
use crate::domain::access::Actor;
use crate::domain::studio::{Block, ContentSource, TimeZone};

/// Commands about schedules.
#[derive(Debug, Subcommand)]
pub enum ScheduleCommand {
    /// Show the schedule
    Show {
        /// The studio
        studio: String,
    },
    /// Replace the schedule by that in a JSON file, as `schedule show --json` prints it
    Set {
        /// The studio
        studio: String,
        /// The file
        file: PathBuf,
    },
    /// Show what plays when, on the clock of the schedule
    Preview {
        /// The studio
        studio: String,
        /// From when, e.g. 2026-03-29T00:00:00Z; now by default
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        /// Until when, at most 31 days later; a day later by default
        #[arg(long, value_name = "TIME")]
        to: Option<String>,
    },
}

/// A file with a schedule.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScheduleFile {
    time_zone: Option<TimeZone>,
    #[serde(default)]
    blocks: Vec<Block>,
    #[serde(default)]
    content: Vec<ContentSource>,
    reason: Option<String>,
}

pub(super) async fn run(
    studios: &Studios,
    command: &ScheduleCommand,
    out: &mut Output,
) -> anyhow::Result<()> {
    match command {
        ScheduleCommand::Show { studio } => {
            let found =
                studios.schedule(&Actor::cli("studio schedule show"), &name(studios, studio)?).await?;
            let text = view::schedule(&found);
            out.thing(&ScheduleView::from(found), || text)
        }
        ScheduleCommand::Set { studio, file } => {
            let name = name(studios, studio)?;
            let json = std::fs::read_to_string(file)
                .with_context(|| format!("{} cannot be read", file.display()))?;
            let ScheduleFile { time_zone, blocks, content, reason } =
                serde_json::from_str(&json).with_context(|| format!("{} is no schedule", file.display()))?;
            let draft = ScheduleDraft { time_zone, blocks, content, reason };
            let set = studios.set_schedule(&Actor::cli("studio schedule set"), &name, draft).await?;
            let text = view::schedule(&set);
            out.thing(&ScheduleView::from(set), || text)
        }
        ScheduleCommand::Preview { studio, from, to } => {
            let (actor, name) = (Actor::cli("studio schedule preview"), name(studios, studio)?);
            let preview = studios.preview(&actor, &name, from.as_deref(), to.as_deref()).await?;
            let text = view::preview(&preview);
            out.thing(&SchedulePreviewView::from(preview), || text)
        }
    }
}
