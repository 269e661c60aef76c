//! `GET /problems/{slug}`: the description of a problem type.

use axum::Json;
use axum::extract::Path;

use crate::adapters::http::problem::{Problem, ProblemType};

/// Read the description of a problem type
#[utoipa::path(
    get,
    path = "/problems/{slug}",
    params(("slug" = String, Path, example = "validation")),
    responses((status = 200, body = ProblemType), (status = 404, description = "`not-found`: The type does not exist"))
)]
pub(super) async fn read_problem(Path(slug): Path<String>) -> Result<Json<&'static ProblemType>, Problem> {
    let kind = ProblemType::by_slug(&slug);
    let refused = || {
        Problem::new(ProblemType::NOT_FOUND, "This problem type does not exist. See openapi/problems.json.")
    };
    kind.map(Json).ok_or_else(refused)
}
