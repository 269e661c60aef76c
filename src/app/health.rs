//! The health of this instance.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::Core;
use crate::ports::StoreError;

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Checks what this instance depends on.
pub struct Health {
    core: Arc<Core>,
}

impl Health {
    /// Over the stores of `core`.
    pub fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// What `more` finds in the database; `None` if the database does not answer within a second. Without it nothing
    /// can be decided.
    pub async fn check<T>(&self, more: impl Future<Output = Result<T, StoreError>>) -> Option<T> {
        let found = async {
            self.core.store.ping().await?;
            more.await
        };
        match timeout(PATIENCE, found).await {
            Ok(Ok(found)) => Some(found),
            Ok(Err(error)) => {
                tracing::warn!(%error, "health: the database does not answer");
                None
            }
            Err(_) => None,
        }
    }
}
