//! `/explain`: why a path is, or is not, on air.

use std::sync::Arc;

use serde::Deserialize;

use super::extract::StrictQuery;
use super::handler::{Answer, Call, Operator, Routes, ok, routes};
use crate::adapters::views::ExplanationView;
use crate::app::explain::Explain;

/// The routes.
pub fn routes() -> Routes<Arc<Explain>> {
    Routes::new("streams").management(Operator, "stream", routes!(explain_path))
}

/// Which path.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ExplainQuery {
    /// The public path.
    #[param(value_type = String, required = true, example = "live/alice", max_length = 200, pattern = "^[0-9A-Za-z_-]+(/[0-9A-Za-z_-]+)*$")]
    path: Option<String>,
}

/// Explain a path
///
/// Why it is, or is not, on air, in plain sentences: its key, the media servers, the encoder, and the last refused attempt; and
/// what to do.
#[utoipa::path(get, path = "/explain", params(ExplainQuery), responses((status = 200, body = ExplanationView)))]
async fn explain_path(
    Call(explain, actor): Call<Explain>,
    StrictQuery(query): StrictQuery<ExplainQuery>,
) -> Answer<ExplanationView> {
    ok(explain.explain(&actor, query.path.as_deref().unwrap_or_default()).await?)
}
