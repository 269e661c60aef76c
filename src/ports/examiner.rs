//! Checks of the installation.

use async_trait::async_trait;

use crate::domain::finding::Finding;

/// Checks everything that a working installation needs, without changes.
#[async_trait]
pub trait Examiner: Send + Sync {
    /// MUST return within 9 s, with a finding for each check, also for those that were not made.
    async fn examine(&self) -> Vec<Finding>;

    /// MUST return the effective configuration of this instance, secrets masked, and where its keys were set, by key. Keys
    /// that were not set have their defaults.
    fn configuration(&self) -> EffectiveConfiguration;
}

/// The configuration as it takes effect.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EffectiveConfiguration {
    /// The file that was read.
    pub file: Option<String>,
    /// All values, by section. Secrets are masked.
    pub values: serde_json::Value,
    /// Where keys such as `http.listen` were set.
    pub sources: std::collections::BTreeMap<String, String>,
}
