//! Media servers: their names, what a poll of one shows, and where viewers and encoders reach it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_with::{DeserializeFromStr, SerializeDisplay};
use strum::{Display, EnumString};

use super::Timestamp;
use super::invalid::{Invalid, text_type};
use super::path::{IngestPath, PrivatePath, StreamPath};
use super::secret::{KeySecret, Secret, masked_line};

/// A media server's name in the configuration: 1 to 64 lower-case letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MediaServerName(String);

text_type!(MediaServerName);

impl MediaServerName {
    /// The media server that is meant when none is named.
    pub const DEFAULT: &'static str = "default";

    /// Checks and takes a name.
    pub fn parse(name: &str) -> Result<Self, Invalid> {
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        if name.is_empty() || name.len() > 64 || !name.bytes().all(good) {
            return Err(Invalid::one(
                "media_server",
                "must be 1 to 64 lower-case letters, digits, '-' or '_'",
            ));
        }
        Ok(Self(name.to_owned()))
    }
}

impl Default for MediaServerName {
    fn default() -> Self {
        Self(Self::DEFAULT.to_owned())
    }
}

/// A media server's id for one connection or session. Opaque; at most 128 characters are kept. It is stored and logged,
/// and others wrote it: a stream key in it is masked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceId(String);

impl SourceId {
    /// Takes an id; `None` if it is empty.
    pub fn parse(id: &str) -> Option<Self> {
        let id = masked_line(id, 128);
        (!id.is_empty()).then_some(Self(id))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One connection on one media server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Connection {
    /// The media server.
    pub server: MediaServerName,
    /// Its id there.
    pub id: SourceId,
}

/// What feeds a path. The names are those of `source_type` in the API.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Display, EnumString, SerializeDisplay, DeserializeFromStr)]
pub enum SourceKind {
    /// RTMP.
    #[strum(serialize = "rtmpConn")]
    Rtmp,
    /// RTMP over TLS.
    #[strum(serialize = "rtmpsConn")]
    Rtmps,
    /// RTSP.
    #[strum(serialize = "rtspSession")]
    Rtsp,
    /// RTSP over TLS.
    #[strum(serialize = "rtspsSession")]
    Rtsps,
    /// SRT.
    #[strum(serialize = "srtConn")]
    Srt,
    /// WebRTC (WHIP).
    #[strum(serialize = "webRTCSession")]
    WebRtc,
    /// HLS: a viewer, since MediaMTX 1.18.
    #[strum(serialize = "hlsSession")]
    Hls,
    /// Media over QUIC.
    #[strum(serialize = "moqSession")]
    Moq,
    /// Anything else, by the media server's own name.
    #[strum(default, to_string = "{0}")]
    Other(String),
}

impl SourceKind {
    /// The kind with this name.
    pub fn from_name(name: &str) -> Self {
        name.parse().unwrap_or_else(|_| Self::Other(name.to_owned()))
    }
}

/// What the media servers of a kind can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// It can feed a public path from a private one, see [`Relay`].
    pub relay: bool,
    /// It reports by a hook that a path became live. Otherwise only polls find that out.
    pub reports_live: bool,
    /// It can carry the media of channels (the engine `media_server`).
    pub channel_engine: bool,
}

impl Capabilities {
    /// Those of MediaMTX: all.
    pub const MEDIAMTX: Self = Self { relay: true, reports_live: true, channel_engine: true };
    /// Those of SRS: none.
    pub const SRS: Self = Self { relay: false, reports_live: false, channel_engine: false };
}

/// What feeds a path now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedSource {
    /// Its kind.
    pub kind: SourceKind,
    /// Whether it is a client that connected and publishes. A source that the operator configured stays untouched.
    pub publishes: bool,
    /// Its id, if known.
    pub id: Option<SourceId>,
    /// Other ids of the same client: before MediaMTX 1.19.3 the auth callback names an RTSP *connection*, the path list
    /// an RTSP *session*.
    pub aliases: Vec<SourceId>,
}

impl ObservedSource {
    /// Whether `id` is an id of this client.
    pub fn is(&self, id: &SourceId) -> bool {
        self.id.as_ref() == Some(id) || self.aliases.contains(id)
    }
}

