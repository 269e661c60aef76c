//! Passwords (NIST SP 800-63B): long ones, of any characters.

use std::fmt;

use super::Email;
use crate::domain::invalid::Invalid;
use crate::domain::secret::Secret;

/// The fewest characters of a password.
const SHORTEST: usize = 12;
/// The most bytes. A longer one costs the hash function time.
const LONGEST: usize = 512;
/// How many different characters it must have at least.
const DIFFERENT: usize = 5;

/// A password that may be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Password(Secret);

impl Password {
    /// Checks a password of the user with this address. A message never repeats it.
    pub fn parse(field: &str, value: &str, email: Option<&Email>) -> Result<Self, Invalid> {
        let refuse = |why: String| Err(Invalid::one(field, why));
        let (count, bytes) = (value.chars().count(), value.len());
        if count < SHORTEST {
            return refuse(format!("must have at least {SHORTEST} characters, got {count}"));
        }
        if bytes > LONGEST {
            return refuse(format!("must have at most {LONGEST} bytes, got {bytes}"));
        }
        let mut characters: Vec<char> = value.chars().collect();
        characters.sort_unstable();
        characters.dedup();
        if characters.len() < DIFFERENT {
            return refuse(format!("must have at least {DIFFERENT} different characters"));
        }
        let lower = value.to_lowercase();
        if email.is_some_and(|email| lower == email.as_str()) {
            return refuse("must not be the e-mail address".to_owned());
        }
        Ok(Self(Secret::new(value)))
    }

    /// The text, to hash it.
    pub fn secret(&self) -> &Secret {
        &self.0
    }
}

/// The stored form of a password, in the PHC string format. It does not print: it can be tried out offline.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(pub String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_long_and_is_never_repeated_in_a_message() {
        let email = Email::parse("ada.lovelace@example.org").unwrap();
        let good = Password::parse("password", "correct horse", Some(&email)).unwrap();
        assert_eq!(format!("{good:?}"), "Password(***)");
        assert!(Password::parse("password", "ÄÖÜäöüß€ñçøå", None).is_ok());
        let long = "abcdefg ".repeat(100);
        for bad in ["short one", "aaaaaaaaaaaaaaaa", "Ada.Lovelace@example.org", &long] {
            let refused = Password::parse("password", bad, Some(&email)).unwrap_err();
            assert_eq!(refused.0[0].field, "password");
            assert!(!refused.to_string().contains(bad), "{refused}");
        }
        assert_eq!(format!("{:?}", PasswordHash("$argon2id$x".into())), "PasswordHash(***)");
    }
}
