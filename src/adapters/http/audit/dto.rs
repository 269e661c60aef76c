//! The queries and the bodies of the audit log.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::adapters::http::extract::{ListQuery, number};
use crate::adapters::http::list::Cursor as _;
use crate::adapters::views::AuditEntryView;
use crate::app::audit::AuditReport;
use crate::domain::Invalid;
use crate::domain::audit::{AuditFilter, Outcome};
use crate::domain::page::Newest;

const MAX_PAGE: u32 = 100;
const DEFAULT_PAGE: u32 = 50;
/// The largest `offset`: what the store can count.
const MAX_OFFSET: u64 = i64::MAX.unsigned_abs();

/// A page of the audit log.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditLog)]
pub(super) struct AuditPage {
    pub(super) audit_logs: Vec<AuditEntryView>,
    pub(super) pagination: Pagination,
}

/// Which page it is.
#[derive(Serialize, ToSchema)]
pub(super) struct Pagination {
    pub(super) limit: u32,
    pub(super) offset: u64,
    /// How many entries match the filter in all.
    pub(super) total: u64,
    /// The cursor of the next page. Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_cursor: Option<String>,
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
    /// `next_cursor` of the previous page. Prefer it to `offset`: it is as fast on the last page as on the first.
    #[param(pattern = "^[0-9A-Za-z_-]{32}$")]
    cursor: Option<String>,
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
    /// Entries with this outcome: `success` or `failure`.
    #[param(pattern = "^(success|failure)$")]
    outcome: Option<String>,
}

impl ListQuery for AuditQuery {
    type Filter = AuditFilter;

    fn filter(self) -> Result<AuditFilter, Invalid> {
        let time = |field: &str, text: Option<String>| {
            text.map(|text| text.parse().map_err(|rule: &str| Invalid::one(field, rule))).transpose()
        };
        if self.offset.is_some() && self.cursor.is_some() {
            return Err(Invalid::one("offset", "must not be given with cursor"));
        }
        let outcome = self.outcome.map(|word| {
            Outcome::parse(&word).ok_or_else(|| Invalid::one("outcome", "must be success or failure"))
        });
        let outcome = outcome.transpose()?;
        Ok(AuditFilter {
            after: self.cursor.as_deref().map(Newest::parse).transpose()?,
            limit: number("limit", self.limit.as_deref(), 1..=MAX_PAGE)?.unwrap_or(DEFAULT_PAGE),
            offset: number("offset", self.offset.as_deref(), 0..=MAX_OFFSET)?.unwrap_or(0),
            from: time("from", self.from)?,
            to: time("to", self.to)?,
            actor: self.actor,
            action: self.action,
            resource_type: self.resource_type,
            resource_id: self.resource_id,
            outcome,
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
    #[schema(value_type = Option<Outcome>)]
    outcome: Option<String>,
    #[schema(min_length = 1, max_length = 1000)]
    failure_reason: Option<String>,
    /// At most 16 KiB.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Value>,
}

impl From<AuditReportJson> for AuditReport {
    fn from(report: AuditReportJson) -> Self {
        Self {
            event_type: report.event_type.unwrap_or_default(),
            actor: report.actor,
            resource_type: report.resource_type,
            resource_id: report.resource_id,
            request_method: report.request_method,
            request_path: report.request_path,
            outcome: report.outcome,
            failure_reason: report.failure_reason,
            metadata: report.metadata,
        }
    }
}
