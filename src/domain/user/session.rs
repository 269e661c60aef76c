//! Sessions: what a cookie stands for, and how long.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::secret::{Secret, SecretHash};
use crate::domain::{SessionId, Timestamp, UserId};

/// Whose a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionOwner {
    /// A person's.
    User(UserId),
    /// That of the holder of an API token, named by the hash of the token.
    Token(SecretHash),
}

/// A session, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its identity.
    pub id: SessionId,
    /// Whose it is.
    pub owner: SessionOwner,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to a minute or so.
    pub used_at: Timestamp,
    /// From when on it is invalid.
    pub expires_at: Timestamp,
    /// The address that it began at.
    pub ip_address: Option<String>,
    /// What the browser calls itself.
    pub user_agent: Option<String>,
}

/// How long sessions last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTerms {
    /// How long without use.
    pub idle: Duration,
    /// How long in all.
    pub longest: Duration,
}

impl SessionTerms {
    /// When a session that began at `created_at` and is used `now` expires.
    pub fn expiry(&self, created_at: Timestamp, now: Timestamp) -> Timestamp {
        now.plus(self.idle).min(created_at.plus(self.longest))
    }

    /// The new expiry of a session that is used `now`, if it is to be stored. It is not stored at every use: that would be
    /// a write for each request.
    pub fn renewal(&self, session: &Session, now: Timestamp) -> Option<Timestamp> {
        let step = Duration::from_secs(60).min(self.idle / 10);
        (now.since(session.used_at) >= step).then(|| self.expiry(session.created_at, now))
    }
}

/// The secret of a session, as the cookie has it: 32 random bytes in base64url.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSecret(Secret);

impl SessionSecret {
    /// Makes a secret of 32 bytes from a cryptographic random source.
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(Secret::new(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The secret in a cookie, if it has the shape of one.
    pub fn parse(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() == 32).map(|_| Self(Secret::new(text)))
    }

    /// The secret itself: for the cookie.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn use_prolongs_a_session_up_to_its_longest_time() {
        let terms = SessionTerms { idle: Duration::from_secs(3_600), longest: Duration::from_secs(7_200) };
        let at = Timestamp::from_seconds;
        let session = Session {
            id: SessionId(uuid::Uuid::nil()),
            owner: SessionOwner::User(UserId(uuid::Uuid::nil())),
            created_at: at(0),
            used_at: at(0),
            expires_at: terms.expiry(at(0), at(0)),
            ip_address: None,
            user_agent: None,
        };
        assert_eq!(session.expires_at, at(3_600));
        assert_eq!(terms.renewal(&session, at(59)), None);
        assert_eq!(terms.renewal(&session, at(60)), Some(at(3_660)));
        assert_eq!(terms.renewal(&session, at(3_700)), Some(at(7_200)));
    }

    #[test]
    fn a_secret_has_its_shape_and_does_not_print() {
        let secret = SessionSecret::from_random([7; 32]);
        assert_eq!(SessionSecret::parse(secret.expose()), Some(secret.clone()));
        assert!(!format!("{secret:?}").contains(secret.expose()));
        for bad in ["", "x", "swt_abc", &format!("{}A", secret.expose())] {
            assert_eq!(SessionSecret::parse(bad), None);
        }
    }
}
