//! The event log and its readers.

use std::sync::Arc;

use crate::adapters::http::Document;
use crate::app::events::EventTail;
use crate::app::task::AnyTask;
use crate::runtime::shared::Shared;
use crate::runtime::slice::{Parts, Slice};

pub(super) const SLICE: Slice = Slice { document: Document::default, commands: &[], build };

fn build(shared: &Shared, parts: &mut Parts) {
    parts.tasks.push(AnyTask::periodic(EventTail::new(Arc::clone(&shared.events))));
    parts.retain(shared.config.events.retention.0, |store, at| store.prune_events(at));
}
