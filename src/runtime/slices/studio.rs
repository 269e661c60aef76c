//! Studios: OBS on the air around the clock.

use crate::adapters::http::Document;
use crate::runtime::shared::Shared;
use crate::runtime::slice::{Parts, Slice};

pub(super) const SLICE: Slice = Slice { document: Document::default, commands: &[], build };

fn build(shared: &Shared, parts: &mut Parts) {
    let longest = |keep: fn(&crate::runtime::config::Studio) -> std::time::Duration| {
        shared.config.studios.values().map(keep).max()
    };
    // Rows of studios that are no longer configured are kept as long as by default.
    let default = crate::runtime::config::Studio::default();
    let samples = longest(|studio| studio.samples_retention.0).unwrap_or(default.samples_retention.0);
    parts.retain(samples, |store, at| store.prune_studio_samples(at));
    let history = longest(|studio| studio.retention.0).unwrap_or(default.retention.0);
    parts.retain(history, |store, at| store.prune_studio_history(at));
}
