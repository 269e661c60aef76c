//! Stream keys: the secrets broadcasters publish with.

use std::sync::Arc;

use crate::adapters::cli::stream_key::{KeyCommand, run};
use crate::adapters::http;
use crate::runtime::shared::Shared;
use crate::runtime::slice::{Parts, Slice, commands};

pub(super) const SLICE: Slice = Slice {
    document: || http::stream_key::routes().document(),
    commands: &[commands!(
        "key",
        "Manage stream keys, the secrets for publishing",
        KeyCommand,
        |command, api, out| run(api, &command, out)
    )],
    build,
};

fn build(shared: &Shared, parts: &mut Parts) {
    parts.event_views.push(http::stream_key::event_view());
    parts.add_routes(http::stream_key::routes(), Arc::clone(&shared.stream_keys));
}
