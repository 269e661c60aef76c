//! Streamers: who is watched on Kick, and whether they are live.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::adapters::cli::kick::{self, KickCommand};
use crate::adapters::cli::streamer::{self, StreamerCommand, WatchArgs};
use crate::adapters::http::streamer::{Streaming, event_view, health, routes};
use crate::adapters::local_wake_ups::LocalWakeUps;
use crate::adapters::memory::MemoryStore;
use crate::adapters::system::{SystemClock, SystemIds};
use crate::app::Core;
use crate::app::streamer::{StreamerSettings, Streamers};
use crate::app::task::{AnyTask, LongRunningTask as _, TaskContext};
use crate::domain::access::{Actor, Scope};
use crate::domain::audit::AuditEntry;
use crate::domain::page::Page;
use crate::domain::streamer::{Slug, Streamer};
use crate::domain::{AuditId, StreamerId};
use crate::ports::{Change, Clock as _, IdGen as _, Store, StreamerFilter, StreamerStore as _};
use crate::runtime::bootstrap::Bootstrap;
use crate::runtime::commands::CommandContext;
use crate::runtime::kick::KickClients;
use crate::runtime::shared::{Outside, Secrets, Shared};
use crate::runtime::signals::Signals;
use crate::runtime::slice::{Parts, Slice, commands};

pub(super) const SLICE: Slice = Slice {
    document: || routes().document(),
    commands: &[
        commands!(
            "streamer",
            "Manage the streamers on Kick whose status is watched",
            StreamerCommand,
            |command, context| run_streamer(&command, context)
        ),
        commands!(
            "kick",
            "Show the state of watching Kick, and check the access to Kick",
            KickCommand,
            |command, context| run_kick(&command, context)
        ),
    ],
    build,
};

fn build(shared: &Shared, parts: &mut Parts) {
    let streamers = service(shared);
    let state = Streaming { streamers: Arc::clone(&streamers), events: parts.events.clone() };
    parts.add_routes(routes(), state);
    parts.event_views.push(event_view());
    if shared.config.kick.feed.is_some() {
        parts.health.push(health(Arc::clone(&streamers)));
    }
    if let Some(kick) = &shared.outside.kick {
        parts.tasks.push(AnyTask::long_running(kick.watcher(streamers)));
    }
    parts.retain(shared.config.kick.history_retention.0, |store, at| store.prune_status_events(at));
}

fn service(shared: &Shared) -> Arc<Streamers> {
    let config = &shared.config.kick;
    let settings = StreamerSettings {
        flap_window: config.flap_window.0,
        full_poll_interval: config.sweep_interval.0,
        history_retention: config.history_retention.0,
        is_on: config.feed.is_some(),
    };
    Arc::new(Streamers::new(Arc::clone(&shared.core), settings, shared.outside.webhooks.clone()))
}

/// For who adds a streamer.
const NOT_WATCHED: &str =
    "kick.feed is not set here: nobody is watched until it is set where the service runs";

async fn run_streamer(command: &StreamerCommand, context: CommandContext<'_>) -> anyhow::Result<()> {
    match command {
        StreamerCommand::Watch(args) => Box::pin(watch(args, context)).await,
        StreamerCommand::Test { username } => {
            let kick = KickClients::new(&context.load()?.config.kick)?.kick;
            let run = async |shared: &Shared, out: &mut _| {
                streamer::lookup(&service(shared), &*kick, username, out).await
            };
            context.run(run).await
        }
        command => {
            let is_off = context.remote.is_none() && context.load()?.config.kick.feed.is_none();
            let note = is_off.then_some(NOT_WATCHED);
            context.api(async |api, out| streamer::run(api, note, command, out).await).await
        }
    }
}

async fn run_kick(command: &KickCommand, context: CommandContext<'_>) -> anyhow::Result<()> {
    if matches!(command, KickCommand::Status) {
        return context.run(async |shared, out| kick::status(&service(shared), out).await).await;
    }
    let KickClients { kick, feed, .. } = KickClients::new(&context.load()?.config.kick)?;
    let KickCommand::Probe { channels } = command else {
        return kick::token(&*kick, SystemClock.now(), context.out).await;
    };
    let Some(feed) = feed else {
        bail!("kick.feed is not set, or it is poll, which is no feed to connect to: set it to auto");
    };
    context.run(async |shared, out| kick::probe(&service(shared), feed, channels, out).await).await
}

/// Shows streamers live, until a key or a signal ends it.
async fn watch(args: &WatchArgs, context: CommandContext<'_>) -> anyhow::Result<()> {
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    tasks.spawn(Signals::listen()?.watch(stop.clone()));
    if !args.dry_run {
        let run = async |shared: &Shared, out: &mut _| {
            streamer::watch(&service(shared), &shared.events, args, stop, out).await
        };
        return context.run(run).await;
    }
    let loaded = context.load()?;
    if loaded.config.kick.feed.is_none() {
        bail!("kick.feed is not set: it says how to watch, for example STREAMWARD_KICK__FEED=auto");
    }
    let kick = KickClients::new(&loaded.config.kick)?.observing();
    let base = context.open(loaded).await?;
    let chosen = chosen(&base, &args.usernames).await?;
    // From here on the database is not touched any more.
    base.databases.close().await;
    let shared = over_memory(&base, &chosen).await?;
    let streamers = service(&shared);
    let mut watcher = kick.watcher(Arc::clone(&streamers));
    let task = TaskContext::new(tokio::sync::watch::Sender::default(), stop.clone());
    let watching = watcher.run(&task);
    tokio::select! {
        shown = streamer::watch(&streamers, &shared.events, args, stop, context.out) => shown,
        ended = watching => ended.context("watching ended"),
    }
}

/// Those on the list that were named, and those that were named and are not on it; or the whole list.
async fn chosen(base: &Bootstrap, names: &[String]) -> anyhow::Result<Vec<Streamer>> {
    let filter = StreamerFilter { is_active: Some(true), ..StreamerFilter::default() };
    let mut streamers = base.store().streamers(&Scope::system(), &filter, &Page::default()).await?;
    if names.is_empty() {
        return Ok(streamers);
    }
    let slugs = names.iter().map(|name| Slug::parse(name)).collect::<Result<Vec<_>, _>>()?;
    streamers.retain(|streamer| slugs.iter().any(|slug| slug.is(&streamer.username)));
    for slug in slugs {
        if !streamers.iter().any(|streamer| slug.is(&streamer.username)) {
            streamers.push(Streamer::new(StreamerId(SystemIds.uuid()), &slug, SystemClock.now()));
        }
    }
    Ok(streamers)
}

/// What slices share, over a store that forgets everything, with these streamers in it.
async fn over_memory(base: &Bootstrap, streamers: &[Streamer]) -> anyhow::Result<Shared> {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(Arc::new(SystemClock)));
    let actor = Actor::cli("streamer watch --dry-run");
    for streamer in streamers {
        let id = AuditId(SystemIds.uuid());
        let entry = AuditEntry::of(id, SystemClock.now(), &actor, "create", "streamer");
        store.create_streamer(streamer, Change::new(&Scope::system(), &entry)).await?;
    }
    let (clock, ids) = (Arc::new(SystemClock), Arc::new(SystemIds));
    let core = Core::over_one_store(store, clock, ids, Arc::new(LocalWakeUps::default()), &base.master);
    let config = base.config().clone();
    Ok(Shared::new(core, config, Secrets::default(), Outside::default(), Duration::ZERO))
}
