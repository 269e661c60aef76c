//! Builds the clients of other systems from the configuration. None connects yet.

use std::sync::Arc;

use anyhow::Context as _;
use url::Url;

use super::channel_engines::ChannelEngines;
use super::clip;
use super::config::{Config, MediaServer as MediaServerConfig, MediaServerKind};
use super::connector::connector;
use super::kick::{KickClients, webhooks};
use super::oidc;
use super::shared::{Outside, Secrets};
use super::studios;
use crate::adapters::destination_probe::Probe;
use crate::adapters::ffmpeg::Ffmpeg;
use crate::adapters::mediamtx::{self, MediaMtx, MediaMtxEngine};
use crate::adapters::mixer::MixerEngine;
use crate::adapters::smtp::SmtpMailer;
use crate::adapters::srs::{self, Srs};
use crate::domain::media_server::{Capabilities, UrlTemplates};
use crate::domain::secret::Secret;
use crate::ports::{ChannelEngine, Clock, DestinationProbe, MediaServer};

/// The media servers, the engine of channels, the studios and, if streamers are watched, Kick.
pub(super) fn outside(config: &Config, secrets: &Secrets, clock: &Arc<dyn Clock>) -> anyhow::Result<Outside> {
    let mut outside = Outside::default();
    for (name, server) in &config.media_servers {
        let known = secrets.servers.get(name).context("a media server without settings")?;
        let remote = connect(server, known.control_secret.clone());
        let remote = remote.with_context(|| format!("media_servers.{name}.api_url"))?;
        outside.media_servers.insert(name.clone(), remote);
    }
    if config.kick.feed.is_some() {
        outside.kick = Some(KickClients::new(&config.kick)?);
        outside.webhooks = Some(webhooks(&config.kick)?);
    }
    outside.channel_engine = channel_engine(config, secrets, clock)?;
    outside.destination_probe = Some(destination_probe(config)?);
    if let (Some(url), Some(from)) = (&config.mail.smtp_url, &config.mail.from) {
        outside.mailer = Some(Arc::new(SmtpMailer::new(&url.0, from)?));
    }
    outside.providers = oidc::providers(config)?;
    outside.media = clip::bucket(config)?;
    studios::make_folder(config)?;
    outside.studios = studios::studios(config, &secrets.servers)?;
    Ok(outside)
}

/// What carries the media of channels, if this instance runs any.
fn channel_engine(
    config: &Config,
    secrets: &Secrets,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Option<Arc<dyn ChannelEngine>>> {
    if !config.channels.enabled {
        return Ok(None);
    }
    let threads = config.channels.threads as usize;
    let engine = MixerEngine::new(threads, connector(config)?, Arc::new(Ffmpeg), Arc::clone(clock));
    let engine = engine.context("the threads of channels.threads")?;
    let chosen = secrets.servers.chosen(config.channels.media_server.as_ref());
    let is_chosen = |known| chosen.is_some_and(|chosen| std::ptr::eq(known, chosen));
    let found = secrets.servers.0.iter().find(|(_, known)| is_chosen(*known));
    let Some((server, known)) =
        found.and_then(|(name, known)| Some((config.media_servers.get(name)?, known)))
    else {
        return Ok(Some(Arc::new(engine)));
    };
    let api = Url::parse(server.api_url()).context("the address of the control API")?;
    let media_server: Option<Arc<dyn ChannelEngine>> = match server.kind {
        MediaServerKind::Mediamtx => {
            Some(Arc::new(MediaMtxEngine::new(&api, known.control_secret.clone(), Arc::clone(clock))?))
        }
        MediaServerKind::Srs => None,
    };
    Ok(Some(Arc::new(ChannelEngines { mixer: Arc::new(engine), media_server })))
}

/// What tests destinations, also for the command line.
pub(super) fn destination_probe(config: &Config) -> anyhow::Result<Arc<dyn DestinationProbe>> {
    Ok(Arc::new(Probe::new(connector(config)?)))
}

/// A client for a media server, by its kind.
pub(super) fn connect(
    server: &MediaServerConfig,
    control_secret: Secret,
) -> anyhow::Result<Arc<dyn MediaServer>> {
    let api = Url::parse(server.api_url()).context("the address of the control API")?;
    Ok(match server.kind {
        MediaServerKind::Mediamtx => Arc::new(MediaMtx::new(&api, control_secret)?),
        MediaServerKind::Srs => Arc::new(Srs::new(&api, control_secret)?),
    })
}

/// The URLs for encoders and viewers of a media server, by its kind.
pub(super) fn url_templates(server: &MediaServerConfig) -> UrlTemplates {
    match server.kind {
        MediaServerKind::Mediamtx => mediamtx::url_templates(&server.base_urls()),
        MediaServerKind::Srs => srs::url_templates(&server.base_urls()),
    }
}

/// What a media server can do, by its kind.
pub(super) fn capabilities(server: &MediaServerConfig) -> Capabilities {
    match server.kind {
        MediaServerKind::Mediamtx => Capabilities::MEDIAMTX,
        MediaServerKind::Srs => Capabilities::SRS,
    }
}
