//! `/stream-keys`: the secrets broadcasters publish with. Only the answer that creates a secret contains it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderName, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;
use uuid::Uuid;

use super::authentication::Caller;
use super::extract::{Id, NoQuery, StrictJson, StrictQuery, uuid};
use super::problem::Problem;
use super::routes::Routes;
use crate::app::stream_key::{KeyNow, KeyWithSecret, StreamKeyDraft, StreamKeys};
use crate::domain::media_server::IngestUrls;
use crate::domain::path::StreamPath;
use crate::domain::stream_key::{KeyStatus, OnConflict};
use crate::domain::{StreamKeyId, Timestamp};
use crate::ports::KeyFilter;

/// A stream key without its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = StreamKey)]
pub(super) struct StreamKeyJson {
    id: Uuid,
    broadcaster_id: Uuid,
    /// A note of your own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    label: Option<String>,
    /// The public path that it publishes.
    #[schema(example = "live/alice")]
    path: String,
    /// The status at the time of the answer.
    status: KeyStatusJson,
    /// Whether a connection uses it, live or about to be.
    in_use: bool,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    revoked_at: Option<Timestamp>,
    /// When it was last allowed to publish.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    last_used_at: Option<Timestamp>,
    on_conflict: OnConflictJson,
    /// The first characters of the secret, to recognise the key.
    #[schema(example = "sk_Ab3dE")]
    key_prefix: String,
}

/// Whether a key can be used.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = KeyStatus)]
pub(super) enum KeyStatusJson {
    /// The key can be used.
    Active,
    /// The key was revoked.
    Revoked,
    /// The key has expired.
    Expired,
}

/// What happens when a second connection uses the same key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OnConflict)]
pub(super) enum OnConflictJson {
    /// The second connection is denied.
    Reject,
    /// The second connection is allowed, and the first session is ended.
    Takeover,
}

impl From<KeyNow> for StreamKeyJson {
    fn from(KeyNow { key, at }: KeyNow) -> Self {
        let status = match key.status(at) {
            KeyStatus::Active => KeyStatusJson::Active,
            KeyStatus::Revoked => KeyStatusJson::Revoked,
            KeyStatus::Expired => KeyStatusJson::Expired,
        };
        Self {
            id: key.id.0,
            broadcaster_id: key.broadcaster_id.0,
            in_use: key.in_use(at),
            label: key.label.map(|label| label.to_string()),
            path: key.path.into(),
            status,
            created_at: key.created_at,
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
            last_used_at: key.last_used_at,
            on_conflict: match key.on_conflict {
                OnConflict::Reject => OnConflictJson::Reject,
                OnConflict::Takeover => OnConflictJson::Takeover,
            },
            key_prefix: key.key_prefix,
        }
    }
}

/// A key that was just created or rotated.
#[derive(Serialize, ToSchema)]
pub(super) struct NewStreamKey {
    #[serde(flatten)]
    key: StreamKeyJson,
    /// The secret. It is shown only once.
    #[schema(pattern = "^sk_[A-Za-z0-9_-]{43}$")]
    key_value: String,
    /// Settings for encoders. They contain the secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    ingest: Option<IngestJson>,
}

/// Settings for encoders.
#[derive(Serialize, ToSchema)]
#[schema(as = Ingest)]
pub(super) struct IngestJson {
    obs: ObsJson,
    /// RTMP as one URL.
    rtmp: String,
    /// RTMP for encoders that accept only a plain key: the secret is the path.
    rtmp_secret_path: String,
    srt: String,
    rtsp: String,
    /// WHIP endpoint. Send the key as `Authorization: Bearer`.
    whip: String,
}

/// For OBS: Settings, Stream, Custom.
#[derive(Serialize, ToSchema)]
#[schema(as = ObsSettings)]
pub(super) struct ObsJson {
    #[schema(example = "rtmp://127.0.0.1:1935/live")]
    server: String,
    stream_key: String,
}

impl From<IngestUrls> for IngestJson {
    fn from(urls: IngestUrls) -> Self {
        let IngestUrls { obs_server, obs_stream_key, rtmp, rtmp_secret_path, srt, rtsp, whip } = urls;
        let obs = ObsJson { server: obs_server, stream_key: obs_stream_key };
        Self { obs, rtmp, rtmp_secret_path, srt, rtsp, whip }
    }
}

impl From<KeyWithSecret> for NewStreamKey {
    fn from(made: KeyWithSecret) -> Self {
        Self {
            key: KeyNow { key: made.key, at: made.at }.into(),
            key_value: made.secret.expose().to_owned(),
            ingest: made.ingest.map(IngestJson::from),
        }
    }
}

/// The requested keys.
#[derive(Serialize, ToSchema)]
pub(super) struct StreamKeyList {
    stream_keys: Vec<StreamKeyJson>,
    count: usize,
}

/// A key to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StreamKeyDraft)]
pub(super) struct DraftJson {
    #[schema(value_type = Uuid, required = true)]
    broadcaster_id: Option<String>,
    /// Its public path. Without one: `live/` and the broadcaster's name.
    #[schema(example = "live/alice", max_length = 200, pattern = "^[0-9A-Za-z_-]+(/[0-9A-Za-z_-]+)*$")]
    path: Option<String>,
    /// A note.
    #[schema(min_length = 1, max_length = 255)]
    label: Option<String>,
    /// When it expires; must be in the future.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    #[schema(value_type = Option<OnConflictJson>)]
    on_conflict: Option<String>,
}

