//! `/media-servers`: which there are, and how they are.

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
    /// Its version, once it has told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "v1.20.1", nullable = false)]
    version: Option<String>,
    /// Whether the last look at it succeeded.
    reachable: bool,
    /// Since when it is reachable, or not. Absent before the first look.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    since: Option<Timestamp>,
    /// When a look at it last succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    last_reconcile: Option<Timestamp>,
    /// Why the last look failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    last_error: Option<String>,
    /// When a hook of it last arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    last_hook: Option<Timestamp>,
    /// When it last asked for a decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    last_auth: Option<Timestamp>,
    /// Live streams on it.
    streams: usize,
    /// Differences between it and the records that were repaired.
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
        .tag("media servers", "What media servers ask and tell, and how they are.")
        .health::<MediaServersHealth>()
        .management("media_server", routes!(list_media_servers))
}

/// Tells which media servers cannot be reached.
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

/// How the media servers are. Streamward does its job without them.
#[derive(Serialize, ToSchema)]
pub(super) struct MediaServersHealth {
    configured: usize,
    /// Names of those that did not answer when last looked at.
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
