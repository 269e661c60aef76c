//! `/streams`: live and ended streams, and ending one. Events are in `stream_events.rs`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRef, State};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::routes;
use uuid::Uuid;

use super::authentication::Caller;
use super::extract::{Id, NoQuery, StrictQuery, number, uuid};
use super::problem::Problem;
use super::routes::Routes;
use super::sse::EventStreams;
use super::stream_events;
use crate::app::stream::Streams;
use crate::domain::media_server::{MediaServerName, PlaybackUrls};
use crate::domain::path::StreamPath;
use crate::domain::stream::{EndReason, Stream, StreamState};
use crate::domain::{Invalid, StreamId, Timestamp};
use crate::ports::{StatusFilter, StreamCursor, StreamFilter};

/// The largest page, and the size of a page without `limit`.
const MAX_PAGE: u32 = 1_000;
const DEFAULT_PAGE: u32 = 100;

/// One broadcast session.
#[derive(Serialize, ToSchema)]
#[schema(as = Stream)]
pub(super) struct StreamJson {
    id: Uuid,
    stream_key_id: Uuid,
    broadcaster_id: Uuid,
    /// The broadcaster's name at the start.
    #[schema(example = "Alice")]
    broadcaster_name: String,
    /// The public path.
    #[schema(example = "live/alice")]
    path: String,
    #[schema(example = "default")]
    media_server: String,
    status: StreamStatusJson,
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    ended_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<EndReasonJson>, nullable = false)]
    end_reason: Option<EndReasonJson>,
    /// The kind of publisher, in the media server's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "rtmpConn", nullable = false)]
    source_type: Option<String>,
    /// The publishing session on the media server.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    source_id: Option<String>,
    /// Current number of viewers.
    readers: u32,
    /// Codecs.
    #[schema(example = json!(["H264", "MPEG-4 Audio"]))]
    tracks: Vec<String>,
    /// Bytes received since the start.
    inbound_bytes: u64,
    /// The broadcaster's metadata at the start.
    #[schema(value_type = Object)]
    metadata: Map<String, Value>,
    /// The location of its recording.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    recording_ref: Option<String>,
    /// The URLs for viewers. Absent if its media server is no longer configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    urls: Option<UrlsJson>,
}

/// Whether it is live.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = StreamStatus)]
pub(super) enum StreamStatusJson {
    /// It is live.
    Active,
    /// It has ended.
    Ended,
}

/// Why it ended.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = EndReason)]
pub(super) enum EndReasonJson {
    /// The encoder stopped, or its connection broke.
    PublisherLeft,
    /// Its key was revoked.
    KeyRevoked,
    /// Its key was rotated.
    KeyRotated,
    /// Its key expired.
    KeyExpired,
    /// Its broadcaster was deleted.
    BroadcasterDeleted,
    /// An operator ended it.
    EndedByOperator,
    /// Another connection took its key over.
    Takeover,
    /// The media server was restarted.
    MediaServerRestarted,
    /// The media server was removed from the configuration.
    MediaServerRemoved,
}

impl From<EndReason> for EndReasonJson {
    fn from(reason: EndReason) -> Self {
        match reason {
            EndReason::PublisherLeft => Self::PublisherLeft,
            EndReason::KeyRevoked => Self::KeyRevoked,
            EndReason::KeyRotated => Self::KeyRotated,
            EndReason::KeyExpired => Self::KeyExpired,
            EndReason::BroadcasterDeleted => Self::BroadcasterDeleted,
            EndReason::EndedByOperator => Self::EndedByOperator,
            EndReason::Takeover => Self::Takeover,
            EndReason::MediaServerRestarted => Self::MediaServerRestarted,
            EndReason::MediaServerRemoved => Self::MediaServerRemoved,
        }
    }
}

