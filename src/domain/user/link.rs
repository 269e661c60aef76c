//! One-time links: whoever has one may set the password of one user, once.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::secret::Secret;
use crate::domain::{Timestamp, UserId};

/// What a link is for, without its secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OneTimeLink {
    /// Whose password it sets. `None`: it makes the first administrator.
    pub user_id: Option<UserId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is invalid.
    pub expires_at: Timestamp,
}

impl OneTimeLink {
    /// How long a link is valid that a person passes on.
    pub const PASSED_ON: Duration = Duration::from_secs(72 * 3_600);
    /// How long a link is valid that was sent by e-mail.
    pub const SENT: Duration = Duration::from_secs(3_600);

    /// A link for `user_id` that is valid for `valid` from `now` on.
    pub fn new(user_id: Option<UserId>, now: Timestamp, valid: Duration) -> Self {
        Self { user_id, created_at: now, expires_at: now.plus(valid) }
    }

    /// Whether it can be used at `now`.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }
}

/// How the secret of a link begins.
const PREFIX: &str = "swl_";

/// The secret of a link: `swl_` and 32 random bytes in base64url.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkSecret(Secret);

impl LinkSecret {
    /// Makes a secret of 32 bytes from a cryptographic random source.
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// The secret in `text`, if it has the shape of one.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.trim().strip_prefix(PREFIX)?;
        let bytes = URL_SAFE_NO_PAD.decode(rest).ok()?;
        (bytes.len() == 32).then(|| Self(Secret::new(text.trim())))
    }

    /// The secret itself: for the link.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_valid_for_its_time() {
        let link = OneTimeLink::new(None, Timestamp::from_seconds(0), OneTimeLink::SENT);
        assert!(link.is_valid(Timestamp::from_seconds(3_599)));
        assert!(!link.is_valid(Timestamp::from_seconds(3_600)));
    }

    #[test]
    fn a_secret_is_recognised_by_its_shape() {
        let secret = LinkSecret::from_random([3; 32]);
        assert_eq!(LinkSecret::parse(&format!(" {}\n", secret.expose())), Some(secret.clone()));
        for bad in ["", "swl_", "swl_abc", "swt_x", secret.expose().trim_start_matches(PREFIX)] {
            assert_eq!(LinkSecret::parse(bad), None);
        }
    }
}
