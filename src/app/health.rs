//! Whether this instance can do its job.

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
    /// Whether the database answers. Without it nothing can be decided.
    pub database: bool,
    /// Media servers that did not answer when last looked at. Deciding goes on without them.
    pub unreachable: Vec<String>,
    /// How many media servers are configured.
    pub media_servers: usize,
    /// How watching streamers is doing, if this setup does and it was written down. Deciding goes on without it.
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

    /// Looks at what this instance depends on. Always answers, within about a second.
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
                let away = known.iter().filter(|s| !s.reachable && configured(&s.name));
                HealthReport {
                    database: true,
                    unreachable: away.map(|s| s.name.to_string()).collect(),
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
