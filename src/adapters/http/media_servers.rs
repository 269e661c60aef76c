//! `/media-servers`: the configured media servers and their state.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::authentication::Caller;
use super::extract::NoQuery;
use super::health_section::{HealthDocument, HealthSection};
use super::problem::Problem;
use super::routes::Routes;
use crate::app::media_server::{MediaServerOverview, MediaServers};
use crate::domain::Timestamp;

/// A configured media server.
#[derive(Serialize, ToSchema)]
#[schema(as = MediaServer)]
pub(super) struct MediaServerJson {
    #[schema(example = "default")]
    name: String,
    /// Its version; absent until the first successful poll.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "v1.20.1", nullable = false)]
    version: Option<String>,
    /// Whether the last poll succeeded.
    reachable: bool,
    /// Since when it is reachable or unreachable. Absent before the first poll.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    since: Option<Timestamp>,
    /// When a poll last succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    last_reconcile: Option<Timestamp>,
    /// Why the last poll failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    last_error: Option<String>,
    /// When its last hook arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    last_hook: Option<Timestamp>,
    /// When its last request to `/auth` arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    last_auth: Option<Timestamp>,
    /// Number of its live streams.
    streams: usize,
    /// Number of repaired differences between it and the database.
    drift_repaired: u64,
}

impl From<MediaServerOverview> for MediaServerJson {
    fn from(overview: MediaServerOverview) -> Self {
        let MediaServerOverview { name, status, streams } = overview;
        let (name, status) = (name.to_string(), status.as_ref());
        Self {
            name,
            version: status.and_then(|s| s.version.clone()),
            reachable: status.is_some_and(|s| s.reachable),
            since: status.map(|s| s.since),
            last_reconcile: status.and_then(|s| s.last_reconcile),
            last_error: status.and_then(|s| s.last_error.clone()),
            last_hook: status.and_then(|s| s.last_hook),
            last_auth: status.and_then(|s| s.last_auth),
            streams,
            drift_repaired: status.map_or(0, |s| s.drift_repaired),
        }
    }
}

/// All media servers.
#[derive(Serialize, ToSchema)]
pub(super) struct MediaServerList {
    media_servers: Vec<MediaServerJson>,
    count: usize,
}

/// The routes.
pub fn routes() -> Routes<Arc<MediaServers>> {
    Routes::new()
        .tag("media servers", "The requests of media servers, and their state.")
        .health::<MediaServersHealth>()
        .management("media_server", routes!(list_media_servers))
}

/// Adds the unreachable media servers to `/health`.
pub fn health(media_servers: Arc<MediaServers>) -> HealthSection {
    HealthSection::new(move || {
        let media_servers = Arc::clone(&media_servers);
        async move {
            let (configured, unreachable) = media_servers.reachability().await?;
            let unreachable = unreachable.into_iter().map(String::from).collect();
            Ok(Some(MediaServersHealth { configured, unreachable }))
        }
    })
}

/// The state of the media servers. Streamward works without them.
#[derive(Serialize, ToSchema)]
pub(super) struct MediaServersHealth {
    configured: usize,
    /// Names of the media servers whose last poll failed.
    unreachable: Vec<String>,
}

impl HealthDocument for MediaServersHealth {
    const NAME: &'static str = "media_servers";
}

/// List media servers
#[utoipa::path(
    get,
    path = "/media-servers",
    tag = "media servers",
    responses((status = 200, body = MediaServerList)),
    extensions(("x-role" = json!("viewer")))
)]
pub(super) async fn list_media_servers(
    State(media_servers): State<Arc<MediaServers>>,
    Caller(actor): Caller,
    _: NoQuery,
) -> Result<Json<MediaServerList>, Problem> {
    let found = media_servers.list(&actor).await?;
    let media_servers: Vec<MediaServerJson> = found.into_iter().map(MediaServerJson::from).collect();
    Ok(Json(MediaServerList { count: media_servers.len(), media_servers }))
}
