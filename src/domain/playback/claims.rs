//! Playback tokens as JSON web tokens (RFC 7519), signed with Ed25519 (RFC 8037).
//!
//! MediaMTX reads the paths from its own claim, `mediamtx_permissions`, with `authMethod: jwt`. They are read from there too,
//! so both always agree. There is one algorithm, and the header names no key but one of ours.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use uuid::Uuid;

use super::keys::{PlaybackKey, PublicKey};
use super::{LONGEST, PlaybackToken, PlaybackTokenId};
use crate::domain::network::CidrBlock;
use crate::domain::path::StreamPath;
use crate::domain::path_pattern::PathPattern;
use crate::domain::secret::{MasterKey, Secret};
use crate::domain::{OrganizationId, Timestamp};

const ALGORITHM: &str = "EdDSA";
/// MediaMTX shows it as the user of a session.
const SUBJECT: &str = "viewer";
/// The longest text that is read as a token.
const MAX_TOKEN: usize = 8_192;
/// How far the clock of another instance may be ahead.
const LEEWAY_SECONDS: i64 = 60;
/// What is after this in a permission is a prefix: a regular expression of MediaMTX.
const BELOW: &str = "~^";

/// The `aud` of the tokens of this deployment: the same on all instances, another on every other deployment.
pub fn audience(master: &MasterKey) -> String {
    let name = master.derive("streamward playback audience v1");
    format!("sw-{}", hex::encode(name.get(..4).unwrap_or_default()))
}

/// What a valid token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Which token it is.
    pub id: PlaybackTokenId,
    /// Whose streams it opens. `None`: everybody's.
    pub organization_id: Option<OrganizationId>,
    /// What it opens.
    pub paths: Vec<PathPattern>,
    /// Where its viewers must be.
    pub address: Option<CidrBlock>,
    /// How many sessions it allows at the same time.
    pub max_sessions: Option<u32>,
    /// When it becomes invalid.
    pub expires_at: Timestamp,
}

/// Why a text is no valid token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenFault {
    /// It is none, of another deployment, or signed by a key that is not known.
    Invalid,
    /// It has expired.
    Expired,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: String,
    /// Extensions that must be understood. None is.
    crit: Option<serde::de::IgnoredAny>,
}

#[skip_serializing_none]
#[derive(Serialize, Deserialize)]
struct Wire {
    aud: String,
    exp: i64,
    iat: i64,
    jti: String,
    sub: String,
    mediamtx_permissions: Vec<Permission>,
    address: Option<CidrBlock>,
    max_sessions: Option<u32>,
    organization: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Permission {
    action: String,
    path: String,
}

impl Permission {
    fn pair(path: &PathPattern) -> [Self; 2] {
        // A path has no character with a meaning in regular expressions.
        let path = match path {
            PathPattern::Exact(path) => path.to_string(),
            PathPattern::Below(path) => format!("{BELOW}{path}/"),
        };
        ["read", "playback"].map(|action| Self { action: action.to_owned(), path: path.clone() })
    }

