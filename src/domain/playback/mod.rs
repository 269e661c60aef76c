//! Who may watch: everybody, or those who have a playback token.

mod claims;
mod keys;
mod sessions;

use serde::{Deserialize, Serialize};
use std::time::Duration;
use strum::{EnumString, IntoStaticStr, VariantArray, VariantNames};

pub use claims::{Claims, TokenFault, audience, sign, verify};
pub use keys::{PlaybackKey, PublicKey, SealedKey};
pub use sessions::{HELD, IDLE, Question, ReadingSessions};

use super::id::id;
use super::invalid::Invalid;
use super::network::CidrBlock;
use super::page::newest_first;
use super::path::StreamPath;
use super::path_pattern::PathPattern;
use super::{OrganizationId, StreamKeyId, Timestamp};

/// How long a token may be valid (OWASP ASVS 9.2.1: as short as the use allows; a viewer gets a new one for another day).
pub const LONGEST: Duration = Duration::from_secs(12 * 60 * 60);
/// How many paths a token may name.
pub const MAX_PATHS: usize = 20;
/// How many sessions `max_sessions` may allow.
pub const MAX_SESSIONS: u32 = 100_000;

/// Who may watch.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    EnumString,
    IntoStaticStr,
    VariantArray,
    VariantNames,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum PlaybackAccess {
    /// Everyone.
    #[default]
    Public,
    /// Who has a playback token.
    Token,
}

impl PlaybackAccess {
    /// Reads what a client sent.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        text.parse().map_err(|_| Invalid::one("playback_access", "must be public or token"))
    }
}

id!(/// Names a playback token: the claim `jti`. Not a secret.
    PlaybackTokenId);

/// A playback token as it is stored: all but the token itself, which is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaybackToken {
    /// Its identity.
    pub id: PlaybackTokenId,
    /// Whose streams it opens. `None`: everybody's.
    pub organization_id: Option<OrganizationId>,
    /// What it opens. Never empty.
    pub paths: Vec<PathPattern>,
    /// Where its viewers must be.
    pub address: Option<CidrBlock>,
    /// How many sessions it allows at the same time.
    pub max_sessions: Option<u32>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it becomes invalid.
    pub expires_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

newest_first!(PlaybackToken, created_at);

/// Whether a token can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, VariantArray)]
#[serde(rename_all = "snake_case")]
pub enum TokenStatus {
    /// It can be used.
    Active,
    /// It was revoked.
    Revoked,
    /// It has expired.
    Expired,
}

impl PlaybackToken {
    /// Its status at `now`. A revoked token stays revoked after its expiry.
    pub fn status(&self, now: Timestamp) -> TokenStatus {
        match self.revoked_at {
            Some(_) => TokenStatus::Revoked,
            None if self.expires_at <= now => TokenStatus::Expired,
            None => TokenStatus::Active,
        }
    }

    /// Whether it opens a path that `path` does.
    pub fn opens_any_of(&self, path: &PathPattern) -> bool {
        self.paths.iter().any(|own| own.meets(path))
    }
}

/// What a stream key says of who may watch its path. It holds after the key was revoked, for recordings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathRule {
    /// The key.
    pub id: StreamKeyId,
    /// Its path.
    pub path: StreamPath,
    /// Who owns it.
    pub organization_id: OrganizationId,
    /// Who may watch; `None` as the installation says.
    pub access: Option<PlaybackAccess>,
}

/// A revoked token that has not expired: until then it must be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevokedToken {
    /// The token.
    pub id: PlaybackTokenId,
    /// When it expires.
    pub expires_at: Timestamp,
}
