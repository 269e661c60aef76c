//! The interface to a media server.

use async_trait::async_trait;

use super::RemoteError;
use crate::domain::media_server::{Capabilities, ObservedReader, ObservedSource, Relay, Snapshot};
use crate::domain::path::StreamPath;
use crate::domain::secret::Secret;

/// Which process the media server is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerInfo {
    /// Its version, e.g. `v1.20.1`; `None` before MediaMTX 1.15.3.
    pub version: Option<String>,
    /// Changes with each start.
    pub run: Option<String>,
}

/// The settings of a media server that `doctor` checks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerSettings {
    /// `authMethod`.
    pub auth_method: String,
    /// Scheme, host and path of `authHTTPAddress`, without user info and query; `None` if it is empty.
    pub auth_address: Option<String>,
    /// Whether the path defaults run a command when a stream becomes available and when it no longer is.
    pub hooks: bool,
}

/// The result of removing a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelayRemoval {
    /// The relay does not exist any more.
    Gone,
    /// The path is not a relay of ours. It was not changed.
    NotOurs,
}

/// One media server. Every call ends within a few seconds.
#[async_trait]
pub trait MediaServer: Send + Sync {
    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Polls all paths. MUST be complete or an error: a page that is missing, malformed or contradicts the others is an
    /// error.
    async fn snapshot(&self) -> Result<Snapshot, RemoteError>;

    /// Disconnects a session. MUST be `Ok` if it does not exist any more. The session may still be observed for a moment.
    async fn disconnect(&self, source: &ObservedSource) -> Result<(), RemoteError>;

    /// All connections that read. Of RTSP, [`ObservedSource::aliases`] are the connections of a session. MUST be complete or an
    /// error.
    async fn readers(&self) -> Result<Vec<ObservedReader>, RemoteError> {
        Err(RemoteError::Unsupported("list who reads".to_owned()))
    }

    /// Makes the public path pull the private one on demand, with `secret` as its password. MUST be idempotent. MUST NOT
    /// replace a path that the operator configured.
    async fn ensure_relay(&self, relay: &Relay, secret: &Secret) -> Result<(), RemoteError>;

    /// Removes the relay at a public path. MUST NOT touch a path that is not a relay of ours.
    async fn remove_relay(&self, public: &StreamPath) -> Result<RelayRemoval, RemoteError>;

    /// Which process it is.
    async fn info(&self) -> Result<ServerInfo, RemoteError>;

    /// How it is configured.
    async fn settings(&self) -> Result<ServerSettings, RemoteError>;
}
