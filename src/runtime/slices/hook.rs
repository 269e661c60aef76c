//! The hooks of media servers.

use std::sync::Arc;

use super::{Parts, Shared, Slice};
use crate::adapters::http;
use crate::app::hook::Hooks;

pub(super) const SLICE: Slice = Slice { document: || http::hook::routes().document(), commands: &[], build };

fn build(shared: &Shared, parts: &mut Parts) -> anyhow::Result<()> {
    let (media_servers, polls) = (Arc::clone(&shared.media_servers), Arc::clone(&shared.polls));
    let hooks = Hooks::new(Arc::clone(&shared.core), media_servers, polls);
    parts.serve(http::hook::routes(), (Arc::clone(&shared.access), Arc::new(hooks)));
    Ok(())
}
