//! The second factor: codes that change every 30 s (TOTP, RFC 6238), and recovery codes for when the device is lost.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use subtle::ConstantTimeEq as _;

use super::{Email, PasswordHash};
use crate::domain::secret::{Secret, SecretHash, SecretHasher};
use crate::domain::{Timestamp, UserId};

/// How long a code is valid, in seconds.
const STEP: i64 = 30;
/// How many digits a code has: as many as authenticator apps show.
const DIGITS: usize = 6;
/// How many steps a device's clock may be off, in either direction.
const DRIFT: i64 = 1;
/// How many recovery codes there are.
const CODES: usize = 10;

/// How a person proves who they are, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The person.
    pub user_id: UserId,
    /// The name to sign in with.
    pub email: Email,
    /// The password; there may be none yet.
    pub password: Option<PasswordHash>,
    /// The second factor.
    pub totp: Option<StoredTotp>,
}

/// The secret of a second factor, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTotp {
    /// The sealed secret.
    pub sealed: String,
    /// Whether the person has shown a code of it. Before that it is not needed to sign in.
    pub confirmed: bool,
    /// The step of the last accepted code. Each is accepted once.
    pub last_step: Option<i64>,
}

/// A shared secret of 160 bits, in base32 as authenticator apps take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TotpSecret(Secret);

impl TotpSecret {
    /// Makes a secret of bytes from a cryptographic random source.
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(Secret::new(base32(&bytes[..20])))
    }

    /// The secret that was sealed.
    pub fn from_stored(secret: Secret) -> Self {
        Self(secret)
    }

    /// The secret, to seal it, or to show it once.
    pub fn secret(&self) -> &Secret {
        &self.0
    }

    /// The address for the QR code (Google Authenticator, "Key Uri Format").
    pub fn uri(&self, email: &Email) -> String {
        let mut label = String::new();
        for byte in email.as_str().bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    label.push(byte.into());
                }
                // Writing to a text cannot fail.
                other => drop(write!(label, "%{other:02X}")),
            }
        }
        format!("otpauth://totp/Streamward:{label}?secret={}&issuer=Streamward", self.0.expose())
    }

    /// The step of `code` if it is valid `now` and later than `last`. It must be stored as the last one.
    pub fn accept(&self, code: &str, now: Timestamp, last: Option<i64>) -> Option<i64> {
        let given: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        let key = from_base32(self.0.expose())?;
        let current = now.micros().div_euclid(1_000_000).div_euclid(STEP);
        let steps = (current - DRIFT..=current + DRIFT).filter(|step| last.is_none_or(|last| *step > last));
        // Compares with all of them, so that the time does not tell which one came close.
        steps.fold(None, |found, step| {
            let matches: bool = self::code(&key, step).as_bytes().ct_eq(given.as_bytes()).into();
            if matches { Some(step) } else { found }
        })
    }

    /// The code of the step at `now`.
    #[cfg(test)]
    pub(crate) fn code_at(&self, now: Timestamp) -> String {
        let step = now.micros().div_euclid(1_000_000).div_euclid(STEP);
        code(&from_base32(self.0.expose()).unwrap(), step)
    }
}

/// RFC 4226, 5.3: six digits of the HMAC of the step.
fn code(key: &[u8], step: i64) -> String {
    let mut mac =
        <Hmac<Sha1>>::new_from_slice(key).unwrap_or_else(|_| unreachable!("HMAC accepts keys of any length"));
    mac.update(&step.to_be_bytes());
    let hash: [u8; 20] = mac.finalize().into_bytes().into();
    let at = usize::from(hash[19] & 0x0f);
    let number = u32::from_be_bytes([hash[at] & 0x7f, hash[at + 1], hash[at + 2], hash[at + 3]]);
    format!("{:0DIGITS$}", number % 10u32.pow(6))
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// RFC 4648, without padding.
fn base32(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(5) {
        let mut block = [0; 8];
        block[3..3 + chunk.len()].copy_from_slice(chunk);
        let number = u64::from_be_bytes(block);
        let characters = (chunk.len() * 8).div_ceil(5);
        let digit = |n| usize::try_from((number >> (35 - 5 * n)) & 31).unwrap_or(0);
        text.extend((0..characters).map(|n| char::from(BASE32[digit(n)])));
    }
    text
}

fn from_base32(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut number, mut bits) = (Vec::new(), 0u32, 0u32);
    for character in text.bytes() {
        let value = BASE32.iter().position(|known| *known == character)?;
        number = (number << 5) | u32::try_from(value).ok()?;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((number >> bits) & 0xff).ok()?);
            number &= (1 << bits) - 1;
        }
    }
    Some(bytes)
}

