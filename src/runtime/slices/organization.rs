//! Organizations: who owns what is not the installation's.

use std::sync::Arc;

use crate::adapters::cli::organization::{OrganizationCommand, run};
use crate::adapters::http;
use crate::runtime::shared::Shared;
use crate::runtime::slice::{Parts, Slice, commands};

pub(super) const SLICE: Slice = Slice {
    document: || http::organization::routes().document(),
    commands: &[commands!(
        "organization",
        "Manage organizations, who own channels, clips and keys",
        OrganizationCommand,
        |command, api, out| run(api, &command, out)
    )],
    build,
};

fn build(shared: &Shared, parts: &mut Parts) {
    parts.add_routes(http::organization::routes(), Arc::clone(&shared.organizations));
}
