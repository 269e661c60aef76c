//! The checks of the installation, and its configuration.

use std::sync::Arc;

use crate::adapters::http::doctor::routes;
use crate::app::doctor::Doctor;
use crate::runtime::shared::Shared;
use crate::runtime::slice::{Parts, Slice};

pub(super) const SLICE: Slice = Slice { document: || routes().document(), commands: &[], build };

fn build(shared: &Shared, parts: &mut Parts) {
    let doctor = Doctor::new(Arc::clone(&shared.core), shared.outside.examiner.clone());
    parts.add_routes(routes(), Arc::new(doctor));
}
