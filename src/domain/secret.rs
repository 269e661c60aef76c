//! Secrets: types that do not print, are compared in constant time, and are stored only as keyed hashes.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The first characters of a stream key.
pub const KEY_PREFIX: &str = "sk_";
/// The length of a stream key: the prefix and 32 bytes in unpadded base64url.
pub const KEY_LENGTH: usize = 46;

/// Text that must never be shown: `Debug` prints `***`, there is no `Display`, and its memory is wiped on drop.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text, for the place that has to send it. Never log it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether `given` is this secret, in constant time. Both are hashed first, so that the time does not depend on the
    /// length either.
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
    /// Makes a secret of 32 bytes from a cryptographic random source.
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(Secret::new(format!("{KEY_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))))
    }

    /// The secret, if `text` has the shape of a key. The key need not exist.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(KEY_PREFIX)?;
        let shaped = text.len() == KEY_LENGTH && rest.chars().all(is_key_char);
        shaped.then(|| Self(Secret::new(text)))
    }

    /// The secret: for the answer to its creation, and for ingest addresses on the media server.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// The first eight characters: enough to distinguish two keys, not enough to use one.
    pub fn prefix(&self) -> String {
        self.expose().chars().take(8).collect()
    }
}

impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySecret(***)")
    }
}

/// With this many characters after `sk_`, a text is masked as a key or a part of one. A shorter part leaves more than
/// 128 bits unknown.
const MASKED_LENGTH: usize = 20;

/// Replaces whatever could be a stream key or a part of one by `***`. For text that others wrote.
///
/// Masked are `sk_` in any case with 20 characters of a key after it, and a run of at least 43 such characters that
/// mixes capitals and small letters: a key without its prefix.
pub fn mask_keys(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_key_char) {
        let (before, from_run) = rest.split_at(start);
        let end = from_run.find(|c| !is_key_char(c)).unwrap_or(from_run.len());
        let (run, after) = from_run.split_at(end);
        let shown = shown_of_run(run);
        out.push_str(before);
        out.push_str(shown);
        if shown.len() < run.len() {
            out.push_str("***");
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// One line of a text from outside: without control characters, keys masked, of at most `most` characters.
pub fn masked_line(text: &str, most: usize) -> String {
    // In this order: a text that a control character interrupts may be a key without it.
    let line = match text.contains(char::is_control) {
        true => Cow::Owned(text.chars().filter(|c| !c.is_control()).collect()),
        false => Cow::Borrowed(text),
    };
    let mut masked = mask_keys(&line);
    if let Some((end, _)) = masked.char_indices().nth(most) {
        masked.truncate(end);
    }
    masked
}

/// What of a run of key characters may be shown.
fn shown_of_run(run: &str) -> &str {
    let is_prefix = |window: &[u8]| window.eq_ignore_ascii_case(KEY_PREFIX.as_bytes());
    let prefix = run.as_bytes().windows(KEY_PREFIX.len()).position(is_prefix).map(|at| at + KEY_PREFIX.len());
    match prefix {
        Some(end) if run.len() - end >= MASKED_LENGTH => run.get(..end).unwrap_or_default(),
        _ if run.len() >= KEY_LENGTH - KEY_PREFIX.len() && is_mixed(run) => "",
        _ => run,
    }
}

fn is_key_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

fn is_mixed(run: &str) -> bool {
    run.bytes().any(|b| b.is_ascii_uppercase()) && run.bytes().any(|b| b.is_ascii_lowercase())
}

/// The stored form of a secret: HMAC-SHA256 under a key that is not in the database.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SecretHash(pub [u8; 32]);

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretHash({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}

/// The 32-byte key under which everything stored is hashed or sealed. It is not in the database.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// Takes the bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The key, to write it to its file.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// A key for one purpose, so that no two purposes share a key (NIST SP 800-108 without a counter: one HMAC-SHA256
    /// block over the label).
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

/// Hashes secrets for storage and lookup. One hash is enough: the secrets have 256 bits (OWASP ASVS 5.0, 6.5.2).
#[derive(Clone)]
pub struct SecretHasher(Zeroizing<[u8; 32]>);

impl SecretHasher {
    /// The hash of a stream key.
    pub fn key(&self, secret: &KeySecret) -> SecretHash {
        self.hash("key", secret.expose())
    }

    /// The hash of a secret of this kind. Secrets of different kinds never have the same hash.
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
    let mut mac = <Hmac<Sha256>>::new_from_slice(key)
        .unwrap_or_else(|_| unreachable!("HMAC accepts keys of any length"));
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_that_control_characters_interrupt_is_masked_in_a_line() {
        let key = KeySecret::from_random([9; 32]);
        let (begin, end) = key.expose().split_at(5);
        assert_eq!(masked_line(&format!("a\0b {begin}\0{end}\n"), 100), "ab sk_***");
    }

    #[test]
    fn key_has_its_shape_and_does_not_print() {
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
    fn keys_in_text_of_others_are_masked() {
        let key = KeySecret::from_random([9; 32]);
        let text = format!("path 'live/{}' sk_short ä", key.expose());
        assert_eq!(mask_keys(&text), "path 'live/sk_***' sk_short ä");
        let whole = key.expose();
        let bare = whole.get(3..).unwrap();
        for slip in [
            whole.get(..45).unwrap().to_owned(),
            format!("{whole}x"),
            format!("x{whole}"),
            whole.repeat(2),
            format!("live/SK_{bare}"),
            format!("Sk_{bare}"),
            format!("live/{bare}"),
            format!("k_{bare}"),
        ] {
            let masked = mask_keys(&slip);
            assert!(!masked.contains(whole.get(3..20).unwrap()), "{masked}");
        }
        // Ids and long names are no keys.
        for other in ["7F2B3c4d-0000-4000-8000-0123456789ab", &"x".repeat(200), "live/sk_alice", "ä/ö", ""]
        {
            assert_eq!(mask_keys(other), other);
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
