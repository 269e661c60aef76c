//! An event of any topic.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::DateTime;
use super::list::list;
use crate::domain::event::StoredEvent;

list! {
    /// Events, the newest first.
    EventEntryList { events: EventEntryView }
}

/// What happened.
#[derive(Serialize, ToSchema)]
#[schema(as = EventEntry)]
pub(crate) struct EventEntryView {
    /// Its number. It grows by one with every event of any topic.
    #[schema(minimum = 1)]
    seq: i64,
    at: DateTime,
    #[schema(value_type = String, example = "stream")]
    topic: String,
    /// What happened.
    #[schema(example = "stream.started")]
    r#type: String,
    /// What it happened to.
    subject_id: Uuid,
    /// Who owns that.
    organization_id: Uuid,
    /// The same as in the events of the topic, such as `GET /streams/events`. `null` if another version of Streamward wrote
    /// the event.
    #[schema(value_type = Option<Object>, required = true)]
    data: Value,
}

impl EventEntryView {
    /// `data` is what it says.
    pub(crate) fn of(stored: StoredEvent, data: Value) -> Self {
        let StoredEvent { seq, at, organization_id, topic, kind, subject, .. } = stored;
        Self { seq, at, topic, r#type: kind, subject_id: subject, organization_id: organization_id.0, data }
    }
}
