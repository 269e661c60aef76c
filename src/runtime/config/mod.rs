//! The configuration: `streamward.toml` (optional), then the environment, then the command line; the later wins.
//!
//! An unknown key or a bad value stops the start with one line: the key, where it was set, and the allowed
//! values. Secrets can be given as files and are never printed.

mod api;
mod audit;
mod auth;
mod channels;
mod database;
mod error;
mod events;
mod hooks;
mod http;
mod keys;
mod kick;
mod layers;
mod load;
mod log;
mod mail;
mod master_key;
mod media;
mod media_servers;
mod metrics;
mod notifications;
mod oidc;
mod otel;
mod playback;
mod reconcile;
mod root;
mod section;
mod show;
mod studios;
mod users;
mod values;

#[cfg(test)]
mod tests;

pub use channels::Channels;
pub use database::DatabaseKind;
pub use error::ConfigError;
pub use keys::keys;
pub use kick::{Kick, KickFeedChoice};
pub use load::{Loaded, Sources};
pub use master_key::{
    MasterKeySource, create_master_key, find_master_key, master_key_file, read_master_key, save_master_key,
};
pub use media_servers::{MediaServer, MediaServerKind};
pub use oidc::Oidc;
pub use root::Config;
pub use section::Key;
pub use show::Shown;
pub use studios::{Launch, ProbeKind, Studio};
pub use values::{ConfigDuration, Networks, SecretValue};
