//! Who may watch: everybody, or those who have a playback token.

mod claims;
mod keys;
mod sessions;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::time::Duration;
use strum::{EnumString, IntoStaticStr, VariantArray, VariantNames};

pub use claims::{Claims, TokenFault, audience, sign, verify};
pub use keys::{PlaybackKey, PublicKey, SealedKey};
pub use sessions::{HELD, IDLE, Question, ReadingSessions};

use super::id::id;
use super::invalid::Invalid;
use super::page::newest_first;
use super::path::StreamPath;
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

/// What of the paths a token opens: one path, or all below another (`events/*`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TokenPath {
    /// This path.
    Exact(StreamPath),
    /// All paths below this one.
    Below(StreamPath),
}

impl TokenPath {
    /// Checks and takes a path, or one that ends with `/*`.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        match text.strip_suffix("/*") {
            Some(above) => StreamPath::parse(above).map(Self::Below),
            None => StreamPath::parse(text).map(Self::Exact),
        }
        .map_err(|_| {
            let rule = "must be a path such as live/alice, or all below one, such as events/*";
            Invalid::one("paths", format!("{rule}, got {text:?}"))
        })
    }

    /// Whether it opens the path with this name.
    pub fn covers(&self, path: &str) -> bool {
        match self {
            Self::Exact(own) => own.as_str() == path,
            Self::Below(above) => {
                path.strip_prefix(above.as_str()).is_some_and(|rest| rest.len() > 1 && rest.starts_with('/'))
            }
        }
    }

    /// Whether some path is opened by both.
    pub fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(path), other) | (other, Self::Exact(path)) => other.covers(path.as_str()),
            (Self::Below(one), Self::Below(two)) => {
                one == two || self.covers(two.as_str()) || other.covers(one.as_str())
            }
        }
    }
}

impl std::fmt::Display for TokenPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exact(path) => path.fmt(f),
            Self::Below(path) => write!(f, "{path}/*"),
        }
    }
}

impl TryFrom<String> for TokenPath {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::parse(&text)
    }
}

impl From<TokenPath> for String {
    fn from(path: TokenPath) -> Self {
        path.to_string()
    }
}

/// An address or a network, such as `192.0.2.7` or `2001:db8::/32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network(IpNet);

impl Network {
    /// Reads an address or a network.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let parsed = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        let rule = "must be an address or a network such as 192.0.2.7 or 2001:db8::/32";
        parsed.map(|network| Self(network.trunc())).map_err(|_| Invalid::one("address", rule))
    }

    /// Whether it has this address. An IPv4 address that is written as IPv6 is the same one.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() { self.0.addr().fmt(f) } else { self.0.fmt(f) }
    }
}

impl TryFrom<String> for Network {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::parse(&text)
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

/// A playback token as it is stored: all but the token itself, which is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaybackToken {
    /// Its identity.
    pub id: PlaybackTokenId,
    /// Whose streams it opens. `None`: everybody's.
    pub organization_id: Option<OrganizationId>,
    /// What it opens. Never empty.
    pub paths: Vec<TokenPath>,
    /// Where its viewers must be.
    pub address: Option<Network>,
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
    pub fn opens_any_of(&self, path: &TokenPath) -> bool {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> TokenPath {
        TokenPath::parse(text).unwrap()
    }

    #[test]
    fn path_or_all_below_one_is_covered_and_nothing_else() {
        for (own, path, is_covered) in [
            ("live/alice", "live/alice", true),
            ("live/alice", "live/alice2", false),
            ("live/alice", "live/alice/x", false),
            ("live/*", "live/alice", true),
            ("live/*", "live/eu/alice", true),
            ("live/*", "live", false),
            ("live/*", "live/", false),
            ("live/*", "lively/alice", false),
            ("live/*", "live/cam.1", true),
            ("a/b/*", "a/bc/d", false),
        ] {
            assert_eq!(of(own).covers(path), is_covered, "{own} and {path}");
        }
        for bad in ["", "*", "/*", "live/*/x", "live/**", "../x", "live/*?"] {
            assert!(TokenPath::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn paths_meet_if_one_opens_what_the_other_does() {
        for (one, two, meet) in [
            ("live/a", "live/a", true),
            ("live/a", "live/b", false),
            ("live/a", "live/*", true),
            ("live/*", "live/eu/*", true),
            ("live/*", "live/*", true),
            ("live/*", "lives/*", false),
            ("live", "live/*", false),
        ] {
            assert_eq!(of(one).meets(&of(two)), meet, "{one} and {two}");
            assert_eq!(of(two).meets(&of(one)), meet, "{two} and {one}");
        }
    }

    #[test]
    fn network_has_its_addresses_in_either_form() {
        let network = Network::parse("192.0.2.77/24").unwrap();
        assert_eq!(network.to_string(), "192.0.2.0/24");
        assert!(network.contains("192.0.2.1".parse().unwrap()));
        assert!(network.contains("::ffff:192.0.2.1".parse().unwrap()));
        assert!(!network.contains("192.0.3.1".parse().unwrap()));
        assert_eq!(Network::parse("2001:db8::1").unwrap().to_string(), "2001:db8::1");
        for bad in ["", "192.0.2", "192.0.2.0/33", "host"] {
            assert!(Network::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        /// What is covered by two is a reason that they meet.
        #[test]
        fn two_that_cover_the_same_path_meet(one in "[ab](/[ab]){0,2}(/\\*)?", two in "[ab](/[ab]){0,2}(/\\*)?", path in "[ab](/[ab]){0,3}") {
            let (one, two) = (of(&one), of(&two));
            if one.covers(&path) && two.covers(&path) {
                prop_assert!(one.meets(&two));
            }
            prop_assert_eq!(of(&one.to_string()), one);
        }
    }
}
