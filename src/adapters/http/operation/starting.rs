//! What is answered until the service has its database: that it is not there yet. Nobody is let in meanwhile.

use axum::Router;
use axum::http::header::{ACCEPT, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFRESH, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get};

use super::health;
use crate::adapters::http::page::HTML;
use crate::adapters::http::problem::{Problem, ProblemType};
use crate::domain::publish::DenyReason;

const DETAIL: &str = "Streamward is starting: its database does not answer yet, or is being prepared. Try again in a moment; \
                      the log of the service and `streamward doctor` show the cause.";

/// What a person sees who opens the page meanwhile. It loads itself again.
const PAGE: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>Streamward is starting</title>\
                    <h1>Streamward is starting</h1>\
                    <p>Its database does not answer yet, or is being prepared. This page loads again by itself.</p>\
                    <p>The log of the service and <code>streamward doctor</code> show the cause.</p></html>";

/// The routes while the service starts.
pub fn starting() -> Router {
    Router::new()
        .route("/livez", get(health::livez))
        .route("/auth", any(denied))
        .route("/", any(page))
        .route("/ui/", any(page))
        .route("/{*path}", any(not_ready))
}

/// Media servers take every answer but 200 as a refusal. This is the one of an instance whose database is unreachable and
/// which knows no key (`app::grace`).
async fn denied() -> Problem {
    Problem::new(ProblemType::DENIED, DenyReason::Undecided.advice())
}

async fn not_ready() -> Problem {
    Problem::new(ProblemType::UNAVAILABLE, DETAIL)
}

async fn page(headers: HeaderMap) -> Response {
    let accepted = headers.get(ACCEPT).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
    if !accepted.contains("text/html") {
        return not_ready().await.into_response();
    }
    let headers = [
        (CONTENT_TYPE, HTML),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (REFRESH, "2"),
        (RETRY_AFTER, "2"),
    ];
    (StatusCode::SERVICE_UNAVAILABLE, headers, PAGE).into_response()
}
