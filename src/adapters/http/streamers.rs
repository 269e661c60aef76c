//! `/streamers`: the watched streamers and their status on Kick. Events and history are in
//! `streamer_events.rs`.

use std::sync::Arc;

use std::fmt;

use axum::Json;
use axum::extract::{FromRef, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderName, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;
use uuid::Uuid;

use super::authentication::Caller;
use super::extract::{Id, NoQuery, StrictJson, StrictQuery, number};
use super::health_section::HealthSection;
use super::problem::Problem;
use super::routes::Routes;
use super::sse::EventStreams;
use super::streamer_health::StreamersHealth;
use super::{kick, streamer_events};
use crate::app::streamer::{StreamerDraft, Streamers};
use crate::domain::streamer::{ChannelId, ChatroomId, Session, Status, Streamer, UserId};
use crate::domain::{Invalid, StreamerId, Timestamp};
use crate::ports::StreamerFilter;

/// The largest page, and the size of a page without `limit`.
const MAX_PAGE: u32 = 1_000;
const DEFAULT_PAGE: u32 = 100;

/// A streamer on Kick.
#[derive(Serialize, ToSchema)]
#[schema(as = Streamer)]
pub(super) struct StreamerJson {
    id: Uuid,
    /// The name on Kick, as in `kick.com/<username>`.
    #[schema(example = "xqc")]
    username: String,
    /// A display name of your choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    display_name: Option<String>,
    /// Whether the status is watched.
    is_active: bool,
    status: StatusJson,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime, nullable = false)]
    last_seen_online: Option<Timestamp>,
    /// When the status last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime, nullable = false)]
    last_status_update: Option<Timestamp>,
    /// The current session; only while online.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    session: Option<SessionJson>,
    /// The last session, if known; never while online.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    last_session: Option<SessionJson>,
    /// Kick's number of the user, used by its official API.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>, nullable = false)]
    user_id: Option<UserId>,
    /// Kick's number of the channel, used by its feed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>, nullable = false)]
    channel_id: Option<ChannelId>,
    /// Kick's number of the chatroom.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>, nullable = false)]
    chatroom_id: Option<ChatroomId>,
    /// Why the status cannot be watched, and how to fix it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    problem: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// Whether a streamer is live.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = StreamerStatus)]
pub(super) enum StatusJson {
    /// Not known yet.
    Unknown,
    /// Live.
    Online,
    /// Not live.
    Offline,
}

impl From<Status> for StatusJson {
    fn from(status: Status) -> Self {
        match status {
            Status::Unknown => Self::Unknown,
            Status::Online => Self::Online,
            Status::Offline => Self::Offline,
        }
    }
}

/// One broadcast on Kick, as far as it is known.
#[derive(Serialize, ToSchema)]
#[schema(as = StreamerSession)]
pub(super) struct SessionJson {
    /// Kick's number of the livestream.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "74331109")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "Just Chatting")]
    category: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime, nullable = false)]
    started_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = DateTime, nullable = false)]
    ended_at: Option<Timestamp>,
    /// Number of viewers at the last poll.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    viewers: Option<u64>,
}

impl From<Session> for SessionJson {
    fn from(session: Session) -> Self {
        let Session { id, started_at, ended_at, title, category, viewers } = session;
        Self { id, title, category, started_at, ended_at, viewers }
    }
}

impl From<Streamer> for StreamerJson {
    fn from(streamer: Streamer) -> Self {
        let is_online = streamer.track.status == Status::Online;
        let known = streamer.track.session.map(SessionJson::from);
        let (session, last_session) = if is_online { (known, None) } else { (None, known) };
        Self {
            id: streamer.id.0,
            username: streamer.username,
            display_name: streamer.display_name,
            is_active: streamer.is_active,
            status: streamer.track.status.into(),
            last_seen_online: streamer.track.last_seen_online,
            last_status_update: streamer.track.last_status_update,
            session,
            last_session,
            user_id: streamer.ids.user,
            channel_id: streamer.ids.channel,
            chatroom_id: streamer.ids.chatroom,
            problem: streamer.problem,
            created_at: streamer.created_at,
            updated_at: streamer.updated_at,
        }
    }
}

/// Some streamers.
#[derive(Serialize, ToSchema)]
pub(super) struct StreamerList {
    streamers: Vec<StreamerJson>,
    /// How many are in this answer.
    count: usize,
    /// The cursor of the next page. Absent on the last page, and without `limit` and `cursor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

/// One of Kick's numbers in a body. The domain checks its range.
struct Number(u64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Whole;
        impl Visitor<'_> for Whole {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a number from 1 to {}", i64::MAX)
            }

