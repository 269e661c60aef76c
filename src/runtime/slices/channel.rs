//! Channels: programmes that never go dark, and their destinations.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::adapters::cli::channel::{self, ChannelCommand};
use crate::adapters::cli::destination::{self, DestinationCommand};
use crate::adapters::http::channel::{State, event_view, health, routes};
use crate::app::channel::{
    ChannelTasks, Channels, Decisions, Destinations, ReportBuffer, ReportWriter, Running,
};
use crate::app::task::{AnyTask, OnLeaseDoubt};
use crate::runtime::commands::CommandContext;
use crate::runtime::config::Config;
use crate::runtime::shared::Shared;
use crate::runtime::signals::Signals;
use crate::runtime::slice::{Parts, Slice, commands};

pub(super) const SLICE: Slice = Slice {
    document: || routes().document(),
    commands: &[
        commands!(
            "channel",
            "Manage channels, programmes that never go dark",
            ChannelCommand,
            |command, context| run_channel(&command, context)
        ),
        commands!(
            "destination",
            "Manage the destinations of channels, such as YouTube",
            DestinationCommand,
            |command, api, out| destination::run(api, &command, out)
        ),
    ],
    build,
};

fn channels(shared: &Shared) -> Arc<Channels> {
    let server = shared.servers.chosen(shared.config.channels.media_server.as_ref()).cloned();
    Arc::new(Channels::new(Arc::clone(&shared.core), Arc::clone(&shared.stream_keys), server))
}

fn build(shared: &Shared, parts: &mut Parts) {
    let state = State {
        channels: channels(shared),
        destinations: Arc::new(Destinations::new(
            Arc::clone(&shared.core),
            shared.outside.destination_probe.clone(),
        )),
        decisions: Arc::new(Decisions::new(Arc::clone(&shared.core))),
        events: parts.events.clone(),
    };
    parts.add_routes(routes(), state);
    parts.event_views.push(event_view());
    let config = &shared.config.channels;
    parts.retain(config.retention.0, |store, at| store.prune_decisions(at));
    let server = shared.servers.chosen(config.media_server.as_ref());
    let (Some(engine), Some(server), true) = (&shared.outside.channel_engine, server, config.enabled) else {
        return;
    };
    let reports = Arc::new(ReportBuffer::new(Arc::clone(&shared.core)));
    parts.chores.push(Arc::clone(&reports) as _);
    parts.health.push(health(Arc::clone(&reports)));
    parts.tasks.push(AnyTask::periodic(ReportWriter::new(Arc::clone(&reports))));
    parts.tasks.push(AnyTask::Set(Box::new(ChannelTasks::new(Running {
        core: Arc::clone(&shared.core),
        engine: Arc::clone(engine),
        renditions: Arc::clone(&shared.clips) as _,
        urls: server.urls.clone(),
        reports,
        on_lease_doubt: on_lease_doubt(&shared.config),
    }))));
}

fn on_lease_doubt(config: &Config) -> OnLeaseDoubt {
    match config.channels.run_without_database {
        Some(true) => OnLeaseDoubt::Continue,
        Some(false) => OnLeaseDoubt::Stop,
        None => OnLeaseDoubt::StopUnlessAlone,
    }
}

async fn run_channel(command: &ChannelCommand, context: CommandContext<'_>) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    if matches!(command, ChannelCommand::Watch { .. } | ChannelCommand::Rehearse { .. }) {
        tasks.spawn(Signals::listen()?.watch(stop.clone()));
    }
    context.api(async |api, out| channel::run(api, command, &stop, out).await).await
}
