//! Why a use-case failed.

use std::time::Duration;

use crate::domain::access::Forbidden;
use crate::domain::auth_failure::WrongSecret;
use crate::domain::invalid::Invalid;
use crate::ports::{HasherBusy, MediaError, StoreError, WebhookError};

/// The result of a use-case.
pub type Result<T> = std::result::Result<T, AppError>;

/// Why a use-case failed.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Fields were refused.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The resource of this kind does not exist.
    #[error("the {0} does not exist or was deleted")]
    NotFound(&'static str),
    /// The write conflicts with the current state.
    #[error("{0}")]
    Conflict(Conflict),
    /// The client's role is not sufficient.
    #[error("{0}")]
    Forbidden(Forbidden),
    /// The client is not authenticated.
    #[error("{0}")]
    Unauthenticated(Unauthenticated),
    /// Kick's public key could not be fetched, so a webhook's signature cannot be checked.
    #[error(
        "Kick's public key could not be fetched, so the signature cannot be checked: send the webhook again in a moment"
    )]
    WebhookKeyUnavailable,
    /// This program was built or configured without it.
    #[error("the {0} is not supported by this setup")]
    Unsupported(&'static str),
    /// A file is larger than what is accepted.
    #[error("a file may have at most {0} bytes")]
    TooLarge(u64),
    /// An upload cannot be continued.
    #[error(
        "the upload cannot be continued, because it expired or is on another machine: begin a new upload"
    )]
    UploadGone,
    /// There is no room for a file.
    #[error(
        "there is no room for this file: delete clips that are not needed, raise media.max_bytes, or free the disk of media.dir"
    )]
    MediaFull,
    /// Files cannot be read or written. The details are for the log only.
    #[error(transparent)]
    Media(MediaError),
    /// A person cannot sign in with a provider.
    #[error(transparent)]
    SignIn(#[from] SignInRefusal),
    /// Too many attempts failed.
    #[error("too many attempts failed: try again in {} s", .0.as_secs().max(1))]
    TooManyAttempts(Duration),
    /// Too many passwords are being checked.
    #[error("{0}: try again in a moment")]
    Busy(#[from] HasherBusy),
    /// The store failed. The details are for the log only.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a write conflicts with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// Another usable key has the path.
    #[error("another usable stream key has the path {0}: choose another path, or revoke that key first")]
    PathTaken(String),
    /// A revoked or expired key cannot be changed.
    #[error("the stream key is {0} and cannot be changed or rotated: create a new key")]
    KeyNotUsable(&'static str),
    /// Another row watches this streamer.
    #[error("{0} is on the list already: change the existing streamer instead")]
    StreamerTaken(String),
    /// Another channel has the name.
    #[error("another channel is called {0}: choose another name")]
    ChannelTaken(String),
    /// The channel's programme does not run.
    #[error(
        "the channel does not run now, so nothing can be rehearsed: enable it; if it is enabled, see /tasks"
    )]
    ChannelNotRunning,
    /// A rehearsal has not ended.
    #[error("another rehearsal of this channel has not ended: wait for its report")]
    RehearsalOpen,
    /// The studio has no platform.
    #[error("no platform is configured: set studios.{0}.platform.url and studios.{0}.platform.key_file")]
    StudioWithoutPlatform(String),
    /// No instance supervises the studio.
    #[error(
        "no instance supervises the studio now, so nothing can be tried out: start `streamward serve`; see /tasks"
    )]
    StudioNotSupervised,
    /// A drill has not ended.
    #[error("another drill of this studio has not ended: wait for its report")]
    DrillOpen,
    /// The failure cannot be made without this key of the configuration.
    #[error("this failure cannot be tried out here: set {0}")]
    DrillNeeds(String),
    /// It was made for a channel.
    #[error(
        "this belongs to the channel {0}, which needs it: rotate its live key if that is known to others, or delete the whole channel"
    )]
    OfChannel(String),
    /// Channels use the clip.
    #[error("the clip is in use by {0}: remove it from their playlists first")]
    ClipInUse(String),
    /// A part of an upload does not begin where the stored part ends.
    #[error("the upload continues at byte {0}: send the file from there on")]
    UploadOffset(u64),
    /// All bytes are stored.
    #[error("the upload is complete: nothing more can be sent")]
    UploadComplete,
    /// Another organization has the name.
    #[error("another organization is called {0}: choose another name")]
    OrganizationTaken(String),
    /// The organization owns resources of this kind.
    #[error("the organization owns {0}: delete them first; a studio leaves it by its configuration")]
    OrganizationInUse(&'static str),
    /// The first organization is always there.
    #[error("the first organization cannot be deleted: rename it instead")]
    FirstOrganization,
    /// Another user has the address.
    #[error("another user has the address {0}: change that user instead, or choose another address")]
    EmailTaken(String),
    /// Nobody could manage users any more.
    #[error("this is the last administrator: make another user administrator first")]
    LastAdministrator,
    /// A second factor is confirmed.
    #[error("a second factor is set up already: remove it first")]
    TotpConfirmed,
    /// No second factor waits for its first code.
    #[error("no second factor waits for its first code: begin anew")]
    TotpNotOffered,
    /// There is no second factor.
    #[error("there is no second factor")]
    TotpAbsent,
    /// The user signs in with a provider.
    #[error(
        "this user signs in with {0}, and has no password here: passwords and second factors are managed there"
    )]
    NoPassword(String),
    /// A signed request was received before.
    #[error("this signed request was received before: sign each write anew, with the current time")]
    Replayed,
}

