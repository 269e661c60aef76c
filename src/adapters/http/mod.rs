//! The HTTP API: the router, and one folder for each slice: `mod.rs` has its routes and handlers, `dto.rs` its JSON, beside
//! `adapters::views`. A handler converts the request, calls the service that is its state, and converts the result.
//!
//! A request passes `request_log` (id, span, log entry, metrics, problems), then `authentication` for the management
//! API (with `admission`, so that no caller keeps the others out), then a handler. The OpenAPI document comes from the same [`Routes`] as the router.

pub mod access;
mod admission;
pub mod audit;
pub mod auth_failure;
mod authentication;
mod base_path;
mod body;
pub mod broadcaster;
pub mod channel;
pub mod clip;
mod connection;
pub mod doctor;
mod entity_tag;
pub mod event;
mod event_view;
pub mod explain;
mod extract;
mod handler;
mod health_section;
pub mod hook;
mod hook_secret;
mod lenient;
mod list;
pub mod media_server;
pub mod notification;
mod openapi;
pub mod operation;
mod options;
pub mod organization;
mod origin;
mod page;
pub mod playback;
mod problem;
pub mod publish;
mod request_log;
mod routes;
mod session_cookie;
mod shown;
pub mod srs;
mod sse;
pub mod stream;
pub mod stream_key;
pub mod streamer;
mod strict;
pub mod studio;
pub mod ui;
mod upload;
pub mod user;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;

pub use authentication::{Gate, LocalCaller};
pub use connection::{Connection, InvalidRequest};
pub use event_view::{EventView, EventViews};
pub use health_section::HealthSection;
pub use openapi::{Document, openapi_json, problems_json};
pub use operation::Operation;
pub use options::{HttpOptions, MetricsText};
pub use problem::{ProblemType, problem_of};
pub use request_log::{Failed, RequestLog};
pub use routes::Routes;
pub use session_cookie::CookieRules;
pub use sse::EventStreams;

use problem::Problem;

/// The complete router. Serve it with the peer's address as `ConnectInfo<SocketAddr>`. It answers below `base_path` too,
/// if that is not empty.
pub fn router(slices: impl IntoIterator<Item = Router>, log: Arc<RequestLog>, base_path: &str) -> Router {
    let all = slices.into_iter().fold(Router::new(), Router::merge);
    let all = all
        .fallback(|| async { Problem::of_status(StatusCode::NOT_FOUND) })
        .layer(from_fn_with_state(log, request_log::request_log));
    base_path::under(base_path, all)
}
