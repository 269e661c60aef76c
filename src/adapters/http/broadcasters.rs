//! `/broadcasters`: who may publish.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderName, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::routes;
use uuid::Uuid;

use super::authentication::Caller;
use super::extract::{Id, NoQuery, StrictJson};
use super::problem::Problem;
use super::routes::Routes;
use crate::app::broadcaster::{BroadcasterDraft, Broadcasters};
use crate::domain::broadcaster::Broadcaster;
use crate::domain::{BroadcasterId, Timestamp};

/// A person or device that may publish with its stream keys.
#[derive(Serialize, ToSchema)]
#[schema(as = Broadcaster)]
pub(super) struct BroadcasterJson {
    id: Uuid,
    /// The display name.
    #[schema(example = "Alice")]
    display_name: String,
    /// Data of your own.
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<Broadcaster> for BroadcasterJson {
    fn from(broadcaster: Broadcaster) -> Self {
        Self {
            id: broadcaster.id.0,
            display_name: broadcaster.display_name.into(),
            metadata: broadcaster.metadata.as_object().clone(),
            created_at: broadcaster.created_at,
            updated_at: broadcaster.updated_at,
        }
    }
}

/// All broadcasters.
#[derive(Serialize, ToSchema)]
pub(super) struct BroadcasterList {
    broadcasters: Vec<BroadcasterJson>,
    count: usize,
}

/// A broadcaster to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BroadcasterDraft)]
pub(super) struct DraftJson {
    #[schema(value_type = String, required = true, example = "Alice", min_length = 1, max_length = 255)]
    display_name: Option<String>,
    /// At most 16 KiB.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Value>,
}

/// Changes of a broadcaster. Absent fields stay unchanged.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BroadcasterPatch)]
pub(super) struct PatchJson {
    #[schema(example = "Alice", min_length = 1, max_length = 255)]
    display_name: Option<String>,
    /// At most 16 KiB. Replaces the old metadata completely.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Value>,
}

/// The routes.
pub fn routes() -> Routes<Arc<Broadcasters>> {
    Routes::new()
        .tag("broadcasters", "Who may publish.")
        .management("broadcaster", routes!(list_broadcasters, create_broadcaster))
        .management("broadcaster", routes!(read_broadcaster, update_broadcaster, delete_broadcaster))
}

/// List broadcasters
///
/// Newest first.
#[utoipa::path(
    get,
    path = "/broadcasters",
    tag = "broadcasters",
    responses((status = 200, body = BroadcasterList)),
    extensions(("x-role" = json!("viewer")))
)]
pub(super) async fn list_broadcasters(
    State(broadcasters): State<Arc<Broadcasters>>,
    Caller(actor): Caller,
    _: NoQuery,
) -> Result<Json<BroadcasterList>, Problem> {
    let found = broadcasters.list(&actor).await?;
    let broadcasters: Vec<BroadcasterJson> = found.into_iter().map(BroadcasterJson::from).collect();
    Ok(Json(BroadcasterList { count: broadcasters.len(), broadcasters }))
}

/// Create a broadcaster
#[utoipa::path(
    post,
    path = "/broadcasters",
    tag = "broadcasters",
    request_body = DraftJson,
    responses((status = 201, body = BroadcasterJson)),
    extensions(("x-role" = json!("admin")))
)]
pub(super) async fn create_broadcaster(
    State(broadcasters): State<Arc<Broadcasters>>,
    Caller(actor): Caller,
    _: NoQuery,
    StrictJson(draft): StrictJson<DraftJson>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<BroadcasterJson>), Problem> {
    let DraftJson { display_name, metadata } = draft;
    let made = broadcasters.create(&actor, BroadcasterDraft { display_name, metadata }).await?;
    let location = format!("/broadcasters/{}", made.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(made.into())))
}

/// Read a broadcaster
#[utoipa::path(
    get,
    path = "/broadcasters/{id}",
    tag = "broadcasters",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = BroadcasterJson)),
    extensions(("x-role" = json!("viewer")))
)]
pub(super) async fn read_broadcaster(
    State(broadcasters): State<Arc<Broadcasters>>,
    Caller(actor): Caller,
    Id(id): Id<BroadcasterId>,
    _: NoQuery,
) -> Result<Json<BroadcasterJson>, Problem> {
    Ok(Json(broadcasters.get(&actor, id).await?.into()))
}

/// Change a broadcaster
#[utoipa::path(
    patch,
    path = "/broadcasters/{id}",
    tag = "broadcasters",
    params(("id" = Uuid, Path)),
    request_body = PatchJson,
    responses((status = 200, body = BroadcasterJson)),
    extensions(("x-role" = json!("admin")))
)]
pub(super) async fn update_broadcaster(
    State(broadcasters): State<Arc<Broadcasters>>,
    Caller(actor): Caller,
    Id(id): Id<BroadcasterId>,
    _: NoQuery,
    StrictJson(patch): StrictJson<PatchJson>,
) -> Result<Json<BroadcasterJson>, Problem> {
    let PatchJson { display_name, metadata } = patch;
    let updated = broadcasters.update(&actor, id, BroadcasterDraft { display_name, metadata }).await?;
    Ok(Json(updated.into()))
}

/// Delete a broadcaster
///
/// Its sessions are ended and its stream keys are deleted. Its streams stay as history, with their names.
#[utoipa::path(
    delete,
    path = "/broadcasters/{id}",
    tag = "broadcasters",
    params(("id" = Uuid, Path)),
    responses((status = 204, description = "It is deleted")),
    extensions(("x-role" = json!("admin")))
)]
pub(super) async fn delete_broadcaster(
    State(broadcasters): State<Arc<Broadcasters>>,
    Caller(actor): Caller,
    Id(id): Id<BroadcasterId>,
    _: NoQuery,
) -> Result<StatusCode, Problem> {
    broadcasters.delete(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
