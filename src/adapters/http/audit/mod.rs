//! `/audit-logs` and `/audit-events`: who did what, when, from where, with what outcome.

mod dto;

use std::sync::Arc;

use super::extract::Filter;
use super::handler::{Admin, Answer, Call, Created, Routes, StrictJson, created, ok, routes};
use super::list::Cursor as _;
use crate::adapters::views::AuditEntryView;
use crate::app::audit::AuditLog;
use crate::domain::audit::AuditFilter;
use crate::domain::page::Placed as _;
use dto::{AuditPage, AuditQuery, AuditReportJson, Pagination};

/// The routes.
pub fn routes() -> Routes<Arc<AuditLog>> {
    Routes::new("audit")
        .about("Who did what.")
        .management(Admin, "audit_event", routes!(read_audit_logs))
        .management(Admin, "audit_event", routes!(report_audit_event))
}

/// Read the audit log
///
/// Newest first. Every write through the API or the command line is in it, allowed or refused, and every `/auth`
/// decision. Equal refusals and equal decisions of a few seconds are one entry with `metadata.count`, written within
/// seconds.
#[utoipa::path(get, path = "/audit-logs", params(AuditQuery), responses((status = 200, body = AuditPage)))]
async fn read_audit_logs(
    Call(log, actor): Call<AuditLog>,
    Filter(filter): Filter<AuditQuery>,
) -> Answer<AuditPage> {
    let (limit, offset) = (filter.limit, filter.offset);
    // One more than requested shows whether there is a next page.
    let (mut entries, total) = log.entries(&actor, &AuditFilter { limit: limit + 1, ..filter }).await?;
    let is_more = entries.len() > limit as usize;
    entries.truncate(limit as usize);
    let next_cursor = entries.last().filter(|_| is_more).map(|last| last.place().to_text());
    let pagination = Pagination { limit, offset, total, next_cursor };
    ok(AuditPage { audit_logs: entries.into_iter().map(AuditEntryView::from).collect(), pagination })
}

/// Report an action of a dashboard's user
///
/// For trusted dashboards. The entry is marked with `told` and names the caller who reported it.
#[utoipa::path(
    post, path = "/audit-events", request_body = AuditReportJson, responses((status = 201, body = AuditEntryView))
)]
async fn report_audit_event(
    Call(log, actor): Call<AuditLog>,
    StrictJson(report): StrictJson<AuditReportJson>,
) -> Created<AuditEntryView> {
    created(None, log.report(&actor, report.into()).await?)
}