/// One path, as a poll of the media server shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedPath {
    /// Its name.
    pub path: IngestPath,
    /// Whether media is coming in (`online`, or `ready` before MediaMTX 1.16).
    pub live: bool,
    /// Whether the path has a configuration entry of its own, so that it does not just match `all_others` or a pattern.
    pub configured: bool,
    /// What feeds it, if anything.
    pub source: Option<ObservedSource>,
    /// What it carries now.
    pub stats: StreamStats,
}

/// A connection that reads, as the media server lists it.
#[derive(Clone, Debug)]
pub struct ObservedReader {
    /// Its kind and its ids. It does not publish.
    pub source: ObservedSource,
    /// What it reads.
    pub path: IngestPath,
    /// The query of its URL, as far as the list shows it. Not decoded.
    pub query: Secret,
}

/// A complete poll of a media server: every path it has. A partial answer never becomes a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Changes with each start of the media server; `None` if unknown (MediaMTX before 1.15.3).
    pub run: Option<String>,
    /// Its version, e.g. `v1.20.1`.
    pub version: Option<String>,
    /// All paths, live or not.
    pub paths: Vec<ObservedPath>,
    /// The names of further paths of which nothing else could be read; `None` if not even that.
    pub unreadable: Vec<Option<IngestPath>>,
}

/// What a live stream carries. It changes all the time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamStats {
    /// How many read it now.
    pub readers: u32,
    /// Codec names, e.g. `H264`, `MPEG-4 Audio`.
    pub tracks: Vec<String>,
    /// Bytes received since it started.
    pub inbound_bytes: u64,
}

/// A public path that a private one on the same media server feeds on demand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relay {
    /// What viewers read.
    pub public: StreamPath,
    /// What the encoder publishes to.
    pub private: PrivatePath,
}

/// The state of a media server, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaServerStatus {
    /// Its name.
    pub name: MediaServerName,
    /// Its version, if known.
    pub version: Option<String>,
    /// Its run, see [`Snapshot::run`].
    pub run: Option<String>,
    /// Whether the last poll succeeded.
    pub reachable: bool,
    /// Since when it is reachable or unreachable.
    pub since: Timestamp,
    /// When a poll last succeeded.
    pub last_reconcile: Option<Timestamp>,
    /// Why the last poll failed.
    pub last_error: Option<String>,
    /// Differences repaired since it was first seen.
    pub drift_repaired: u64,
    /// When a hook of it last arrived.
    pub last_hook: Option<Timestamp>,
    /// When it last sent an auth request.
    pub last_auth: Option<Timestamp>,
    /// Whether the event log says last that it is unreachable.
    pub told_unreachable: bool,
}

/// Where viewers reach a media server, one base URL for each protocol, without a trailing slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrls {
    /// e.g. `http://127.0.0.1:8888`.
    pub hls: String,
    /// e.g. `http://127.0.0.1:8889`; WHEP and WHIP are below it.
    pub webrtc: String,
    /// e.g. `rtmp://127.0.0.1:1935`.
    pub rtmp: String,
    /// e.g. `rtsp://127.0.0.1:8554`.
    pub rtsp: String,
    /// e.g. `srt://127.0.0.1:8890`.
    pub srt: String,
}

/// Ready URLs for viewers of one path. They depend on the path and the configuration only, so they never change
/// while a stream lives, and never contain a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaybackUrls {
    /// HLS playlist.
    pub hls: String,
    /// HTTP-FLV, if the media server has it.
    pub flv: Option<String>,
    /// MediaMTX: page of the built-in player; `…/whep` is the WHEP endpoint. SRS: the WHEP endpoint.
    pub webrtc: String,
    /// RTMP.
    pub rtmp: String,
    /// RTSP, if the media server has it.
    pub rtsp: Option<String>,
    /// SRT, with the stream id that reads.
    pub srt: String,
}

/// Ready URLs for one viewer: those of [`PlaybackUrls`] with a playback token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as those of PlaybackUrls")]
pub struct TokenUrls {
    pub hls: String,
    pub flv: Option<String>,
    pub webrtc: String,
    pub rtmp: String,
    pub rtsp: Option<String>,
    /// `None`: the token does not fit into a stream id.
    pub srt: Option<String>,
}

/// Ready settings for encoders. These contain the key, so they are shown once, when it is created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngestUrls {
    /// OBS, "Server".
    pub obs_server: String,
    /// OBS, "Stream Key".
    pub obs_stream_key: String,
    /// RTMP in one line.
    pub rtmp: String,
    /// RTMP for encoders that only know an opaque key: the secret is the path.
    pub rtmp_secret_path: String,
    /// SRT.
    pub srt: String,
    /// RTSP, if the media server has it.
    pub rtsp: Option<String>,
    /// WHIP endpoint. MediaMTX: the key goes in `Authorization: Bearer`. SRS: the key is in it.
    pub whip: String,
}

