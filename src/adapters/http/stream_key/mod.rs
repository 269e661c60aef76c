//! `/stream-keys`: the secrets broadcasters publish with. Only the answer that creates a secret contains it.

mod dto;

use std::sync::Arc;

use serde_json::json;

use super::event_view::EventView;
use super::handler::{
    Admin, Answer, Call, Created, Done, Id, NoContent, Routes, StrictJson, Viewer, created, ok, routes,
};
use super::list::{ListAnswer, ListCall};
use crate::adapters::views::{NewStreamKey, StreamKeyList, StreamKeyView};
use crate::app::stream_key::StreamKeys;
use crate::domain::StreamKeyId;
use crate::domain::event::{Event, EventBody};
use dto::{DraftJson, StreamKeysQuery};

/// The routes.
pub fn routes() -> Routes<Arc<StreamKeys>> {
    Routes::new("stream keys")
        .about("The secrets broadcasters publish with.")
        .management(Viewer, "stream_key", routes!(list_stream_keys))
        .management(Admin, "stream_key", routes!(create_stream_key))
        .management(Viewer, "stream_key", routes!(read_stream_key))
        .management(Admin, "stream_key", routes!(revoke_stream_key))
        .management(Admin, "stream_key", routes!(rotate_stream_key))
}

/// How events of stream keys are shown.
pub fn event_view() -> EventView {
    EventView::new(|event: &Event| {
        let EventBody::StreamKey(body) = &event.body else { return None };
        let (id, broadcaster_id, path) = (body.id.0, body.broadcaster_id.0, body.path.as_str());
        let prefix = &body.key_prefix;
        Some(
            json!({"at": event.at, "stream_key_id": id, "broadcaster_id": broadcaster_id, "path": path, "key_prefix": prefix}),
        )
    })
}

/// Create a stream key
///
/// The secret is shown only in this answer.
#[utoipa::path(
    post, path = "/stream-keys", request_body = DraftJson,
    responses(
        (status = 201, body = NewStreamKey),
        (status = 404, description = "`not-found`: The broadcaster does not exist"),
        (status = 409, description = "`path-taken`: Another usable key has the path"),
    ),
)]
async fn create_stream_key(
    Call(keys, actor): Call<StreamKeys>,
    StrictJson(draft): StrictJson<DraftJson>,
) -> Created<NewStreamKey> {
    let made = keys.create(&actor, draft.into()).await?;
    created(Some(format!("/stream-keys/{}", made.key.id)), made)
}

/// List stream keys
///
/// Newest first, without their secrets. The whole list, or a page with `limit` or `cursor`.
#[utoipa::path(
    get, path = "/stream-keys", params(StreamKeysQuery), responses((status = 200, body = StreamKeyList))
)]
async fn list_stream_keys(call: ListCall<StreamKeys, StreamKeysQuery>) -> ListAnswer {
    call.answer(|_, key| StreamKeyView::from(key)).await
}

/// Read a stream key
#[utoipa::path(get, path = "/stream-keys/{id}", responses((status = 200, body = StreamKeyView)))]
async fn read_stream_key(
    Call(keys, actor): Call<StreamKeys>,
    Id(id): Id<StreamKeyId>,
) -> Answer<StreamKeyView> {
    ok(keys.get(&actor, id).await?)
}

/// Replace a stream key's secret
///
/// The old secret is invalid at once, and its session is ended. The new secret is shown only in this answer.
#[utoipa::path(
    post, path = "/stream-keys/{id}/rotate",
    responses(
        (status = 200, body = NewStreamKey),
        (status = 409, description = "`key-not-usable`: The key is revoked or expired. `of-channel`: A channel publishes its \
                                      programme with it"),
    ),
)]
async fn rotate_stream_key(
    Call(keys, actor): Call<StreamKeys>,
    Id(id): Id<StreamKeyId>,
) -> Answer<NewStreamKey> {
    ok(keys.rotate(&actor, id).await?)
}

/// Revoke a stream key
///
/// It is invalid at once and its session is ended. Revoking it again has no effect.
#[utoipa::path(
    delete, path = "/stream-keys/{id}",
    responses(
        (status = 204, description = "It is revoked"),
        (status = 409, description = "`of-channel`: It was made for a channel"),
    ),
)]
async fn revoke_stream_key(Call(keys, actor): Call<StreamKeys>, Id(id): Id<StreamKeyId>) -> Done {
    keys.revoke(&actor, id).await?;
    Ok(NoContent)
}
