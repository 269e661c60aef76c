//! The slices of the system. `SLICES` gives the router, the OpenAPI document, the subcommands, the background tasks,
//! `/health`, and the rows that housekeeping removes.
//!
//! A new slice is a file here and a line in `SLICES`.

mod access;
mod audit;
mod auth_failure;
mod broadcaster;
mod channel;
mod clip;
mod doctor;
mod event;
mod explain;
mod hook;
mod media_server;
mod notification;
mod organization;
mod playback;
mod publish;
mod srs;
mod stream;
mod stream_key;
mod streamer;
mod studio;
mod user;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use clap::ArgMatches;
use futures_util::future::LocalBoxFuture;

use super::commands::CommandContext;
use super::live_stream_metrics::with_streams;
use super::slice::{Commands, Parts, Slice};
use crate::adapters::http::{self, CookieRules, EventStreams, Gate, HttpOptions, Operation, RequestLog};
use crate::app::health::Health;
use crate::app::housekeeping::Housekeeping;
use crate::app::task::AnyTask;
use crate::runtime::config::MediaServer;

pub use super::shared::{Outside, Secrets, Shared};

/// All slices, in the order of the OpenAPI document's tags.
const SLICES: &[Slice] = &[
    stream::SLICE,
    explain::SLICE,
    stream_key::SLICE,
    playback::SLICE,
    broadcaster::SLICE,
    channel::SLICE,
    streamer::SLICE,
    clip::SLICE,
    studio::SLICE,
    notification::SLICE,
    organization::SLICE,
    access::SLICE,
    user::SLICE,
    audit::SLICE,
    media_server::SLICE,
    publish::SLICE,
    auth_failure::SLICE,
    hook::SLICE,
    srs::SLICE,
    doctor::SLICE,
    event::SLICE,
];

/// What an instance of Streamward runs.
pub struct Instance {
    /// Everything that is answered over HTTP.
    pub router: Router,
    /// What is answered on `http.media_listen`: `/auth` and the hooks.
    pub media_router: Router,
    /// What is answered at addresses of its own, by the key of the configuration that has the address.
    pub own_routers: Vec<(String, Router)>,
    /// Everything that is done in the background.
    pub tasks: Vec<AnyTask>,
    /// What is done once more at the stop.
    pub last: Housekeeping,
}

impl Instance {
    /// Builds the slices. No task runs yet.
    pub fn build(shared: &Shared, mut options: HttpOptions) -> Self {
        options.metrics = options.metrics.map(|text| with_streams(text, Arc::clone(&shared.live_stats)));
        let base_path = shared.config.base_path();
        let mut parts = build(shared, &options);
        let core = || Arc::clone(&shared.core);
        let operation = Operation {
            health: Arc::new(Health::new(core())),
            sections: parts.health.into(),
            options,
            document: served_document(&base_path),
        };
        parts.routers.push(http::operation::serve(operation, &parts.gate));
        let media_servers = shared.config.media_servers.values();
        parts.routers.push(http::ui::serve(media_servers.map(MediaServer::base_urls)));
        let last = Housekeeping::new(core(), parts.chores.clone(), Vec::new());
        let housekeeping = Housekeeping::new(core(), parts.chores, parts.retentions);
        parts.tasks.push(AnyTask::periodic(housekeeping));
        let log = Arc::new(RequestLog::of(&shared.core));
        let log = || Arc::clone(&log);
        let media_router = http::router(parts.media_routers, log(), "");
        let own = |(key, router)| (key, http::router([router], log(), ""));
        let own_routers = parts.own_routers.into_iter().map(own).collect();
        let router = http::router(parts.routers, log(), &base_path);
        Self { router, media_router, own_routers, tasks: parts.tasks, last }
    }
}

fn build(shared: &Shared, options: &HttpOptions) -> Parts {
    let known = || (Arc::clone(&shared.access), Arc::clone(&shared.users));
    let (events, stop) = (Arc::clone(&shared.events), options.stop.clone());
    let events = EventStreams::new(events, known(), stop, options.connections);
    let public_url = shared.config.http.public_url.as_deref();
    let base_path = shared.config.base_path();
    let cookies = CookieRules::new(&options.trusted_proxies, public_url, &base_path);
    let mut parts = Parts {
        event_views: Vec::new(),
        events,
        gate: Gate::new(known(), Arc::clone(&shared.audit), cookies, options.connections),
        routers: Vec::new(),
        media_routers: Vec::new(),
        own_routers: Vec::new(),
        health: Vec::new(),
        tasks: Vec::new(),
        chores: Vec::new(),
        retentions: Vec::new(),
    };
    SLICES.iter().for_each(|slice| (slice.build)(shared, &mut parts));
    parts
}

/// The API of all slices, for commands.
pub(super) fn api(shared: &Shared) -> Router {
    let log = Arc::new(RequestLog::of(&shared.core));
    http::router(build(shared, &HttpOptions::default()).routers, log, "")
}

/// The OpenAPI document; the same text as `openapi/streamward.json`.
pub fn openapi_json() -> String {
    document("")
}

/// What `GET /openapi.json` answers. Making the document takes ten MiB, so the program contains it; a test compares it.
fn served_document(base_path: &str) -> Bytes {
    if base_path.is_empty() {
        return Bytes::from_static(include_bytes!("../../../openapi/streamward.json"));
    }
    document(base_path).into()
}

fn document(base_path: &str) -> String {
    let slices = SLICES.iter().map(|slice| (slice.document)());
    http::openapi_json(slices.chain([http::operation::routes().document()]), base_path)
}

fn commands() -> impl Iterator<Item = &'static Commands> {
    SLICES.iter().flat_map(|slice| slice.commands)
}

/// `command` with the subcommands of all slices.
pub fn with_subcommands(command: clap::Command) -> clap::Command {
    command.subcommands(commands().map(|commands| {
        let empty = clap::Command::new(commands.name).subcommand_required(true).arg_required_else_help(true);
        (commands.define)(empty)
    }))
}

/// Whether a slice has the subcommand called `name`.
pub(super) fn is_subcommand(name: &str) -> bool {
    commands().any(|commands| commands.name == name)
}

/// Runs the subcommand called `name`. `None` if no slice has it.
pub(super) fn run_subcommand<'a>(
    name: &str,
    matches: &'a ArgMatches,
    context: CommandContext<'a>,
) -> Option<LocalBoxFuture<'a, anyhow::Result<()>>> {
    let commands = commands().find(|commands| commands.name == name)?;
    let name = matches.subcommand_name().map_or(name.to_owned(), |inner| format!("{name} {inner}"));
    Some((commands.run)(matches, CommandContext { name, ..context }))
}
