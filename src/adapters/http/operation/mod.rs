//! Routes for operators and orchestrators: health, metrics and documents.

mod docs;
mod health;
mod metrics;
mod problems;
mod starting;
mod tasks;

use axum::routing::get;
use axum::{Extension, Router};

use super::authentication::Gate;
use super::handler::{Operator, Routes, routes};
pub use super::options::Operation;
pub use starting::starting;

/// The routes.
pub fn routes() -> Routes<Operation> {
    Routes::new("operation")
        .about("Health, metrics and documents.")
        .anyone(routes!(health::health))
        .anyone(routes!(health::livez))
        .anyone(routes!(health::readyz))
        .anyone(routes!(metrics::metrics))
        .anyone(routes!(docs::document))
        .anyone(routes!(docs::page))
        .anyone(routes!(problems::read_problem))
        .management(Operator, "task", routes!(tasks::list_tasks))
}

/// The routes, and the files of the documentation page.
pub fn serve(operation: Operation, gate: &Gate) -> Router {
    let pages = Router::new().route("/docs/", get(docs::page)).route("/docs/{*name}", get(docs::asset));
    routes().into_router(operation, gate).layer(Extension(gate.clone())).merge(pages)
}
