//! API tokens and signed requests: who may call the management API.

use std::sync::Arc;
use std::time::Duration;

use crate::adapters::cli::access::{TokenCommand, run};
use crate::adapters::http;
use crate::app::access::SIGNATURE_WINDOW;
use crate::runtime::shared::Shared;
use crate::runtime::slice::{Parts, Slice, commands};

pub(super) const SLICE: Slice = Slice {
    document: || http::access::routes().document(),
    commands: &[commands!(
        "token",
        "Manage tokens for the management API",
        TokenCommand,
        |command, api, out| run(api, &command, out)
    )],
    build,
};

fn build(shared: &Shared, parts: &mut Parts) {
    parts.add_routes(http::access::routes(), Arc::clone(&shared.access));
    // Twice the window on either side: a request stamped in the future is valid for that much longer.
    let keep = Duration::from_secs(SIGNATURE_WINDOW.unsigned_abs() * 4);
    parts.retain(keep, |store, at| store.prune_signatures(at));
}
