//! SRS behind the port [`MediaServer`]: its HTTP API, its configuration file, the forms of its URLs.
//!
//! # How SRS differs from MediaMTX
//! Read in v5.0-r3 and 7.0.18, run with v5.0-r3; `tests/e2e` runs against the one in `SRS_BIN`. `docs/srs.md` says what
//! follows for operators.
//!
//! * `on_publish` means "may publish". It comes before SRS checks whether the stream is busy, so an allowed publisher may be
//!   refused after all. Who publishes is in the list of streams: `publish.active` and `publish.cid`.
//! * The first publisher of a stream stays. Another one is refused as long as the first one is there, so a takeover has to
//!   end the first one before the answer to `on_publish` ([`crate::app::callbacks`]).
//! * `GET /api/v1/streams/` lists ten streams unless it is given a `count`. Without the last slash it is a redirect.
//! * `live_ms` of a stream is the clock of SRS. `recv_30s` is a mean of 30 s. `recv_bytes` of a stream goes on with its next
//!   publisher, if somebody watches in between; that of a client does not.
//! * Ids of clients are those of the callbacks (`client_id`). `DELETE /api/v1/clients/{id}` ends one of them.
//! * `service` changes with each start, `server` does not.
//! * Nothing says how SRS is configured.

mod api;
pub mod config;
mod dto;
mod publishers;
mod snapshot;
mod words;

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::timeout;
use url::Url;

pub use words::url_templates;

use self::api::Api;
use self::dto::ListedClient;
use self::publishers::Publishers;
use self::words::source_kind;
use crate::domain::media_server::{Capabilities, ObservedReader, ObservedSource, Relay, Snapshot, SourceId};
use crate::domain::path::{IngestPath, StreamPath};
use crate::domain::secret::Secret;
use crate::ports::{MediaServer, RelayRemoval, RemoteError, ServerInfo, ServerSettings};

/// How many clients are listed.
const MAX_CLIENTS: usize = 100_000;
/// How long a poll may take.
const POLL_TIME: Duration = Duration::from_secs(5);

/// One SRS.
pub struct Srs {
    api: Api,
    publishers: Publishers,
}

impl Srs {
    /// The SRS with the HTTP API at `api_url`, whose password is `control_secret` (none if empty). Does not connect yet.
    pub fn new(api_url: &Url, control_secret: Secret) -> Result<Self, RemoteError> {
        Ok(Self { api: Api::new(api_url, control_secret)?, publishers: Publishers::default() })
    }
}

#[async_trait]
impl MediaServer for Srs {
    fn capabilities(&self) -> Capabilities {
        Capabilities::SRS
    }

    async fn snapshot(&self) -> Result<Snapshot, RemoteError> {
        let snapshot = snapshot::snapshot(&self.api, &self.publishers);
        timeout(POLL_TIME, snapshot).await.unwrap_or(Err(RemoteError::TimedOut))
    }

    async fn disconnect(&self, source: &ObservedSource) -> Result<(), RemoteError> {
        let Some(id) = &source.id else {
            return Err(RemoteError::Unsupported("disconnect a session that has no id".to_owned()));
        };
        self.api.disconnect(id.as_str()).await
    }

    async fn readers(&self) -> Result<Vec<ObservedReader>, RemoteError> {
        let clients = timeout(POLL_TIME, self.api.clients(MAX_CLIENTS)).await;
        let clients = clients.unwrap_or(Err(RemoteError::TimedOut))?;
        let reader = |client: ListedClient| ObservedReader {
            source: ObservedSource {
                kind: source_kind(&client.kind),
                publishes: false,
                id: SourceId::parse(&client.id),
                aliases: Vec::new(),
            },
            path: IngestPath::from_srs("", "", Some(&client.url)),
            // The list does not show them.
            query: Secret::new(""),
        };
        Ok(clients.into_iter().filter(|client| !client.publish).map(reader).collect())
    }

    async fn ensure_relay(&self, _: &Relay, _: &Secret) -> Result<(), RemoteError> {
        Err(RemoteError::Unsupported("show one stream under the name of another".to_owned()))
    }

    async fn remove_relay(&self, _: &StreamPath) -> Result<RelayRemoval, RemoteError> {
        Ok(RelayRemoval::NotOurs)
    }

    async fn info(&self) -> Result<ServerInfo, RemoteError> {
        let (head, version) = self.api.version().await?;
        Ok(ServerInfo { version: Some(format!("SRS {version}")), run: head.run() })
    }

    async fn settings(&self) -> Result<ServerSettings, RemoteError> {
        Err(RemoteError::Unsupported("SRS does not say how it is configured".to_owned()))
    }
}
