//! The health of this instance.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::Core;
use crate::domain::access::Scope;
use crate::domain::page::Page;
use crate::ports::StoreError;

/// How long the database may take to answer. On SQLite a write queues behind others.
const PATIENCE: Duration = Duration::from_secs(2);
/// The database is written at most this often, however many requests there are.
const WRITE_INTERVAL: Duration = Duration::from_secs(1);

/// Checks what this instance depends on.
pub struct Health {
    core: Arc<Core>,
    last_write: Mutex<Option<Instant>>,
}

impl Health {
    /// Over the stores of `core`.
    pub fn new(core: Arc<Core>) -> Self {
        Self { core, last_write: Mutex::default() }
    }

    /// What `more` finds in the database; `None` if the database cannot be read and written within two seconds. Without
    /// it nothing can be decided.
    pub async fn check<T>(&self, more: impl Future<Output = Result<T, StoreError>>) -> Option<T> {
        let found = async {
            self.core.store.ping().await?;
            self.check_writable().await?;
            more.await
        };
        match timeout(PATIENCE, found).await {
            Ok(Ok(found)) => Some(found),
            Ok(Err(error)) => {
                tracing::warn!(%error, "health: the database cannot be used");
                None
            }
            Err(_) => {
                tracing::warn!("health: the database does not answer within 2 s");
                None
            }
        }
    }

    /// Whether there are several organizations, so that not everybody may read the names of all resources.
    pub async fn is_shared(&self) -> Result<bool, StoreError> {
        Ok(self.core.store.organizations(&Scope::system(), &Page::first(2)).await?.len() > 1)
    }

    /// Whether the database was found damaged since the start.
    pub fn is_damaged(&self) -> bool {
        self.core.store.damage().is_some()
    }

    async fn check_writable(&self) -> Result<(), StoreError> {
        let mut last_write = self.last_write.lock().await;
        if last_write.is_none_or(|at| at.elapsed() >= WRITE_INTERVAL) {
            self.core.store.check_writable().await?;
            *last_write = Some(Instant::now());
        }
        Ok(())
    }
}
