//! The port to a provider that people sign in with (OpenID Connect).

use async_trait::async_trait;

use super::RemoteError;
use crate::domain::Timestamp;
use crate::domain::secret::Secret;
use crate::domain::user::Person;

/// A sign-in that begins.
#[derive(Clone, Debug)]
pub struct SignInRequest<'a> {
    /// Where the provider sends the browser afterwards.
    pub redirect_uri: &'a str,
    /// What the provider repeats to the browser.
    pub state: &'a Secret,
    /// What the provider repeats in the ID token.
    pub nonce: &'a Secret,
    /// The code verifier (RFC 7636), of which the provider gets the hash.
    pub verifier: &'a Secret,
}

/// Why nobody signed in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The provider does not work, or refuses our credentials.
    #[error(transparent)]
    Provider(#[from] RemoteError),
    /// What the browser brought, or the ID token, is not valid. The text says why, and contains no secrets.
    #[error("{0}")]
    Invalid(String),
}

/// A provider. Calls go to its issuer only, and to the endpoints that its discovery document names.
#[async_trait]
pub trait IdentityProvider: Send + Sync {
    /// Its issuer, as configured.
    fn issuer(&self) -> &str;

    /// MUST return where the browser goes to sign in. MUST end within seconds.
    async fn sign_in_url(&self, request: &SignInRequest<'_>) -> Result<String, RemoteError>;

    /// MUST exchange the code for an ID token, and return its person only if issuer, audience, signature, nonce and expiry at
    /// `now` are right. MUST accept new keys of the provider at once. MUST end within seconds.
    async fn person(
        &self,
        code: &Secret,
        request: &SignInRequest<'_>,
        now: Timestamp,
    ) -> Result<Person, IdentityError>;

    /// MUST read the discovery document and the keys anew.
    async fn check(&self) -> Result<(), RemoteError>;
}
