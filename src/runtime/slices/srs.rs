//! The callbacks of SRS.

use std::sync::Arc;

use crate::adapters::http;
use crate::app::callbacks::Callbacks;
use crate::app::hook::Hooks;
use crate::runtime::shared::Shared;
use crate::runtime::slice::{Parts, Slice};

pub(super) const SLICE: Slice = Slice { document: || http::srs::routes().document(), commands: &[], build };

fn build(shared: &Shared, parts: &mut Parts) {
    let (core, polls) = (|| Arc::clone(&shared.core), || Arc::clone(&shared.polls));
    let hooks = Hooks::new(core(), Arc::clone(&shared.media_servers), polls(), Arc::clone(&shared.grace));
    let callbacks = Callbacks::new(core(), Arc::clone(&shared.publish), hooks, polls());
    parts.add_media_routes(http::srs::routes(), (Arc::clone(&shared.access), Arc::new(callbacks)));
}
