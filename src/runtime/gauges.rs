//! Gauges that are sampled every few seconds, because no event reports their changes.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::databases::Databases;
use crate::app::media_server::MediaServers;
use crate::app::studio::{self, Studios};
use crate::domain::access::Actor;

const EVERY: Duration = Duration::from_secs(5);

/// Samples them until `stop`.
pub(super) async fn take(
    (media_servers, studios): (Arc<MediaServers>, Arc<Studios>),
    databases: Databases,
    stop: CancellationToken,
) {
    let mut tick = tokio::time::interval(EVERY);
    let actor = Actor::cli("gauges");
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        for (pool, (busy, open)) in databases.connections() {
            metrics::gauge!("streamward_database_connections", "pool" => pool, "state" => "in_use").set(busy);
            metrics::gauge!("streamward_database_connections", "pool" => pool, "state" => "open").set(open);
        }
        for studio in studios.all(&actor).await.iter().flatten() {
            studio::show(studio);
        }
        let Ok(servers) = media_servers.all(&actor).await else { continue };
        for server in servers {
            let live = u32::try_from(server.streams).unwrap_or(u32::MAX);
            metrics::gauge!("streamward_streams_live", "media_server" => server.name.to_string()).set(live);
        }
    }
}