            fn visit_u64<E>(self, number: u64) -> Result<Number, E> {
                Ok(Number(number))
            }
        }
        deserializer.deserialize_u64(Whole)
    }
}

/// A streamer to watch. Streamward finds the numbers itself. Set them only if `problem` of the streamer requires it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StreamerDraft)]
pub(super) struct DraftJson {
    /// The name on Kick, `@name`, or the address of the channel.
    #[schema(value_type = String, required = true, example = "xqc", min_length = 1, pattern = "^[^\\u0000]+$")]
    username: Option<String>,
    #[schema(min_length = 1, max_length = 200)]
    display_name: Option<String>,
    /// `true` without it.
    is_active: Option<bool>,
    #[schema(value_type = Option<u64>, minimum = 1)]
    user_id: Option<Number>,
    #[schema(value_type = Option<u64>, minimum = 1)]
    channel_id: Option<Number>,
    #[schema(value_type = Option<u64>, minimum = 1)]
    chatroom_id: Option<Number>,
}

/// Changes of a streamer. Absent fields stay unchanged.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = StreamerPatch)]
pub(super) struct PatchJson {
    /// Another name on Kick. This resets numbers, status and session, and keeps the history.
    #[schema(example = "xqc", min_length = 1, pattern = "^[^\\u0000]+$")]
    username: Option<String>,
    #[schema(min_length = 1, max_length = 200)]
    display_name: Option<String>,
    is_active: Option<bool>,
    #[schema(value_type = Option<u64>, minimum = 1)]
    user_id: Option<Number>,
    #[schema(value_type = Option<u64>, minimum = 1)]
    channel_id: Option<Number>,
    #[schema(value_type = Option<u64>, minimum = 1)]
    chatroom_id: Option<Number>,
}

macro_rules! into_draft {
    ($from:ident) => {
        impl From<$from> for StreamerDraft {
            fn from(json: $from) -> Self {
                let $from { username, display_name, is_active, user_id, channel_id, chatroom_id } = json;
                let [user_id, channel_id, chatroom_id] =
                    [user_id, channel_id, chatroom_id].map(|number| number.map(|Number(number)| number));
                Self { username, display_name, is_active, user_id, channel_id, chatroom_id }
            }
        }
    };
}

into_draft!(DraftJson);
into_draft!(PatchJson);

/// Filter of the streamers.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StreamersQuery {
    /// `unknown`, `online`, `offline` or `all` (default).
    #[param(pattern = "^(unknown|online|offline|all)$")]
    status: Option<String>,
    /// Watched (`true`) or not watched (`false`) streamers; both without it.
    #[param(value_type = Option<bool>)]
    active: Option<String>,
    /// The streamer with this name; upper and lower case do not matter.
    username: Option<String>,
    /// At most this many; the whole list without it.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
    /// `next_cursor` of the previous page.
    #[param(pattern = "^[0-9A-Za-z_-]+$")]
    cursor: Option<String>,
}

impl StreamersQuery {
    fn filter(self) -> Result<StreamerFilter, Invalid> {
        let status = match self.status.as_deref() {
            None | Some("all") => None,
            Some(text) => {
                let status = text.parse().ok();
                Some(
                    status
                        .ok_or_else(|| Invalid::one("status", "must be unknown, online, offline or all"))?,
                )
            }
        };
        let is_active = match self.active.as_deref() {
            None => None,
            Some("true") => Some(true),
            Some("false") => Some(false),
            Some(_) => return Err(Invalid::one("active", "must be true or false")),
        };
        let after = self.cursor.as_deref().map(read_cursor).transpose()?;
        let limit = number("limit", self.limit.as_deref(), 1, u64::from(MAX_PAGE))?;
        let limit = limit.and_then(|limit| u32::try_from(limit).ok());
        Ok(StreamerFilter {
            status,
            is_active,
            username: self.username,
            user: None,
            limit: limit.or(after.as_ref().map(|_| DEFAULT_PAGE)),
            after,
        })
    }
}

/// An opaque cursor: names are unique in lower case, and the list has that order.
fn write_cursor(streamer: &Streamer) -> String {
    URL_SAFE_NO_PAD.encode(streamer.username.to_ascii_lowercase())
}

fn read_cursor(text: &str) -> Result<String, Invalid> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| !bytes.contains(&0));
    let name = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    name.ok_or_else(|| Invalid::one("cursor", "must be the next_cursor of an earlier answer"))
}

/// Adds the state of watching to `/health`.
pub fn health(streamers: Arc<Streamers>) -> HealthSection {
    HealthSection::new(move || {
        let streamers = Arc::clone(&streamers);
        async move { Ok(streamers.last_watch_status().await?.map(StreamersHealth::from)) }
    })
}

