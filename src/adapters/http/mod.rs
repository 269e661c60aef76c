//! The HTTP API: the router, and one file for each resource. A handler converts the request, calls the service that is
//! its state, and converts the result.
//!
//! A request passes `request_log` (id, span, log entry, metrics, problems), then `authentication` for the management
//! API, then a handler. The OpenAPI document comes from the same [`Routes`] as the router.

pub mod api_tokens;
pub mod audit;
pub mod auth;
mod authentication;
mod body;
pub mod broadcasters;
mod docs;
mod extract;
mod health;
mod health_section;
mod hook_secret;
pub mod hooks;
mod kick;
mod lenient;
pub mod media_servers;
mod metrics;
mod openapi;
pub mod operation;
mod options;
mod origin;
mod problem;
mod problems;
mod request_log;
mod routes;
mod sse;
mod stream_events;
pub mod stream_keys;
mod streamer_events;
mod streamer_health;
pub mod streamers;
pub mod streams;
mod strict;
mod tasks;
#[cfg_attr(not(test), expect(dead_code, reason = "no route takes uploads yet"))]
mod upload;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;

pub use authentication::Gate;
pub use health_section::HealthSection;
pub use openapi::{openapi_json, problems_json};
pub use operation::Operation;
pub use options::{HttpOptions, MetricsText};
pub use problem::ProblemType;
pub use routes::{Document, Routes};
pub use sse::EventStreams;

use crate::ports::IdGen;
use problem::Problem;

/// The complete router. Serve it with the peer's address as `ConnectInfo<SocketAddr>`.
pub fn router(slices: impl IntoIterator<Item = Router>, ids: Arc<dyn IdGen>) -> Router {
    let all = slices.into_iter().fold(Router::new(), Router::merge);
    all.fallback(|| async { Problem::of_status(StatusCode::NOT_FOUND) })
        .layer(from_fn_with_state(ids, request_log::request_log))
}
