//! A media server, as far as we need one.

use async_trait::async_trait;

use crate::domain::media_server::{ObservedSource, Relay, Snapshot};
use crate::domain::path::StreamPath;
use crate::domain::secret::Secret;

/// Why another system (a media server, Disconnect) did not do what was asked. The texts contain no secrets and no private
/// paths.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// No connection.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// No answer in time.
    #[error("did not answer in time")]
    TimedOut,
    /// It refused the secret, or the credentials, that we showed.
    #[error("refused our credentials")]
    Unauthorised,
    /// It answered with an error.
    #[error("answered {status}: {message}")]
    Status {
        /// HTTP status.
        status: u16,
        /// What it said, masked and shortened.
        message: String,
    },
    /// Its answer was incomplete or not understood.
    #[error("gave an answer that is not understood: {0}")]
    Malformed(String),
    /// What was asked for cannot be done with this server.
    #[error("cannot do this: {0}")]
    Unsupported(String),
}

/// Which process it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerInfo {
    /// Its version, e.g. `v1.20.1`; `None` before MediaMTX 1.15.3.
    pub version: Option<String>,
    /// Changes with each start.
    pub run: Option<String>,
}

/// How it is set up, as far as `doctor` looks at it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerSettings {
    /// `authMethod`.
    pub auth_method: String,
    /// Scheme, host and path of `authHTTPAddress`, without user info and query; `None` if it is empty.
    pub auth_address: Option<String>,
    /// Whether path defaults run a command when a stream becomes available, and when not.
    pub hooks: bool,
}

/// What became of removing a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelayRemoval {
    /// It is gone, or was not there.
    Gone,
    /// The path is not a relay of ours; it was left alone.
    NotOurs,
}

/// One media server. Every call ends within a few seconds.
#[async_trait]
pub trait MediaServer: Send + Sync {
    /// Looks at all paths. MUST be complete or an error: a page that is missing, malformed or contradicts the others
    /// is an error.
    async fn snapshot(&self) -> Result<Snapshot, RemoteError>;

    /// Tells a session to end. MUST be `Ok` if it is not there any more. The session may still be seen for a moment.
    async fn disconnect(&self, source: &ObservedSource) -> Result<(), RemoteError>;

    /// Makes the public path pull the private one on demand, showing `secret` to be let in. MUST be idempotent. MUST
    /// NOT replace a path that the operator configured.
    async fn ensure_relay(&self, relay: &Relay, secret: &Secret) -> Result<(), RemoteError>;

    /// Removes the relay at a public path. MUST NOT touch a path that is not a relay of ours.
    async fn remove_relay(&self, public: &StreamPath) -> Result<RelayRemoval, RemoteError>;

    /// Asks which process it is.
    async fn info(&self) -> Result<ServerInfo, RemoteError>;

    /// Asks how it is set up.
    async fn settings(&self) -> Result<ServerSettings, RemoteError>;
}
