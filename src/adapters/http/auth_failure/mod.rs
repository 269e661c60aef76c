//! `/auth-failures`: refused attempts to publish, to watch, or to use an API.

use std::sync::Arc;

use super::handler::{Operator, Routes, routes};
use super::list::{ListAnswer, ListCall, PageQuery};
use crate::adapters::views::{AuthFailureList, AuthFailureView, OffenderView};
use crate::app::auth_failures::AuthFailures;

/// The routes.
pub fn routes() -> Routes<Arc<AuthFailures>> {
    Routes::new("auth failures").about("Refused attempts to publish, and what to do about them.").management(
        Operator,
        "auth_failure",
        routes!(list_auth_failures),
    )
}

/// List refused attempts
///
/// Those with the newest last attempt first. Equal attempts are one row with their number, written within seconds, and there
/// are at most a thousand rows: the oldest make room. Of a key that is not known, nothing is kept. The whole list, or a
/// page with `limit` or `cursor`. Wrong API tokens, signatures and passwords are listed too, with the protocol `api`.
/// `offenders` names the ten addresses with the most wrong secrets among all rows, also on a page.
#[utoipa::path(get, path = "/auth-failures", params(PageQuery), responses((status = 200, body = AuthFailureList)))]
async fn list_auth_failures(call: ListCall<AuthFailures, PageQuery>) -> ListAnswer {
    let (failures, actor) = call.caller();
    let offenders: Vec<OffenderView> =
        failures.offenders(actor).await?.into_iter().map(OffenderView::from).collect();
    call.answer_with(|_, failure| AuthFailureView::from(failure), &offenders).await
}
