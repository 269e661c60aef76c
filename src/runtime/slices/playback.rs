//! Playback tokens: who may watch where a token is needed.

use std::sync::Arc;
use std::time::Duration;

use crate::adapters::cli::playback::{PlaybackCommand, run};
use crate::adapters::http;
use crate::app::playback::{PlaybackRefresh, ReaderWatch};
use crate::app::task::AnyTask;
use crate::runtime::shared::Shared;
use crate::runtime::slice::{Parts, Slice, commands};

/// How long a token is listed after it has expired.
const KEPT: Duration = Duration::from_secs(86_400);

pub(super) const SLICE: Slice = Slice {
    document: || http::playback::routes().document(),
    commands: &[commands!(
        "playback",
        "Manage tokens for viewers, where a token is needed to watch",
        PlaybackCommand,
        |command, api, out| run(api, &command, out)
    )],
    build,
};

fn build(shared: &Shared, parts: &mut Parts) {
    parts.add_routes(http::playback::routes(), Arc::clone(&shared.playback));
    let (core, guard) = (|| Arc::clone(&shared.core), || Arc::clone(&shared.playback_guard));
    let (events, key_age) = (Arc::clone(&shared.events), shared.config.playback.key_rotation.0);
    parts.tasks.push(AnyTask::periodic(PlaybackRefresh::new(core(), guard(), events, key_age)));
    let servers = shared.outside.media_servers.clone();
    parts.tasks.push(AnyTask::periodic(ReaderWatch::new(core(), guard(), servers)));
    parts.retain(KEPT, |store, at| store.prune_playback_tokens(at));
}
