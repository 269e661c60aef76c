//! Verification of webhooks from Kick.

use async_trait::async_trait;

use super::StatusUpdate;
use crate::domain::Timestamp;

/// The headers of a webhook, as they came; `None` where one is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookHeaders {
    /// `Kick-Event-Message-Id`: the same when it is sent again.
    pub message_id: Option<String>,
    /// `Kick-Event-Message-Timestamp`, RFC 3339.
    pub timestamp: Option<String>,
    /// `Kick-Event-Signature`, base64.
    pub signature: Option<String>,
    /// `Kick-Event-Type`, e.g. `livestream.status.updated`. Not covered by the signature.
    pub kind: Option<String>,
    /// `Kick-Event-Version`. Not covered by the signature.
    pub version: Option<String>,
}

/// Why a webhook is refused. The texts are for its sender and quote none of its content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// A header is missing, empty or malformed.
    #[error("the header {0} is missing or malformed")]
    Header(
        /// Its name.
        &'static str,
    ),
    /// It was not sent just now.
    #[error("it is stamped more than {} minutes before or after now", .0 / 60)]
    Stale(
        /// How far from now is accepted, in seconds.
        u64,
    ),
    /// It is not Kick's signature, or not of this message.
    #[error("the signature is not Kick's")]
    Signature,
    /// It is signed, but the body is malformed.
    #[error("the body is not a {0}")]
    Body(
        /// What it should be.
        &'static str,
    ),
    /// Kick's key is not known: it could not be fetched. The same webhook may be accepted later.
    #[error("Kick's public key is not known yet: {0}")]
    KeyUnavailable(
        /// Why, for people; no secret.
        String,
    ),
}

/// Verifies webhooks.
#[async_trait]
pub trait WebhookVerifier: Send + Sync {
    /// Reads a webhook that arrived at `now`, its `body` byte for byte as it came.
    ///
    /// - MUST return an error unless the signature proves that Kick sent this id, time and body, not long ago.
    /// - MUST return the status update of a `livestream.status.updated`, and `None` for any other kind of event.
    /// - MUST NOT panic on any input, and MUST limit how often senders can make it call Kick.
    async fn verify(
        &self,
        headers: &WebhookHeaders,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Option<StatusUpdate>, WebhookError>;
}
