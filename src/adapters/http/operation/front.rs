//! `/`: a page for people who open the address in a browser. For programs there is nothing.

use std::sync::LazyLock;

use axum::extract::Request;
use axum::http::header::{ACCEPT, CONTENT_SECURITY_POLICY, VARY};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse as _, Response};

use crate::adapters::http::base_path::BasePath;
use crate::adapters::http::page::inline;
use crate::adapters::http::problem::Problem;

const PAGE: &str = include_str!("front.html");

/// The page runs no script, and loads nothing.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let policy = format!(
        "default-src 'none'; style-src {}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        inline(PAGE, "style")
    );
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

pub(super) async fn front(request: Request) -> Result<Response, Problem> {
    let accepted = request.headers().get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    if !accepted.flat_map(|list| list.split(',')).any(is_html) {
        return Err(nothing().await);
    }
    let base = BasePath::of(request.extensions());
    let headers = [(CONTENT_SECURITY_POLICY, POLICY.clone()), (VARY, HeaderValue::from_static("accept"))];
    Ok((headers, Html(PAGE.replace("href=\"/", &format!("href=\"{base}/")))).into_response())
}

/// Whether a part of the header `Accept` names HTML. `*/*` does not: every program sends it.
fn is_html(part: &str) -> bool {
    part.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/html"))
}

/// There is no such route.
pub(super) async fn nothing() -> Problem {
    Problem::of_status(StatusCode::NOT_FOUND)
}
