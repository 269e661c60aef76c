//! Why a path is, or is not, on air.

use std::sync::Arc;

use crate::adapters::http::explain::routes;
use crate::app::explain::Explain;
use crate::runtime::shared::Shared;
use crate::runtime::slice::{Parts, Slice};

pub(super) const SLICE: Slice = Slice { document: || routes().document(), commands: &[], build };

fn build(shared: &Shared, parts: &mut Parts) {
    let explain = Explain::new(Arc::clone(&shared.core), Arc::clone(&shared.servers));
    parts.add_routes(routes(), Arc::new(explain));
}
