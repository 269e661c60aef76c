//! `streamward studio …`: operates studios; `view.rs` has their texts, `watch.rs` shows one live.

mod check;
mod named;
mod schedule;
mod view;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use tokio_util::sync::CancellationToken;

use super::output::with_nulls;
use super::{Output, list_output};
use crate::adapters::views::{DrillView, StudioDecisionView, StudioUptimeView, StudioView};
use crate::app::list::Pages;
use crate::app::studio::{HoldDraft, StudioDecisions, StudioOverview, Studios};
use crate::domain::access::Actor;
use crate::domain::page::Page;
use crate::domain::studio::DrillKind;
use named::name;
use schedule::ScheduleCommand;

/// How often a drill is read until it ends.
const POLL: Duration = Duration::from_millis(500);

/// Commands about studios. They accept the name in the configuration.
#[derive(Debug, Subcommand)]
pub enum StudioCommand {
    /// List all studios
    List,
    /// Show a studio: what is on air, the stream, the checks
    Show {
        /// Its name
        studio: String,
    },
    /// Show the pre-flight checks with what to do; fails if one has not passed
    Check {
        /// Its name
        studio: String,
    },
    /// Show what is on air and why, live: a screen in a terminal, otherwise a line for each change
    Watch {
        /// Its name
        studio: String,
    },
    /// Put it on air, as soon as the pre-flight checks pass
    Start(OrderArgs),
    /// Take it off air until somebody starts it
    Stop(OrderArgs),
    /// Leave what is on air: automation changes nothing
    Hold {
        /// Which, and why
        #[command(flatten)]
        order: OrderArgs,
        /// How long
        #[command(flatten)]
        end: EndArgs,
    },
    /// End a hold: automation continues
    Release(OrderArgs),
    /// Put a scene on air and hold it
    Scene {
        /// Its name
        studio: String,
        /// A scene in OBS, or automated, owner, failover, technical_difficulties, going_live_soon
        scene: String,
        /// Why, for the people who see it
        #[arg(long)]
        reason: String,
        /// How long
        #[command(flatten)]
        end: EndArgs,
    },
    /// Make a failure, on air, and report how long it took to notice and to recover
    Drill {
        /// Its name
        studio: String,
        /// The failure
        #[arg(value_parser = PossibleValuesParser::new(DrillKind::ALL.iter().map(|kind| kind.as_str())))]
        kind: String,
    },
    /// Show, set or preview what plays when
    #[command(subcommand)]
    Schedule(ScheduleCommand),
    /// Show what it decided and why, newest first
    Decisions {
        /// Its name
        studio: String,
        /// At most this many
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: u32,
    },
    /// Show its uptime and each downtime
    Uptime {
        /// Its name
        studio: String,
        /// The length of the period, which ends now
        #[arg(long, value_name = "N", default_value_t = 7)]
        days: u32,
    },
}

/// A studio, and why something is ordered.
#[derive(Debug, Args)]
pub struct OrderArgs {
    /// Its name
    studio: String,
    /// Why, for the people who see it
    #[arg(long)]
    reason: String,
}

/// When a hold ends; never by default.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct EndArgs {
    /// How long it holds, e.g. 30m
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    length: Option<Duration>,
    /// Until when, e.g. 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

impl EndArgs {
    fn draft(&self, scene: Option<&str>, reason: &str) -> HoldDraft {
        HoldDraft {
            scene: scene.map(str::to_owned),
            until: self.until.clone(),
            for_seconds: self.length.map(|length| length.as_secs()),
            reason: reason.to_owned(),
        }
    }
}

