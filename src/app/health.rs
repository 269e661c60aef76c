//! Whether this instance can do its job.

use std::time::Duration;

use tokio::time::timeout;

use super::App;

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
}

impl App {
    /// Looks at what this instance depends on. Always answers, within about a second.
    pub async fn health(&self) -> Health {
        let media_servers = self.settings().media_servers.len();
        let known = async {
            self.store().ping().await?;
            self.store().media_servers().await
        };
        match timeout(PATIENCE, known).await {
            Ok(Ok(known)) => {
                let configured = |name| self.settings().media_servers.contains_key(name);
                let away = known.iter().filter(|s| !s.reachable && configured(&s.name));
                Health {
                    database: true,
                    unreachable: away.map(|s| s.name.to_string()).collect(),
                    media_servers,
                }
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "health: the database does not answer");
                Health { database: false, unreachable: vec![], media_servers }
            }
            Err(_) => Health { database: false, unreachable: vec![], media_servers },
        }
    }
}
