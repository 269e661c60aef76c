//! The store of sealed secrets.

use async_trait::async_trait;

use super::StoreError;

/// Secrets that Streamward made for itself, sealed by the caller before they come here.
#[async_trait]
pub trait SecretStore: Send + Sync {
    /// MUST store the sealed secret unless there is one of that name; MUST return the one that is stored afterwards,
    /// the same to all callers that try at the same moment.
    async fn seal_if_absent(&self, name: &str, sealed: &str) -> Result<String, StoreError>;

    /// MUST return the sealed secret of that name, or `None`.
    async fn sealed(&self, name: &str) -> Result<Option<String>, StoreError>;
}