/// URLs for viewers. They stay the same while the stream is live and contain no secret.
#[derive(Serialize, ToSchema)]
#[schema(as = PlaybackUrls)]
pub(super) struct UrlsJson {
    #[schema(example = "http://127.0.0.1:8888/live/alice/index.m3u8")]
    hls: String,
    #[schema(example = "http://127.0.0.1:8889/live/alice")]
    webrtc: String,
    #[schema(example = "rtmp://127.0.0.1:1935/live/alice")]
    rtmp: String,
    #[schema(example = "rtsp://127.0.0.1:8554/live/alice")]
    rtsp: String,
    #[schema(example = "srt://127.0.0.1:8890?streamid=read:live/alice")]
    srt: String,
}

impl From<PlaybackUrls> for UrlsJson {
    fn from(urls: PlaybackUrls) -> Self {
        let PlaybackUrls { hls, webrtc, rtmp, rtsp, srt } = urls;
        Self { hls, webrtc, rtmp, rtsp, srt }
    }
}

impl StreamJson {
    /// The stream with its URLs.
    pub(super) fn of(streams: &Streams, stream: Stream) -> Self {
        let urls = streams.playback_urls(&stream).map(UrlsJson::from);
        let (status, ended_at, end_reason) = match stream.state {
            StreamState::Active { .. } => (StreamStatusJson::Active, None, None),
            StreamState::Ended { ended_at, end_reason } => {
                (StreamStatusJson::Ended, Some(ended_at), Some(end_reason.into()))
            }
        };
        Self {
            id: stream.id.0,
            stream_key_id: stream.stream_key_id.0,
            broadcaster_id: stream.broadcaster_id.0,
            broadcaster_name: stream.broadcaster_name.into(),
            path: stream.path.into(),
            media_server: stream.media_server.into(),
            status,
            started_at: stream.started_at,
            ended_at,
            end_reason,
            source_type: stream.source_kind.map(|kind| kind.to_string()),
            source_id: stream.source_id.map(|id| id.to_string()),
            readers: stream.stats.readers,
            tracks: stream.stats.tracks,
            inbound_bytes: stream.stats.inbound_bytes,
            metadata: stream.metadata.as_object().clone(),
            recording_ref: stream.recording_ref,
            urls,
        }
    }
}

/// Some streams.
#[derive(Serialize, ToSchema)]
pub(super) struct StreamList {
    streams: Vec<StreamJson>,
    /// How many are in this answer.
    count: usize,
    /// The cursor of the next page. Absent on the last page, and without `limit` and `cursor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_cursor: Option<String>,
}

/// Filter of the streams.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StreamsQuery {
    /// `active` (default), `ended` or `all`.
    #[param(pattern = "^(active|ended|all)$")]
    status: Option<String>,
    /// Streams of this broadcaster.
    #[param(format = Uuid)]
    broadcaster_id: Option<String>,
    /// Streams on this path.
    #[param(max_length = 200, pattern = "^[0-9A-Za-z_-]+(/[0-9A-Za-z_-]+)*$")]
    path: Option<String>,
    /// Streams on this media server.
    #[param(pattern = "^[0-9a-z_-]{1,64}$")]
    media_server: Option<String>,
    /// At most this many; the whole list without it.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
    /// `next_cursor` of the previous page.
    #[param(pattern = "^[0-9A-Za-z_-]{32}$")]
    cursor: Option<String>,
}

impl StreamsQuery {
    fn filter(&self) -> Result<StreamFilter, Invalid> {
        let status = match self.status.as_deref() {
            None | Some("active") => StatusFilter::Active,
            Some("ended") => StatusFilter::Ended,
            Some("all") => StatusFilter::All,
            Some(_) => return Err(Invalid::one("status", "must be active, ended or all")),
        };
        let after = self.cursor.as_deref().map(read_cursor).transpose()?;
        let limit = number("limit", self.limit.as_deref(), 1, u64::from(MAX_PAGE))?;
        let limit = limit.and_then(|limit| u32::try_from(limit).ok());
        Ok(StreamFilter {
            status,
            broadcaster_id: self
                .broadcaster_id
                .as_deref()
                .map(|id| uuid("broadcaster_id", id))
                .transpose()?,
            path: self.path.as_deref().map(StreamPath::parse).transpose()?,
            media_server: self.media_server.as_deref().map(MediaServerName::parse).transpose()?,
            limit: limit.or(after.map(|_| DEFAULT_PAGE)),
            after,
        })
    }
}

