//! The configuration: `streamward.toml` (optional), over it the environment, over that the command line.
//!
//! What is not known or not right stops the start with one line that names the key, says where it was set and what is
//! allowed. Secrets can be given as files and never print.

mod check;
mod error;
mod kick;
mod layers;
mod load;
mod master_key;
mod model;
mod show;
mod types;

#[cfg(test)]
mod tests;

pub use error::ConfigError;
pub use kick::{Kick, KickFeedChoice};
pub use load::{Loaded, Sources};
pub use master_key::{MasterKeySource, create_master_key, find_master_key};
pub use model::{
    Access, Api, Audit, Auth, Config, Database, DatabaseKind, Events, Hooks, Http, Log, MediaServer,
    MediaServerKind, Metrics, Otel, Playback, Reconcile,
};
pub use show::Shown;
pub use types::{ConfigDuration, SecretValue};
