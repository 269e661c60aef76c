//! What events say, as JSON. Each slice shows those of its topic, in the same way in its own event stream and in `/events`.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::domain::event::Event;

type Show = dyn Fn(&Event) -> Option<Value> + Send + Sync;

/// Shows the events of a topic; `None` for others.
#[derive(Clone)]
pub struct EventView(Arc<Show>);

impl EventView {
    pub(super) fn new<T: Serialize>(show: impl Fn(&Event) -> Option<T> + Send + Sync + 'static) -> Self {
        Self(Arc::new(move |event| serde_json::to_value(show(event)?).ok()))
    }
}

/// Those of all topics.
#[derive(Clone)]
pub struct EventViews(Arc<[EventView]>);

impl EventViews {
    /// All of them.
    pub fn new(views: Vec<EventView>) -> Self {
        Self(views.into())
    }

    /// What an event says.
    pub(super) fn data(&self, event: &Event) -> Value {
        self.0.iter().find_map(|view| (view.0)(event)).unwrap_or_default()
    }
}
