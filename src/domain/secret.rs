//! Secrets: types that do not print, are compared in constant time, and are stored only as keyed hashes.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// How a stream key begins.
pub const KEY_PREFIX: &str = "sk_";
/// Characters of a stream key: the prefix and 32 bytes in unpadded base64url.
pub const KEY_LENGTH: usize = 46;

/// Text that must never be shown: `Debug` prints `***`, there is no `Display`, memory is wiped on drop.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself, for the one place that has to send it. Never log what this returns.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `given` is this secret, in time that does not depend on where they differ.
    ///
    /// Both sides are hashed first, so that the length does not show either.
    pub fn matches(&self, given: &str) -> bool {
        Fingerprint::of(self.expose().as_bytes()).matches(&Fingerprint::of(given.as_bytes()))
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other.expose())
    }
}

impl Eq for Secret {}

struct Fingerprint([u8; 32]);

impl Fingerprint {
    fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(Sha256::digest(bytes).into())
    }

    fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// A stream key's secret: `sk_` and 43 base64url characters (32 random bytes).
#[derive(Clone, PartialEq, Eq)]
pub struct KeySecret(Secret);

impl KeySecret {
    /// Makes the secret out of 32 bytes from a cryptographic random source.
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(Secret::new(format!("{KEY_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// The secret in `text`, if it has a key's shape. Whether it is a key that exists is another question.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(KEY_PREFIX)?;
        let shaped = text.len() == KEY_LENGTH
            && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        shaped.then(|| Self(Secret::new(text)))
    }

    /// The secret itself: for the answer to its creation, and for ingest addresses on the media server.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// The first eight characters, enough for a person to tell two keys apart and not enough to use one.
    pub fn prefix(&self) -> String {
        self.expose().chars().take(8).collect()
    }
}

impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySecret(***)")
    }
}

/// How many characters behind `sk_` make a text look like a key, whole or with some lost in pasting. Of a key that shows
/// fewer, more than 128 bits remain unknown.
const TELLING: usize = 20;

/// Replaces everything in `text` that looks like a stream key, whole or in part, by `sk_***`; for text that others wrote.
pub fn mask_keys(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, candidate)) = rest.split_once(KEY_PREFIX) {
        out.push_str(before);
        out.push_str(KEY_PREFIX);
        let run = candidate.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'));
        let (run, after) = candidate.split_at(run.unwrap_or(candidate.len()));
        if run.len() >= TELLING {
            out.push_str("***");
            rest = after;
        } else {
            rest = candidate;
        }
    }
    out.push_str(rest);
    out
}

/// What is stored instead of a secret: HMAC-SHA256 under a key that is not in the database.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretHash(pub [u8; 32]);

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretHash({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}

/// The 32-byte key everything stored is hashed or sealed under; comes from outside the database.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// Takes the bytes over.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The key itself, for writing it to its file.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// A key of its own for each purpose, so that no two uses share one (NIST SP 800-108 in counter-free form:
    /// one HMAC-SHA256 block over the label).
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        keyed_hash(self.0.as_slice(), purpose.as_bytes())
    }

    /// The hasher for stream keys and API tokens.
    pub fn hasher(&self) -> SecretHasher {
        SecretHasher(Zeroizing::new(self.derive("streamward secret hash v1")))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(***)")
    }
}

/// Hashes secrets for storage and look-up. One hash suffices: the secrets have 256 bits (OWASP ASVS 5.0, 6.5.2).
#[derive(Clone)]
pub struct SecretHasher(Zeroizing<[u8; 32]>);

impl SecretHasher {
    /// The hash of a stream key.
    pub fn key(&self, secret: &KeySecret) -> SecretHash {
        self.hash("key", secret.expose())
    }

    /// The hash of a secret of the named kind; hashes of different kinds never meet.
    pub fn hash(&self, kind: &str, secret: &str) -> SecretHash {
        SecretHash(keyed_hash(self.0.as_slice(), format!("{kind}\0{secret}").as_bytes()))
    }
}

impl fmt::Debug for SecretHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHasher(***)")
    }
}

/// HMAC-SHA256 (RFC 2104) of `message` under `key`.
pub fn keyed_hash(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac =
        <Hmac<Sha256>>::new_from_slice(key).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_its_shape_and_does_not_print() {
        let key = KeySecret::from_random([7; 32]);
        assert_eq!(key.expose().len(), KEY_LENGTH);
        assert_eq!(KeySecret::parse(key.expose()).as_ref(), Some(&key));
        assert!(!format!("{key:?}").contains(key.expose().trim_start_matches(KEY_PREFIX)));
        for bad in [
            "",
            "sk_",
            key.expose().get(..45).unwrap(),
            &format!("{}x", key.expose()),
            &key.expose().replace("sk_", "pk_"),
        ] {
            assert_eq!(KeySecret::parse(bad), None, "{bad}");
        }
        let odd = format!("sk_{}", "ä".repeat(21) + "a");
        assert_eq!(KeySecret::parse(&odd), None);
    }

    #[test]
    fn keys_in_foreign_text_are_masked() {
        let key = KeySecret::from_random([9; 32]);
        let text = format!("path 'live/{}' sk_short ä", key.expose());
        assert_eq!(mask_keys(&text), "path 'live/sk_***' sk_short ä");
        let whole = key.expose();
        for slip in
            [whole.get(..45).unwrap().to_owned(), format!("{whole}x"), format!("x{whole}"), whole.repeat(2)]
        {
            let masked = mask_keys(&slip);
            assert!(!masked.contains(whole.get(3..20).unwrap()), "{masked}");
        }
    }

    #[test]
    fn hashes_differ_by_kind_and_master_key() {
        let (a, b) = (MasterKey::new([1; 32]).hasher(), MasterKey::new([2; 32]).hasher());
        assert_ne!(a.hash("key", "x"), a.hash("token", "x"));
        assert_ne!(a.hash("key", "x"), b.hash("key", "x"));
        assert_eq!(a.hash("key", "x"), a.clone().hash("key", "x"));
    }

    #[test]
    fn secrets_compare_by_content() {
        assert!(Secret::new("a").matches("a"));
        assert!(!Secret::new("a").matches("ab"));
        assert!(!Secret::new("").matches("a"));
    }
}
