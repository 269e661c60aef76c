//! What the router must know besides the application.

use std::fmt;
use std::sync::Arc;

use ipnet::IpNet;
use tokio_util::sync::CancellationToken;

use crate::app::task::TaskList;
use crate::domain::secret::Secret;

/// Renders the present numbers as Prometheus text.
pub type MetricsText = Arc<dyn Fn() -> String + Send + Sync>;

/// What the router must know besides the application. The default shows no metrics, trusts no proxy and never stops.
#[derive(Clone, Default)]
pub struct HttpOptions {
    /// What `GET /metrics` answers with; without it, 404.
    pub metrics: Option<MetricsText>,
    /// What `GET /metrics` asks for (`metrics.token`); without it, anyone may read.
    pub metrics_token: Option<Secret>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The background tasks.
    pub tasks: TaskList,
    /// Ends the endless answers (`/streams/events`) when the service stops, and makes `/readyz` say so.
    pub stop: CancellationToken,
}

impl fmt::Debug for HttpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpOptions")
            .field("metrics", &self.metrics.is_some())
            .field("metrics_token", &self.metrics_token)
            .field("trusted_proxies", &self.trusted_proxies)
            .finish_non_exhaustive()
    }
}
