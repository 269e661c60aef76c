//! ID tokens (OpenID Connect Core 2 and 3.1.3.7): whose they are, and whether they are valid.

use std::time::Duration;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};

use super::known::Known;
use crate::domain::Timestamp;
use crate::domain::secret::Secret;

/// How far the provider's clock may be from ours.
const LEEWAY: Duration = Duration::from_secs(60);

/// What a token must match.
pub(super) struct Expected<'a> {
    pub(super) client_id: &'a str,
    pub(super) nonce: &'a Secret,
    pub(super) now: Timestamp,
}

/// Why a token is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Invalid {
    #[error("it cannot be read")]
    Shape,
    #[error("it is not signed by a method that is accepted (RS, PS, ES, EdDSA)")]
    Algorithm,
    #[error("the provider does not publish the key that signed it")]
    UnknownKey,
    #[error("its signature is wrong")]
    Signature,
    #[error("it is of another issuer")]
    Issuer,
    #[error("it is meant for another client (aud)")]
    Audience,
    #[error("it has expired; check the clocks")]
    Expired,
    #[error("it is not valid yet; check the clocks")]
    Early,
    #[error("it answers another sign-in (nonce)")]
    Nonce,
}

/// The claims of a token that was made by the provider, for us, for this sign-in.
pub(super) fn verify(
    token: &str,
    known: &Known,
    expected: &Expected<'_>,
) -> Result<Map<String, Value>, Invalid> {
    let header = decode_header(token).map_err(|_| Invalid::Shape)?;
    let key = key(&known.keys, header.kid.as_deref(), header.alg)?;
    let key = DecodingKey::from_jwk(key).map_err(|_| Invalid::UnknownKey)?;
    let mut rules = Validation::new(header.alg);
    rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    rules.set_audience(&[expected.client_id]);
    rules.set_issuer(&[&known.issuer]);
    // By our clock instead, below.
    rules.validate_exp = false;
    let claims = decode::<Map<String, Value>>(token, &key, &rules).map_err(|error| match error.kind() {
        ErrorKind::InvalidSignature => Invalid::Signature,
        ErrorKind::InvalidIssuer => Invalid::Issuer,
        ErrorKind::InvalidAudience => Invalid::Audience,
        ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm => Invalid::Algorithm,
        _ => Invalid::Shape,
    })?;
    let claims = claims.claims;
    check(&claims, known, expected)?;
    Ok(claims)
}

/// The rules beyond those of other JSON web tokens.
fn check(claims: &Map<String, Value>, known: &Known, expected: &Expected<'_>) -> Result<(), Invalid> {
    // A list of issuers is none.
    if claims.get("iss").and_then(Value::as_str) != Some(&known.issuer) {
        return Err(Invalid::Issuer);
    }
    let has_others = claims.get("aud").and_then(Value::as_array).is_some_and(|all| all.len() > 1);
    let party = claims.get("azp").and_then(Value::as_str);
    if party.map_or(has_others, |party| party != expected.client_id) {
        return Err(Invalid::Audience);
    }
    let seconds = |name: &str| {
        let number = claims.get(name).and_then(|value| value.as_i64().or_else(|| whole(value.as_f64()?)));
        number.filter(|seconds| (0..=253_402_300_799).contains(seconds)).map(Timestamp::from_seconds)
    };
    if seconds("exp").is_none_or(|at| at.plus(LEEWAY) <= expected.now) {
        return Err(Invalid::Expired);
    }
    if ["nbf", "iat"].into_iter().filter_map(seconds).any(|at| at > expected.now.plus(LEEWAY)) {
        return Err(Invalid::Early);
    }
    let nonce = claims.get("nonce").and_then(Value::as_str).unwrap_or_default();
    if expected.nonce.matches(nonce) { Ok(()) } else { Err(Invalid::Nonce) }
}

#[expect(clippy::cast_possible_truncation, reason = "seconds, checked to be within the range")]
fn whole(seconds: f64) -> Option<i64> {
    (0.0..1e12).contains(&seconds).then_some(seconds as i64)
}

/// The provider's key that the header names; without a name the only one that fits.
fn key<'a>(keys: &'a [Jwk], kid: Option<&str>, algorithm: Algorithm) -> Result<&'a Jwk, Invalid> {
    use jsonwebtoken::jwk::AlgorithmParameters as Kind;
    let fits = |key: &&Jwk| {
        let common = &key.common;
        let is_of_family = match algorithm {
            Algorithm::ES256 | Algorithm::ES384 => matches!(key.algorithm, Kind::EllipticCurve(_)),
            Algorithm::EdDSA => matches!(key.algorithm, Kind::OctetKeyPair(_)),
            _ => matches!(key.algorithm, Kind::RSA(_)),
        };
        let is_for_it =
            common.key_algorithm.is_none_or(|known| known.to_string() == format!("{algorithm:?}"));
        let is_for_signing = !matches!(common.public_key_use, Some(PublicKeyUse::Encryption));
        is_of_family && is_for_it && is_for_signing && (kid.is_none() || common.key_id.as_deref() == kid)
    };
    if matches!(algorithm, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512) {
        return Err(Invalid::Algorithm);
    }
    let mut found = keys.iter().filter(fits);
    match (found.next(), found.next()) {
        (Some(key), None) => Ok(key),
        (Some(key), Some(_)) if kid.is_some() => Ok(key),
        _ => Err(Invalid::UnknownKey),
    }
}
