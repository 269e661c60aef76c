//! The configuration: `streamward.toml` (optional), then the environment, then the command line; the later wins.
//!
//! An unknown key or a bad value stops the start with one line: the key, where it was set, and the allowed
//! values. Secrets can be given as files and are never printed.

mod api;
mod audit;
mod auth;
mod database;
mod error;
mod events;
mod hooks;
mod http;
mod kick;
mod layers;
mod load;
mod log;
mod master_key;
mod media_servers;
mod metrics;
mod otel;
mod playback;
mod reconcile;
mod section;
mod show;
mod values;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use database::DatabaseKind;
pub use error::ConfigError;
pub use kick::{Kick, KickFeedChoice};
pub use load::{Loaded, Sources};
pub use master_key::{MasterKeySource, create_master_key, find_master_key};
pub use media_servers::{MediaServer, MediaServerKind};
pub use show::Shown;
pub use values::{ConfigDuration, Networks, SecretValue};

use crate::domain::media_server::MediaServerName;

section::section! {
    pub struct Config, check media_servers::distinct; {
        /// The folder for files that Streamward makes: the SQLite file, the master key, MediaMTX's configuration.
        data_dir: PathBuf = PathBuf::from(".");
        http: http::Http;
        database: database::Database;
        hooks: hooks::Hooks;
        auth: auth::Auth;
        reconcile: reconcile::Reconcile;
        playback: playback::Playback;
        api: api::Api;
        metrics: metrics::Metrics;
        log: log::Log;
        otel: otel::Otel;
        events: events::Events;
        audit: audit::Audit;
        kick: Kick;
        /// Media servers by name. Never empty.
        media_servers: BTreeMap<MediaServerName, MediaServer>, check media_servers::with_default;
    }
}
