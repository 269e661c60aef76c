//! Broadcasters: who may publish.

use std::sync::Arc;

use crate::adapters::cli::broadcaster::{BroadcasterCommand, run};
use crate::adapters::http;
use crate::runtime::shared::Shared;
use crate::runtime::slice::{Parts, Slice, commands};

pub(super) const SLICE: Slice = Slice {
    document: || http::broadcaster::routes().document(),
    commands: &[commands!(
        "broadcaster",
        "Manage broadcasters, who may publish",
        BroadcasterCommand,
        |command, api, out| run(api, &command, out)
    )],
    build,
};

fn build(shared: &Shared, parts: &mut Parts) {
    parts.event_views.push(http::broadcaster::event_view());
    parts.add_routes(http::broadcaster::routes(), Arc::clone(&shared.broadcasters));
}
