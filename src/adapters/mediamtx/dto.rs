//! The JSON of the control API, as far as we use it, with old and new field names. Unknown fields are ignored.
//!
//! Nothing here is `Debug`: names, queries and sources contain secrets.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

#[derive(Deserialize)]
pub(super) struct Refusal {
    pub(super) error: String,
}

/// `/v3/info`.
#[derive(Deserialize, Default)]
pub(super) struct Info {
    pub(super) version: Option<String>,
    pub(super) started: Option<String>,
}

/// One page of any list. Its items are read one by one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page<'a> {
    pub(super) item_count: usize,
    pub(super) page_count: usize,
    #[serde(borrow)]
    pub(super) items: Vec<&'a RawValue>,
}

/// What identifies an item of a list: a path by its name, anything else by its id.
#[derive(Deserialize)]
pub(super) struct Identity {
    #[serde(alias = "id")]
    pub(super) name: String,
}

/// An item with its identity.
pub(super) trait Identified {
    fn identity(&self) -> &str;
}

impl Identified for PathItem {
    fn identity(&self) -> &str {
        &self.name
    }
}

impl Identified for SessionItem {
    fn identity(&self) -> &str {
        &self.id
    }
}

impl Identified for RtspConn {
    fn identity(&self) -> &str {
        &self.id
    }
}

/// An item of `/v3/paths/list`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PathItem {
    pub(super) name: String,
    pub(super) conf_name: Option<String>,
    pub(super) source: Option<Source>,
    /// The only field of the three before 1.16.
    pub(super) ready: Option<bool>,
    /// Since 1.16.
    pub(super) available: Option<bool>,
    /// Since 1.16.
    pub(super) online: Option<bool>,
    pub(super) readers: Option<Vec<IgnoredAny>>,
    pub(super) tracks: Option<Vec<String>>,
    /// Since 1.17.
    pub(super) tracks2: Option<Vec<Track>>,
    pub(super) bytes_received: Option<u64>,
    /// Since 1.17.
    pub(super) inbound_bytes: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct Source {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) id: String,
}

#[derive(Deserialize)]
pub(super) struct Track {
    pub(super) codec: String,
}

/// An item of a list of sessions. Those that publish, or do nothing yet, have another `state`; those of HLS have none.
#[derive(Deserialize)]
pub(super) struct SessionItem {
    pub(super) id: String,
    pub(super) state: Option<String>,
    #[serde(default)]
    pub(super) path: String,
    #[serde(default)]
    pub(super) query: String,
}

/// An item of `/v3/rtspconns/list` or `/v3/rtspsconns/list`.
#[derive(Deserialize)]
pub(super) struct RtspConn {
    pub(super) id: String,
    pub(super) session: Option<String>,
}

/// `/v3/config/global/get`. `auth_http_address` contains a password, in every version.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GlobalConf {
    #[serde(default)]
    pub(super) auth_method: String,
    #[serde(default, rename = "authHTTPAddress")]
    pub(super) auth_http_address: String,
    pub(super) rtsp: bool,
    pub(super) rtsp_address: String,
    #[serde(default)]
    pub(super) rtsp_encryption: String,
    pub(super) rtsp_transports: Option<Vec<String>>,
}

/// `/v3/config/pathdefaults/get`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PathDefaults {
    pub(super) run_on_ready: Option<String>,
    pub(super) run_on_not_ready: Option<String>,
    pub(super) run_on_available: Option<String>,
    pub(super) run_on_unavailable: Option<String>,
    pub(super) run_on_online: Option<String>,
    pub(super) run_on_offline: Option<String>,
}

/// `/v3/config/paths/get/{name}`; the source contains a password, in every version.
#[derive(Deserialize)]
pub(super) struct PathConf {
    #[serde(default)]
    pub(super) source: String,
}

/// A relay, for `/v3/config/paths/add/{name}`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RelayConf<'a> {
    pub(super) source: &'a str,
    pub(super) source_on_demand: bool,
    pub(super) source_on_demand_start_timeout: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rtsp_transport: Option<&'static str>,
}

/// `/v3/config/paths/get/{name}` of a channel's path; the addresses contain the keys of destinations.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChannelPathConf {
    /// Since 1.16.
    #[serde(default)]
    pub(super) always_available: bool,
    /// Since 1.20.
    #[serde(default)]
    pub(super) forward: Vec<ForwardConf>,
}

/// One address of `forward`; it contains a key.
#[derive(Deserialize, Serialize)]
pub(super) struct ForwardConf {
    pub(super) dest: String,
}

/// A channel's path, for `/v3/config/paths/replace/{name}`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AlwaysAvailableConf {
    pub(super) always_available: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) always_available_file: Option<std::path::PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) always_available_tracks: Option<Vec<TrackConf>>,
    pub(super) forward: Vec<ForwardConf>,
}

/// A track of `alwaysAvailableTracks`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TrackConf {
    pub(super) codec: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sample_rate: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) channel_count: Option<u32>,
}

/// `/v3/paths/forward/list`, in the order of the configuration.
#[derive(Deserialize)]
pub(super) struct Forwards {
    pub(super) items: Vec<Forward>,
}

/// A forward. Its configuration, with the key, is not read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Forward {
    /// `idle`, `forwarding` or `error`.
    pub(super) state: String,
    pub(super) last_error: Option<String>,
    #[serde(default)]
    pub(super) outbound_bytes: u64,
}
