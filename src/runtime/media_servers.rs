//! Media servers by kind: chooses the adapter for each kind.

use std::sync::Arc;

use anyhow::Context as _;
use url::Url;

use super::config::{MediaServer as MediaServerConfig, MediaServerKind};
use crate::adapters::mediamtx::{self, MediaMtx};
use crate::domain::media_server::UrlTemplates;
use crate::domain::secret::Secret;
use crate::ports::MediaServer;

/// A client for the media server. Does not connect yet.
pub(super) fn connect(
    server: &MediaServerConfig,
    control_secret: Secret,
) -> anyhow::Result<Arc<dyn MediaServer>> {
    let api = Url::parse(server.api_url()).context("the address of the control API")?;
    Ok(match server.kind {
        MediaServerKind::Mediamtx => Arc::new(MediaMtx::new(&api, control_secret)?),
    })
}

/// The URLs for encoders and viewers of the media server.
pub(super) fn url_templates(server: &MediaServerConfig) -> UrlTemplates {
    match server.kind {
        MediaServerKind::Mediamtx => mediamtx::url_templates(&server.base_urls()),
    }
}
