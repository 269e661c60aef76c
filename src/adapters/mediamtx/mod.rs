//! MediaMTX behind the port [`MediaServer`]: its control API, its configuration file, its versions.
//!
//! MediaMTX handles one connection at a time while it waits for the answer to its auth callback. A call back into MediaMTX
//! before that answer is a deadlock. So `/auth` never calls anything in here.
//!
//! # What differs between versions
//! Measured with ffmpeg 5.1 on loopback; `tests/e2e` runs against both.
//!
//! | | v1.15.4 | v1.20.1 |
//! |---|---|---|
//! | live, for a publisher | `ready` | `online`, since 1.16 |
//! | live, for a source that MediaMTX pulls | `ready` | `available`; an idle relay is `online` all the same |
//! | codecs, bytes | `tracks`, `bytesReceived` | `tracks2`, `inboundBytes`, since 1.17; the old ones are still there |
//! | `id` in the auth callback of an RTSP publisher | the connection; `rtspconns[].session` leads to the session | the session (the path's `source.id`), since 1.19.3 |
//! | `token` in the auth callback | only from `Authorization: Bearer` | also a copy of the password or of `?token=`, since 1.18 |
//! | RTMP calls the auth callback | after 2 s of reading tracks | at once, since 1.20.1 |
//! | hooks are called | `runOnReady`, `runOnNotReady`; the new names stop the start | `runOnAvailable`, `runOnUnavailable`, since 1.19.3; the old ones are warned about |
//! | `MTX_QUERY` in a hook | raw | encoded once more, since 1.18.1 |
//! | control API without `authHTTPExclude` | open | needs an allow of the auth callback, since 1.20.1 |
//! | a refused client waits | 2 s | up to 4 s, since 1.19.1; not at all without credentials |
//! | body of a successful write | empty | `{"status":"ok"}`, since 1.15.5 |
//! | viewers of HLS | one `hlsMuxer` for all | one `hlsSession` each, since 1.18 |
//! | MoQ | unknown; MediaMTX does not start with a file that mentions it | on by default, since 1.19 |
//!
//! The same on both:
//! * The id in the auth callback is the path's `source.id` for RTMP, SRT and WebRTC.
//! * A second publisher replaces the first one when it is allowed and its tracks are known.
//! * A change of the entry of one path does not disturb another path.
//! * A disconnected session disappears from the list within 5 ms.
//! * If a path gets or loses an entry of its own between the auth callback and the first frames, its publisher is refused
//!   ("configuration has changed"). When a named path takes over from a secret one, whose relay is removed, the second
//!   try of the new publisher succeeds.
//! * A session that disappears without a close is kept for 5 s (SRT) or 30 s (WebRTC).

mod api;
mod arrival;
mod channel;
pub mod config;
mod dto;
pub mod merge;
mod readers;
mod relay;
mod snapshot;
mod version;
mod words;

use std::time::Duration;

use async_trait::async_trait;
use reqwest::Method;
use tokio::time::timeout;
use url::Url;

pub use arrival::MediaMtxProbe;
pub use channel::MediaMtxEngine;
pub use version::{Version, binary_version};
pub use words::url_templates;

use self::api::Api;
use self::dto::{GlobalConf, PathDefaults};
use crate::adapters::remote::repeat;
use crate::domain::media_server::{Capabilities, ObservedReader, ObservedSource, Relay, Snapshot};
use crate::domain::path::StreamPath;
use crate::domain::secret::Secret;
use crate::ports::{MediaServer, RelayRemoval, RemoteError, ServerInfo, ServerSettings};

/// How long a poll may take, with all its pages.
const POLL_TIME: Duration = Duration::from_secs(5);

/// One MediaMTX.
pub struct MediaMtx {
    api: Api,
    relays: relay::Relays,
}

impl MediaMtx {
    /// The MediaMTX with the control API at `api_url`, which needs `control_secret` (none if empty). Does not connect yet.
    pub fn new(api_url: &Url, control_secret: Secret) -> Result<Self, RemoteError> {
        Ok(Self { api: Api::new(api_url, control_secret)?, relays: relay::Relays::default() })
    }
}

#[async_trait]
impl MediaServer for MediaMtx {
    fn capabilities(&self) -> Capabilities {
        Capabilities::MEDIAMTX
    }

    async fn snapshot(&self) -> Result<Snapshot, RemoteError> {
        timeout(POLL_TIME, snapshot::snapshot(&self.api)).await.unwrap_or(Err(RemoteError::TimedOut))
    }

    async fn disconnect(&self, source: &ObservedSource) -> Result<(), RemoteError> {
        disconnect(&self.api, source).await
    }

    async fn readers(&self) -> Result<Vec<ObservedReader>, RemoteError> {
        timeout(POLL_TIME, readers::readers(&self.api)).await.unwrap_or(Err(RemoteError::TimedOut))
    }

    async fn ensure_relay(&self, relay: &Relay, secret: &Secret) -> Result<(), RemoteError> {
        self.relays.ensure(&self.api, relay, secret).await
    }

    async fn remove_relay(&self, public: &StreamPath) -> Result<RelayRemoval, RemoteError> {
        relay::remove(&self.api, public).await
    }

    async fn info(&self) -> Result<ServerInfo, RemoteError> {
        let info = snapshot::info(&self.api).await?;
        Ok(ServerInfo { version: info.version, run: info.started })
    }

    async fn settings(&self) -> Result<ServerSettings, RemoteError> {
        let global: GlobalConf = self.api.patient_get("config/global/get").await?.ok()?.json()?;
        let defaults: PathDefaults = self.api.patient_get("config/pathdefaults/get").await?.ok()?.json()?;
        let runs = |commands: [Option<String>; 3]| commands.into_iter().flatten().any(|c| !c.is_empty());
        Ok(ServerSettings {
            auth_address: without_secrets(&global.auth_http_address),
            auth_method: global.auth_method,
            hooks: runs([defaults.run_on_ready, defaults.run_on_available, defaults.run_on_online])
                && runs([defaults.run_on_not_ready, defaults.run_on_unavailable, defaults.run_on_offline]),
        })
    }
}

/// Ends a session.
async fn disconnect(api: &Api, source: &ObservedSource) -> Result<(), RemoteError> {
    let Some(list) = words::session_list(&source.kind) else {
        let kind = repeat(&source.kind.to_string());
        return Err(RemoteError::Unsupported(format!("disconnect a {kind}")));
    };
    let Some(id) = &source.id else {
        return Err(RemoteError::Unsupported("disconnect a session that has no id".to_owned()));
    };
    let address = format!("/v3/{list}/kick/{}", api::encode_part(id.as_str()));
    // 404 is fine: the session ended, or its protocol was switched off.
    api.send("disconnect", api.request(Method::POST, &address)).await?.found().map(drop)
}

/// Scheme, host, port and path of an address, without secrets.
fn without_secrets(address: &str) -> Option<String> {
    let url = Url::parse(address).ok()?;
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{}://{}{port}{}", url.scheme(), url.host_str()?, url.path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auth_address_is_shown_without_secrets() {
        let address = "http://streamward:hunter2@127.0.0.1:8080/auth?server=default&secret=x";
        assert_eq!(without_secrets(address).as_deref(), Some("http://127.0.0.1:8080/auth"));
        assert_eq!(without_secrets(""), None);
    }
}
