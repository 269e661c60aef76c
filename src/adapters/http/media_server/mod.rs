//! `/media-servers`: the configured media servers and their state.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::handler::{Answer, Call, Routes, Viewer, ok, routes};
use super::health_section::{HealthDocument, HealthSection};
use crate::adapters::views::MediaServerList;
use crate::app::media_server::MediaServers;

/// The routes.
pub fn routes() -> Routes<Arc<MediaServers>> {
    Routes::new("media servers")
        .about("The requests of media servers, and their state.")
        .health::<MediaServersHealth>()
        .management(Viewer, "media_server", routes!(list_media_servers))
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
#[utoipa::path(get, path = "/media-servers", responses((status = 200, body = MediaServerList)))]
async fn list_media_servers(Call(media_servers, actor): Call<MediaServers>) -> Answer<MediaServerList> {
    ok(media_servers.list(&actor).await?)
}
