//! `/audit-logs` and `/audit-events`: who did what, when, from where, with what outcome.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::routes;
use uuid::Uuid;

use super::authentication::Caller;
use super::extract::{NoQuery, StrictJson, StrictQuery, number};
use super::problem::Problem;
use super::routes::Routes;
use crate::app::audit::{AuditLog, AuditReport};
use crate::domain::audit::{AuditEntry, AuditFilter, Outcome};
use crate::domain::{Invalid, Timestamp};

const MAX_PAGE: u64 = 100;
const DEFAULT_PAGE: u64 = 50;
/// The largest `offset`: what the store can count.
const MAX_OFFSET: u64 = i64::MAX.unsigned_abs();

/// An entry of the audit log. Unlike everywhere else, absent values are `null`.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(super) struct AuditEntryJson {
    id: Uuid,
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
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
    outcome: OutcomeJson,
    #[schema(required = true)]
    failure_reason: Option<String>,
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
    #[schema(required = true)]
    request_id: Option<String>,
    /// Whether a dashboard reported it. `false`: Streamward recorded it itself.
    told: bool,
}

/// How it ended.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AuditOutcome)]
pub(super) enum OutcomeJson {
    /// It succeeded.
    Success,
    /// It was refused or failed.
    Failure,
}

impl From<AuditEntry> for AuditEntryJson {
    fn from(entry: AuditEntry) -> Self {
        Self {
            id: entry.id.0,
            timestamp: entry.timestamp,
            actor: entry.actor,
            action: entry.action,
            resource_type: entry.resource_type,
            resource_id: entry.resource_id,
            request_method: entry.request_method,
            request_path: entry.request_path,
            ip_address: entry.ip_address,
            outcome: match entry.outcome {
                Outcome::Success => OutcomeJson::Success,
                Outcome::Failure => OutcomeJson::Failure,
            },
            failure_reason: entry.failure_reason,
            metadata: entry.metadata,
            request_id: entry.request_id,
            told: entry.told,
        }
    }
}

/// A page of the audit log.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditLog)]
pub(super) struct AuditPage {
    audit_logs: Vec<AuditEntryJson>,
    pagination: Pagination,
}

/// Which page it is.
#[derive(Serialize, ToSchema)]
pub(super) struct Pagination {
    limit: u32,
    offset: u64,
    /// How many entries match the filter in all.
    total: u64,
}

/// Which entries.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    /// At most this many; 50 without it.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    limit: Option<String>,
    /// How many to skip.
    #[param(value_type = Option<u64>)]
    offset: Option<String>,
    /// Entries at or after this time.
    #[param(format = DateTime)]
    from: Option<String>,
    /// Entries at or before this time.
    #[param(format = DateTime)]
    to: Option<String>,
    /// Entries of this actor.
    actor: Option<String>,
    /// Entries with this action.
    action: Option<String>,
    /// Entries about this kind of resource.
    resource_type: Option<String>,
    /// Entries about the resource with this id.
    resource_id: Option<String>,
}

impl AuditQuery {
    fn filter(self) -> Result<AuditFilter, Invalid> {
        let time = |field: &str, text: Option<String>| {
            let rule = "must be an RFC 3339 time such as 2026-01-31T12:00:00Z";
            let parse =
                |text: String| Timestamp::parse_rfc3339(&text).ok_or_else(|| Invalid::one(field, rule));
            text.map(parse).transpose()
        };
        let limit = number("limit", self.limit.as_deref(), 1, MAX_PAGE)?.unwrap_or(DEFAULT_PAGE);
        Ok(AuditFilter {
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
            offset: number("offset", self.offset.as_deref(), 0, MAX_OFFSET)?.unwrap_or(0),
            from: time("from", self.from)?,
            to: time("to", self.to)?,
            actor: self.actor,
            action: self.action,
            resource_type: self.resource_type,
            resource_id: self.resource_id,
        })
    }
}

/// An action of a dashboard's user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AuditEvent)]
pub(super) struct AuditReportJson {
    /// The action; becomes the entry's `action`.
    #[schema(value_type = String, required = true, example = "login", min_length = 1, max_length = 50)]
    event_type: Option<String>,
    /// Who did it. By default the caller.
    #[schema(min_length = 1, max_length = 255)]
    actor: Option<String>,
    #[schema(min_length = 1, max_length = 100)]
    resource_type: Option<String>,
    #[schema(min_length = 1, max_length = 255)]
    resource_id: Option<String>,
    #[schema(min_length = 1, max_length = 20)]
    request_method: Option<String>,
    #[schema(min_length = 1, max_length = 2000)]
    request_path: Option<String>,
    /// `success` without it.
    #[schema(value_type = Option<OutcomeJson>)]
    outcome: Option<String>,
    #[schema(min_length = 1, max_length = 1000)]
    failure_reason: Option<String>,
    /// At most 16 KiB.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Value>,
}

/// The routes.
pub fn routes() -> Routes<Arc<AuditLog>> {
    Routes::new()
        .tag("audit", "Who did what.")
        .management("audit_event", routes!(read_audit_logs))
        .management("audit_event", routes!(report_audit_event))
}

/// Read the audit log
///
/// Newest first. Every write through the API or the command line is in it, allowed or refused, and a count of the
/// `/auth` decisions.
#[utoipa::path(
    get,
    path = "/audit-logs",
    tag = "audit",
    params(AuditQuery),
    responses((status = 200, body = AuditPage)),
    extensions(("x-role" = json!("admin")))
)]
pub(super) async fn read_audit_logs(
    State(log): State<Arc<AuditLog>>,
    Caller(actor): Caller,
    StrictQuery(query): StrictQuery<AuditQuery>,
) -> Result<Json<AuditPage>, Problem> {
    let filter = query.filter()?;
    let (entries, total) = log.entries(&actor, &filter).await?;
    let pagination = Pagination { limit: filter.limit, offset: filter.offset, total };
    Ok(Json(AuditPage { audit_logs: entries.into_iter().map(AuditEntryJson::from).collect(), pagination }))
}

/// Report an action of a dashboard's user
///
/// For trusted dashboards. The entry is marked with `told` and names the caller who reported it.
#[utoipa::path(
    post,
    path = "/audit-events",
    tag = "audit",
    request_body = AuditReportJson,
    responses((status = 201, body = AuditEntryJson)),
    extensions(("x-role" = json!("admin")))
)]
pub(super) async fn report_audit_event(
    State(log): State<Arc<AuditLog>>,
    Caller(actor): Caller,
    _: NoQuery,
    StrictJson(report): StrictJson<AuditReportJson>,
) -> Result<(StatusCode, Json<AuditEntryJson>), Problem> {
    let report = AuditReport {
        event_type: report.event_type.unwrap_or_default(),
        actor: report.actor,
        resource_type: report.resource_type,
        resource_id: report.resource_id,
        request_method: report.request_method,
        request_path: report.request_path,
        outcome: report.outcome,
        failure_reason: report.failure_reason,
        metadata: report.metadata,
    };
    let entry = log.report(&actor, report).await?;
    Ok((StatusCode::CREATED, Json(entry.into())))
}
