//! Publish decisions: `POST /auth` and the cache in front of it.

use std::sync::Arc;

use super::{Parts, Shared, Slice};
use crate::adapters::http;
use crate::app::key_cache::KeyCacheLoader;
use crate::app::task::AnyTask;

pub(super) const SLICE: Slice =
    Slice { document: || http::publish::routes().document(), commands: &[], build };

fn build(shared: &Shared, parts: &mut Parts) -> anyhow::Result<()> {
    let state = (Arc::clone(&shared.access), Arc::clone(&shared.publish));
    parts.serve(http::publish::routes(), state);
    let loader = KeyCacheLoader::new(&shared.core, Arc::clone(&shared.key_cache), Arc::clone(&shared.events));
    parts.task(AnyTask::periodic(loader));
    Ok(())
}
