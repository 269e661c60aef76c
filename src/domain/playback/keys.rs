//! The keys that sign playback tokens (Ed25519, RFC 8032). Tokens of a key stay valid after a newer key took over.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use sha2::{Digest as _, Sha256};

use super::LONGEST;
use crate::domain::Timestamp;
use crate::domain::seal::{OpenError, Sealer};
use crate::domain::secret::Secret;

/// How long a new key is published before it signs. MediaMTX reads the keys once an hour.
const PUBLISHED_BEFORE: Duration = Duration::from_secs(65 * 60);
/// How much longer than its tokens an old key is kept.
const SLACK: Duration = Duration::from_secs(5 * 60);

/// A key as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedKey {
    /// 1 for the first key, and so on.
    pub number: i64,
    /// The sealed seed.
    pub sealed: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on tokens are signed by it.
    pub signs_from: Timestamp,
}

impl SealedKey {
    /// The key after `last`. It signs at once if it is the first one, or if `at_once`.
    pub fn after(
        last: Option<&Self>,
        at_once: bool,
        sealer: &Sealer,
        random: [[u8; 32]; 2],
        now: Timestamp,
    ) -> Self {
        let number = last.map_or(1, |last| last.number + 1);
        let [seed, nonce] = random;
        let sealed = sealer.seal(&place(number), &Secret::new(URL_SAFE_NO_PAD.encode(seed)), nonce);
        let signs_from = if last.is_none() || at_once { now } else { now.plus(PUBLISHED_BEFORE) };
        Self { number, sealed, created_at: now, signs_from }
    }

    /// The key that signs at `now`: the newest of those that may. If a clock was set back, the first.
    pub fn signing(keys: &[Self], now: Timestamp) -> Option<&Self> {
        let may_sign = |key: &&Self| key.signs_from <= now;
        let newest = keys.iter().filter(may_sign).max_by_key(|key| key.number);
        newest.or_else(|| keys.iter().min_by_key(|key| key.number))
    }

    /// The number below which keys are of no use any more: no token that they signed can be valid.
    pub fn first_needed(keys: &[Self], now: Timestamp) -> Option<i64> {
        let is_over = |key: &&Self| key.signs_from.plus(LONGEST).plus(SLACK) <= now;
        keys.iter().filter(is_over).map(|key| key.number).max()
    }

    /// Opens it.
    pub fn open(&self, sealer: &Sealer) -> Result<PlaybackKey, OpenError> {
        let seed = sealer.open(&place(self.number), &self.sealed)?;
        let seed = URL_SAFE_NO_PAD.decode(seed.expose()).map_err(|_| OpenError::Damaged)?;
        PlaybackKey::from_seed(&seed).ok_or(OpenError::Damaged)
    }
}

fn place(number: i64) -> String {
    format!("playback_keys|sealed|{number}")
}

/// A key that signs.
pub struct PlaybackKey {
    pair: Ed25519KeyPair,
    /// What verifies.
    pub public: PublicKey,
}

impl std::fmt::Debug for PlaybackKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PlaybackKey({})", self.public.id)
    }
}

impl PlaybackKey {
    fn from_seed(seed: &[u8]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        let bytes: [u8; 32] = pair.public_key().as_ref().try_into().ok()?;
        // Short: a token must fit into the 512 characters of an SRT stream id.
        let id = hex::encode(Sha256::digest(bytes).get(..4)?);
        Some(Self { pair, public: PublicKey { id, bytes } })
    }

    /// Signs `message`.
    pub(super) fn sign(&self, message: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(self.pair.sign(message))
    }
}

/// What verifies the tokens of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// The `kid` of the tokens.
    pub id: String,
    bytes: [u8; 32],
}

impl PublicKey {
    /// Whether `signature` is that of `message`.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.bytes).verify(message, signature).is_ok()
    }

    /// The key in base64url: `x` of a JWK (RFC 8037).
    pub fn encoded(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::secret::MasterKey;

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

    pub(in crate::domain::playback) fn key(seed: u8) -> PlaybackKey {
        PlaybackKey::from_seed(&[seed; 32]).unwrap()
    }

    fn sealer() -> Sealer {
        Sealer::new(&MasterKey::new([1; 32]))
    }

    #[test]
    fn stored_key_is_sealed_for_its_number() {
        let stored = SealedKey::after(None, false, &sealer(), [[1; 32], [2; 32]], NOW);
        assert_eq!(stored.open(&sealer()).unwrap().public, key(1).public);
        assert!(!stored.sealed.contains(&URL_SAFE_NO_PAD.encode([1; 32])));
        let moved = SealedKey { number: 2, ..stored };
        assert_eq!(moved.open(&sealer()).unwrap_err(), OpenError::Damaged);
    }

    #[test]
    fn new_key_is_published_before_it_signs_and_the_old_one_stays_as_long_as_its_tokens() {
        let first = SealedKey::after(None, false, &sealer(), [[1; 32], [2; 32]], NOW);
        assert_eq!((first.number, first.signs_from), (1, NOW));
        let second = SealedKey::after(Some(&first), false, &sealer(), [[3; 32], [4; 32]], NOW);
        let at_once = SealedKey::after(Some(&first), true, &sealer(), [[3; 32], [4; 32]], NOW);
        assert_eq!((second.number, at_once.signs_from), (2, NOW));
        let keys = [first, second];
        let signing = |now| SealedKey::signing(&keys, now).map(|key| key.number);
        assert_eq!(signing(NOW), Some(1));
        assert_eq!(signing(NOW.minus(LONGEST)), Some(1), "the clock was set back");
        let from = NOW.plus(PUBLISHED_BEFORE);
        assert_eq!(signing(from), Some(2));
        assert_eq!(SealedKey::first_needed(&keys, from.plus(LONGEST)), Some(1));
        assert_eq!(SealedKey::first_needed(&keys, from.plus(LONGEST).plus(SLACK)), Some(2));
        assert_eq!(SealedKey::signing(&[], NOW), None);
    }
}
