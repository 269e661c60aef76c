//! Whether this instance can do its job.

use std::time::Duration;

use tokio::time::timeout;

use super::App;
use crate::domain::streamer::feed::WatchStatus;
use crate::ports::StoreError;

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// How this instance is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Whether the database answers. Without it nothing can be decided.
    pub database: bool,
    /// Media servers that did not answer when last looked at. Deciding goes on without them.
    pub unreachable: Vec<String>,
    /// How many media servers are configured.
    pub media_servers: usize,
    /// How watching streamers is doing, if this setup does and it was written down. Deciding goes on without it.
    pub streamers: Option<WatchStatus>,
}

impl App {
    /// Looks at what this instance depends on. Always answers, within about a second.
    pub async fn health(&self) -> Health {
        let media_servers = self.settings().media_servers.len();
        let known = async {
            self.store().ping().await?;
            let servers = self.store().media_servers().await?;
            let streamers =
                if self.settings().streamers.is_on { self.store().watch_status().await? } else { None };
            Ok::<_, StoreError>((servers, streamers))
        };
        match timeout(PATIENCE, known).await {
            Ok(Ok((known, streamers))) => {
                let configured = |name| self.settings().media_servers.contains_key(name);
                let away = known.iter().filter(|s| !s.reachable && configured(&s.name));
                Health {
                    database: true,
                    unreachable: away.map(|s| s.name.to_string()).collect(),
                    media_servers,
                    streamers,
                }
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "health: the database does not answer");
                Health { database: false, unreachable: vec![], media_servers, streamers: None }
            }
            Err(_) => Health { database: false, unreachable: vec![], media_servers, streamers: None },
        }
    }
}
