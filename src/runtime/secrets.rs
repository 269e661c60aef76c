//! The secrets of this instance: from the configuration, or made at the first start and kept sealed in the database.

use super::bootstrap::Bootstrap;
use super::config::SecretValue;
use super::outside::{capabilities, url_templates};
use super::shared::Secrets;
use crate::adapters::system::SystemIds;
use crate::app::access::AccessSettings;
use crate::app::media_server::{ConfiguredServers, MediaServerSettings};
use crate::app::secrets::{SecretError, ensure};
use crate::domain::media_server::MediaServerName;
use crate::domain::secret::Secret;

/// All of them.
pub(super) async fn secrets(base: &Bootstrap) -> Result<Secrets, SecretError> {
    let config = base.config();
    let mut servers = ConfiguredServers::default();
    for (name, server) in &config.media_servers {
        let control_secret = control_secret(base, name).await?;
        let relay_secret = kept(base, &format!("media_servers.{name}.relay_secret"), None).await?;
        let (urls, capabilities) = (url_templates(server), capabilities(server));
        let settings = MediaServerSettings { urls, capabilities, control_secret, relay_secret };
        servers.0.insert(name.clone(), settings);
    }
    // With one key per key id, the shared key is not accepted, so none is created.
    let hmac_secret = match (&config.api.hmac_secret, config.api.hmac_keys.is_empty()) {
        (None, false) => None,
        (given, _) => Some(kept(base, "api.hmac_secret", given.as_ref()).await?),
    };
    let access = AccessSettings {
        admin_token: config.api.admin_token.clone().map(|SecretValue(secret)| secret),
        hmac_secret,
        hmac_keys: config.api.hmac_keys.iter().map(|(id, key)| (id.clone(), key.0.clone())).collect(),
        hook_secrets: hook_secrets(base).await?,
    };
    Ok(Secrets { servers, access })
}

/// The secrets that media servers may send.
async fn hook_secrets(base: &Bootstrap) -> Result<Vec<Secret>, SecretError> {
    let all = kept(base, "hooks.secret", base.config().hooks.secret.as_ref()).await?;
    Ok(all.expose().split(',').map(|part| Secret::new(part.trim())).collect())
}

/// The first of them, which is written to the configuration of media servers.
pub(super) async fn hook_secret(base: &Bootstrap) -> Result<Secret, SecretError> {
    Ok(hook_secrets(base).await?.swap_remove(0))
}

/// The secret of the control API of a media server.
pub(super) async fn control_secret(base: &Bootstrap, name: &MediaServerName) -> Result<Secret, SecretError> {
    let given = base.config().media_servers.get(name).and_then(|server| server.control_secret.as_ref());
    kept(base, &format!("media_servers.{name}.control_secret"), given).await
}

/// The configured secret, or the one in the database, which is created if there is none.
async fn kept(base: &Bootstrap, name: &str, given: Option<&SecretValue>) -> Result<Secret, SecretError> {
    match given {
        Some(SecretValue(secret)) => Ok(secret.clone()),
        None => ensure(&base.store(), &base.sealer, &SystemIds, name).await,
    }
}
