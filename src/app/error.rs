//! Why a use-case did not do what was asked.

use crate::domain::access::Forbidden;
use crate::domain::invalid::Invalid;
use crate::ports::{StoreError, WebhookError};

/// The result of a use-case.
pub type Result<T> = std::result::Result<T, AppError>;

/// Why a use-case did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Fields were refused.
    #[error("{0}")]
    Invalid(#[from] Invalid),
    /// There is no such thing; says which kind of thing.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// It contradicts something that is there.
    #[error("{0}")]
    Conflict(Conflict),
    /// The caller's role does not suffice.
    #[error("this needs the role {}", .0.needs)]
    Forbidden(Forbidden),
    /// The caller did not show who it is.
    #[error("{0}")]
    Unauthenticated(Unauthenticated),
    /// Kick's public key could not be fetched, so a webhook's signature cannot be checked.
    #[error(
        "Kick's public key could not be fetched, so the signature cannot be checked: send the webhook again in a moment"
    )]
    WebhookKeyUnavailable,
    /// Something behind us did not do its work. Details are for the log, not the caller.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What stands against a write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// Another usable key has the path.
    #[error("another usable stream key has the path {0}: revoke that one first, or choose another path")]
    PathTaken(String),
    /// A revoked or expired key cannot get a new secret.
    #[error("the stream key is {0} and cannot be rotated: create a new one")]
    KeyNotUsable(&'static str),
    /// Another row watches this streamer.
    #[error("{0} is on the list already: change that streamer instead")]
    StreamerTaken(String),
    /// A signed request was seen before.
    #[error("this signed request was received before: sign each write anew, with the present time")]
    Replayed,
}

/// Why a caller is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unauthenticated {
    /// Nothing was shown.
    #[error("no credentials: send Authorization: Bearer swt_…, X-API-Key: swt_…, or a signed request")]
    Missing,
    /// The token is mistyped: shape or checksum are wrong.
    #[error("this is not an API token: it is mistyped or incomplete")]
    Malformed,
    /// No such token.
    #[error("the API token is unknown or was deleted")]
    Unknown,
    /// The token's time has passed.
    #[error("the API token has expired")]
    Expired,
    /// The key id of a signed request is not configured.
    #[error("the key id of this signed request is not known")]
    UnknownKeyId,
    /// Signing is not set up.
    #[error("signed requests are not set up here: set api.hmac_secret or api.hmac_keys")]
    SigningOff,
    /// The timestamp is missing, malformed, or too far from our clock.
    #[error("X-Timestamp must be within 300 seconds of the server's clock: check the clocks")]
    Clock,
    /// The signature is not right.
    #[error(
        "the signature does not match: sign METHOD, PATH without query, TIMESTAMP and the raw BODY, joined by newlines"
    )]
    Signature,
    /// Some parts of a signed request are there, others are not.
    #[error("a signed request needs all of X-API-Key, X-Timestamp and X-Signature")]
    HalfSigned,
    /// More than one way of showing who is calling, or one of them twice.
    #[error("more than one set of credentials was sent: send one, once")]
    Ambiguous,
    /// A webhook is not shown to be Kick's.
    #[error("{0}")]
    Webhook(WebhookError),
    /// The media server did not show the hook secret, or its name is not known.
    #[error("the hook secret is missing or wrong, or ?server= names no configured media server")]
    HookSecret,
}

impl AppError {
    /// The words for the audit log if this is a refusal, as against our own failure.
    pub fn refusal(&self) -> Option<String> {
        match self {
            Self::Store(_) | Self::WebhookKeyUnavailable => None,
            other => Some(other.to_string()),
        }
    }
}

impl From<Forbidden> for AppError {
    fn from(forbidden: Forbidden) -> Self {
        Self::Forbidden(forbidden)
    }
}

impl From<Conflict> for AppError {
    fn from(conflict: Conflict) -> Self {
        Self::Conflict(conflict)
    }
}

impl From<Unauthenticated> for AppError {
    fn from(why: Unauthenticated) -> Self {
        Self::Unauthenticated(why)
    }
}
