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
pub(super) struct Page {
    pub(super) item_count: usize,
    pub(super) page_count: usize,
    pub(super) items: Vec<Box<RawValue>>,
}

/// What identifies an item of a list: a path by its name, anything else by its id.
#[derive(Deserialize)]
pub(super) struct Identity {
    #[serde(alias = "id")]
    pub(super) name: String,
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
