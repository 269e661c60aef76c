//! `/channels/{id}/destinations`: where a programme is pushed. Keys go in and never come out.

use super::super::extract::ChildId;
use super::super::handler::{Answer, Call, Created, Done, Id, NoContent, StrictJson, created, ok};
use super::super::list::{ListAnswer, ListWithin, PageQuery};
use super::dto::{DestinationJson, DestinationPatchJson};
use crate::adapters::views::{DestinationList, DestinationTestView, DestinationView};
use crate::app::channel::Destinations;
use crate::domain::channel::{ChannelId, DestinationId};

/// List the destinations of a channel
///
/// Newest first, without their keys. The whole list, or a page with `limit` or `cursor`.
#[utoipa::path(
    get, path = "/channels/{id}/destinations", params(PageQuery), responses((status = 200, body = DestinationList))
)]
pub(super) async fn list_destinations(call: ListWithin<Destinations>) -> ListAnswer {
    call.answer(|_, destination| DestinationView::from(destination)).await
}

/// Add a destination to a channel
#[utoipa::path(
    post, path = "/channels/{id}/destinations", request_body = DestinationJson,
    responses((status = 201, body = DestinationView))
)]
pub(super) async fn create_destination(
    Call(destinations, actor): Call<Destinations>,
    Id(id): Id<ChannelId>,
    StrictJson(draft): StrictJson<DestinationJson>,
) -> Created<DestinationView> {
    let made = destinations.create(&actor, id, draft.into()).await?;
    created(Some(format!("/channels/{id}/destinations/{}", made.id)), made)
}

/// Read a destination
#[utoipa::path(
    get, path = "/channels/{id}/destinations/{destination_id}", responses((status = 200, body = DestinationView))
)]
pub(super) async fn read_destination(
    Call(destinations, actor): Call<Destinations>,
    ChildId(id, destination): ChildId<ChannelId, DestinationId>,
) -> Answer<DestinationView> {
    ok(destinations.get(&actor, id, destination).await?)
}

/// Change a destination
#[utoipa::path(
    patch, path = "/channels/{id}/destinations/{destination_id}", request_body = DestinationPatchJson,
    responses((status = 200, body = DestinationView))
)]
pub(super) async fn update_destination(
    Call(destinations, actor): Call<Destinations>,
    ChildId(id, destination): ChildId<ChannelId, DestinationId>,
    StrictJson(patch): StrictJson<DestinationPatchJson>,
) -> Answer<DestinationView> {
    ok(destinations.update(&actor, id, destination, patch.into()).await?)
}

/// Delete a destination
///
/// Its session ends. The others continue.
#[utoipa::path(
    delete, path = "/channels/{id}/destinations/{destination_id}",
    responses((status = 204, description = "It is deleted"))
)]
pub(super) async fn delete_destination(
    Call(destinations, actor): Call<Destinations>,
    ChildId(id, destination): ChildId<ChannelId, DestinationId>,
) -> Done {
    destinations.delete(&actor, id, destination).await?;
    Ok(NoContent)
}

/// Test a destination
///
/// Reaches it step by step, up to the RTMP command `connect`, and publishes nothing.
#[utoipa::path(
    post, path = "/channels/{id}/destinations/{destination_id}/test",
    responses(
        (status = 200, body = DestinationTestView),
        (status = 501, description = "`not-supported`: This instance runs no channels"),
    ),
)]
pub(super) async fn test_destination(
    Call(destinations, actor): Call<Destinations>,
    ChildId(id, destination): ChildId<ChannelId, DestinationId>,
) -> Answer<DestinationTestView> {
    ok(destinations.test(&actor, id, destination).await?)
}
