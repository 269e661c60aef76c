//! `/notifications`: who hears of which events outside, and what became of the messages.

mod dto;

use std::sync::Arc;

use axum::extract::FromRef;

use super::extract::ChildId;
use super::handler::{
    Admin, Answer, Call, Created, Done, Id, NoContent, Operator, Routes, StrictJson, created, ok, routes,
};
use super::list::{ListAnswer, ListCall, ListOf, PageQuery};
use crate::adapters::views::{
    DeliveryList, DeliveryView, NewNotification, NotificationList, NotificationTestView, NotificationView,
    ReplayView,
};
use crate::app::notification::{Deliveries, Notifications};
use crate::domain::notification::{DeliveryId, NotificationId};
use dto::{DeliveriesQuery, DraftJson, PatchJson};

/// The services behind these routes.
#[derive(Clone, FromRef)]
#[expect(missing_docs, reason = "the fields are named after their types")]
pub struct NotificationState {
    pub notifications: Arc<Notifications>,
    pub deliveries: Arc<Deliveries>,
}

/// The routes.
pub fn routes() -> Routes<NotificationState> {
    Routes::new("notifications")
        .about("Messages about events to webhooks, e-mail, Discord, Slack and ntfy.")
        .management(Operator, "notification", routes!(list_notifications))
        .management(Admin, "notification", routes!(create_notification))
        .management(Operator, "notification", routes!(read_notification))
        .management(Admin, "notification", routes!(update_notification, delete_notification))
        .management(Operator, "notification", routes!(test_notification))
        .management(Admin, "notification", routes!(rotate_notification_secret))
        .management(Operator, "notification", routes!(list_deliveries))
        .management(Admin, "notification", routes!(replay_delivery))
        .management(Admin, "notification", routes!(replay_dead_deliveries))
}

/// List notifications
///
/// Newest first, without their secrets. The whole list, or a page with `limit` or `cursor`.
#[utoipa::path(
    get, path = "/notifications", params(PageQuery), responses((status = 200, body = NotificationList))
)]
async fn list_notifications(call: ListCall<Notifications, PageQuery>) -> ListAnswer {
    call.answer(|_, notification| NotificationView::from(notification)).await
}

/// Create a notification
///
/// It hears of events from now on. The signing secret of a webhook is shown only in this answer.
#[utoipa::path(
    post, path = "/notifications", request_body = DraftJson,
    responses(
        (status = 201, body = NewNotification),
        (status = 409, description = "`owner-gone`: The organization was deleted meanwhile"),
    ),
)]
async fn create_notification(
    Call(notifications, actor): Call<Notifications>,
    StrictJson(draft): StrictJson<DraftJson>,
) -> Created<NewNotification> {
    let made = notifications.create(&actor, draft.into()).await?;
    created(Some(format!("/notifications/{}", made.notification.id)), made)
}

/// Read a notification
#[utoipa::path(get, path = "/notifications/{id}", responses((status = 200, body = NotificationView)))]
async fn read_notification(
    Call(notifications, actor): Call<Notifications>,
    Id(id): Id<NotificationId>,
) -> Answer<NotificationView> {
    ok(notifications.get(&actor, id).await?)
}

/// Change a notification
#[utoipa::path(
    patch, path = "/notifications/{id}", request_body = PatchJson,
    responses((status = 200, body = NotificationView)),
)]
async fn update_notification(
    Call(notifications, actor): Call<Notifications>,
    Id(id): Id<NotificationId>,
    StrictJson(patch): StrictJson<PatchJson>,
) -> Answer<NotificationView> {
    ok(notifications.update(&actor, id, patch.into()).await?)
}

/// Delete a notification
///
/// Its messages are deleted too, also those that were not sent yet.
#[utoipa::path(
    delete, path = "/notifications/{id}", responses((status = 204, description = "It is deleted"))
)]
async fn delete_notification(
    Call(notifications, actor): Call<Notifications>,
    Id(id): Id<NotificationId>,
) -> Done {
    notifications.delete(&actor, id).await?;
    Ok(NoContent)
}

/// Send a test message
///
/// It is sent now, once. The answer has the receiver's status and words.
#[utoipa::path(
    post, path = "/notifications/{id}/test", responses((status = 200, body = NotificationTestView))
)]
async fn test_notification(
    Call(notifications, actor): Call<Notifications>,
    Id(id): Id<NotificationId>,
) -> Answer<NotificationTestView> {
    ok(notifications.test(&actor, id).await?)
}

/// Replace the signing secret of a webhook
///
/// Messages are signed with both secrets until `old_secret_until`. The new secret is shown only in this answer.
#[utoipa::path(
    post, path = "/notifications/{id}/rotate-secret", responses((status = 200, body = NewNotification))
)]
async fn rotate_notification_secret(
    Call(notifications, actor): Call<Notifications>,
    Id(id): Id<NotificationId>,
) -> Answer<NewNotification> {
    ok(notifications.rotate_secret(&actor, id).await?)
}

/// List the messages of a notification
///
/// Newest first, with what became of them.
#[utoipa::path(
    get, path = "/notifications/{id}/deliveries", params(DeliveriesQuery),
    responses((status = 200, body = DeliveryList)),
)]
async fn list_deliveries(call: ListOf<Deliveries, DeliveriesQuery>) -> ListAnswer {
    call.0.answer(|_, delivery| DeliveryView::from(delivery)).await
}

/// Send a message again
///
/// With the same `webhook-id`. Later messages about the same subject wait for it.
#[utoipa::path(
    post, path = "/notifications/{id}/deliveries/{delivery_id}/replay",
    responses((status = 200, body = ReplayView)),
)]
async fn replay_delivery(
    Call(notifications, actor): Call<Notifications>,
    ChildId(id, delivery): ChildId<NotificationId, DeliveryId>,
) -> Answer<ReplayView> {
    ok(notifications.replay(&actor, id, Some(delivery)).await?)
}

/// Send all dead messages again
#[utoipa::path(
    post, path = "/notifications/{id}/deliveries/replay", responses((status = 200, body = ReplayView))
)]
async fn replay_dead_deliveries(
    Call(notifications, actor): Call<Notifications>,
    Id(id): Id<NotificationId>,
) -> Answer<ReplayView> {
    ok(notifications.replay(&actor, id, None).await?)
}
