//! The event log and its readers.

use std::sync::Arc;

use crate::adapters::http::EventViews;
use crate::adapters::http::event::{EventState, routes};
use crate::app::event_log::EventLog;
use crate::app::events::EventTail;
use crate::app::task::AnyTask;
use crate::runtime::shared::Shared;
use crate::runtime::slice::{Parts, Slice};

/// After the slices that show their events.
pub(super) const SLICE: Slice = Slice { document: || routes().document(), commands: &[], build };

fn build(shared: &Shared, parts: &mut Parts) {
    let log = Arc::new(EventLog::new(Arc::clone(&shared.core)));
    let views = EventViews::new(std::mem::take(&mut parts.event_views));
    parts.add_routes(routes(), EventState { log, events: parts.events.clone(), views });
    parts.tasks.push(AnyTask::periodic(EventTail::new(Arc::clone(&shared.events))));
    parts.retain(shared.config.events.retention.0, |store, at| store.prune_events(at));
}
