//! What a caller shows to be recognised: an API token, a signature, or the cookie of a session.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName};

use super::session_cookie::shown_session;
use crate::app::error::Unauthenticated;
use crate::domain::secret::Secret;

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const X_TIMESTAMP: HeaderName = HeaderName::from_static("x-timestamp");
const X_SIGNATURE: HeaderName = HeaderName::from_static("x-signature");

/// The credentials of a request.
pub(super) enum Shown<'a> {
    Credential(Credential),
    Signature { key_id: &'a str, timestamp: &'a str, signature: &'a str },
}

/// What the caller showed, for answers that may outlive it too.
#[derive(Clone)]
pub(super) enum Credential {
    /// An API token.
    Token(Secret),
    /// The cookie of a session.
    Session(Secret),
}

/// What the caller shows. It is one thing, once.
pub(super) fn shown(headers: &HeaderMap) -> Result<Shown<'_>, Unauthenticated> {
    let bearer = one(headers, &AUTHORIZATION)?.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let (key, timestamp, signature) =
        (one(headers, &X_API_KEY)?, one(headers, &X_TIMESTAMP)?, one(headers, &X_SIGNATURE)?);
    match (bearer, key, timestamp, signature) {
        (Some(token), None, None, None) | (None, Some(token), None, None) => {
            Ok(Shown::Credential(Credential::Token(Secret::new(token))))
        }
        (None, Some(key_id), Some(timestamp), Some(signature)) => {
            Ok(Shown::Signature { key_id, timestamp, signature })
        }
        // Browsers send cookies with every request, so any other credentials count instead.
        (None, None, None, None) => match shown_session(headers) {
            Some(cookie) => Ok(Shown::Credential(Credential::Session(Secret::new(cookie)))),
            None => Err(Unauthenticated::Missing),
        },
        (None, Some(_), None, Some(_)) => Err(Unauthenticated::Clock),
        (None, ..) => Err(Unauthenticated::HalfSigned),
        (Some(_), ..) => Err(Unauthenticated::Ambiguous),
    }
}

/// A header that may be given only once: a proxy might have read the other one of two.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Unauthenticated> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| Unauthenticated::Malformed),
        (Some(_), Some(_)) => Err(Unauthenticated::Ambiguous),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair =
            |(name, value): &(&'static str, &str)| (HeaderName::from_static(name), value.parse().unwrap());
        let mut headers = HeaderMap::new();
        for (name, value) in pairs.iter().map(pair) {
            headers.append(name, value);
        }
        headers
    }

    #[test]
    fn a_caller_shows_one_thing_once() {
        let (bearer, key) = (("authorization", "Bearer swt_a"), ("x-api-key", "k"));
        let (time, signature) = (("x-timestamp", "1"), ("x-signature", "ab"));
        let ok = |pairs: &[_]| match shown(&headers(pairs)).map_err(|e| e.to_string()).unwrap() {
            Shown::Credential(Credential::Token(token)) => token.expose().to_owned(),
            Shown::Credential(Credential::Session(cookie)) => format!("cookie {}", cookie.expose()),
            Shown::Signature { key_id, timestamp, signature } => format!("{key_id} {timestamp} {signature}"),
        };
        let refused = |pairs: &[_]| shown(&headers(pairs)).err().unwrap();
        assert_eq!(ok(&[bearer]), "swt_a");
        assert_eq!(ok(&[("authorization", "bearer swt_a")]), "swt_a");
        assert_eq!(ok(&[key]), "k");
        assert_eq!(ok(&[key, time, signature]), "k 1 ab");
        assert_eq!(ok(&[("authorization", "Basic eA=="), key]), "k");
        let cookie = ("cookie", "a=b; streamward_session=c");
        assert_eq!(ok(&[cookie]), "cookie c");
        assert_eq!(ok(&[cookie, bearer]), "swt_a", "the cookie is there anyway");
        assert_eq!(refused(&[cookie, key, time]), Unauthenticated::HalfSigned);
        assert_eq!(refused(&[]), Unauthenticated::Missing);
        assert_eq!(refused(&[("authorization", "Basic eA==")]), Unauthenticated::Missing);
        assert_eq!(refused(&[bearer, key]), Unauthenticated::Ambiguous);
        assert_eq!(refused(&[bearer, bearer]), Unauthenticated::Ambiguous);
        assert_eq!(refused(&[key, key]), Unauthenticated::Ambiguous);
        assert_eq!(refused(&[key, time, signature, signature]), Unauthenticated::Ambiguous);
        assert_eq!(refused(&[key, signature]), Unauthenticated::Clock);
        assert_eq!(refused(&[key, time]), Unauthenticated::HalfSigned);
        assert_eq!(refused(&[time, signature]), Unauthenticated::HalfSigned);
    }
}