/// The state of the routes.
#[derive(Clone, FromRef)]
pub struct Streaming {
    /// The streamers.
    pub streamers: Arc<Streamers>,
    /// The event streams.
    pub events: EventStreams,
}

/// The routes.
pub fn routes() -> Routes<Streaming> {
    Routes::new()
        .tag("streamers", "Who is watched on Kick, and whether they are live.")
        .health::<StreamersHealth>()
        .management("streamer", routes!(list_streamers, create_streamer))
        .management("streamer", routes!(streamer_events::follow_streamers))
        .management("streamer", routes!(read_streamer, update_streamer, delete_streamer))
        .management("streamer", routes!(streamer_events::list_status_events))
        .anyone(routes!(kick::receive_kick_webhook))
}

/// List streamers
///
/// By name. The whole list, or a page with `limit` or `cursor`.
#[utoipa::path(
    get,
    path = "/streamers",
    tag = "streamers",
    params(StreamersQuery),
    responses((status = 200, body = StreamerList)),
    extensions(("x-role" = json!("viewer")))
)]
pub(super) async fn list_streamers(
    State(streamers): State<Arc<Streamers>>,
    Caller(actor): Caller,
    StrictQuery(query): StrictQuery<StreamersQuery>,
) -> Result<Json<StreamerList>, Problem> {
    let mut filter = query.filter()?;
    let page = filter.limit;
    // One more than requested shows whether there is a next page.
    filter.limit = page.map(|limit| limit + 1);
    let mut found = streamers.list(&actor, &filter).await?;
    let page = page.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| found.len() > *limit);
    let next_cursor = page.and_then(|limit| {
        found.truncate(limit);
        found.last().map(write_cursor)
    });
    let streamers: Vec<StreamerJson> = found.into_iter().map(StreamerJson::from).collect();
    Ok(Json(StreamerList { count: streamers.len(), streamers, next_cursor }))
}

/// Watch a streamer
///
/// The status is `unknown` until Kick first answers.
#[utoipa::path(
    post,
    path = "/streamers",
    tag = "streamers",
    request_body = DraftJson,
    responses(
        (status = 201, body = StreamerJson),
        (status = 409, description = "`streamer-taken`: The name is on the list already"),
    ),
    extensions(("x-role" = json!("admin")))
)]
pub(super) async fn create_streamer(
    State(streamers): State<Arc<Streamers>>,
    Caller(actor): Caller,
    _: NoQuery,
    StrictJson(draft): StrictJson<DraftJson>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<StreamerJson>), Problem> {
    let made = streamers.create(&actor, draft.into()).await?;
    let location = format!("/streamers/{}", made.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(made.into())))
}

/// Read a streamer
#[utoipa::path(
    get,
    path = "/streamers/{id}",
    tag = "streamers",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = StreamerJson)),
    extensions(("x-role" = json!("viewer")))
)]
pub(super) async fn read_streamer(
    State(streamers): State<Arc<Streamers>>,
    Caller(actor): Caller,
    Id(id): Id<StreamerId>,
    _: NoQuery,
) -> Result<Json<StreamerJson>, Problem> {
    Ok(Json(streamers.get(&actor, id).await?.into()))
}

/// Change a streamer
///
/// With `is_active` false the status is not watched and does not change.
#[utoipa::path(
    patch,
    path = "/streamers/{id}",
    tag = "streamers",
    params(("id" = Uuid, Path)),
    request_body = PatchJson,
    responses(
        (status = 200, body = StreamerJson),
        (status = 409, description = "`streamer-taken`: The name is on the list already"),
    ),
    extensions(("x-role" = json!("admin")))
)]
pub(super) async fn update_streamer(
    State(streamers): State<Arc<Streamers>>,
    Caller(actor): Caller,
    Id(id): Id<StreamerId>,
    _: NoQuery,
    StrictJson(patch): StrictJson<PatchJson>,
) -> Result<Json<StreamerJson>, Problem> {
    Ok(Json(streamers.update(&actor, id, patch.into()).await?.into()))
}

/// Delete a streamer
///
/// This also deletes the history. To keep it, set `is_active` to false instead.
#[utoipa::path(
    delete,
    path = "/streamers/{id}",
    tag = "streamers",
    params(("id" = Uuid, Path)),
    responses((status = 204, description = "It is deleted")),
    extensions(("x-role" = json!("admin")))
)]
pub(super) async fn delete_streamer(
    State(streamers): State<Arc<Streamers>>,
    Caller(actor): Caller,
    Id(id): Id<StreamerId>,
    _: NoQuery,
) -> Result<StatusCode, Problem> {
    streamers.delete(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
