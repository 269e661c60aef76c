//! MediaMTX behind the port [`MediaServer`]: its control API, its configuration file, its versions.
//!
//! MediaMTX decides every connection one after the other while it waits for our answer to its auth callback, and a
//! call from within that answer back into it stops it for good. Nothing here is called on the way to an answer.
//!
//! # What differs between versions
//! Measured with ffmpeg 5.1 on loopback; `tests/e2e` runs against both.
//!
//! | | v1.15.4 | v1.20.1 |
//! |---|---|---|
//! | live, for a publisher | `ready` | `online`, since 1.16 |
//! | live, for a source that connects outwards | `ready` | `available`; an idle relay is `online` all the same |
//! | codecs, bytes | `tracks`, `bytesReceived` | `tracks2`, `inboundBytes`, since 1.17; the old ones are still there |
//! | `id` in the auth callback of an RTSP publisher | the connection; `rtspconns[].session` leads to the session | the session (the path's `source.id`), since 1.19.3 |
//! | `token` in the auth callback | only from `Authorization: Bearer` | also a copy of the password or of `?token=`, since 1.18 |
//! | RTMP asks whether it may publish | after 2 s of looking for tracks | at once, since 1.20.1 |
//! | hooks are called | `runOnReady`, `runOnNotReady`; the new names stop the start | `runOnAvailable`, `runOnUnavailable`, since 1.19.3; the old ones are warned about |
//! | `MTX_QUERY` in a hook | raw | encoded once more, since 1.18.1 |
//! | control API without `authHTTPExclude` | open | asked about like everything else, since 1.20.1 |
//! | a refused client waits | 2 s | up to 4 s, since 1.19.1; nobody waits who showed no credentials at all |
//! | a write that succeeded says | nothing | `{"status":"ok"}`, since 1.15.5 |
//! | viewers of HLS | one `hlsMuxer` for all | one `hlsSession` each, since 1.18 |
//! | MoQ | unknown, and a file that mentions it stops the start | on by default, since 1.19 |
//!
//! The same on both: the id in the auth callback is the path's `source.id` for RTMP, SRT and WebRTC; a second publisher
//! replaces the first only once it is let in and its tracks are known; adding, replacing and removing the entry of one
//! path never disturbs another; a disconnected session is gone from the list within 5 ms. A publisher whose path got or lost an
//! entry of its own between the question and its first pictures is turned away ("configuration has changed"): when a
//! named path takes over from a secret one, whose relay goes, the newcomer's second try succeeds. A session that vanishes
//! without a word is kept for 5 s (SRT) or 30 s (WebRTC).

mod api;
pub mod config;
mod dto;
mod relay;
mod snapshot;
mod version;

use std::time::Duration;

use async_trait::async_trait;
use reqwest::Method;
use tokio::time::timeout;
use url::Url;

pub use version::{Version, binary_version};

use self::api::{Api, PATIENT_CALL};
use self::dto::{GlobalConf, PathDefaults};
use crate::adapters::remote::repeat;
use crate::domain::media_server::{ObservedSource, Relay, Snapshot};
use crate::domain::path::StreamPath;
use crate::domain::secret::Secret;
use crate::ports::{MediaServer, RelayRemoval, RemoteError, ServerInfo, ServerSettings};

/// How long a look may take, all pages together.
const POLL_TIME: Duration = Duration::from_secs(5);

/// One MediaMTX. Cheap calls over few connections; holds nothing that must outlive the process.
pub struct MediaMtx {
    api: Api,
    relays: relay::Relays,
}

impl MediaMtx {
    /// The MediaMTX whose control API is at `api_url` and asks for `control_secret` (none if it is empty). Connects to
    /// nothing yet.
    ///
    /// # Errors
    /// [`RemoteError::Unsupported`] if the address is not http(s), or no TLS can be set up for https.
    pub fn new(api_url: &Url, control_secret: Secret) -> Result<Self, RemoteError> {
        Ok(Self { api: Api::new(api_url, control_secret)?, relays: relay::Relays::default() })
    }

    async fn patiently<T: serde::de::DeserializeOwned>(
        &self,
        endpoint: &'static str,
        address: &str,
    ) -> Result<T, RemoteError> {
        let request = self.api.request(Method::GET, address).timeout(PATIENT_CALL);
        self.api.send(endpoint, request).await?.ok()?.json()
    }
}

#[async_trait]
impl MediaServer for MediaMtx {
    async fn snapshot(&self) -> Result<Snapshot, RemoteError> {
        timeout(POLL_TIME, snapshot::snapshot(&self.api)).await.unwrap_or(Err(RemoteError::TimedOut))
    }

    async fn disconnect(&self, source: &ObservedSource) -> Result<(), RemoteError> {
        let list = match source.kind.0.as_str() {
            "rtmpConn" => "rtmpconns",
            "rtmpsConn" => "rtmpsconns",
            "rtspSession" => "rtspsessions",
            "rtspsSession" => "rtspssessions",
            "srtConn" => "srtconns",
            "webRTCSession" => "webrtcsessions",
            "moqSession" => "moqsessions",
            other => return Err(RemoteError::Unsupported(format!("end a {}", repeat(other)))),
        };
        let Some(id) = &source.id else {
            return Err(RemoteError::Unsupported("end a session that has no id".to_owned()));
        };
        let address = format!("/v3/{list}/kick/{}", api::encode_segment(id.as_str()));
        // Not there is what was wanted; the same when its whole protocol has been switched off since.
        self.api.send("disconnect", self.api.request(Method::POST, &address)).await?.found().map(drop)
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
        let global: GlobalConf = self.patiently("config/global/get", "/v3/config/global/get").await?;
        let defaults: PathDefaults =
            self.patiently("config/pathdefaults/get", "/v3/config/pathdefaults/get").await?;
        let runs = |commands: [Option<String>; 3]| commands.into_iter().flatten().any(|c| !c.is_empty());
        Ok(ServerSettings {
            auth_address: without_secrets(&global.auth_http_address),
            auth_method: global.auth_method,
            hooks: runs([defaults.run_on_ready, defaults.run_on_available, defaults.run_on_online])
                && runs([defaults.run_on_not_ready, defaults.run_on_unavailable, defaults.run_on_offline]),
        })
    }
}

/// Scheme, host, port and path of an address: what may be shown of it.
fn without_secrets(address: &str) -> Option<String> {
    let url = Url::parse(address).ok()?;
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{}://{}{port}{}", url.scheme(), url.host_str()?, url.path()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_auth_address_only_the_harmless_part_is_shown() {
        let address = "http://streamward:hunter2@127.0.0.1:8080/auth?server=default&secret=x";
        assert_eq!(without_secrets(address).as_deref(), Some("http://127.0.0.1:8080/auth"));
        assert_eq!(without_secrets(""), None);
    }
}
