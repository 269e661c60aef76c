//! The health of this instance.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::Core;
use super::media_server::ConfiguredServers;
use crate::domain::access::Scope;
use crate::domain::streamer::feed::WatchStatus;
use crate::ports::StoreError;

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// The state of this instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthReport {
    /// Whether the database answers. Without it no publish request can be decided.
    pub database: bool,
    /// Media servers whose last poll failed. Decisions continue without them.
    pub unreachable: Vec<String>,
    /// How many media servers are configured.
    pub media_servers: usize,
    /// The status of watching streamers, if this setup watches any. Decisions continue without it.
    pub streamers: Option<WatchStatus>,
}

/// Checks what this instance depends on.
pub struct Health {
    core: Arc<Core>,
    servers: Arc<ConfiguredServers>,
    watches_streamers: bool,
}

impl Health {
    /// `watches_streamers`: whether this setup watches Kick.
    pub fn new(core: Arc<Core>, servers: Arc<ConfiguredServers>, watches_streamers: bool) -> Self {
        Self { core, servers, watches_streamers }
    }

    /// Checks what this instance depends on. Always answers, within about a second.
    pub async fn check(&self) -> HealthReport {
        let media_servers = self.servers.0.len();
        let known = async {
            self.core.store.ping().await?;
            let servers = self.core.store.media_servers(&Scope::system()).await?;
            let streamers = if self.watches_streamers {
                self.core.store.watch_status(&Scope::system()).await?
            } else {
                None
            };
            Ok::<_, StoreError>((servers, streamers))
        };
        match timeout(PATIENCE, known).await {
            Ok(Ok((known, streamers))) => {
                let configured = |name| self.servers.get(name).is_some();
                let unreachable = known.iter().filter(|s| !s.reachable && configured(&s.name));
                HealthReport {
                    database: true,
                    unreachable: unreachable.map(|s| s.name.to_string()).collect(),
                    media_servers,
                    streamers,
                }
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "health: the database does not answer");
                HealthReport { database: false, unreachable: vec![], media_servers, streamers: None }
            }
            Err(_) => HealthReport { database: false, unreachable: vec![], media_servers, streamers: None },
        }
    }
}
