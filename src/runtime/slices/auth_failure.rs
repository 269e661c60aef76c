//! Refused attempts to publish.

use std::sync::Arc;

use crate::adapters::cli::auth_failure::{AuthCommand, run};
use crate::adapters::http;
use crate::runtime::shared::Shared;
use crate::runtime::slice::{Parts, Slice, commands};

pub(super) const SLICE: Slice = Slice {
    document: || http::auth_failure::routes().document(),
    commands: &[commands!("auth", "Show refused attempts to publish", AuthCommand, |command, api, out| run(
        api, &command, out
    ))],
    build,
};

fn build(shared: &Shared, parts: &mut Parts) {
    parts.add_routes(http::auth_failure::routes(), Arc::clone(&shared.auth_failures));
    parts.chores.push(Arc::clone(&shared.auth_failures) as _);
    parts.retain(shared.config.auth.failures_retention.0, |store, at| store.prune_auth_failures(at));
}
