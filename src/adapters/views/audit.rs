//! Entries of the audit log.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::DateTime;
use crate::domain::audit::{AuditEntry, Outcome};

/// An entry of the audit log. Unlike everywhere else, absent values are `null`.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(crate) struct AuditEntryView {
    id: Uuid,
    timestamp: DateTime,
    /// Whose resource it is about.
    #[schema(required = true)]
    organization_id: Option<Uuid>,
    #[schema(required = true, example = "token:dashboard")]
    actor: Option<String>,
    /// `create`, `update`, `delete`, `rotate`, `publish`, …, or an action that a dashboard reported.
    #[schema(example = "create")]
    action: String,
    #[schema(required = true, example = "stream_key")]
    resource_type: Option<String>,
    #[schema(required = true)]
    resource_id: Option<String>,
    #[schema(required = true, example = "POST")]
    request_method: Option<String>,
    /// The path of the request, without the query.
    #[schema(required = true, example = "/stream-keys")]
    request_path: Option<String>,
    #[schema(required = true, example = "192.0.2.7")]
    ip_address: Option<String>,
    outcome: Outcome,
    #[schema(required = true)]
    failure_reason: Option<String>,
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
    #[schema(required = true)]
    request_id: Option<String>,
    /// Whether a dashboard reported it. `false`: Streamward recorded it itself.
    told: bool,
}

impl From<AuditEntry> for AuditEntryView {
    fn from(entry: AuditEntry) -> Self {
        Self {
            id: entry.id.0,
            timestamp: entry.timestamp,
            organization_id: entry.organization_id.map(|id| id.0),
            actor: entry.actor,
            action: entry.action,
            resource_type: entry.resource_type,
            resource_id: entry.resource_id,
            request_method: entry.request_method,
            request_path: entry.request_path,
            ip_address: entry.ip_address,
            outcome: entry.outcome,
            failure_reason: entry.failure_reason,
            metadata: entry.metadata,
            request_id: entry.request_id,
            told: entry.told,
        }
    }
}
