//! Routes for operators and orchestrators: health, metrics and documents.

use axum::Router;
use axum::routing::get;
use utoipa_axum::routes;

use super::authentication::Gate;
pub use super::options::Operation;
use super::routes::Routes;
use super::{docs, health, metrics, problems, tasks};

/// The routes.
pub fn routes() -> Routes<Operation> {
    Routes::new()
        .tag("operation", "Health, metrics and documents.")
        .anyone(routes!(health::health))
        .anyone(routes!(health::livez))
        .anyone(routes!(health::readyz))
        .anyone(routes!(metrics::metrics))
        .anyone(routes!(docs::document))
        .anyone(routes!(docs::page))
        .anyone(routes!(problems::read_problem))
        .management("task", routes!(tasks::list_tasks))
}

/// The routes, and the files of the documentation page.
pub fn serve(operation: Operation, gate: &Gate) -> Router {
    let files = Router::new().route("/docs/", get(docs::page)).route("/docs/{*name}", get(docs::asset));
    routes().serve(operation, gate).merge(files)
}
