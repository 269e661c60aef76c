//! Studios: OBS on the air around the clock.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::adapters::cli::studio::{self, StudioCommand};
use crate::adapters::http::studio::{State, event_view, health, health_routes, routes};
use crate::app::studio::{Drills, StudioDecisions, StudioSetup, StudioTasks};
use crate::app::task::{AnyTask, OnLeaseDoubt};
use crate::runtime::commands::CommandContext;
use crate::runtime::config::Studio;
use crate::runtime::shared::Shared;
use crate::runtime::signals::Signals;
use crate::runtime::slice::{Parts, Slice, commands};

pub(super) const SLICE: Slice = Slice {
    document: || routes().document(),
    commands: &[commands!(
        "studio",
        "Operate studios: OBS on the air around the clock",
        StudioCommand,
        |command, context| run(&command, context)
    )],
    build,
};

fn build(shared: &Shared, parts: &mut Parts) {
    let studios = || Arc::clone(&shared.studios);
    let state = State {
        studios: studios(),
        decisions: Arc::new(StudioDecisions(studios())),
        drills: Arc::new(Drills(studios())),
        events: parts.events.clone(),
    };
    parts.add_routes(routes(), state);
    parts.event_views.push(event_view());
    parts.health.push(health(studios()));
    for name in shared.studios.names() {
        if let Some((key, _)) = shared.config.studio_listener(name) {
            parts.own_routers.push((key, health_routes(studios(), name.clone())));
        }
    }
    parts.retain(longest(shared, |studio| studio.samples_retention.0), |store, at| {
        store.prune_studio_samples(at)
    });
    parts.retain(longest(shared, |studio| studio.retention.0), |store, at| store.prune_studio_history(at));
    let supervised = supervised(shared);
    if !supervised.is_empty() {
        let core = Arc::clone(&shared.core);
        // OBS stays on air while the database is unreachable.
        let tasks = StudioTasks::new(core, supervised, OnLeaseDoubt::StopUnlessAlone);
        parts.tasks.push(AnyTask::Set(Box::new(tasks)));
    }
}

/// The studios that this instance may supervise.
fn supervised(shared: &Shared) -> Vec<StudioSetup> {
    let may =
        |setup: &&StudioSetup| shared.config.studios.get(&setup.name).is_none_or(|studio| studio.supervise);
    shared.outside.studios.iter().filter(may).cloned().collect()
}

/// The longest time of all studios: their rows are removed together. Those of studios that are no longer configured are kept
/// for the default time.
fn longest(shared: &Shared, keep: fn(&Studio) -> Duration) -> Duration {
    let longest = shared.config.studios.values().map(keep).max();
    longest.unwrap_or_else(|| keep(&Studio::default()))
}

async fn run(command: &StudioCommand, context: CommandContext<'_>) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    if matches!(command, StudioCommand::Watch { .. } | StudioCommand::Drill { .. }) {
        tasks.spawn(Signals::listen()?.watch(stop.clone()));
    }
    context.run(async |shared, out| studio::run(&shared.studios, command, &stop, out).await).await
}
