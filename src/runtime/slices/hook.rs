//! The hooks of media servers.

use std::sync::Arc;

use crate::adapters::http;
use crate::app::hook::Hooks;
use crate::runtime::shared::Shared;
use crate::runtime::slice::{Parts, Slice};

pub(super) const SLICE: Slice = Slice { document: || http::hook::routes().document(), commands: &[], build };

fn build(shared: &Shared, parts: &mut Parts) {
    let (media_servers, polls) = (Arc::clone(&shared.media_servers), Arc::clone(&shared.polls));
    let hooks = Hooks::new(Arc::clone(&shared.core), media_servers, polls, Arc::clone(&shared.grace));
    parts.add_media_routes(http::hook::routes(), (Arc::clone(&shared.access), Arc::new(hooks)));
}
