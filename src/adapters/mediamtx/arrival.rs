//! Whether a stream arrives at a MediaMTX of ours: its path in the control API.

use async_trait::async_trait;
use reqwest::Method;
use tokio::time::Instant;
use url::Url;

use super::api::{Api, encode_name};
use super::dto::PathItem;
use super::snapshot::observed;
use crate::adapters::bitrate::Bitrate;
use crate::domain::media_server::ObservedPath;
use crate::domain::secret::Secret;
use crate::ports::{Arrival, ArrivalProbe, RemoteError};

/// One path of a MediaMTX.
pub struct MediaMtxProbe {
    api: Api,
    /// Often a stream key.
    path: Secret,
    bitrate: Bitrate,
}

impl MediaMtxProbe {
    /// Watches a path of the MediaMTX with the control API at `api_url`, which needs `control_secret` (none if empty).
    /// Does not connect yet.
    pub fn new(api_url: &Url, control_secret: Secret, path: Secret) -> Result<Self, RemoteError> {
        Ok(Self { api: Api::new(api_url, control_secret)?, path, bitrate: Bitrate::default() })
    }

    /// The path, if it is there.
    async fn path(&self) -> Result<Option<ObservedPath>, RemoteError> {
        let address = format!("/v3/paths/get/{}", encode_name(self.path.expose()));
        let answer = self.api.send("paths/get", self.api.request(Method::GET, &address)).await?;
        let Some(answer) = answer.found()? else { return Ok(None) };
        let item: PathItem = answer.json()?;
        observed(item).map(Some).map_err(|_| RemoteError::Malformed("paths/get: no state".to_owned()))
    }

    /// The connection that publishes, and what arrived of it.
    async fn publisher(&self) -> Result<Option<(String, u64)>, RemoteError> {
        let Some(path) = self.path().await? else { return Ok(None) };
        let Some(source) = path.source.filter(|_| path.live) else { return Ok(None) };
        let connection = source.id.map(|id| id.as_str().to_owned()).unwrap_or_default();
        Ok(Some((connection, path.stats.inbound_bytes)))
    }
}

#[async_trait]
impl ArrivalProbe for MediaMtxProbe {
    async fn arrival(&self) -> Result<Option<Arrival>, RemoteError> {
        let Some((connection, bytes)) = self.publisher().await? else {
            self.bitrate.forget();
            return Ok(None);
        };
        let kbps = self.bitrate.since_last(&connection, bytes, Instant::now());
        Ok(Some(Arrival { bytes, kbps }))
    }

    async fn disconnect(&self) -> Result<(), RemoteError> {
        match self.path().await?.and_then(|path| path.source) {
            Some(source) => super::disconnect(&self.api, &source).await,
            None => Ok(()),
        }
    }
}
