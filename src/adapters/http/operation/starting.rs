//! What is answered until the service has its database: that it is not there yet. Nobody is let in meanwhile.

use axum::Router;
use axum::routing::{any, get};

use super::health;
use crate::adapters::http::problem::{Problem, ProblemType};
use crate::domain::publish::DenyReason;

const DETAIL: &str = "Streamward is starting: its database does not answer yet, or is being prepared. Try again in a moment; \
                      the log of the service and `streamward doctor` show the cause.";

/// The routes while the service starts.
pub fn starting() -> Router {
    Router::new()
        .route("/livez", get(health::livez))
        .route("/auth", any(denied))
        .route("/", any(not_ready))
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