/// A code that replaces a TOTP code once: `abcde-fghij`, 50 random bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryCode(Secret);

impl RecoveryCode {
    /// A set of codes, each made by a call of `random`.
    pub fn make_all(mut random: impl FnMut() -> [u8; 32]) -> Vec<Self> {
        let code = |_| {
            let text = base32(&random()[..7]).to_lowercase();
            let mut characters = text.chars();
            let begin: String = characters.by_ref().take(5).collect();
            let end: String = characters.take(5).collect();
            Self(Secret::new(format!("{begin}-{end}")))
        };
        (0..CODES).map(code).collect()
    }

    /// What a person typed, if it has the shape of a recovery code. Case, blanks and dashes do not matter.
    pub fn parse(text: &str) -> Option<Self> {
        let text: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
        let text = text.to_lowercase();
        let (begin, end) = text.split_at_checked(5)?;
        (end.len() == 5).then(|| Self(Secret::new(format!("{begin}-{end}"))))
    }

    /// The code itself: for the answer to its creation.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// The stored form of a code of this user.
    pub fn hash(&self, hasher: &SecretHasher, user: UserId) -> SecretHash {
        hasher.hash("recovery code", &format!("{user}\0{}", self.0.expose()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::MasterKey;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    /// The secret of the test vectors of RFC 6238, appendix B.
    fn secret() -> TotpSecret {
        TotpSecret(Secret::new(base32(b"12345678901234567890")))
    }

    #[test]
    fn codes_are_those_of_the_standard() {
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(secret().code_at(at(seconds)), code);
            assert_eq!(secret().accept(code, at(seconds), None), Some(seconds / 30));
        }
    }

    #[test]
    fn a_code_is_accepted_once_and_near_its_time() {
        let (secret, now) = (secret(), at(3_000));
        let code = secret.code_at(now);
        let (begin, end) = code.split_at(3);
        assert_eq!(secret.accept(&format!(" {begin} {end} "), now, None), Some(100));
        assert_eq!(secret.accept(&code, at(3_030), None), Some(100));
        assert_eq!(secret.accept(&code, at(2_999), None), Some(100));
        assert_eq!(secret.accept(&code, at(3_060), None), None);
        assert_eq!(secret.accept(&code, now, Some(100)), None, "it was used");
        assert_eq!(secret.accept(&code, now, Some(99)), Some(100));
        for bad in ["", "1", "000000000", "abcdef"] {
            assert_eq!(secret.accept(bad, now, None), None);
        }
    }

    #[test]
    fn base32_is_that_of_the_standard() {
        for (bytes, text) in
            [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foobar", "MZXW6YTBOI")]
        {
            assert_eq!(base32(bytes.as_bytes()), text);
            assert_eq!(from_base32(text).unwrap(), bytes.as_bytes());
        }
        assert_eq!(from_base32("a1"), None);
        let secret = TotpSecret::from_random([9; 32]);
        assert_eq!((secret.0.expose().len(), format!("{secret:?}").as_str()), (32, "TotpSecret(***)"));
        let uri = secret.uri(&Email::parse("a+b@example.org").unwrap());
        assert!(uri.starts_with("otpauth://totp/Streamward:a%2Bb%40example.org?secret="), "{uri}");
    }

    #[test]
    fn a_recovery_code_is_read_as_people_type_it() {
        let mut n = 0;
        let codes = RecoveryCode::make_all(|| {
            n += 1;
            [n; 32]
        });
        assert_eq!(codes.len(), CODES);
        let typed = codes[0].expose().to_uppercase().replace('-', " ");
        assert_eq!(RecoveryCode::parse(&typed).as_ref(), Some(&codes[0]));
        let (hasher, user) = (MasterKey::new([1; 32]).hasher(), UserId(uuid::Uuid::nil()));
        assert_ne!(codes[0].hash(&hasher, user), codes[1].hash(&hasher, user));
        for bad in ["", "123456", "abcde-fghijk"] {
            assert_eq!(RecoveryCode::parse(bad), None);
        }
    }
}
