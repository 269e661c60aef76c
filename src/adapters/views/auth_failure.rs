//! Refused attempts.

use serde::Serialize;
use serde_with::skip_serializing_none;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, Schema};
use utoipa::{PartialSchema as _, ToSchema};
use uuid::Uuid;

use super::DateTime;
use super::list::{List, Listed};
use crate::app::auth_failures::ExplainedFailure;
use crate::domain::auth_failure::{KeyOfAttempt, Offender};

/// The refused attempts.
pub(crate) type AuthFailureList = List<AuthFailureView>;

impl Listed for AuthFailureView {
    const LIST: &'static str = "AuthFailureList";
    const ABOUT: &'static str = "The refused attempts.";
    const FIELD: &'static str = "auth_failures";

    fn beside() -> Option<(&'static str, RefOr<Schema>)> {
        let about = "The addresses with the most wrong secrets, the worst first.";
        let items = ArrayBuilder::new().items(OffenderView::schema());
        Some(("offenders", items.description(Some(about)).into()))
    }
}

/// An address with wrong secrets: stream keys, API tokens, signatures or passwords that do not exist.
#[derive(Serialize, ToSchema)]
pub(crate) struct OffenderView {
    /// The address, or its IPv6 network: whoever has one address of it has all.
    #[schema(example = "192.0.2.7")]
    address: String,
    /// How many attempts there were, as far as their rows are kept.
    attempts: u64,
    /// How many different paths were requested. There may be more: of many, only some are kept apart.
    paths: usize,
    /// Why they were refused.
    #[schema(example = json!(["unknown_key"]))]
    causes: Vec<String>,
    /// When the first of these attempts was.
    since: DateTime,
    last_at: DateTime,
}

impl From<Offender> for OffenderView {
    fn from(offender: Offender) -> Self {
        let Offender { address, attempts, paths, causes, first_at, last_at } = offender;
        Self { address, attempts, paths, causes: causes.into_iter().collect(), since: first_at, last_at }
    }
}

/// Equal refused attempts to publish, to watch a private path, or to use an API, of a media server or ours.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = AuthFailure)]
pub(crate) struct AuthFailureView {
    id: Uuid,
    /// Who owns the key. Absent if the key is not known: only callers of the whole installation see these.
    organization_id: Option<Uuid>,
    /// Why they were refused. `removed` counts attempts whose own rows made room for newer ones.
    #[schema(example = "wrong_path")]
    cause: String,
    /// More about the cause.
    detail: Option<String>,
    /// The requested path. Absent if it contains a key, and where attempts are only counted.
    #[schema(example = "live/alcie")]
    path: Option<String>,
    /// The path of a key that is most like the requested path.
    #[schema(example = "live/alice")]
    nearest_path: Option<String>,
    /// The key that was sent, if it is known.
    stream_key_id: Option<Uuid>,
    /// The path that this key is for.
    #[schema(example = "live/alice")]
    key_path: Option<String>,
    /// The first characters of its secret.
    #[schema(example = "sk_Ab3dE")]
    key_prefix: Option<String>,
    /// The address of the client.
    #[schema(example = "192.0.2.7")]
    ip_address: Option<String>,
    #[schema(example = "rtmp")]
    protocol: Option<String>,
    /// The media server that asked.
    media_server: Option<String>,
    first_at: DateTime,
    last_at: DateTime,
    /// How many there were.
    count: u64,
    /// What to do about it.
    advice: String,
}

impl From<ExplainedFailure> for AuthFailureView {
    fn from(ExplainedFailure { failure, nearest }: ExplainedFailure) -> Self {
        let advice = failure.attempt.advice(nearest.as_deref());
        let attempt = failure.attempt;
        let (stream_key_id, key_path, key_prefix) = match attempt.key {
            Some(KeyOfAttempt { id, path, prefix }) => (Some(id.0), Some(path.into()), Some(prefix)),
            None => (None, None, None),
        };
        Self {
            id: failure.id.0,
            organization_id: attempt.organization_id.map(|id| id.0),
            cause: attempt.cause,
            detail: attempt.detail,
            path: attempt.path,
            nearest_path: nearest,
            stream_key_id,
            key_path,
            key_prefix,
            ip_address: attempt.ip_address,
            protocol: attempt.protocol,
            media_server: attempt.media_server.map(Into::into),
            first_at: failure.first_at,
            last_at: failure.last_at,
            count: failure.count,
            advice,
        }
    }
}
