//! `GET /metrics`: the metrics as Prometheus text.

use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName};

use crate::adapters::http::options::Operation;
use crate::adapters::http::problem::{Problem, ProblemType};

const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Read the metrics
///
/// Prometheus text. If `metrics.token` is set, it is required as a bearer token.
#[utoipa::path(
    get,
    path = "/metrics",
    security((), ("metrics_token" = [])),
    responses(
        (status = 200, content_type = "text/plain", body = String),
        (status = 401, description = "`unauthenticated`: The metrics token is missing or wrong"),
        (status = 404, description = "`not-found`: Metrics are switched off"),
    )
)]
pub(super) async fn metrics(
    State(operation): State<Operation>,
    headers: HeaderMap,
) -> Result<([(HeaderName, &'static str); 1], String), Problem> {
    if let Some(token) = &operation.options.metrics_token {
        let shown = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.split_once(' '));
        if !shown
            .is_some_and(|(how, shown)| how.eq_ignore_ascii_case("bearer") && token.matches(shown.trim()))
        {
            let detail = "Send the metrics token (metrics.token) as Authorization: Bearer.";
            return Err(Problem::new(ProblemType::UNAUTHENTICATED, detail));
        }
    }
    let Some(render) = &operation.options.metrics else {
        return Err(Problem::new(ProblemType::NOT_FOUND, "Metrics are switched off on this instance."));
    };
    Ok(([(CONTENT_TYPE, PROMETHEUS_TEXT)], render()))
}