/// Why a person cannot sign in with a provider.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignInRefusal {
    /// This browser did not begin, took too long, or is done already.
    #[error(
        "this sign-in was not begun in this browser, took longer than 10 minutes, or was completed already: begin again"
    )]
    Expired,
    /// The provider, or what it says, is not accepted. Its name, and why.
    #[error("the provider {0} did not sign you in: {1}. Begin again")]
    Refused(String, String),
    /// The claim gives no role.
    #[error(
        "the provider {0} gives you no role here: ask its administrator for a group that users.oidc.{0}.roles names"
    )]
    NoRole(String),
    /// The provider tells no verified e-mail address.
    #[error(
        "the provider {0} tells no verified e-mail address of you: verify it there, or add \"email\" to users.oidc.{0}.scopes"
    )]
    NoEmail(String),
    /// The provider does not work.
    #[error(
        "the provider {0} cannot be used now: try again in a moment; `streamward doctor` shows the cause"
    )]
    Unavailable(String),
}

/// Why a client is not authenticated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Unauthenticated {
    /// No credentials were sent.
    #[error(
        "no credentials were sent: send Authorization: Bearer swt_…, X-API-Key: swt_…, or a signed request; or sign in, for a cookie"
    )]
    Missing,
    /// The token is mistyped: shape or checksum are wrong.
    #[error("this is not an API token: it is mistyped or incomplete; copy it again")]
    Malformed,
    /// The token does not exist.
    #[error("the API token does not exist or was deleted: create a new one")]
    Unknown,
    /// The token has expired.
    #[error("the API token has expired: create a new one")]
    Expired,
    /// The key id of a signed request is not configured.
    #[error("the key id of this signed request is not configured: add it to api.hmac_keys, or use another")]
    UnknownKeyId,
    /// Signed requests are not configured.
    #[error("signed requests are not configured: set api.hmac_secret or api.hmac_keys")]
    SigningOff,
    /// The timestamp is missing, malformed, or too far from our clock.
    #[error("X-Timestamp must be within 300 seconds of the server's clock: check the clocks")]
    Clock,
    /// The signature is wrong.
    #[error(
        "the signature does not match: sign METHOD, PATH without query, TIMESTAMP and the raw BODY, joined by newlines"
    )]
    Signature,
    /// A part of a signed request is missing.
    #[error("a signed request needs all of X-API-Key, X-Timestamp and X-Signature")]
    HalfSigned,
    /// An upload is signed.
    #[error("an upload cannot be signed, because a signature covers the whole body: send an API token")]
    SignedUpload,
    /// The e-mail address or the password is wrong. It does not say which, nor whether there is such a user.
    #[error("the e-mail address or the password is wrong")]
    SignIn,
    /// The password is right, and a code is needed too.
    #[error("a code of the second factor is needed: send it as code, or a recovery code")]
    CodeNeeded,
    /// The code of the second factor is wrong.
    #[error(
        "the code is wrong, or was used already: wait for the next one, and check the clock of your device"
    )]
    Code,
    /// The cookie is of no session.
    #[error("the session has ended or expired: sign in again")]
    Session,
    /// A write with a cookie came from another site, or did not say from where.
    #[error(
        "a write with a cookie needs the header Origin with the address of this server: set http.public_url to the address that browsers use; programs use an API token instead"
    )]
    Origin,
    /// A one-time link that does not exist, was used, or has expired.
    #[error("the link was used already, was replaced, or has expired: request a new one")]
    Link,
    /// A setup link that does not exist, was used, or has expired.
    #[error("the setup link was used already or has expired: `streamward user setup-link` prints a new one")]
    SetupLink,
    /// There are several credentials, or one of them twice.
    #[error("more than one set of credentials was sent: send only one")]
    Ambiguous,
    /// A webhook is not proven to come from Kick.
    #[error("{0}")]
    Webhook(WebhookError),
    /// The media server did not send the hook secret, or its name is not configured.
    #[error(
        "the hook secret is missing or wrong, or ?server= names a media server that is not configured: `streamward mediamtx-config` or `srs-config` prints the right settings"
    )]
    HookSecret,
}

impl Unauthenticated {
    /// The secret that was wrong, if one was sent.
    pub(super) fn wrong_secret(&self) -> Option<WrongSecret> {
        Some(match self {
            Self::Malformed => WrongSecret::MalformedToken,
            Self::Unknown => WrongSecret::UnknownToken,
            Self::Signature => WrongSecret::WrongSignature,
            Self::UnknownKeyId => WrongSecret::UnknownKeyId,
            Self::SignIn => WrongSecret::WrongPassword,
            Self::Code => WrongSecret::WrongCode,
            _ => return None,
        })
    }
}

impl AppError {
    /// The text for the audit log if this is a refusal and not a failure of ours.
    pub fn refusal(&self) -> Option<String> {
        match self {
            Self::Store(StoreError::OwnerGone) => Some(self.to_string()),
            Self::Store(_)
            | Self::Media(_)
            | Self::WebhookKeyUnavailable
            | Self::Unsupported(_)
            | Self::SignIn(SignInRefusal::Unavailable(_))
            | Self::Busy(_) => None,
            other => Some(other.to_string()),
        }
    }
}

impl From<MediaError> for AppError {
    fn from(error: MediaError) -> Self {
        match error {
            MediaError::Full(_) => Self::MediaFull,
            MediaError::Missing(_) => Self::UploadGone,
            MediaError::Bucket(_) | MediaError::Io(_) => Self::Media(error),
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
