//! Encryption of the secrets in the database that must be read again (AES-256-GCM, NIST SP 800-38D).

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::secret::{MasterKey, Secret};

/// Why a sealed text cannot be opened. Reveals none of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It was sealed under another master key.
    #[error(
        "it is encrypted under another master key: set STREAMWARD_MASTER_KEY or STREAMWARD_MASTER_KEY_FILE to the key that this database was created with"
    )]
    OtherMasterKey,
    /// [`Sealer::seal`] did not make it for this place, or it was changed since.
    #[error("it is damaged, or it was copied from another row")]
    Damaged,
}

/// Seals and opens under the master key.
#[derive(Clone)]
pub struct Sealer {
    key: Zeroizing<[u8; 32]>,
    key_id: String,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(***)")
    }
}

impl Sealer {
    /// A sealer with a key that is derived from the master key.
    pub fn new(master: &MasterKey) -> Self {
        let key_id = hex::encode(master.derive("streamward seal key id v1").get(..4).unwrap_or_default());
        Self { key: Zeroizing::new(master.derive("streamward seal v1")), key_id }
    }

    /// Seals `secret` for `place` (table, column and row). It can be opened for that place only. Use `random` for one
    /// seal only: 12 of its bytes are the nonce. The result is `v1.<key id>.<nonce>.<ciphertext>`.
    pub fn seal(&self, place: &str, secret: &Secret, random: [u8; 32]) -> String {
        let nonce: [u8; 12] = std::array::from_fn(|i| random[i]);
        let payload = Payload { msg: secret.expose().as_bytes(), aad: place.as_bytes() };
        // Fails only for messages near 64 GiB.
        let sealed = self.cipher().encrypt(&Nonce::from(nonce), payload).unwrap_or_default();
        format!("v1.{}.{}.{}", self.key_id, URL_SAFE_NO_PAD.encode(nonce), URL_SAFE_NO_PAD.encode(sealed))
    }

    /// Opens a text that was sealed for `place`.
    pub fn open(&self, place: &str, sealed: &str) -> Result<Secret, OpenError> {
        let [version, key_id, nonce, text] =
            <[&str; 4]>::try_from(sealed.split('.').collect::<Vec<_>>()).map_err(|_| OpenError::Damaged)?;
        if version != "v1" {
            return Err(OpenError::Damaged);
        }
        if key_id != self.key_id {
            return Err(OpenError::OtherMasterKey);
        }
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| OpenError::Damaged);
        let nonce = <[u8; 12]>::try_from(decode(nonce)?).map_err(|_| OpenError::Damaged)?;
        let text = decode(text)?;
        let payload = Payload { msg: &text, aad: place.as_bytes() };
        let opened = self.cipher().decrypt(&Nonce::from(nonce), payload).map_err(|_| OpenError::Damaged)?;
        String::from_utf8(opened).map(Secret::new).map_err(|_| OpenError::Damaged)
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new((&*self.key).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_secret_opens_for_its_place_and_under_its_key_only() {
        let sealer = Sealer::new(&MasterKey::new([1; 32]));
        let sealed = sealer.seal("secrets|sealed|hook", &Secret::new("hunter2"), [5; 32]);
        assert!(!sealed.contains("hunter2"));
        assert_eq!(sealer.open("secrets|sealed|hook", &sealed).unwrap().expose(), "hunter2");
        assert_eq!(sealer.open("secrets|sealed|other", &sealed), Err(OpenError::Damaged));
        let other = Sealer::new(&MasterKey::new([2; 32]));
        assert_eq!(other.open("secrets|sealed|hook", &sealed), Err(OpenError::OtherMasterKey));
        for bad in ["", "v1.x", &format!("{sealed}A"), &sealed.replace("v1.", "v2.")] {
            assert_eq!(sealer.open("secrets|sealed|hook", bad), Err(OpenError::Damaged));
        }
    }
}
