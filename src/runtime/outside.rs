//! Builds the clients of other systems from the configuration.

use anyhow::Context as _;

use super::config::Config;
use super::kick::{KickClients, webhooks};
use super::media_servers;
use super::slices::{Outside, Secrets};

/// The media servers and, if streamers are watched, Kick. Does not connect yet.
pub(super) fn outside(config: &Config, secrets: &Secrets) -> anyhow::Result<Outside> {
    let mut outside = Outside::default();
    for (name, server) in &config.media_servers {
        let known = secrets.servers.get(name).context("a media server without settings")?;
        let remote = media_servers::connect(server, known.control_secret.clone());
        let remote = remote.with_context(|| format!("media_servers.{name}.api_url"))?;
        outside.media_servers.insert(name.clone(), remote);
    }
    if config.kick.feed.is_some() {
        outside.kick = Some(KickClients::new(&config.kick)?);
        outside.webhooks = Some(webhooks(&config.kick)?);
    }
    Ok(outside)
}
