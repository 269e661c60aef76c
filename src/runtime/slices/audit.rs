//! The audit log: who did what.

use std::sync::Arc;

use crate::adapters::cli::audit::{AuditCommand, run};
use crate::adapters::http;
use crate::runtime::shared::Shared;
use crate::runtime::slice::{Parts, Slice, commands};

pub(super) const SLICE: Slice = Slice {
    document: || http::audit::routes().document(),
    commands: &[commands!("audit", "Show the audit log: who did what", AuditCommand, |command, api, out| {
        run(api, &command, out)
    })],
    build,
};

fn build(shared: &Shared, parts: &mut Parts) {
    parts.add_routes(http::audit::routes(), Arc::clone(&shared.audit));
    parts.chores.push(Arc::clone(&shared.audit) as _);
    parts.retain(shared.config.audit.retention.0, |store, at| store.prune_audit(at));
}
