//! Stream keys.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_with::skip_serializing_none;
use utoipa::ToSchema;
use uuid::Uuid;

use super::DateTime;
use super::list::list;
use super::stream::UrlsView;
use crate::app::stream_key::{KeyNow, KeyWithSecret, ServerUrls};
use crate::domain::media_server::IngestUrls;
use crate::domain::playback::PlaybackAccess;
use crate::domain::stream_key::{KeyStatus, OnConflict};

list! {
    /// The requested keys.
    StreamKeyList { stream_keys: StreamKeyView }
}

/// A stream key without its secret.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = StreamKey)]
pub(crate) struct StreamKeyView {
    id: Uuid,
    /// Who owns it.
    organization_id: Uuid,
    broadcaster_id: Uuid,
    /// A note of your own.
    label: Option<String>,
    /// The public path that it publishes.
    #[schema(example = "live/alice")]
    path: String,
    /// The status at the time of the answer.
    status: KeyStatus,
    /// Whether a connection uses it, live or about to be.
    in_use: bool,
    created_at: DateTime,
    expires_at: Option<DateTime>,
    revoked_at: Option<DateTime>,
    /// When it was last allowed to publish.
    last_used_at: Option<DateTime>,
    on_conflict: OnConflict,
    /// Who may watch its path. Absent: as `playback.access` of the installation says.
    playback_access: Option<PlaybackAccess>,
    /// The first characters of the secret, to recognise the key.
    #[schema(example = "sk_Ab3dE")]
    key_prefix: String,
}

impl From<KeyNow> for StreamKeyView {
    fn from(KeyNow { key, at }: KeyNow) -> Self {
        Self {
            id: key.id.0,
            organization_id: key.organization_id.0,
            broadcaster_id: key.broadcaster_id.0,
            status: key.status(at),
            in_use: key.in_use(at),
            label: key.label.map(|label| label.to_string()),
            path: key.path.into(),
            created_at: key.created_at,
            expires_at: key.expires_at,
            revoked_at: key.revoked_at,
            last_used_at: key.last_used_at,
            on_conflict: key.on_conflict,
            playback_access: key.playback_access,
            key_prefix: key.key_prefix,
        }
    }
}

/// A key that was just created or rotated.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
pub(crate) struct NewStreamKey {
    #[serde(flatten)]
    key: StreamKeyView,
    /// The secret. It is shown only once.
    #[schema(pattern = "^sk_[A-Za-z0-9_-]{43}$")]
    key_value: String,
    /// Settings for encoders. They contain the secret.
    ingest: Option<IngestView>,
    /// The URLs for viewers. They contain no secret.
    urls: Option<KeyUrlsView>,
}

/// Settings for encoders, on the media server `default` or the first one by name.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = Ingest)]
struct IngestView {
    #[serde(flatten)]
    urls: IngestUrlsView,
    /// The same for each media server, by name, if there are several: the key can be used on any of them.
    by_media_server: Option<BTreeMap<String, IngestUrlsView>>,
}

/// The URLs for viewers, on the media server `default` or the first one by name.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = KeyUrls)]
struct KeyUrlsView {
    #[serde(flatten)]
    urls: UrlsView,
    /// The same for each media server, by name, if there are several.
    by_media_server: Option<BTreeMap<String, UrlsView>>,
}

/// Settings for encoders on one media server. Those that it does not have are absent.
#[skip_serializing_none]
#[derive(Serialize, ToSchema)]
#[schema(as = IngestUrls)]
struct IngestUrlsView {
    obs: ObsView,
    /// RTMP as one URL.
    rtmp: String,
    /// RTMP for encoders that accept only a plain key: the secret is the path.
    rtmp_secret_path: String,
    srt: String,
    /// RTSP (MediaMTX).
    rtsp: Option<String>,
    /// WHIP endpoint. MediaMTX: send the key as `Authorization: Bearer`. SRS: the key is in it.
    whip: String,
}

/// For OBS: Settings, Stream, Custom.
#[derive(Serialize, ToSchema)]
#[schema(as = ObsSettings)]
struct ObsView {
    #[schema(example = "rtmp://127.0.0.1:1935/live")]
    server: String,
    stream_key: String,
}

impl From<IngestUrls> for IngestUrlsView {
    fn from(urls: IngestUrls) -> Self {
        let IngestUrls { obs_server, obs_stream_key, rtmp, rtmp_secret_path, srt, rtsp, whip } = urls;
        let obs = ObsView { server: obs_server, stream_key: obs_stream_key };
        Self { obs, rtmp, rtmp_secret_path, srt, rtsp, whip }
    }
}

impl From<KeyWithSecret> for NewStreamKey {
    fn from(made: KeyWithSecret) -> Self {
        let are_several = made.servers.len() > 1;
        let (mut encoders, mut viewers) = (BTreeMap::new(), BTreeMap::new());
        for ServerUrls { server, ingest, playback } in made.servers {
            encoders.insert(server.to_string(), ingest.into());
            viewers.insert(server.into(), playback.into());
        }
        let by_media_server = are_several.then_some(encoders);
        let viewers = are_several.then_some(viewers);
        Self {
            key: KeyNow { key: made.key, at: made.at }.into(),
            key_value: made.secret.expose().to_owned(),
            ingest: made.ingest.map(|urls| IngestView { urls: urls.into(), by_media_server }),
            urls: made.playback.map(|urls| KeyUrlsView { urls: urls.into(), by_media_server: viewers }),
        }
    }
}
