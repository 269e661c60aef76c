//! The audit log: who did what.

use std::sync::Arc;

use super::{Parts, Shared, Slice};
use crate::adapters::http;
use crate::app::housekeeping::Retention;

pub(super) const SLICE: Slice = Slice { document: || http::audit::routes().document(), commands: &[], build };

fn build(shared: &Shared, parts: &mut Parts) -> anyhow::Result<()> {
    parts.serve(http::audit::routes(), Arc::clone(&shared.audit));
    let keep = shared.config.audit.retention.0;
    parts.retentions.push(Retention { keep, prune: |store, at| store.prune_audit(at) });
    Ok(())
}
