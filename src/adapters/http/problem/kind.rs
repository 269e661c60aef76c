//! The kinds of problems there are. `openapi/problems.json` is made of this list, and `GET /problems/{slug}` reads it
//! to people.

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// What went wrong, as a fixed list: the last part of a problem's `type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProblemKind {
    /// Fields were refused.
    Validation,
    /// The caller did not show who it is.
    Unauthenticated,
    /// A media server's client may not do what it asked for.
    Denied,
    /// The caller's role does not suffice.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// There is no such address.
    UnknownRoute,
    /// The address exists, the method does not.
    MethodNotAllowed,
    /// The request did not arrive in time.
    RequestTimeout,
    /// Another usable key has the path.
    PathTaken,
    /// A key that cannot be used cannot be rotated.
    KeyNotUsable,
    /// A streamer of that name is on the list already.
    StreamerTaken,
    /// A signed request came twice.
    Replayed,
    /// The body is too large.
    TooLarge,
    /// The body is of a kind that is not read here.
    UnsupportedMediaType,
    /// Our fault.
    Internal,
    /// What we need is away for the moment.
    Unavailable,
    /// Kick's public key could not be fetched.
    WebhookKeyUnavailable,
    /// It took too long.
    Timeout,
}

/// A kind of problem, for documents and people.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProblemType {
    /// The `type` of such a problem: a reference to its description.
    #[serde(rename = "type")]
    #[schema(example = "/problems/validation")]
    pub reference: String,
    /// The last part of it.
    #[schema(example = "validation")]
    pub slug: &'static str,
    /// The HTTP status it comes with.
    #[schema(example = 400)]
    pub status: u16,
    /// The same words for every problem of this kind.
    pub title: &'static str,
    /// What it means and what to do about it.
    pub description: &'static str,
}

impl ProblemKind {
    /// All kinds, in the order of their status.
    pub const ALL: [Self; 18] = [
        Self::Validation,
        Self::Unauthenticated,
        Self::Denied,
        Self::Forbidden,
        Self::NotFound,
        Self::UnknownRoute,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::PathTaken,
        Self::KeyNotUsable,
        Self::StreamerTaken,
        Self::Replayed,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::Internal,
        Self::Unavailable,
        Self::WebhookKeyUnavailable,
        Self::Timeout,
    ];

    /// The last part of the problem's `type`.
    pub fn slug(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status.
    pub fn status(self) -> StatusCode {
        self.row().1
    }

    /// The title.
    pub fn title(self) -> &'static str {
        self.row().2
    }

