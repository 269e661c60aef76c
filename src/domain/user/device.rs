//! The cookie of a device on which somebody has signed in. It proves nothing about a person. But attempts to sign in
//! with it are counted apart from all others, so attackers cannot use them up (OWASP, "Device Cookies").

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Email;
use crate::domain::secret::SecretHasher;

/// A device, and the proof that somebody signed in on it as a certain user.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceCookie {
    device: String,
    proof: String,
}

impl DeviceCookie {
    /// The cookie of a device on which `email` has signed in.
    pub fn new(hasher: &SecretHasher, email: &Email, random: [u8; 32]) -> Self {
        let device = URL_SAFE_NO_PAD.encode(&random[..16]);
        let proof = proof(hasher, email, &device);
        Self { device, proof }
    }

    /// Reads a cookie. It counts only if we made it for `email`.
    pub fn parse(hasher: &SecretHasher, email: &Email, text: &str) -> Option<Self> {
        let (device, proof) = text.split_once('.')?;
        let (device, proof) = (device.to_owned(), proof.to_owned());
        let ours = self::proof(hasher, email, &device);
        // The proof is a hash of a secret key, so where it differs tells nothing.
        (ours == proof).then_some(Self { device, proof })
    }

    /// The value of the cookie.
    pub fn value(&self) -> String {
        format!("{}.{}", self.device, self.proof)
    }

    /// What names the device.
    pub(super) fn device(&self) -> &str {
        &self.device
    }
}

impl std::fmt::Debug for DeviceCookie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DeviceCookie(***)")
    }
}

fn proof(hasher: &SecretHasher, email: &Email, device: &str) -> String {
    URL_SAFE_NO_PAD.encode(hasher.hash("device", &format!("{email}\0{device}")).0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::MasterKey;

    #[test]
    fn a_cookie_counts_for_its_user_only() {
        let hasher = MasterKey::new([1; 32]).hasher();
        let [ada, bob] = ["ada@example.org", "bob@example.org"].map(|text| Email::parse(text).unwrap());
        let cookie = DeviceCookie::new(&hasher, &ada, [5; 32]);
        assert_eq!(DeviceCookie::parse(&hasher, &ada, &cookie.value()), Some(cookie.clone()));
        assert_eq!(DeviceCookie::parse(&hasher, &bob, &cookie.value()), None);
        for bad in ["", ".", "x.y", &format!("{}x", cookie.value())] {
            assert_eq!(DeviceCookie::parse(&hasher, &ada, bad), None);
        }
    }
}
