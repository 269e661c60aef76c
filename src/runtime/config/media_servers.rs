//! The section `[media_servers.<name>]`: where a media server is. An address that is not given is on the host of
//! `api_url`, at the own port of its kind.

use std::collections::BTreeMap;

use serde::Serialize;
use strum::{EnumString, VariantNames};
use url::Url;

use super::error::ConfigError;
use super::section::section;
use super::values::{SecretValue, address, choice, if_set};
use crate::domain::media_server::{BaseUrls, MediaServerName};

section! {
    pub struct MediaServer, check addresses_from_api; {
        /// Which media server it is.
        kind: MediaServerKind;
        /// The address of its control API. Only the media server named `default` need not have one.
        api_url: Option<String>, check if_set(address(&["http", "https"])),
            unset "not set: `http://127.0.0.1:9997` for `default` (SRS: port 1985)";
        /// The secret that opens its control API; the password of the user `streamward` in SRS.
        control_secret: Option<SecretValue>, unset "not set: made at the first start, kept in the database";
        /// Where encoders and viewers reach it by RTMP.
        rtmp_url: Option<String>, check if_set(address(&["rtmp", "rtmps"])),
            unset "not set: the host of api_url, port 1935";
        /// Where they reach it by RTSP; MediaMTX only.
        rtsp_url: Option<String>, check if_set(address(&["rtsp", "rtsps"])),
            unset "not set: the host of api_url, port 8554";
        /// Where they reach it by SRT.
        srt_url: Option<String>, check if_set(address(&["srt"])),
            unset "not set: the host of api_url, port 8890 (SRS: 10080)";
        /// Where viewers reach it by HLS; for SRS also by HTTP-FLV.
        hls_url: Option<String>, check if_set(address(&["http", "https"])),
            unset "not set: the host of api_url, port 8888";
        /// Where encoders and viewers reach it by WebRTC; WHIP and WHEP are below it.
        webrtc_url: Option<String>, check if_set(address(&["http", "https"])),
            unset "not set: the host of api_url, port 8889 (SRS: the port of api_url)";
    }
}

/// Which media server it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, EnumString, VariantNames)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum MediaServerKind {
    /// MediaMTX.
    #[default]
    Mediamtx,
    /// SRS 5 or later.
    Srs,
}

choice!(MediaServerKind);

impl MediaServerKind {
    /// The port of its control API.
    fn api_port(self) -> u16 {
        match self {
            Self::Mediamtx => 9997,
            Self::Srs => 1985,
        }
    }
}

/// Without any media server there is one named `default` on this machine.
pub(super) fn with_default(servers: &mut BTreeMap<MediaServerName, MediaServer>) -> Result<(), String> {
    if servers.is_empty() {
        servers.insert(MediaServerName::default(), MediaServer::default());
    }
    if let Some(server) = servers.get_mut(&MediaServerName::default()) {
        let port = server.kind.api_port();
        server.api_url.get_or_insert_with(|| format!("http://127.0.0.1:{port}"));
    }
    Ok(())
}

fn addresses_from_api(server: &mut MediaServer) -> Result<(), ConfigError> {
    let Some(api_url) = &server.api_url else {
        let port = server.kind.api_port();
        let rule = format!(
            "is missing: where is the control API of this media server, e.g. http://10.0.0.5:{port}?"
        );
        return Err(ConfigError::new("api_url", rule));
    };
    let url = Url::parse(api_url).ok();
    // Not `Url::host()`: it would lose the brackets of an IPv6 address.
    let host = url.as_ref().and_then(Url::host_str).unwrap_or_default().to_owned();
    let (srt, webrtc) = match server.kind {
        MediaServerKind::Mediamtx => (8890, 8889),
        // WHIP and WHEP are at the port of the HTTP API.
        MediaServerKind::Srs => (10_080, url.and_then(|url| url.port_or_known_default()).unwrap_or_default()),
    };
    for (url, scheme, port) in [
        (&mut server.rtmp_url, "rtmp", 1935),
        (&mut server.rtsp_url, "rtsp", 8554),
        (&mut server.srt_url, "srt", srt),
        (&mut server.hls_url, "http", 8888),
        (&mut server.webrtc_url, "http", webrtc),
    ] {
        url.get_or_insert_with(|| format!("{scheme}://{host}:{port}"));
    }
    Ok(())
}

/// With two names for one media server, two reconcile loops would revert each other's changes.
pub(super) fn distinct(servers: &BTreeMap<MediaServerName, MediaServer>) -> Result<(), ConfigError> {
    let mut seen = BTreeMap::new();
    for (name, server) in servers {
        if let Some(other) = seen.insert(server.api_url(), name) {
            let rule = format!("is the same as that of media server {other}; each needs its own");
            return Err(ConfigError::new(format!("media_servers.{name}.api_url"), rule));
        }
    }
    Ok(())
}

impl MediaServer {
    /// Its control API.
    pub fn api_url(&self) -> &str {
        self.api_url.as_deref().unwrap_or_default()
    }

    /// Where encoders and viewers reach it.
    pub fn base_urls(&self) -> BaseUrls {
        let text = |url: &Option<String>| url.clone().unwrap_or_default();
        BaseUrls {
            hls: text(&self.hls_url),
            webrtc: text(&self.webrtc_url),
            rtmp: text(&self.rtmp_url),
            rtsp: text(&self.rtsp_url),
            srt: text(&self.srt_url),
        }
    }
}