/// The shapes of the URLs of one media server. `{path}` stands for the path, `{name}` for its last part, `{folder}` for the
/// rest, `{/folder}` for the same with a slash before it (if there is a rest), `{key}` for the stream key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlTemplates {
    /// The folder of a path that has only one part, if the media server needs one.
    pub default_folder: Option<&'static str>,
    /// For viewers.
    pub playback: PlaybackUrls,
    /// For encoders.
    pub ingest: IngestUrls,
    /// What is added to the URL for SRT to show a playback token, which `{token}` stands for. In the others, it is a
    /// parameter.
    pub srt_token: &'static str,
}

/// The longest stream id of SRT.
const MAX_STREAM_ID: usize = 512;

impl UrlTemplates {
    /// Where viewers read `path`.
    pub fn playback(&self, path: &StreamPath) -> PlaybackUrls {
        let place = self.place(path);
        let fill = |template: &String| place.fill(template);
        let PlaybackUrls { hls, flv, webrtc, rtmp, rtsp, srt } = &self.playback;
        PlaybackUrls {
            hls: fill(hls),
            flv: flv.as_ref().map(fill),
            webrtc: fill(webrtc),
            rtmp: fill(rtmp),
            rtsp: rtsp.as_ref().map(fill),
            srt: fill(srt),
        }
    }

    /// The same with a playback token. Without SRT if it is too long for a stream id.
    pub fn with_token(&self, path: &StreamPath, token: &Secret) -> TokenUrls {
        let PlaybackUrls { hls, flv, webrtc, rtmp, rtsp, srt } = self.playback(path);
        let shown = |url: String| {
            let separator = if url.contains('?') { '&' } else { '?' };
            format!("{url}{separator}token={}", token.expose())
        };
        let srt = srt + &self.srt_token.replace("{token}", token.expose());
        let id = srt.split_once("streamid=").map_or(0, |(_, id)| id.len());
        TokenUrls {
            hls: shown(hls),
            flv: flv.map(shown),
            webrtc: shown(webrtc),
            rtmp: shown(rtmp),
            rtsp: rtsp.map(shown),
            srt: (id <= MAX_STREAM_ID).then_some(srt),
        }
    }

    /// Where we read `path` ourselves, also if viewers need a token.
    pub fn own_input(&self, path: &StreamPath, relay_secret: &Secret) -> Secret {
        let url = self.playback(path).rtmp;
        Secret::new(format!("{url}?user=streamward&pass={}", relay_secret.expose()))
    }

    /// Where an encoder sends `path` with `key`.
    pub fn ingest(&self, path: &StreamPath, key: &KeySecret) -> IngestUrls {
        let place = self.place(path);
        let fill = |template: &String| place.fill(template).replace("{key}", key.expose());
        let IngestUrls { obs_server, obs_stream_key, rtmp, rtmp_secret_path, srt, rtsp, whip } = &self.ingest;
        IngestUrls {
            obs_server: fill(obs_server),
            obs_stream_key: fill(obs_stream_key),
            rtmp: fill(rtmp),
            rtmp_secret_path: fill(rtmp_secret_path),
            srt: fill(srt),
            rtsp: rtsp.as_ref().map(fill),
            whip: fill(whip),
        }
    }

    fn place<'a>(&self, path: &'a StreamPath) -> UrlPlace<'a> {
        let (folder, name) = match path.as_str().rsplit_once('/') {
            Some((folder, name)) => (folder, name),
            None => (self.default_folder.unwrap_or_default(), path.as_str()),
        };
        UrlPlace { folder, name }
    }
}

/// What stands for a path in URLs.
struct UrlPlace<'a> {
    folder: &'a str,
    name: &'a str,
}

impl UrlPlace<'_> {
    fn fill(&self, template: &str) -> String {
        let Self { folder, name } = self;
        let below = if folder.is_empty() { String::new() } else { format!("/{folder}") };
        let path = format!("{below}/{name}");
        let filled = template.replace("{path}", path.trim_start_matches('/')).replace("{/folder}", &below);
        filled.replace("{folder}", folder).replace("{name}", name)
    }
}
