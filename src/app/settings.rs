//! What the application must know of the configuration.

use std::collections::BTreeMap;
use std::time::Duration;

use super::streamer::StreamerSettings;
use crate::domain::media_server::{BaseUrls, MediaServerName};
use crate::domain::secret::Secret;

/// Limits, secrets and media servers.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a claim holds before the encoder is seen live (`auth.claim_ttl`, default 15 s).
    pub claim_ttl: Duration,
    /// How long a decision may take before it is a no; below the 1 s that is promised to media servers.
    pub auth_deadline: Duration,
    /// How long a call waits for a session to end (2 s).
    pub end_wait: Duration,
    /// The media servers by name. Never empty.
    pub media_servers: BTreeMap<MediaServerName, MediaServerSettings>,
    /// What media servers show to be heard; two at once while rotating (`hooks.secret`).
    pub hook_secrets: Vec<Secret>,
    /// An admin token from the configuration (`api.admin_token`).
    pub admin_token: Option<Secret>,
    /// Signs requests under any key id (`api.hmac_secret`), unless `hmac_keys` names some.
    pub hmac_secret: Option<Secret>,
    /// Signs requests under one key id each (`api.hmac_keys`).
    pub hmac_keys: BTreeMap<String, Secret>,
    /// How streamers are watched.
    pub streamers: StreamerSettings,
    /// How long events are kept.
    pub event_retention: Duration,
    /// How long audit entries are kept.
    pub audit_retention: Duration,
}

/// One media server, seen from here.
#[derive(Clone, Debug)]
pub struct MediaServerSettings {
    /// Where viewers and encoders reach it.
    pub urls: BaseUrls,
    /// What opens its control API, metrics and profiler.
    pub control_secret: Secret,
    /// What our relays show to read a private path.
    pub relay_secret: Secret,
}

impl Settings {
    /// The media server that is meant when none is named: `default`, or the first by name.
    pub fn default_server(&self) -> Option<(&MediaServerName, &MediaServerSettings)> {
        self.media_servers
            .get_key_value(&MediaServerName::default())
            .or_else(|| self.media_servers.iter().next())
    }
}
