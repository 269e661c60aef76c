//! HTTP in: the router, one file for each resource. Handlers extract, convert, make one call into
//! [`app`](crate::app), and convert back.

mod options;

use std::sync::Arc;

use axum::Router;

pub use options::{HttpOptions, MetricsText, WorkerHealth, WorkersHealth};

use crate::app::App;

/// Everything that is answered over HTTP. Serve it with the peer's address as `ConnectInfo<SocketAddr>`.
pub fn router(app: Arc<App>, options: HttpOptions) -> Router {
    let _ = (app, options);
    Router::new()
}
