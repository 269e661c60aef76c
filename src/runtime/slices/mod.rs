//! The slices of the system. `SLICES` gives the router, the OpenAPI document, the subcommands, the background tasks,
//! `/health`, and the rows that housekeeping removes.
//!
//! A new slice is a file here and a line in `SLICES`.

mod access;
mod audit;
mod broadcaster;
mod event;
mod hook;
mod media_server;
mod publish;
mod shared;
mod stream;
mod stream_key;
mod streamer;
mod work;

use std::sync::Arc;

use axum::Router;
use clap::ArgMatches;
use futures_util::future::LocalBoxFuture;

use super::commands::CommandContext;
use crate::adapters::http::{
    self, Document, EventStreams, Gate, HealthSection, HttpOptions, Operation, Routes,
};
use crate::app::health::Health;
use crate::app::housekeeping::{Housekeeping, Retention};
use crate::app::task::{AnyTask, TaskSet};

pub use shared::{Outside, Secrets, Shared};
pub use work::Work;

/// All slices, in the order of the OpenAPI document's tags.
const SLICES: [Slice; 10] = [
    stream::SLICE,
    stream_key::SLICE,
    broadcaster::SLICE,
    streamer::SLICE,
    access::SLICE,
    audit::SLICE,
    media_server::SLICE,
    publish::SLICE,
    hook::SLICE,
    event::SLICE,
];

/// The parts of a slice.
struct Slice {
    /// Its part of the OpenAPI document. Needs no database.
    document: fn() -> Document,
    /// Its subcommands.
    commands: &'static [Commands],
    /// Adds its parts to those of the others.
    build: fn(&Shared, &mut Parts) -> anyhow::Result<()>,
}

/// A group of subcommands, such as `streamward key …`.
struct Commands {
    name: &'static str,
    /// The subcommands, added to the empty command of this name.
    define: fn(clap::Command) -> clap::Command,
    run: for<'a> fn(&'a ArgMatches, CommandContext<'a>) -> LocalBoxFuture<'a, anyhow::Result<()>>,
}

/// The parts of all slices.
pub struct Parts {
    /// What event streams share.
    events: EventStreams,
    gate: Gate,
    routers: Vec<Router>,
    health: Vec<HealthSection>,
    work: Vec<Work>,
    retentions: Vec<Retention>,
}

impl Parts {
    fn serve<S: Clone + Send + Sync + 'static>(&mut self, routes: Routes<S>, state: S) {
        self.routers.push(routes.serve(state, &self.gate));
    }

    fn task(&mut self, task: AnyTask) {
        self.work.push(Work::Task(task));
    }

    fn tasks(&mut self, set: impl TaskSet + 'static) {
        self.work.push(Work::Set(Box::new(set)));
    }
}

/// What an instance of Streamward runs.
pub struct Instance {
    /// Everything that is answered over HTTP.
    pub router: Router,
    /// Everything that is done in the background.
    pub work: Vec<Work>,
}

impl Instance {
    /// Builds the slices. No task runs yet.
    pub fn build(shared: &Shared, options: HttpOptions) -> anyhow::Result<Self> {
        let mut parts = Parts {
            events: EventStreams::new(
                Arc::clone(&shared.events),
                Arc::clone(&shared.access),
                options.stop.clone(),
            ),
            gate: Gate::new(Arc::clone(&shared.access), Arc::clone(&shared.audit), &options.trusted_proxies),
            routers: Vec::new(),
            health: Vec::new(),
            work: Vec::new(),
            retentions: Vec::new(),
        };
        SLICES.iter().try_for_each(|slice| (slice.build)(shared, &mut parts))?;
        let operation = Operation {
            health: Arc::new(Health::new(Arc::clone(&shared.core))),
            sections: parts.health.into(),
            options,
            document: openapi_json().into(),
        };
        parts.routers.push(http::operation::serve(operation, &parts.gate));
        parts.work.push(Work::Task(AnyTask::periodic(housekeeping(shared, parts.retentions))));
        let router = http::router(parts.routers, Arc::clone(&shared.core.ids));
        Ok(Self { router, work: parts.work })
    }
}

/// The task that writes counts down, and removes the rows that slices do not keep.
pub fn housekeeping(shared: &Shared, retentions: Vec<Retention>) -> Housekeeping {
    let (publish, media_servers) = (Arc::clone(&shared.publish), Arc::clone(&shared.media_servers));
    Housekeeping::new(Arc::clone(&shared.core), publish, media_servers, retentions)
}

/// The OpenAPI document; the same text as `openapi/streamward.json`.
pub fn openapi_json() -> String {
    let slices = SLICES.iter().map(|slice| (slice.document)());
    http::openapi_json(slices.chain([http::operation::routes().document()]))
}

/// `command` with the subcommands of all slices.
pub(super) fn with_subcommands(command: clap::Command) -> clap::Command {
    let all = SLICES.iter().flat_map(|slice| slice.commands);
    command.subcommands(all.map(|commands| {
        let empty = clap::Command::new(commands.name).subcommand_required(true).arg_required_else_help(true);
        (commands.define)(empty)
    }))
}

/// Runs the subcommand called `name`. `None` if no slice has it.
pub(super) fn run_subcommand<'a>(
    name: &str,
    matches: &'a ArgMatches,
    context: CommandContext<'a>,
) -> Option<LocalBoxFuture<'a, anyhow::Result<()>>> {
    let commands = SLICES.iter().flat_map(|slice| slice.commands).find(|commands| commands.name == name)?;
    Some((commands.run)(matches, context))
}
