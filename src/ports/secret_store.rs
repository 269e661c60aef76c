//! The store of sealed secrets.

use async_trait::async_trait;

use super::Result;

/// Secrets that Streamward made for itself. The caller seals them.
#[async_trait]
pub trait SecretStore: Send + Sync {
    /// MUST store the sealed secret unless there is one of that name. MUST return the stored one, the same for all
    /// concurrent calls.
    async fn seal_if_absent(&self, name: &str, sealed: &str) -> Result<String>;

    /// MUST return the sealed secret of that name, or `None`.
    async fn sealed(&self, name: &str) -> Result<Option<String>>;
}
