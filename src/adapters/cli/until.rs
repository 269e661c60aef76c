//! How long something is valid.

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::domain::Timestamp;

/// How long a key or token is valid; for ever by default.
#[derive(Debug, Clone, Default, Args)]
#[group(multiple = false)]
pub struct Until {
    /// Valid for this long from now, e.g. 2h or 30d
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub expires_in: Option<Duration>,
    /// Valid until then, e.g. 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    pub expires_at: Option<String>,
}

impl Until {
    /// As the API takes it.
    pub(super) fn expires_at(&self, now: Timestamp) -> Option<Value> {
        let until = self.expires_in.map(|duration| now.plus(duration).to_string());
        until.or_else(|| self.expires_at.clone()).map(Value::String)
    }
}
