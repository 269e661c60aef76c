//! What a slice is made of, and what it adds to an instance.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use clap::ArgMatches;
use futures_util::future::LocalBoxFuture;

use super::commands::CommandContext;
use super::shared::Shared;
use crate::adapters::http::{Document, EventStreams, EventView, Gate, HealthSection, Routes};
use crate::app::housekeeping::{Chore, Prune, Retention};
use crate::app::task::AnyTask;

/// The parts of a slice.
pub(super) struct Slice {
    /// Its part of the OpenAPI document. Needs no database.
    pub(super) document: fn() -> Document,
    /// Its subcommands.
    pub(super) commands: &'static [Commands],
    /// Adds its parts to those of the others.
    pub(super) build: fn(&Shared, &mut Parts),
}

/// A group of subcommands, such as `streamward key …`. [`commands`] makes it.
pub(super) struct Commands {
    pub(super) name: &'static str,
    /// The subcommands, added to the empty command of this name.
    pub(super) define: fn(clap::Command) -> clap::Command,
    pub(super) run: for<'a> fn(&'a ArgMatches, CommandContext<'a>) -> LocalBoxFuture<'a, anyhow::Result<()>>,
}

/// A group of subcommands: its name, its help, the type with its arguments, and what runs it: with a
/// [`CommandContext`], or with the API and the output.
macro_rules! commands {
    ($name:literal, $about:literal, $type:ty, |$command:ident, $api:ident, $out:ident| $run:expr) => {
        $crate::runtime::slice::commands!($name, $about, $type, |$command, context| {
            context.api(async |$api: &$crate::adapters::cli::api::Api, $out: &mut _| $run.await)
        })
    };
    ($name:literal, $about:literal, $type:ty, |$command:ident, $context:ident| $run:expr) => {
        $crate::runtime::slice::Commands {
            name: $name,
            // Last, because the subcommands bring the doc comment of their enum.
            define: |command| <$type as clap::Subcommand>::augment_subcommands(command).about($about),
            run: |matches, $context| {
                Box::pin(async move {
                    let $command = <$type as clap::FromArgMatches>::from_arg_matches(matches)?;
                    $run.await
                })
            },
        }
    };
}
pub(super) use commands;

/// The parts of all slices.
pub(super) struct Parts {
    /// How events are shown.
    pub(super) event_views: Vec<EventView>,
    /// What event streams share.
    pub(super) events: EventStreams,
    pub(super) gate: Gate,
    pub(super) routers: Vec<Router>,
    /// Those for media servers, which are served on `http.media_listen` too.
    pub(super) media_routers: Vec<Router>,
    /// Those with an address of their own, by the key of the configuration that has it.
    pub(super) own_routers: Vec<(String, Router)>,
    pub(super) health: Vec<HealthSection>,
    pub(super) tasks: Vec<AnyTask>,
    pub(super) chores: Vec<Arc<dyn Chore>>,
    pub(super) retentions: Vec<Retention>,
}

impl Parts {
    /// Adds routes with this state.
    pub(super) fn add_routes<S: Clone + Send + Sync + 'static>(&mut self, routes: Routes<S>, state: S) {
        self.routers.push(routes.into_router(state, &self.gate));
    }

    /// Adds routes for media servers with this state.
    pub(super) fn add_media_routes<S: Clone + Send + Sync + 'static>(&mut self, routes: Routes<S>, state: S) {
        let router = routes.into_router(state, &self.gate);
        self.media_routers.push(router.clone());
        self.routers.push(router);
    }

    /// Adds rows that `prune` removes when they are older than `keep`.
    pub(super) fn retain(&mut self, keep: Duration, prune: Prune) {
        self.retentions.push(Retention { keep, prune });
    }
}
