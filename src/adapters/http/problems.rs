//! `GET /problems/{slug}`: what a problem's `type` leads to.

use axum::Json;
use axum::extract::Path;

use super::problem::{Problem, ProblemKind, ProblemType};

/// Read what a kind of problem means
#[utoipa::path(
    get,
    path = "/problems/{slug}",
    tag = "operation",
    params(("slug" = String, Path, example = "validation")),
    responses((status = 200, body = ProblemType), (status = 404, description = "`not-found`: There is no such kind"))
)]
pub(super) async fn read_problem(Path(slug): Path<String>) -> Result<Json<ProblemType>, Problem> {
    let kind = ProblemKind::by_slug(&slug);
    let kind =
        kind.ok_or_else(|| Problem::new(ProblemKind::NotFound, "There is no such kind of problem."))?;
    Ok(Json(kind.describe()))
}
