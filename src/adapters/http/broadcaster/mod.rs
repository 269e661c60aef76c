//! `/broadcasters`: who may publish.

mod dto;

use std::sync::Arc;

use serde_json::json;

use super::event_view::EventView;
use super::handler::{
    Admin, Answer, Call, Created, Done, Id, NoContent, Routes, StrictJson, Viewer, created, ok, routes,
};
use super::list::{ListAnswer, ListCall, PageQuery};
use crate::adapters::views::{BroadcasterList, BroadcasterView};
use crate::app::broadcaster::{BroadcasterDraft, Broadcasters};
use crate::domain::BroadcasterId;
use crate::domain::event::{Event, EventBody};
use dto::{DraftJson, PatchJson};

/// The routes.
pub fn routes() -> Routes<Arc<Broadcasters>> {
    Routes::new("broadcasters")
        .about("Who may publish.")
        .management(Viewer, "broadcaster", routes!(list_broadcasters))
        .management(Admin, "broadcaster", routes!(create_broadcaster))
        .management(Viewer, "broadcaster", routes!(read_broadcaster))
        .management(Admin, "broadcaster", routes!(update_broadcaster, delete_broadcaster))
}

/// How events of broadcasters are shown.
pub fn event_view() -> EventView {
    EventView::new(|event: &Event| {
        let EventBody::Broadcaster(body) = &event.body else { return None };
        Some(json!({"at": event.at, "broadcaster_id": body.id.0, "display_name": body.display_name}))
    })
}

/// List broadcasters
///
/// Newest first. The whole list, or a page with `limit` or `cursor`.
#[utoipa::path(
    get, path = "/broadcasters", params(PageQuery), responses((status = 200, body = BroadcasterList))
)]
async fn list_broadcasters(call: ListCall<Broadcasters, PageQuery>) -> ListAnswer {
    call.answer(|_, broadcaster| BroadcasterView::from(broadcaster)).await
}

/// Create a broadcaster
#[utoipa::path(
    post, path = "/broadcasters", request_body = DraftJson,
    responses(
        (status = 201, body = BroadcasterView),
        (status = 409, description = "`owner-gone`: The organization was deleted meanwhile"),
    ),
)]
async fn create_broadcaster(
    Call(broadcasters, actor): Call<Broadcasters>,
    StrictJson(draft): StrictJson<DraftJson>,
) -> Created<BroadcasterView> {
    let DraftJson { display_name, metadata, organization_id } = draft;
    let draft = BroadcasterDraft { display_name, metadata, organization_id };
    let made = broadcasters.create(&actor, draft).await?;
    created(Some(format!("/broadcasters/{}", made.id)), made)
}

/// Read a broadcaster
#[utoipa::path(get, path = "/broadcasters/{id}", responses((status = 200, body = BroadcasterView)))]
async fn read_broadcaster(
    Call(broadcasters, actor): Call<Broadcasters>,
    Id(id): Id<BroadcasterId>,
) -> Answer<BroadcasterView> {
    ok(broadcasters.get(&actor, id).await?)
}

/// Change a broadcaster
#[utoipa::path(
    patch, path = "/broadcasters/{id}", request_body = PatchJson, responses((status = 200, body = BroadcasterView))
)]
async fn update_broadcaster(
    Call(broadcasters, actor): Call<Broadcasters>,
    Id(id): Id<BroadcasterId>,
    StrictJson(PatchJson { display_name, metadata }): StrictJson<PatchJson>,
) -> Answer<BroadcasterView> {
    let draft = BroadcasterDraft { display_name, metadata, organization_id: None };
    ok(broadcasters.update(&actor, id, draft).await?)
}

/// Delete a broadcaster
///
/// Its sessions are ended and its stream keys are deleted. Its streams stay as history, with their names.
#[utoipa::path(
    delete, path = "/broadcasters/{id}",
    responses(
        (status = 204, description = "It is deleted"),
        (status = 409, description = "`of-channel`: It was made for a channel"),
    ),
)]
async fn delete_broadcaster(
    Call(broadcasters, actor): Call<Broadcasters>,
    Id(id): Id<BroadcasterId>,
) -> Done {
    broadcasters.delete(&actor, id).await?;
    Ok(NoContent)
}