    /// The kind with this slug.
    pub fn by_slug(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.slug() == slug)
    }

    /// The kind that says no more than the status does; for answers that others made.
    pub fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::UNAUTHORIZED => Self::Unauthenticated,
            StatusCode::FORBIDDEN => Self::Forbidden,
            StatusCode::NOT_FOUND => Self::UnknownRoute,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            StatusCode::REQUEST_TIMEOUT => Self::RequestTimeout,
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            StatusCode::SERVICE_UNAVAILABLE => Self::Unavailable,
            status if status.is_client_error() => Self::Validation,
            _ => Self::Internal,
        }
    }

    /// The kind as documents show it.
    pub fn describe(self) -> ProblemType {
        let (slug, status, title, description) = self.row();
        ProblemType {
            reference: format!("/problems/{slug}"),
            slug,
            status: status.as_u16(),
            title,
            description,
        }
    }

    fn row(self) -> (&'static str, StatusCode, &'static str, &'static str) {
        match self {
            Self::Validation => (
                "validation",
                StatusCode::BAD_REQUEST,
                "Some of the input was refused",
                "The body, the query or the path has a value that is not allowed, or a name that is not known here. \
                 `errors` lists every field with what it must be; correct these and send the request again.",
            ),
            Self::Unauthenticated => (
                "unauthenticated",
                StatusCode::UNAUTHORIZED,
                "It is not known who is calling",
                "Send an API token (`Authorization: Bearer swt_…` or `X-API-Key: swt_…`) or sign the request. Media \
                 servers show the hook secret instead. `detail` says what was wrong with what was sent.",
            ),
            Self::Denied => (
                "denied",
                StatusCode::UNAUTHORIZED,
                "The media server's client is not let in",
                "The answer to a media server that asked whether its client may publish, read or use an API. `detail` \
                 says why, and what the person at the encoder can do.",
            ),
            Self::Forbidden => (
                "forbidden",
                StatusCode::FORBIDDEN,
                "The caller's role does not suffice",
                "Roles are viewer, operator and admin, each including the ones before it. `detail` names the one that \
                 is needed; an admin can create a token with it.",
            ),
            Self::NotFound => (
                "not-found",
                StatusCode::NOT_FOUND,
                "There is no such thing",
                "The address is right, but what it names does not exist, or no longer does.",
            ),
            Self::UnknownRoute => (
                "unknown-route",
                StatusCode::NOT_FOUND,
                "There is no such address",
                "Nothing is served under this path. `/docs` shows what is.",
            ),
            Self::MethodNotAllowed => (
                "method-not-allowed",
                StatusCode::METHOD_NOT_ALLOWED,
                "The method is not allowed here",
                "The address exists, but not with this method. The header `Allow` lists those it has.",
            ),
            Self::RequestTimeout => (
                "request-timeout",
                StatusCode::REQUEST_TIMEOUT,
                "The request did not arrive in time",
                "The body was not complete after 10 seconds. Send the request again.",
            ),
            Self::PathTaken => (
                "path-taken",
                StatusCode::CONFLICT,
                "Another usable stream key has the path",
                "A path belongs to one usable stream key. Revoke the other key first, or choose another path.",
            ),
            Self::KeyNotUsable => (
                "key-not-usable",
                StatusCode::CONFLICT,
                "The stream key cannot be used any more",
                "A revoked or expired stream key cannot get a new secret. Create a new key.",
            ),
            Self::StreamerTaken => (
                "streamer-taken",
                StatusCode::CONFLICT,
                "A streamer of that name is on the list already",
                "Each name is watched once, in whatever case it is written. Change the streamer that is there instead.",
            ),
            Self::Replayed => (
                "replayed",
                StatusCode::CONFLICT,
                "This signed request was received before",
                "A signed write is obeyed once. Sign each write anew, with the present time.",
            ),
            Self::TooLarge => (
                "too-large",
                StatusCode::PAYLOAD_TOO_LARGE,
                "The body is too large",
                "Bodies may have 1 MiB, those of `/auth` and the hooks 64 KiB.",
            ),
            Self::UnsupportedMediaType => (
                "unsupported-media-type",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "The body is of a kind that is not read here",
                "Send JSON with `Content-Type: application/json`.",
            ),
            Self::Internal => (
                "internal",
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something went wrong here",
                "The fault is on this side. The log of Streamward has the details under the `request_id`.",
            ),
            Self::Unavailable => (
                "unavailable",
                StatusCode::SERVICE_UNAVAILABLE,
                "This cannot be done for the moment",
                "Something that is needed for it, such as the database, does not answer. Try again after `Retry-After` \
                 seconds.",
            ),
            Self::WebhookKeyUnavailable => (
                "webhook-key-unavailable",
                StatusCode::SERVICE_UNAVAILABLE,
                "Kick's public key is not available",
                "Streamward checks webhooks with Kick's public key and could not fetch it from Kick's API. Nothing is \
                 wrong with the webhook: send it again after `Retry-After` seconds. If this lasts, see `kick.api_url` \
                 and the log, or set `kick.webhook_public_key`.",
            ),
            Self::Timeout => (
                "timeout",
                StatusCode::SERVICE_UNAVAILABLE,
                "It took too long",
                "The request was given up after 10 seconds. Whether it was carried out is not known; look before you \
                 try again.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slug_is_one_kind() {
        for kind in ProblemKind::ALL {
            assert_eq!(ProblemKind::by_slug(kind.slug()), Some(kind));
            assert!(!kind.status().is_success());
        }
    }
}