/// Runs the command. `stop` ends those that run until then.
pub async fn run(
    studios: &Arc<Studios>,
    command: &StudioCommand,
    stop: &CancellationToken,
    out: &mut Output,
) -> anyhow::Result<()> {
    match command {
        StudioCommand::List => {
            let found = studios.all(&Actor::cli("studio list")).await?;
            let rows: Vec<_> = found.into_iter().map(row).collect();
            let columns = ["name", "desired", "supervised", "connection", "streaming", "scene", "content"];
            list_output::print_rows(out, ("studios", &columns), &rows)
        }
        StudioCommand::Show { studio } => {
            print(out, studios.get(&Actor::cli("studio show"), &name(studios, studio)?).await?)
        }
        StudioCommand::Check { studio } => {
            let found = studios.get(&Actor::cli("studio check"), &name(studios, studio)?).await?;
            check::check(&found, out)
        }
        StudioCommand::Watch { studio } => watch::watch(studios, &name(studios, studio)?, stop, out).await,
        StudioCommand::Start(OrderArgs { studio, reason }) => {
            let name = name(studios, studio)?;
            print(out, studios.start(&Actor::cli("studio start"), &name, reason).await?)
        }
        StudioCommand::Stop(OrderArgs { studio, reason }) => {
            let name = name(studios, studio)?;
            print(out, studios.stop(&Actor::cli("studio stop"), &name, reason).await?)
        }
        StudioCommand::Release(OrderArgs { studio, reason }) => {
            let name = name(studios, studio)?;
            print(out, studios.release(&Actor::cli("studio release"), &name, reason).await?)
        }
        StudioCommand::Hold { order: OrderArgs { studio, reason }, end } => {
            let (name, draft) = (name(studios, studio)?, end.draft(None, reason));
            print(out, studios.hold(&Actor::cli("studio hold"), &name, draft).await?)
        }
        StudioCommand::Scene { studio, scene, reason, end } => {
            let (name, draft) = (name(studios, studio)?, end.draft(Some(scene), reason));
            print(out, studios.hold(&Actor::cli("studio scene"), &name, draft).await?)
        }
        StudioCommand::Drill { studio, kind } => drill(studios, (studio, kind), stop, out).await,
        StudioCommand::Schedule(command) => schedule::run(studios, command, out).await,
        StudioCommand::Decisions { studio, limit } => {
            let name = name(studios, studio)?;
            let pages = Pages::new(Actor::cli("studio decisions"), name, Page::first(*limit));
            let columns = ["at", "subject", "kind", "from", "to", "reason", "by", "numbers"];
            let decisions = StudioDecisions(Arc::clone(studios));
            let view = StudioDecisionView::from;
            list_output::print(out, ("decisions", &columns), (&decisions, pages), view).await
        }
        StudioCommand::Uptime { studio, days } => {
            let (name, days) = (name(studios, studio)?, days.to_string());
            let report = studios.uptime(&Actor::cli("studio uptime"), &name, Some(&days)).await?;
            let text = view::uptime(&report);
            out.thing(&StudioUptimeView::from(report), || text)
        }
    }
}

/// A studio, with what a list shows of it beside the rest.
fn row(found: StudioOverview) -> serde_json::Value {
    let mut row = with_nulls(&StudioView::from(found));
    for (column, pointer) in [
        ("connection", "/obs/connection"),
        ("streaming", "/stream/streaming"),
        ("scene", "/on_air/scene"),
        ("content", "/on_air/content/name"),
    ] {
        row[column] = row.pointer(pointer).cloned().unwrap_or_default();
    }
    row
}

fn print(out: &mut Output, found: StudioOverview) -> anyhow::Result<()> {
    let text = view::lines(&found).join("\n");
    out.thing(&StudioView::from(found), || text)
}

async fn drill(
    studios: &Studios,
    (studio, kind): (&str, &str),
    stop: &CancellationToken,
    out: &mut Output,
) -> anyhow::Result<()> {
    let (actor, name) = (Actor::cli("studio drill"), name(studios, studio)?);
    let kind: DrillKind = kind.parse().context("the kind of the drill")?;
    let mut drill = studios.drill(&actor, &name, kind).await?;
    while drill.is_open() {
        tokio::select! {
            () = stop.cancelled() => bail!("the drill {} continues without this command", drill.id),
            () = tokio::time::sleep(POLL) => {}
        }
        drill = studios.read_drill(&actor, &name, drill.id).await?;
    }
    let (text, error) = (view::drill(&drill), drill.error.clone());
    out.thing(&DrillView::from(drill), || text)?;
    error.map_or(Ok(()), |error| bail!("the drill failed: {error}"))
}
