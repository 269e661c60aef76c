//! Streams.

use serde::Serialize;
use serde_json::{Map, Value};
use serde_with::skip_serializing_none;
use utoipa::ToSchema;
use uuid::Uuid;

use super::DateTime;
use super::list::list;
use crate::app::stream::Streams;
use crate::domain::media_server::PlaybackUrls;
use crate::domain::stream::{EndReason, Stream, StreamState};

list! {
    /// Some streams.
    StreamList { streams: StreamView }
}

/// One broadcast session.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = Stream)]
pub(crate) struct StreamView {
    id: Uuid,
    /// Who owns it.
    organization_id: Uuid,
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
    status: StreamStatus,
    started_at: DateTime,
    ended_at: Option<DateTime>,
    end_reason: Option<EndReason>,
    /// The kind of publisher, in the media server's words.
    #[schema(example = "rtmpConn")]
    source_type: Option<String>,
    /// The publishing session on the media server.
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
    recording_ref: Option<String>,
    /// The URLs for viewers. Absent if its media server is no longer configured, or cannot show what is published on a path
    /// with the key (SRS).
    urls: Option<UrlsView>,
}

/// Whether it is live.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum StreamStatus {
    Active,
    Ended,
}

/// URLs for viewers. They stay the same while the stream is live and contain no secret. Those that the media server does
/// not have are absent.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = PlaybackUrls)]
pub(super) struct UrlsView {
    #[schema(example = "http://127.0.0.1:8888/live/alice/index.m3u8")]
    hls: String,
    /// HTTP-FLV (SRS).
    #[schema(example = "http://127.0.0.1:8888/live/alice.flv")]
    flv: Option<String>,
    /// MediaMTX: a page that plays it, with the WHEP endpoint at `/whep` below. SRS: the WHEP endpoint.
    #[schema(example = "http://127.0.0.1:8889/live/alice")]
    webrtc: String,
    #[schema(example = "rtmp://127.0.0.1:1935/live/alice")]
    rtmp: String,
    /// RTSP (MediaMTX).
    #[schema(example = "rtsp://127.0.0.1:8554/live/alice")]
    rtsp: Option<String>,
    #[schema(example = "srt://127.0.0.1:8890?streamid=read:live/alice")]
    srt: String,
}

impl From<PlaybackUrls> for UrlsView {
    fn from(urls: PlaybackUrls) -> Self {
        let PlaybackUrls { hls, flv, webrtc, rtmp, rtsp, srt } = urls;
        Self { hls, flv, webrtc, rtmp, rtsp, srt }
    }
}

impl StreamView {
    /// The stream with its URLs.
    pub(crate) fn of(streams: &Streams, stream: Stream) -> Self {
        let urls = streams.playback_urls(&stream).map(UrlsView::from);
        let (status, ended_at, end_reason) = match stream.state {
            StreamState::Active { .. } => (StreamStatus::Active, None, None),
            StreamState::Ended { ended_at, end_reason } => {
                (StreamStatus::Ended, Some(ended_at), Some(end_reason))
            }
        };
        Self {
            id: stream.id.0,
            organization_id: stream.organization_id.0,
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
