//! Builds the clients of the providers that people sign in with. None connects yet.

use std::sync::Arc;

use anyhow::Context as _;

use super::config::{Config, Oidc};
use crate::adapters::oidc::{OidcProvider, OidcSettings};
use crate::app::user::{Provider, Providers};

/// All providers.
pub(super) fn providers(config: &Config) -> anyhow::Result<Providers> {
    let provider = |oidc: &Oidc| -> anyhow::Result<Provider> {
        Ok(Provider { client: Arc::new(client(oidc)?), grants: oidc.grants() })
    };
    let all = config.users.oidc.iter();
    all.map(|(name, oidc)| {
        let provider = provider(oidc).with_context(|| format!("users.oidc.{name}"))?;
        Ok((name.clone(), provider))
    })
    .collect()
}

/// A client for one provider.
pub(super) fn client(oidc: &Oidc) -> anyhow::Result<OidcProvider> {
    let settings = OidcSettings {
        issuer: oidc.issuer.clone().unwrap_or_default(),
        client_id: oidc.client_id.clone().unwrap_or_default(),
        client_secret: oidc.client_secret.as_ref().map(|secret| secret.0.clone()),
        scopes: oidc.scopes.0.clone(),
        roles_claim: oidc.roles_claim.clone(),
    };
    Ok(OidcProvider::new(settings)?)
}
