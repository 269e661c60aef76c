//! Problems: every answer that is not a success, as `application/problem+json` (RFC 9457).
//!
//! Handlers return a [`Problem`]; [`observe`](super::observe) writes it out, since only there path and request id are
//! known for all of them.

mod kind;

use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

pub use kind::{ProblemKind, ProblemType};

use crate::app::AppError;
use crate::app::error::Conflict;
use crate::domain::Invalid;
use crate::ports::StoreError;

/// The media type of a problem.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// After how many seconds it is worth trying again.
const RETRY_SECONDS: u16 = 2;

/// A request that was not done, before it is known how it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    kind: ProblemKind,
    detail: String,
    errors: Vec<FieldProblem>,
    /// No use-case heard of it, so nothing was written to the audit log yet.
    unauthenticated: bool,
}

/// One field that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct FieldProblem {
    /// Which: the name in the body, in the query or in the path; `body` for the body as a whole.
    #[schema(example = "display_name")]
    pub field: String,
    /// What it must be.
    #[schema(example = "must be 1 to 255 characters, got 300")]
    pub message: String,
}

/// A problem as it is sent (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemBody<'a> {
    /// Which kind of problem, a reference to its description.
    #[serde(rename = "type")]
    #[schema(example = "/problems/validation")]
    reference: String,
    /// The same words for every problem of this kind.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What happened this time, and what to do about it.
    detail: &'a str,
    /// The path of the request.
    #[schema(example = "/broadcasters")]
    instance: &'a str,
    /// What to look for in the log.
    request_id: &'a str,
    /// Every field that was refused; with `validation` only.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    errors: &'a [FieldProblem],
}

impl Problem {
    /// A problem of this kind; `detail` is for the caller to act on.
    pub(super) fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), errors: Vec::new(), unauthenticated: false }
    }

    /// What is said when somebody else made the answer.
    pub(super) fn of_status(status: StatusCode) -> Self {
        let kind = ProblemKind::of_status(status);
        let detail = match kind {
            ProblemKind::UnknownRoute => "Nothing is served under this path. /docs shows what is.",
            ProblemKind::MethodNotAllowed => "This address does not have the method. See the header Allow.",
            _ => kind.title(),
        };
        Self::new(kind, detail)
    }

    /// Something is broken on our side; what, is for the log alone.
    pub(super) fn internal() -> Self {
        Self::new(
            ProblemKind::Internal,
            "The fault is on this side. The log has the details under the request id.",
        )
    }

    /// Something we need is away.
    pub(super) fn unavailable() -> Self {
        let detail = "The database does not answer in time. Try again in a moment; `streamward doctor` tells what is wrong.";
        Self::new(ProblemKind::Unavailable, detail)
    }

    /// The same problem, met before any use-case heard of the request: the audit log does not know yet.
    #[must_use]
    pub(super) fn unauthenticated(mut self) -> Self {
        self.unauthenticated = true;
        self
    }

    /// Whether no use-case heard of it.
    pub(super) fn is_unauthenticated(&self) -> bool {
        self.unauthenticated
    }

    /// What is wrong this time.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// The answer, now that path and request id are known. Headers that were set already stay.
    pub(super) fn render(&self, instance: &str, request_id: &str, mut response: Response) -> Response {
        let status = self.kind.status();
        let body = ProblemBody {
            reference: format!("/problems/{}", self.kind.slug()),
            title: self.kind.title(),
            status: status.as_u16(),
            detail: &self.detail,
            instance,
            request_id,
            errors: &self.errors,
        };
        // Plain text fields: serialising them cannot fail.
        let json = serde_json::to_vec(&body).unwrap_or_default();
        *response.status_mut() = status;
        *response.body_mut() = json.into();
        let headers = response.headers_mut();
        headers.remove(CONTENT_LENGTH);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        match status {
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_SECONDS));
            }
            StatusCode::UNAUTHORIZED => {
                let bearer = HeaderValue::from_static("Bearer realm=\"streamward\"");
                let basic = HeaderValue::from_static("Basic realm=\"streamward\"");
                headers
                    .insert(WWW_AUTHENTICATE, if self.kind == ProblemKind::Denied { basic } else { bearer });
            }
            _ => {}
        }
        response
    }
}

impl IntoResponse for Problem {
    /// An empty answer that carries the problem, to be written out by [`observe`](super::observe).
    fn into_response(self) -> Response {
        let mut response = self.kind.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        let detail = invalid.to_string();
        let errors = invalid.0.into_iter().map(|e| FieldProblem { field: e.field, message: e.message });
        Self { errors: errors.collect(), ..Self::new(ProblemKind::Validation, detail) }
    }
}

impl From<AppError> for Problem {
    fn from(error: AppError) -> Self {
        let kind = match error {
            AppError::Invalid(invalid) => return invalid.into(),
            AppError::Store(error) => return of_store(&error),
            AppError::NotFound(_) => ProblemKind::NotFound,
            AppError::WebhookKeyUnavailable => ProblemKind::WebhookKeyUnavailable,
            AppError::Forbidden(_) => ProblemKind::Forbidden,
            AppError::Unauthenticated(_) => ProblemKind::Unauthenticated,
            AppError::Conflict(Conflict::PathTaken(_)) => ProblemKind::PathTaken,
            AppError::Conflict(Conflict::StreamerTaken(_)) => ProblemKind::StreamerTaken,
            AppError::Conflict(Conflict::KeyNotUsable(_)) => ProblemKind::KeyNotUsable,
            AppError::Conflict(Conflict::Replayed) => ProblemKind::Replayed,
        };
        Self::new(kind, error.to_string())
    }
}

/// The caller learns nothing but the request id; this is where the log learns the rest.
fn of_store(error: &StoreError) -> Problem {
    match error {
        StoreError::Unavailable(_) | StoreError::Fenced(_) => {
            tracing::error!(%error, "a request could not be done");
            Problem::unavailable()
        }
        StoreError::Corrupt(_) => {
            tracing::error!(%error, "a request failed");
            Problem::internal()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::{Forbidden, Role};

    #[test]
    fn a_refused_field_is_named_in_detail_and_errors() {
        let problem = Problem::from(Invalid::one("path", "must not be blank"));
        assert_eq!(problem.detail(), "path must not be blank");
        assert_eq!(problem.errors.len(), 1);
    }

    #[test]
    fn our_own_failures_say_nothing_about_themselves() {
        for error in [
            StoreError::Unavailable("host=10.0.0.1 password=x".into()),
            StoreError::Fenced("reconcile:default".into()),
            StoreError::Corrupt("table keys".into()),
        ] {
            let problem = Problem::from(AppError::from(error));
            assert!(problem.kind.status().is_server_error());
            for word in ["10.0.0.1", "reconcile", "keys"] {
                assert!(!problem.detail.contains(word), "{}", problem.detail);
            }
        }
    }

    #[test]
    fn a_missing_role_is_named() {
        let problem = Problem::from(AppError::from(Forbidden { needs: Role::Operator }));
        assert_eq!(problem.kind.status(), StatusCode::FORBIDDEN);
        assert!(problem.detail().contains("operator"));
    }
}
