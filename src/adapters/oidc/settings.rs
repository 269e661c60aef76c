//! Our registration at a provider.

use crate::domain::secret::Secret;

/// What an operator registered at the provider.
#[derive(Clone, Debug)]
pub struct OidcSettings {
    /// Its issuer, without a slash at the end.
    pub issuer: String,
    /// Our name there.
    pub client_id: String,
    /// Our password there. Without it, PKCE alone proves that the code is ours.
    pub client_secret: Option<Secret>,
    /// What is requested besides `openid`.
    pub scopes: Vec<String>,
    /// The claim that gives roles; with dots for a claim within others.
    pub roles_claim: String,
}
