//! What operators and orchestrators read: health, numbers and documents.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::routing::get;
use utoipa_axum::routes;

use super::authentication::Gate;
use super::openapi::Callers;
use super::options::HttpOptions;
use super::routes::Routes;
use super::{docs, health, metrics, problems};
use crate::app::health::Health;

/// What these routes show.
#[derive(Clone)]
pub struct Operation {
    /// Checks what this instance depends on.
    pub health: Arc<Health>,
    /// Metrics, tasks and the stop.
    pub options: HttpOptions,
    /// The OpenAPI document.
    pub document: Bytes,
}

/// The routes.
pub fn routes() -> Routes<Operation> {
    Routes::new(Callers::Anyone)
        .with(routes!(health::health))
        .with(routes!(health::livez))
        .with(routes!(health::readyz))
        .with(routes!(metrics::metrics))
        .with(routes!(docs::document))
        .with(routes!(docs::page))
        .with(routes!(problems::read_problem))
}

/// The routes, and the files of the documentation page.
pub fn serve(operation: Operation, gate: &Gate) -> Router {
    let files = Router::new().route("/docs/", get(docs::page)).route("/docs/{*name}", get(docs::asset));
    routes().serve(operation, gate).merge(files)
}
