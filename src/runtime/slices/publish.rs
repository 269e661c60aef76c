//! Publish decisions: `POST /auth` and the cache in front of it.

use std::sync::Arc;

use crate::adapters::http;
use crate::app::grace::DatabaseProbe;
use crate::app::key_cache_loader::KeyCacheLoader;
use crate::app::task::AnyTask;
use crate::runtime::shared::Shared;
use crate::runtime::slice::{Parts, Slice};

pub(super) const SLICE: Slice =
    Slice { document: || http::publish::routes().document(), commands: &[], build };

fn build(shared: &Shared, parts: &mut Parts) {
    parts
        .add_media_routes(http::publish::routes(), (Arc::clone(&shared.access), Arc::clone(&shared.publish)));
    let loader = KeyCacheLoader::new(&shared.core, Arc::clone(&shared.key_cache), Arc::clone(&shared.events));
    parts.tasks.push(AnyTask::periodic(loader));
    let (core, grace) = (Arc::clone(&shared.core), Arc::clone(&shared.grace));
    parts.tasks.push(AnyTask::periodic(DatabaseProbe::new(core, grace, shared.config.auth.claim_ttl.0)));
    parts.chores.push(Arc::clone(&shared.publish) as _);
}
