//! Settings of the HTTP adapter.

use std::sync::Arc;

use axum::body::Bytes;
use ipnet::IpNet;
use tokio_util::sync::CancellationToken;

use super::health_section::HealthSection;
use crate::app::health::Health;
use crate::app::task::TaskList;
use crate::domain::secret::Secret;

/// Renders the current metrics as Prometheus text.
pub type MetricsText = Arc<dyn Fn() -> String + Send + Sync>;

/// Settings of the HTTP adapter. The default shows no metrics, trusts no proxy and never stops.
#[derive(Clone)]
pub struct HttpOptions {
    /// The answer of `GET /metrics`; 404 without it.
    pub metrics: Option<MetricsText>,
    /// The token that `GET /metrics` needs (`metrics.token`). Without it anyone may read.
    pub metrics_token: Option<Secret>,
    /// Proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<IpNet>,
    /// How many connections there can be at once. Calls and event streams get a part of them.
    pub connections: usize,
    /// The background tasks.
    pub tasks: TaskList,
    /// Cancelled when the service stops: event streams (`/streams/events`) end, and `/readyz` answers 503.
    pub stop: CancellationToken,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            metrics: None,
            metrics_token: None,
            trusted_proxies: Vec::new(),
            connections: 10_000,
            tasks: TaskList::default(),
            stop: CancellationToken::new(),
        }
    }
}

/// The state of the routes for operators.
#[derive(Clone)]
pub struct Operation {
    /// Checks whether this instance can work.
    pub health: Arc<Health>,
    /// The sections that slices add to `/health`.
    pub sections: Arc<[HealthSection]>,
    /// Metrics, tasks and the stop.
    pub options: HttpOptions,
    /// The OpenAPI document.
    pub document: Bytes,
}
