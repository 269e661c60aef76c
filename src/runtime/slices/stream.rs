//! Streams: who is live, who was, and what changes.

use std::sync::Arc;

use crate::adapters::cli::stream::{StreamCommand, run};
use crate::adapters::http::stream::{Streaming, event_view, routes};
use crate::runtime::shared::Shared;
use crate::runtime::slice::{Parts, Slice, commands};

pub(super) const SLICE: Slice = Slice {
    document: || routes().document(),
    commands: &[commands!("stream", "List and end streams", StreamCommand, |command, api, out| run(
        api, &command, out
    ))],
    build,
};

fn build(shared: &Shared, parts: &mut Parts) {
    let state = Streaming { streams: Arc::clone(&shared.streams), events: parts.events.clone() };
    parts.add_routes(routes(), state);
    parts.event_views.push(event_view(Arc::clone(&shared.streams)));
}
