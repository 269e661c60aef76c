//! Checks of the providers that people sign in with: do they publish what a sign-in needs?

use super::Findings;
use crate::ports::{IdentityProvider as _, RemoteError};
use crate::runtime::config::Config;
use crate::runtime::oidc::client;

pub(super) async fn examine(config: &Config, findings: &mut Findings) {
    for (name, oidc) in &config.users.oidc {
        let check = format!("sign-in provider {name}");
        let checked = match client(oidc) {
            Ok(client) => client.check().await,
            Err(error) => Err(RemoteError::Unsupported(error.to_string())),
        };
        match checked {
            Ok(()) => findings.good(check, "publishes its endpoints and keys"),
            Err(error) => {
                let issuer = oidc.issuer.as_deref().unwrap_or_default();
                let advice = format!(
                    "nobody can sign in with it: open {issuer}/.well-known/openid-configuration from this machine; its \
                     `issuer` must be users.oidc.{name}.issuer"
                );
                findings.failure(check, error, advice);
            }
        }
    }
    if !config.users.oidc.is_empty() && config.http.public_url.is_none() {
        let advice = "set it to the address that browsers use; providers send people back there";
        findings.warning("sign-in providers", "http.public_url is not set", advice);
    }
}
