//! Makes what the configuration says of studios into what reaches their OBS and their platforms. Nothing connects yet.

use std::sync::Arc;

use anyhow::Context as _;
use url::Url;

use super::config::{Config, Launch, ProbeKind, Studio};
use super::connector::connector;
use crate::adapters::destination_probe::PlatformReach;
use crate::adapters::mediamtx::MediaMtxProbe;
use crate::adapters::nginx_rtmp::NginxRtmpProbe;
use crate::adapters::obs::{ObsClient, ObsSettings};
use crate::adapters::obs_launcher::{ProcessLauncher, ProcessSettings, SystemdLauncher};
use crate::adapters::rtmp::Address;
use crate::app::media_server::ConfiguredServers;
use crate::app::studio::{PlatformSetup, StudioSetup};
use crate::domain::secret::Secret;
use crate::domain::studio::StudioName;
use crate::ports::{ArrivalProbe, ObsLauncher};

/// The configured studios, by name.
pub(super) fn studios(config: &Config, servers: &ConfiguredServers) -> anyhow::Result<Vec<StudioSetup>> {
    let setup = |(name, studio)| {
        setup(config, servers, name, studio).with_context(|| format!("the section studios.{name}"))
    };
    config.studios.iter().map(setup).collect()
}

/// Makes the folder for the files of programs that Streamward starts.
pub(super) fn make_folder(config: &Config) -> anyhow::Result<()> {
    let folder = folder(config);
    if config.studios.values().all(|studio| studio.launch != Launch::Command) {
        return Ok(());
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("the folder {}", folder.display()))
}

fn folder(config: &Config) -> std::path::PathBuf {
    config.data_dir.join("studios")
}

fn setup(
    config: &Config,
    servers: &ConfiguredServers,
    name: &StudioName,
    studio: &Studio,
) -> anyhow::Result<StudioSetup> {
    Ok(StudioSetup {
        name: name.clone(),
        organization_id: studio.organization,
        settings: studio.settings()?,
        video: studio.video(),
        platform: platform(config, studio)?,
        obs: Arc::new(obs(studio)?),
        launcher: launcher(config, name, studio),
        arrival: arrival(config, servers, studio)?,
    })
}

/// The client of its OBS.
pub(super) fn obs(studio: &Studio) -> anyhow::Result<ObsClient> {
    let url = studio.websocket_url().context("websocket_url")?;
    Ok(ObsClient::new(ObsSettings::new(url, secret(studio.password.as_ref().map(|password| &password.0)))))
}

fn secret(secret: Option<&Secret>) -> Secret {
    secret.cloned().unwrap_or_else(|| Secret::new(""))
}

fn platform(config: &Config, studio: &Studio) -> anyhow::Result<Option<PlatformSetup>> {
    let Some(url) = &studio.platform.url else { return Ok(None) };
    let address = Address::parse(url).context("platform.url")?;
    Ok(Some(PlatformSetup {
        url: url.clone(),
        key: secret(studio.platform.key.as_ref().map(|key| &key.0)),
        probe: Arc::new(PlatformReach::new(connector(config)?, address)),
    }))
}

fn launcher(config: &Config, name: &StudioName, studio: &Studio) -> Option<Arc<dyn ObsLauncher>> {
    match studio.launch {
        Launch::None => None,
        Launch::Command => {
            let secrets = [&studio.password, &studio.platform.key, &studio.probe.path, &studio.probe.stream];
            Some(Arc::new(ProcessLauncher::new(ProcessSettings {
                program: studio.command.clone()?,
                arguments: studio.arguments.0.clone(),
                folder: folder(config),
                name: name.to_string(),
                secrets: secrets.into_iter().flatten().map(|secret| secret.0.clone()).collect(),
            })))
        }
        Launch::Systemd => Some(Arc::new(SystemdLauncher::new(studio.unit.clone()?, studio.user_unit))),
    }
}

fn arrival(
    config: &Config,
    servers: &ConfiguredServers,
    studio: &Studio,
) -> anyhow::Result<Option<Arc<dyn ArrivalProbe>>> {
    let probe = &studio.probe;
    match probe.kind {
        ProbeKind::None => Ok(None),
        ProbeKind::Mediamtx => {
            let known = servers.chosen(probe.media_server.as_ref()).context("probe.media_server")?;
            let server = servers.0.iter().find(|(_, server)| std::ptr::eq(*server, known));
            let server = server.and_then(|(name, _)| config.media_servers.get(name));
            let api = Url::parse(server.context("probe.media_server")?.api_url())?;
            let path = secret(probe.path.as_ref().map(|path| &path.0));
            Ok(Some(Arc::new(MediaMtxProbe::new(&api, known.control_secret.clone(), path)?)))
        }
        ProbeKind::NginxRtmp => {
            let page = Url::parse(probe.url.as_deref().unwrap_or_default()).context("probe.url")?;
            let application = probe.application.clone().unwrap_or_default();
            let stream = secret(probe.stream.as_ref().map(|stream| &stream.0));
            Ok(Some(Arc::new(NginxRtmpProbe::new(page, application, stream)?)))
        }
    }
}