    fn path(&self) -> Option<PathPattern> {
        match self.path.strip_prefix(BELOW) {
            Some(above) => StreamPath::parse(above.strip_suffix('/')?).ok().map(PathPattern::Below),
            None => StreamPath::parse(&self.path).ok().map(PathPattern::Exact),
        }
    }
}

/// UUIDs are shortened, see [`PlaybackKey`].
fn short(id: Uuid) -> String {
    URL_SAFE_NO_PAD.encode(id.as_bytes())
}

fn long(text: &str) -> Option<Uuid> {
    Uuid::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

fn seconds(at: Timestamp) -> i64 {
    at.micros().div_euclid(1_000_000)
}

/// The token.
pub fn sign(key: &PlaybackKey, token: &PlaybackToken, audience: &str) -> Secret {
    let header = format!(r#"{{"alg":"{ALGORITHM}","kid":"{}"}}"#, key.public.id);
    let claims = Wire {
        aud: audience.to_owned(),
        exp: seconds(token.expires_at),
        iat: seconds(token.created_at),
        jti: short(token.id.0),
        sub: SUBJECT.to_owned(),
        mediamtx_permissions: token.paths.iter().flat_map(Permission::pair).collect(),
        address: token.address,
        max_sessions: token.max_sessions,
        organization: token.organization_id.map(|id| short(id.0)),
    };
    // Nothing in it can fail to become JSON.
    let claims = serde_json::to_vec(&claims).unwrap_or_default();
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = key.sign(message.as_bytes());
    Secret::new(format!("{message}.{signature}"))
}

/// What `token` says, if one of `keys` signed it for `audience` and it has not expired.
pub fn verify(token: &str, keys: &[PublicKey], audience: &str, now: Timestamp) -> Result<Claims, TokenFault> {
    let wire = signed(token, keys).filter(|wire| wire.aud == audience).ok_or(TokenFault::Invalid)?;
    let longest = i64::try_from(LONGEST.as_secs()).unwrap_or(i64::MAX);
    let lasts = wire.exp.checked_sub(wire.iat).ok_or(TokenFault::Invalid)?;
    if !(0..=longest).contains(&lasts) || wire.iat > seconds(now).saturating_add(LEEWAY_SECONDS) {
        return Err(TokenFault::Invalid);
    }
    if wire.exp <= seconds(now) {
        return Err(TokenFault::Expired);
    }
    claims(&wire).ok_or(TokenFault::Invalid)
}

fn claims(wire: &Wire) -> Option<Claims> {
    let reads = wire.mediamtx_permissions.iter().filter(|permission| permission.action == "read");
    let organization_id = match &wire.organization {
        Some(text) => Some(OrganizationId(long(text)?)),
        None => None,
    };
    Some(Claims {
        id: PlaybackTokenId(long(&wire.jti)?),
        organization_id,
        paths: reads.map(Permission::path).collect::<Option<_>>()?,
        address: wire.address,
        max_sessions: wire.max_sessions,
        expires_at: Timestamp::from_seconds(wire.exp),
    })
}

/// The claims of a text that one of `keys` signed.
fn signed(token: &str, keys: &[PublicKey]) -> Option<Wire> {
    if token.len() > MAX_TOKEN {
        return None;
    }
    let (message, signature) = token.rsplit_once('.')?;
    let (header, claims) = message.split_once('.')?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
    let header: Header = serde_json::from_slice(&decode(header)?).ok()?;
    if header.alg != ALGORITHM || header.crit.is_some() {
        return None;
    }
    let key = keys.iter().find(|key| key.id == header.kid)?;
    if !key.verifies(message.as_bytes(), &decode(signature)?) {
        return None;
    }
    serde_json::from_slice(&decode(claims)?).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::super::keys::tests::key;
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

    fn token(paths: &[&str]) -> PlaybackToken {
        PlaybackToken {
            id: PlaybackTokenId(Uuid::from_u128(7)),
            organization_id: None,
            paths: paths.iter().map(|path| PathPattern::parse(path).unwrap()).collect(),
            address: None,
            max_sessions: None,
            created_at: NOW,
            expires_at: NOW.plus(Duration::from_secs(60)),
            revoked_at: None,
        }
    }

    fn check(text: &str, now: Timestamp) -> Result<Claims, TokenFault> {
        verify(text, &[key(2).public, key(1).public], "sw-1", now)
    }

    #[test]
    fn token_says_what_it_was_made_for() {
        let made = PlaybackToken {
            organization_id: Some(OrganizationId::DEFAULT),
            address: CidrBlock::parse("192.0.2.0/24").ok(),
            max_sessions: Some(2),
            ..token(&["live/alice", "events/*"])
        };
        let text = sign(&key(1), &made, "sw-1");
        let claims = check(text.expose(), NOW).unwrap();
        assert_eq!(
            claims,
            Claims {
                id: made.id,
                organization_id: made.organization_id,
                paths: made.paths,
                address: made.address,
                max_sessions: Some(2),
                expires_at: made.expires_at,
            }
        );
        let payload = text.expose().split('.').nth(1).unwrap();
        let json: serde_json::Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
        assert_eq!(
            json["mediamtx_permissions"][2],
            serde_json::json!({"action": "read", "path": "~^events/"})
        );
        for claim in ["aud", "exp", "iat", "jti", "sub"] {
            assert!(!json[claim].is_null(), "{claim}");
        }
    }

    #[test]
    fn token_for_one_path_fits_into_an_srt_stream_id() {
        let organization_id = Some(OrganizationId::DEFAULT);
        let made = PlaybackToken { organization_id, ..token(&["live/alice"]) };
        let id = format!("read:live/alice:jwt:{}", sign(&key(1), &made, "sw-01234567").expose());
        assert!(id.len() <= 512, "{}", id.len());
    }

    #[test]
    fn token_is_valid_until_its_second_and_only_here() {
        let text = sign(&key(1), &token(&["live/alice"]), "sw-1");
        let end = NOW.plus(Duration::from_secs(60));
        assert!(check(text.expose(), end.minus(Duration::from_micros(1))).is_ok());
        assert_eq!(check(text.expose(), end), Err(TokenFault::Expired));
        let ahead = Duration::from_secs(60);
        assert!(check(text.expose(), NOW.minus(ahead)).is_ok(), "the other clock is ahead");
        assert_eq!(check(text.expose(), NOW.minus(ahead + ahead)), Err(TokenFault::Invalid));
        assert_eq!(verify(text.expose(), &[key(2).public], "sw-1", NOW), Err(TokenFault::Invalid));
        assert_eq!(verify(text.expose(), &[key(1).public], "sw-2", NOW), Err(TokenFault::Invalid));
        let long = PlaybackToken { expires_at: NOW.plus(LONGEST).plus(ahead), ..token(&["live/alice"]) };
        assert_eq!(check(sign(&key(1), &long, "sw-1").expose(), NOW), Err(TokenFault::Invalid));
    }

    #[test]
    fn only_our_algorithm_and_our_keys_count() {
        let good = sign(&key(1), &token(&["live/alice"]), "sw-1");
        let (_, claims, signature) = {
            let mut parts = good.expose().split('.');
            (parts.next().unwrap(), parts.next().unwrap().to_owned(), parts.next().unwrap().to_owned())
        };
        let kid = key(1).public.id;
        let x = key(9).public.encoded();
        for header in [
            format!(r#"{{"alg":"none","kid":"{kid}"}}"#),
            format!(r#"{{"alg":"HS256","kid":"{kid}"}}"#),
            format!(r#"{{"alg":"EdDSA","kid":"{kid}","crit":["b64"]}}"#),
            r#"{"alg":"EdDSA"}"#.to_owned(),
            format!(
                r#"{{"alg":"EdDSA","kid":"x","jku":"https://evil.example","jwk":{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}}}"#
            ),
        ] {
            let message = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(&header));
            // Signed by the key that the header brings along, or by none.
            for signature in [key(9).sign(message.as_bytes()), String::new(), signature.clone()] {
                assert_eq!(
                    check(&format!("{message}.{signature}"), NOW),
                    Err(TokenFault::Invalid),
                    "{header}"
                );
            }
        }
        for text in ["", ".", "..", "a.b.c", "sk_x"] {
            assert_eq!(check(text, NOW), Err(TokenFault::Invalid), "{text}");
        }
    }

    proptest! {
        /// Whatever byte is changed, the token is refused.
        #[test]
        fn changed_token_is_refused(at in 0usize..400, by in 1u8..127) {
            let good = sign(&key(1), &token(&["live/alice", "a/*"]), "sw-1");
            let mut bytes = good.expose().as_bytes().to_vec();
            let at = at % bytes.len();
            bytes[at] = (bytes[at] ^ by) & 0x7f;
            let changed = String::from_utf8(bytes).unwrap();
            prop_assert!(changed == good.expose() || check(&changed, NOW).is_err());
        }
    }
}
