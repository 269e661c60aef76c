//! Whether the platform of a studio can be reached.

use std::time::Duration;

use async_trait::async_trait;

/// Reaches a platform, without publishing to it.
#[async_trait]
pub trait PlatformProbe: Send + Sync {
    /// MUST return how long it took, or why it failed, without secrets. MUST publish nothing, and end within 15 s.
    async fn reach(&self) -> Result<Duration, String>;
}
