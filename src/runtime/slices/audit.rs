//! The audit log: who did what.

use std::sync::Arc;

use crate::adapters::http;
use crate::runtime::shared::Shared;
use crate::runtime::slice::{Parts, Slice};

pub(super) const SLICE: Slice = Slice { document: || http::audit::routes().document(), commands: &[], build };

fn build(shared: &Shared, parts: &mut Parts) {
    parts.add_routes(http::audit::routes(), Arc::clone(&shared.audit));
    parts.chores.push(Arc::clone(&shared.audit) as _);
    parts.retain(shared.config.audit.retention.0, |store, at| store.prune_audit(at));
}
