//! The event log and its readers.

use std::sync::Arc;

use super::{Parts, Shared, Slice};
use crate::adapters::http::Document;
use crate::app::events::EventTail;
use crate::app::housekeeping::Retention;
use crate::app::task::AnyTask;

pub(super) const SLICE: Slice = Slice { document: Document::default, commands: &[], build };

fn build(shared: &Shared, parts: &mut Parts) -> anyhow::Result<()> {
    parts.task(AnyTask::periodic(EventTail::new(Arc::clone(&shared.events))));
    let keep = shared.config.events.retention.0;
    parts.retentions.push(Retention { keep, prune: |store, at| store.prune_events(at) });
    Ok(())
}
