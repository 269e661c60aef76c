//! What can be configured, and what holds when it is not. The doc comment of each field is its documentation.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::kick::Kick;
use super::types::{ConfigDuration, SecretValue, networks, number};
use crate::domain::media_server::{BaseUrls, MediaServerName};
use crate::runtime::telemetry::LogFormat;

/// The configuration as it takes effect.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where files that Streamward makes for itself go: the SQLite file, the master key, MediaMTX's configuration.
    pub data_dir: PathBuf,
    /// The web server.
    pub http: Http,
    /// The database.
    pub database: Database,
    /// How media servers reach us.
    pub hooks: Hooks,
    /// Publish decisions.
    pub auth: Auth,
    /// The reconcile loop.
    pub reconcile: Reconcile,
    /// Viewers.
    pub playback: Playback,
    /// Callers of the management API.
    pub api: Api,
    /// `GET /metrics`.
    pub metrics: Metrics,
    /// Log lines.
    pub log: Log,
    /// OpenTelemetry.
    pub otel: Otel,
    /// The event log.
    pub events: Events,
    /// The audit log.
    pub audit: Audit,
    /// Watching streamers on Kick.com.
    pub kick: Kick,
    /// Media servers by name. Never empty: `default` at `http://127.0.0.1:9997` if none is named.
    pub media_servers: BTreeMap<MediaServerName, MediaServer>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("."),
            http: Http::default(),
            database: Database::default(),
            hooks: Hooks::default(),
            auth: Auth::default(),
            reconcile: Reconcile::default(),
            playback: Playback::default(),
            api: Api::default(),
            metrics: Metrics::default(),
            log: Log::default(),
            otel: Otel::default(),
            events: Events::default(),
            audit: Audit::default(),
            kick: Kick::default(),
            media_servers: BTreeMap::new(),
        }
    }
}

/// The web server.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Address and port to listen on.
    pub listen: String,
    /// Connections at once; one more is closed.
    #[serde(deserialize_with = "number")]
    pub max_connections: u32,
    /// Proxies whose `X-Forwarded-For` is believed.
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: "127.0.0.1:8080".into(), max_connections: 10_000, trusted_proxies: vec![] }
    }
}

/// The database.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `sqlite://<file>` or `postgres://…`; `streamward.db` in `data_dir` if absent. May hold a password.
    pub url: Option<SecretValue>,
    /// PostgreSQL connections of this instance, shared out between `/auth`, API and workers.
    #[serde(deserialize_with = "number")]
    pub max_connections: u32,
}

impl Default for Database {
    fn default() -> Self {
        Self { url: None, max_connections: 30 }
    }
}

/// Which database it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseKind {
    /// A file.
    Sqlite(PathBuf),
    /// A server; the URL may hold a password.
    Postgres(crate::domain::secret::Secret),
}

/// How media servers reach us.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hooks {
    /// What they show to be heard; two with a comma between while it is replaced. Made and kept in the database if
    /// absent.
    pub secret: Option<SecretValue>,
    /// Where they find this Streamward; `http.listen` if absent.
    pub url: Option<String>,
}

/// Publish decisions.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Auth {
    /// How long an allowed encoder may take to be live before its key is free again.
    pub claim_ttl: ConfigDuration,
}

impl Default for Auth {
    fn default() -> Self {
        Self { claim_ttl: ConfigDuration::seconds(15) }
    }
}

/// The reconcile loop.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reconcile {
    /// How often each media server is looked at without being told to.
    pub interval: ConfigDuration,
}

impl Default for Reconcile {
    fn default() -> Self {
        Self { interval: ConfigDuration::seconds(2) }
    }
}

/// Viewers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Playback {
    /// Who may watch.
    pub access: Access,
}

/// Who may watch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Everyone.
    #[default]
    Public,
}

/// Callers of the management API.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    /// An admin token of your own making, beside those in the database.
    pub admin_token: Option<SecretValue>,
    /// Signs requests under any key id. Made and kept in the database if absent.
    pub hmac_secret: Option<SecretValue>,
    /// Signs requests under one key id each; if there are any, no other id is accepted.
    pub hmac_keys: BTreeMap<String, SecretValue>,
}

/// `GET /metrics`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// A bearer token that is needed to read them; open if absent.
    pub token: Option<SecretValue>,
}

/// Log lines.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// A level (`info`) or a filter (`info,sqlx=warn`).
    pub level: String,
    /// For people (`text`) or machines (`json`).
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".into(), format: LogFormat::Text }
    }
}

/// OpenTelemetry.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Otel {
    /// Base address of an OTLP collector over HTTP; nothing is sent without it.
    pub endpoint: Option<String>,
}

/// The event log.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Events {
    /// How long events are kept for readers that resume.
    pub retention: ConfigDuration,
}

impl Default for Events {
    fn default() -> Self {
        Self { retention: ConfigDuration::days(30) }
    }
}

/// The audit log.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// How long entries are kept.
    pub retention: ConfigDuration,
}

impl Default for Audit {
    fn default() -> Self {
        Self { retention: ConfigDuration::days(365) }
    }
}

/// A media server. What is not given stands on the host of `api_url` at MediaMTX's own ports.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MediaServer {
    /// What runs there.
    pub kind: MediaServerKind,
    /// Its control API; `http://127.0.0.1:9997` for the one named `default`.
    pub api_url: Option<String>,
    /// What opens its control API. Made and kept in the database if absent.
    pub control_secret: Option<SecretValue>,
    /// Where encoders and viewers reach it by RTMP.
    pub rtmp_url: Option<String>,
    /// By RTSP.
    pub rtsp_url: Option<String>,
    /// By SRT.
    pub srt_url: Option<String>,
    /// By HLS.
    pub hls_url: Option<String>,
    /// By WebRTC (WHIP and WHEP hang below it).
    pub webrtc_url: Option<String>,
}

/// Which media server it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaServerKind {
    /// MediaMTX.
    #[default]
    Mediamtx,
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

impl Config {
    /// Which database it is, and where.
    pub fn database_kind(&self) -> DatabaseKind {
        let Some(SecretValue(url)) = &self.database.url else {
            return DatabaseKind::Sqlite(self.data_dir.join("streamward.db"));
        };
        let file = ["sqlite://", "sqlite:"].into_iter().find_map(|scheme| url.expose().strip_prefix(scheme));
        match file {
            Some(file) => DatabaseKind::Sqlite(PathBuf::from(file.split('?').next().unwrap_or(file))),
            None => DatabaseKind::Postgres(url.clone()),
        }
    }

    /// Where files that belong to the database stand: beside a SQLite file, otherwise in `data_dir`.
    pub fn beside_database(&self) -> PathBuf {
        match self.database_kind() {
            DatabaseKind::Sqlite(file) => match file.parent() {
                Some(parent) if parent != Path::new("") => parent.to_owned(),
                _ => PathBuf::from("."),
            },
            DatabaseKind::Postgres(_) => self.data_dir.clone(),
        }
    }

    /// Where callers on this machine reach us: `http.listen`, with an address that can be called.
    pub fn local_url(&self) -> String {
        let listen = &self.http.listen;
        let (host, port) = listen.rsplit_once(':').unwrap_or((listen, "8080"));
        let host = match host {
            "0.0.0.0" | "" => "127.0.0.1",
            "[::]" => "[::1]",
            host => host,
        };
        format!("http://{host}:{port}")
    }

    /// Where media servers reach us.
    pub fn hooks_url(&self) -> String {
        self.hooks.url.clone().unwrap_or_else(|| self.local_url())
    }
}
