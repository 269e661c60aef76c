//! Problems: every answer that is not a success, as `application/problem+json` (RFC 9457).
//!
//! Handlers return a [`Problem`]. [`request_log`](super::request_log) writes it out, because only there the path and the
//! request id are known.

mod access;
mod channels;
mod clips;
mod general;
mod list;
mod organizations;
mod publish;
mod stream_keys;
mod streamers;
mod studios;
mod types;
mod users;

use std::borrow::Cow;

use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

pub use types::ProblemType;

use crate::app::AppError;
use crate::app::error::{Conflict, SignInRefusal, Unauthenticated};
use crate::domain::Invalid;
use crate::ports::StoreError;

/// The media type of a problem.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// `Retry-After` of a 503, in seconds.
const RETRY_SECONDS: u16 = 2;

/// A failed request, before its path and id are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    kind: &'static ProblemType,
    detail: String,
    errors: Vec<FieldProblem>,
    /// The request did not reach a use-case, so it is not in the audit log yet.
    unauthenticated: bool,
    /// The log tells about it anyway.
    is_told: bool,
    /// Our failure behind it. Only for the log.
    failure: Option<String>,
    /// More fields.
    fields: Map<String, Value>,
    /// After how many seconds the same request may succeed.
    retry_after: Option<u32>,
}

/// One field that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct FieldProblem {
    /// Its name in the body, the query or the path; `body` for the body as a whole.
    #[schema(example = "display_name")]
    pub field: String,
    /// The rule that it breaks.
    #[schema(example = "must be 1 to 255 characters, got 300")]
    pub message: String,
}

/// A problem as it is sent (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemBody<'a> {
    /// The type of problem: a reference to its description.
    #[serde(rename = "type")]
    #[schema(example = "/problems/validation")]
    reference: &'a str,
    /// The same text for every problem of this type.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What happened in this request, and how to fix it.
    detail: &'a str,
    /// The path of the request.
    #[schema(example = "/broadcasters")]
    instance: &'a str,
    /// The id of the request, also in the log.
    request_id: &'a str,
    /// The refused fields; only with `validation`.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    errors: &'a [FieldProblem],
    /// Fields of some problems only.
    #[serde(flatten)]
    #[schema(ignore)]
    fields: &'a Map<String, Value>,
}

impl Problem {
    /// A problem of this type. `detail` explains what happened and what the caller can do.
    pub(super) fn new(kind: &'static ProblemType, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            errors: Vec::new(),
            unauthenticated: false,
            is_told: false,
            failure: None,
            fields: Map::new(),
            retry_after: None,
        }
    }

    /// For an answer of a library.
    pub(super) fn of_status(status: StatusCode) -> Self {
        let kind = ProblemType::of_status(status);
        Self::new(kind, kind.description)
    }

    /// A failure of Streamward. Only the log has the details.
    pub(super) fn internal() -> Self {
        Self::new(ProblemType::INTERNAL, ProblemType::INTERNAL.description)
    }

    /// The database is temporarily unavailable.
    pub(super) fn unavailable() -> Self {
        let detail = "The database does not answer in time, or cannot be written. Try again in a moment; `streamward doctor` shows the cause.";
        Self::new(ProblemType::UNAVAILABLE, detail)
    }

    /// The same problem of a request that did not reach a use-case.
    #[must_use]
    pub(super) fn unauthenticated(mut self) -> Self {
        self.unauthenticated = true;
        self
    }

    /// Whether the request did not reach a use-case.
    pub(super) fn is_unauthenticated(&self) -> bool {
        self.unauthenticated
    }

    /// The same problem, which needs no line of its own in the log.
    #[must_use]
    pub(super) fn told(mut self) -> Self {
        self.is_told = true;
        self
    }

    /// Whether the log tells about it anyway: the decision about a client of a media server has a line of its own, and many
    /// wrong secrets have one line.
    pub(super) fn is_told(&self) -> bool {
        self.is_told || self.kind == ProblemType::DENIED
    }

    /// Our failure behind it. Only for the log.
    pub(super) fn into_failure(self) -> Option<String> {
        self.failure
    }

    /// The same problem with more fields, which must not have the names of others.
    pub(super) fn with(self, fields: Map<String, Value>) -> Self {
        Self { fields, ..self }
    }

    /// The same text for every problem of its type.
    pub(super) fn title(&self) -> &'static str {
        self.kind.title
    }

    /// What happened in this request.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// The answer with path and request id, and addresses below `base`. Headers that are already set stay.
    pub(super) fn render(
        &self,
        base: &str,
        path: &str,
        request_id: &str,
        mut response: Response,
    ) -> Response {
        let status = self.kind.status();
        let below = |path| {
            if base.is_empty() { Cow::Borrowed(path) } else { Cow::Owned(format!("{base}{path}")) }
        };
        let (reference, instance) = (below(self.kind.reference), below(path));
        let body = ProblemBody {
            reference: &reference,
            title: self.kind.title,
            status: status.as_u16(),
            detail: &self.detail,
            instance: &instance,
            request_id,
            errors: &self.errors,
            fields: &self.fields,
        };
        // Serialising text and numbers cannot fail.
        let json = serde_json::to_vec(&body).unwrap_or_default();
        *response.status_mut() = status;
        *response.body_mut() = json.into();
        let headers = response.headers_mut();
        headers.remove(CONTENT_LENGTH);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        match status {
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_SECONDS));
            }
            StatusCode::UNAUTHORIZED => {
                let bearer = HeaderValue::from_static("Bearer realm=\"streamward\"");
                let basic = HeaderValue::from_static("Basic realm=\"streamward\"");
                headers
                    .insert(WWW_AUTHENTICATE, if self.kind == ProblemType::DENIED { basic } else { bearer });
            }
            _ => {}
        }
        response
    }
}

