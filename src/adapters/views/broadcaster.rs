//! Broadcasters.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::DateTime;
use super::list::list;
use crate::domain::broadcaster::Broadcaster;

list! {
    /// All broadcasters.
    BroadcasterList { broadcasters: BroadcasterView }
}

/// A person or device that may publish with its stream keys.
#[derive(Serialize, ToSchema)]
#[schema(as = Broadcaster)]
pub(crate) struct BroadcasterView {
    id: Uuid,
    /// Who owns it.
    organization_id: Uuid,
    /// The display name.
    #[schema(example = "Alice")]
    display_name: String,
    /// Data of your own.
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
    created_at: DateTime,
    updated_at: DateTime,
}

impl From<Broadcaster> for BroadcasterView {
    fn from(broadcaster: Broadcaster) -> Self {
        Self {
            id: broadcaster.id.0,
            organization_id: broadcaster.organization_id.0,
            display_name: broadcaster.display_name.into(),
            metadata: broadcaster.metadata.as_object().clone(),
            created_at: broadcaster.created_at,
            updated_at: broadcaster.updated_at,
        }
    }
}
