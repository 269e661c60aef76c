//! `/media-servers`: the configured media servers and their state.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::event_view::EventView;
use super::extract::ListQuery;
use super::handler::{Routes, Viewer, routes};
use super::health_section::{HealthDocument, HealthSection};
use super::list::{ListAnswer, ListCall, page};
use crate::adapters::views::{MediaServerList, MediaServerView};
use crate::app::media_server::MediaServers;
use crate::domain::Invalid;
use crate::domain::event::{Event, EventBody};
use crate::domain::media_server::MediaServerName;
use crate::domain::page::Page;

/// The routes.
pub fn routes() -> Routes<Arc<MediaServers>> {
    Routes::new("media servers")
        .about("The requests of media servers, and their state.")
        .health::<MediaServersHealth>()
        .management(Viewer, "media_server", routes!(list_media_servers))
}

/// How events of media servers are shown.
pub fn event_view() -> EventView {
    EventView::new(|event: &Event| {
        let EventBody::MediaServer(body) = &event.body else { return None };
        Some(json!({"at": event.at, "name": body.name, "since": body.since, "error": body.error}))
    })
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
///
/// By name. The whole list, or a page with `limit` or `cursor`.
#[utoipa::path(
    get, path = "/media-servers", params(MediaServersQuery), responses((status = 200, body = MediaServerList))
)]
async fn list_media_servers(call: ListCall<MediaServers, MediaServersQuery>) -> ListAnswer {
    call.answer(|_, media_server| MediaServerView::from(media_server)).await
}

/// Part of the list.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct MediaServersQuery {
    /// At most this many. Without it: the whole list, or 100 after a `cursor`.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
    /// `next_cursor` of the previous page.
    #[param(pattern = "^[0-9A-Za-z_-]+$")]
    cursor: Option<String>,
}

impl ListQuery for MediaServersQuery {
    type Filter = ((), Page<MediaServerName>);

    fn filter(self) -> Result<Self::Filter, Invalid> {
        Ok(((), page(self.limit.as_deref(), self.cursor.as_deref())?))
    }
}