impl IntoResponse for Problem {
    /// An empty answer that carries the problem. [`request_log`](super::request_log) writes it out.
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
        Self { errors: errors.collect(), ..Self::new(ProblemType::VALIDATION, detail) }
    }
}

impl From<AppError> for Problem {
    fn from(error: AppError) -> Self {
        let kind = match error {
            AppError::Invalid(invalid) => return invalid.into(),
            AppError::Store(StoreError::OwnerGone) => ProblemType::OWNER_GONE,
            AppError::Store(error) => return of_store(&error),
            AppError::NotFound(_) => ProblemType::NOT_FOUND,
            AppError::Forbidden(_) => ProblemType::FORBIDDEN,
            AppError::Unauthenticated(Unauthenticated::CodeNeeded) => ProblemType::SECOND_FACTOR_NEEDED,
            AppError::Unauthenticated(_) => ProblemType::UNAUTHENTICATED,
            AppError::SignIn(SignInRefusal::Expired) => ProblemType::SIGN_IN_EXPIRED,
            AppError::SignIn(SignInRefusal::Refused(..) | SignInRefusal::NoEmail(_)) => {
                ProblemType::SIGN_IN_REFUSED
            }
            AppError::SignIn(SignInRefusal::NoRole(_)) => ProblemType::NO_ROLE,
            AppError::SignIn(SignInRefusal::Unavailable(_)) => ProblemType::PROVIDER_UNAVAILABLE,
            AppError::Conflict(Conflict::NoPassword(_)) => ProblemType::NO_PASSWORD,
            AppError::TooManyAttempts(wait) => {
                let retry_after = Some(u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1));
                return Self { retry_after, ..Self::new(ProblemType::TOO_MANY_ATTEMPTS, error.to_string()) };
            }
            AppError::Busy(_) => ProblemType::UNAVAILABLE,
            AppError::Conflict(Conflict::EmailTaken(_)) => ProblemType::EMAIL_TAKEN,
            AppError::Conflict(Conflict::LastAdministrator) => ProblemType::LAST_ADMINISTRATOR,
            AppError::Conflict(Conflict::TotpConfirmed | Conflict::TotpNotOffered | Conflict::TotpAbsent) => {
                ProblemType::SECOND_FACTOR_STATE
            }
            AppError::Conflict(Conflict::PathTaken(_)) => ProblemType::PATH_TAKEN,
            AppError::Conflict(Conflict::StreamerTaken(_)) => ProblemType::STREAMER_TAKEN,
            AppError::Conflict(Conflict::KeyNotUsable(_)) => ProblemType::KEY_NOT_USABLE,
            AppError::Conflict(Conflict::ChannelTaken(_)) => ProblemType::CHANNEL_TAKEN,
            AppError::Conflict(Conflict::ChannelNotRunning) => ProblemType::CHANNEL_NOT_RUNNING,
            AppError::Conflict(Conflict::RehearsalOpen) => ProblemType::REHEARSAL_OPEN,
            AppError::Conflict(Conflict::OfChannel(_)) => ProblemType::OF_CHANNEL,
            AppError::Conflict(Conflict::StudioWithoutPlatform(_)) => ProblemType::STUDIO_WITHOUT_PLATFORM,
            AppError::Conflict(Conflict::StudioNotSupervised) => ProblemType::STUDIO_NOT_SUPERVISED,
            AppError::Conflict(Conflict::DrillOpen) => ProblemType::DRILL_OPEN,
            AppError::Conflict(Conflict::DrillNeeds(_)) => ProblemType::DRILL_NOT_POSSIBLE,
            AppError::Conflict(Conflict::OrganizationTaken(_)) => ProblemType::ORGANIZATION_TAKEN,
            AppError::Conflict(Conflict::OrganizationInUse(_) | Conflict::FirstOrganization) => {
                ProblemType::ORGANIZATION_IN_USE
            }
            AppError::Unsupported(_) => ProblemType::NOT_SUPPORTED,
            AppError::Conflict(Conflict::Replayed) => ProblemType::REPLAYED,
            AppError::Conflict(Conflict::ClipInUse(_)) => ProblemType::CLIP_IN_USE,
            AppError::Conflict(Conflict::UploadOffset(_) | Conflict::UploadComplete) => {
                ProblemType::UPLOAD_OFFSET
            }
            AppError::UploadGone => ProblemType::UPLOAD_GONE,
            AppError::MediaFull => ProblemType::MEDIA_FULL,
            AppError::TooLarge(_) => ProblemType::TOO_LARGE,
            AppError::Media(error) => {
                return Self { failure: Some(error.to_string()), ..Self::internal() };
            }
            AppError::WebhookKeyUnavailable => ProblemType::WEBHOOK_KEY_UNAVAILABLE,
        };
        Self::new(kind, error.to_string())
    }
}