/// Filter of the keys.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StreamKeysQuery {
    /// Keys of this broadcaster.
    #[param(format = Uuid)]
    broadcaster_id: Option<String>,
    /// Keys with this path.
    #[param(max_length = 200, pattern = "^[0-9A-Za-z_-]+(/[0-9A-Za-z_-]+)*$")]
    path: Option<String>,
}

/// The routes.
pub fn routes() -> Routes<Arc<StreamKeys>> {
    Routes::new()
        .tag("stream keys", "The secrets broadcasters publish with.")
        .management("stream_key", routes!(list_stream_keys, create_stream_key))
        .management("stream_key", routes!(read_stream_key, revoke_stream_key))
        .management("stream_key", routes!(rotate_stream_key))
}

/// Create a stream key
///
/// The secret is shown only in this answer.
#[utoipa::path(
    post,
    path = "/stream-keys",
    tag = "stream keys",
    request_body = DraftJson,
    responses(
        (status = 201, body = NewStreamKey),
        (status = 404, description = "`not-found`: The broadcaster does not exist"),
        (status = 409, description = "`path-taken`: Another usable key has the path"),
    ),
    extensions(("x-role" = json!("admin")))
)]
pub(super) async fn create_stream_key(
    State(keys): State<Arc<StreamKeys>>,
    Caller(actor): Caller,
    _: NoQuery,
    StrictJson(draft): StrictJson<DraftJson>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<NewStreamKey>), Problem> {
    let DraftJson { broadcaster_id, path, label, expires_at, on_conflict } = draft;
    let broadcaster_id = broadcaster_id.unwrap_or_default();
    let draft = StreamKeyDraft { broadcaster_id, path, label, expires_at, on_conflict };
    let made = keys.create(&actor, draft).await?;
    let location = format!("/stream-keys/{}", made.key.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(made.into())))
}

/// List stream keys
///
/// Newest first, without their secrets.
#[utoipa::path(
    get,
    path = "/stream-keys",
    tag = "stream keys",
    params(StreamKeysQuery),
    responses((status = 200, body = StreamKeyList)),
    extensions(("x-role" = json!("viewer")))
)]
pub(super) async fn list_stream_keys(
    State(keys): State<Arc<StreamKeys>>,
    Caller(actor): Caller,
    StrictQuery(query): StrictQuery<StreamKeysQuery>,
) -> Result<Json<StreamKeyList>, Problem> {
    let filter = KeyFilter {
        broadcaster_id: query.broadcaster_id.as_deref().map(|id| uuid("broadcaster_id", id)).transpose()?,
        path: query.path.as_deref().map(StreamPath::parse).transpose()?,
    };
    let found = keys.list(&actor, &filter).await?;
    let stream_keys: Vec<StreamKeyJson> = found.into_iter().map(StreamKeyJson::from).collect();
    Ok(Json(StreamKeyList { count: stream_keys.len(), stream_keys }))
}

/// Read a stream key
#[utoipa::path(
    get,
    path = "/stream-keys/{id}",
    tag = "stream keys",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = StreamKeyJson)),
    extensions(("x-role" = json!("viewer")))
)]
pub(super) async fn read_stream_key(
    State(keys): State<Arc<StreamKeys>>,
    Caller(actor): Caller,
    Id(id): Id<StreamKeyId>,
    _: NoQuery,
) -> Result<Json<StreamKeyJson>, Problem> {
    Ok(Json(keys.get(&actor, id).await?.into()))
}

/// Replace a stream key's secret
///
/// The old secret is invalid at once, and its session is ended. The new secret is shown only in this answer.
#[utoipa::path(
    post,
    path = "/stream-keys/{id}/rotate",
    tag = "stream keys",
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = NewStreamKey),
        (status = 409, description = "`key-not-usable`: The key is revoked or expired"),
    ),
    extensions(("x-role" = json!("admin")))
)]
pub(super) async fn rotate_stream_key(
    State(keys): State<Arc<StreamKeys>>,
    Caller(actor): Caller,
    Id(id): Id<StreamKeyId>,
    _: NoQuery,
) -> Result<Json<NewStreamKey>, Problem> {
    Ok(Json(keys.rotate(&actor, id).await?.into()))
}

/// Revoke a stream key
///
/// It is invalid at once and its session is ended. Revoking it again has no effect.
#[utoipa::path(
    delete,
    path = "/stream-keys/{id}",
    tag = "stream keys",
    params(("id" = Uuid, Path)),
    responses((status = 204, description = "It is revoked")),
    extensions(("x-role" = json!("admin")))
)]
pub(super) async fn revoke_stream_key(
    State(keys): State<Arc<StreamKeys>>,
    Caller(actor): Caller,
    Id(id): Id<StreamKeyId>,
    _: NoQuery,
) -> Result<StatusCode, Problem> {
    keys.revoke(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