/// An opaque cursor.
fn write_cursor(stream: &Stream) -> String {
    let mut bytes = stream.started_at.micros().to_be_bytes().to_vec();
    bytes.extend_from_slice(stream.id.0.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn read_cursor(text: &str) -> Result<StreamCursor, Invalid> {
    let parse = || {
        let bytes = <[u8; 24]>::try_from(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (micros, id) = bytes.split_first_chunk::<8>()?;
        Some(StreamCursor {
            started_at: Timestamp::from_micros(i64::from_be_bytes(*micros)),
            id: StreamId(Uuid::from_slice(id).ok()?),
        })
    };
    parse().ok_or_else(|| Invalid::one("cursor", "must be the next_cursor of an earlier answer"))
}

/// The state of the routes.
#[derive(Clone, FromRef)]
pub struct Streaming {
    /// The streams.
    pub streams: Arc<Streams>,
    /// The event streams.
    pub events: EventStreams,
}

/// The routes.
pub fn routes() -> Routes<Streaming> {
    Routes::new()
        .tag("streams", "Live and ended streams, and their changes.")
        .management("stream", routes!(list_streams))
        .management("stream", routes!(stream_events::follow_streams))
        .management("stream", routes!(read_stream, end_stream))
}

/// List streams
///
/// Newest first. By default only live streams; see `status`. The whole list, or a page with `limit` or `cursor`.
#[utoipa::path(
    get,
    path = "/streams",
    tag = "streams",
    params(StreamsQuery),
    responses((status = 200, body = StreamList)),
    extensions(("x-role" = json!("viewer")))
)]
pub(super) async fn list_streams(
    State(streams): State<Arc<Streams>>,
    Caller(actor): Caller,
    StrictQuery(query): StrictQuery<StreamsQuery>,
) -> Result<Json<StreamList>, Problem> {
    let mut filter = query.filter()?;
    let page = filter.limit;
    // One more than requested shows whether there is a next page.
    filter.limit = page.map(|limit| limit + 1);
    let mut found = streams.list(&actor, &filter).await?;
    let page = page.and_then(|limit| usize::try_from(limit).ok()).filter(|limit| found.len() > *limit);
    let next_cursor = page.and_then(|limit| {
        found.truncate(limit);
        found.last().map(write_cursor)
    });
    let found: Vec<StreamJson> = found.into_iter().map(|s| StreamJson::of(&streams, s)).collect();
    Ok(Json(StreamList { count: found.len(), streams: found, next_cursor }))
}

/// Read a stream, live or ended
#[utoipa::path(
    get,
    path = "/streams/{id}",
    tag = "streams",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = StreamJson)),
    extensions(("x-role" = json!("viewer")))
)]
pub(super) async fn read_stream(
    State(streams): State<Arc<Streams>>,
    Caller(actor): Caller,
    Id(id): Id<StreamId>,
    _: NoQuery,
) -> Result<Json<StreamJson>, Problem> {
    let stream = streams.get(&actor, id).await?;
    Ok(Json(StreamJson::of(&streams, stream)))
}

/// End a stream
///
/// Streamward disconnects the session and waits at most two seconds for that. The stream key stays valid, so the
/// encoder may connect again. To prevent that, revoke the key.
#[utoipa::path(
    delete,
    path = "/streams/{id}",
    tag = "streams",
    params(("id" = Uuid, Path)),
    responses((status = 204, description = "The session is being disconnected")),
    extensions(("x-role" = json!("operator")))
)]
pub(super) async fn end_stream(
    State(streams): State<Arc<Streams>>,
    Caller(actor): Caller,
    Id(id): Id<StreamId>,
    _: NoQuery,
) -> Result<StatusCode, Problem> {
    streams.end(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