/// The problem of an error as JSON, for who is no client of HTTP; `detail` is the text.
pub fn problem_of(error: AppError, detail: &str) -> Value {
    let problem = Problem::from(error);
    let kind = problem.kind;
    let (status, errors) = (kind.status().as_u16(), &problem.errors);
    let mut json = json!({"type": kind.reference, "title": kind.title, "status": status, "detail": detail});
    if !errors.is_empty() {
        json["errors"] = json!(errors);
    }
    json
}

/// The log gets the details, the caller only the request id.
fn of_store(error: &StoreError) -> Problem {
    let problem = match error {
        StoreError::Unavailable(_) | StoreError::Fenced(_) => Problem::unavailable(),
        StoreError::OwnerGone | StoreError::Corrupt(_) | StoreError::Damaged(_) => Problem::internal(),
    };
    Problem { failure: Some(error.to_string()), ..problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::{Forbidden, Role};

    #[test]
    fn refused_field_is_named_in_detail_and_errors() {
        let problem = Problem::from(Invalid::one("path", "must not be blank"));
        assert_eq!(problem.detail(), "path must not be blank");
        assert_eq!(problem.errors.len(), 1);
    }

    #[test]
    fn internal_failures_show_no_details() {
        for error in [
            StoreError::Unavailable("host=10.0.0.1 password=x".into()),
            StoreError::Fenced("reconcile:default".into()),
            StoreError::Corrupt("table keys".into()),
            StoreError::Damaged("table keys".into()),
        ] {
            let problem = Problem::from(AppError::from(error));
            assert!(problem.kind.status().is_server_error());
            for word in ["10.0.0.1", "reconcile", "keys"] {
                assert!(!problem.detail.contains(word), "{}", problem.detail);
            }
        }
    }

    #[test]
    fn missing_role_is_named() {
        let problem = Problem::from(AppError::from(Forbidden::role(Role::Operator)));
        assert_eq!(problem.kind.status(), StatusCode::FORBIDDEN);
        assert!(problem.detail().contains("operator"));
    }
}
