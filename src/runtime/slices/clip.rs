//! Clips: uploaded files, prepared for playout.

use std::sync::Arc;

use crate::adapters::cli::clip::{ClipCommand, run};
use crate::adapters::http;
use crate::app::clip::{ClipPreparation, ClipTransfers};
use crate::app::task::AnyTask;
use crate::runtime::shared::Shared;
use crate::runtime::slice::{Parts, Slice, commands};

pub(super) const SLICE: Slice = Slice {
    document: || http::clip::routes().document(),
    commands: &[commands!(
        "clip",
        "Manage clips: files that channels play",
        ClipCommand,
        |command, api, out| run(api, &command, out)
    )],
    build,
};

fn build(shared: &Shared, parts: &mut Parts) {
    parts.add_routes(http::clip::routes(), Arc::clone(&shared.clips));
    parts.chores.push(Arc::clone(&shared.clips) as _);
    if shared.clips.transfers().is_some() {
        parts.health.push(http::clip::health(Arc::clone(&shared.clips)));
        parts.tasks.push(AnyTask::long_running(ClipTransfers(Arc::clone(&shared.clips))));
    }
    if shared.config.media.jobs > 0 {
        parts.tasks.push(AnyTask::long_running(ClipPreparation(Arc::clone(&shared.clips))));
    }
}
