//! Media servers: their names, what a look at one shows, and where viewers and encoders reach it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Timestamp;
use super::invalid::Invalid;
use super::path::{IngestPath, PrivatePath, StreamPath};
use super::secret::mask_keys;

/// A media server's name in the configuration: 1 to 64 lower-case letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MediaServerName(String);

impl MediaServerName {
    /// The name that is meant when none is given.
    pub const DEFAULT: &'static str = "default";

    /// Checks and takes a name.
    ///
    /// # Errors
    /// [`Invalid`] naming the field `media_server`.
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

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for MediaServerName {
    fn default() -> Self {
        Self(Self::DEFAULT.to_owned())
    }
}

impl fmt::Display for MediaServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for MediaServerName {
    type Error = Invalid;

    fn try_from(name: String) -> Result<Self, Invalid> {
        Self::parse(&name)
    }
}

impl From<MediaServerName> for String {
    fn from(name: MediaServerName) -> Self {
        name.0
    }
}

/// What a media server calls one connection or session; opaque, at most 128 characters are kept. It is stored and
/// logged, and others wrote it: a stream key in it is masked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceId(String);

impl SourceId {
    /// Takes an id; `None` if there is none to take.
    pub fn parse(id: &str) -> Option<Self> {
        let id: String = mask_keys(id).chars().filter(|c| !c.is_control()).take(128).collect();
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
    /// Where it is.
    pub server: MediaServerName,
    /// What it is called there.
    pub id: SourceId,
}

/// What kind of thing feeds a path, as the media server names it (`rtmpConn`, `srtConn`, `rtspSource`, …).
///
/// An open list: MediaMTX adds kinds (moq came in 1.19).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceKind(pub String);

impl SourceKind {
    /// Whether someone connected from outside and publishes, as against a source the operator configured
    /// (`rtspSource`, `redirect`, …), which is none of our business.
    pub fn is_publisher(&self) -> bool {
        self.0.ends_with("Conn") || self.0.ends_with("Session")
    }
}

/// What feeds a path just now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedSource {
    /// Its kind.
    pub kind: SourceKind,
    /// Its id, if the media server tells.
    pub id: Option<SourceId>,
    /// Other ids the same client was known by: before MediaMTX 1.19.3 the auth callback names an RTSP *connection*,
    /// the path list an RTSP *session*.
    pub aliases: Vec<SourceId>,
}

impl ObservedSource {
    /// Whether this is the client that was called `id`.
    pub fn is(&self, id: &SourceId) -> bool {
        self.id.as_ref() == Some(id) || self.aliases.contains(id)
    }
}

/// One path as a look at the media server shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedPath {
    /// Its name.
    pub path: IngestPath,
    /// Whether media is coming in (`online`, or `ready` before MediaMTX 1.16).
    pub live: bool,
    /// Whether the path has a configuration entry of its own, as against matching `all_others` or a pattern.
    pub configured: bool,
    /// What feeds it.
    pub source: Option<ObservedSource>,
    /// What it carries just now.
    pub stats: StreamStats,
}

/// A complete look at a media server: every path it has. A partial answer never becomes one of these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Changes whenever the media server process is another one; `None` if it does not tell (before 1.15.3).
    pub run: Option<String>,
    /// Its version, e.g. `v1.20.1`.
    pub version: Option<String>,
    /// All paths, live or not.
    pub paths: Vec<ObservedPath>,
}

/// What a live stream carries; changes all the time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamStats {
    /// How many read it now.
    pub readers: u32,
    /// Codec names, e.g. `H264`, `MPEG-4 Audio`.
    pub tracks: Vec<String>,
    /// Bytes received since it started.
    pub inbound_bytes: u64,
}

/// A public path that is to be fed on demand from a private one on the same media server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relay {
    /// What viewers read.
    pub public: StreamPath,
    /// What the encoder publishes to.
    pub private: PrivatePath,
}

/// What is known about a media server, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaServerStatus {
    /// Its name.
    pub name: MediaServerName,
    /// Its version, once it has told.
    pub version: Option<String>,
    /// Its run, see [`Snapshot::run`].
    pub run: Option<String>,
    /// Whether the last look succeeded.
    pub reachable: bool,
    /// Since when it is reachable, or not.
    pub since: Timestamp,
    /// When a look last succeeded.
    pub last_reconcile: Option<Timestamp>,
    /// Why the last look failed, in words.
    pub last_error: Option<String>,
    /// Differences repaired since it was first seen.
    pub drift_repaired: u64,
    /// When a hook of it last arrived.
    pub last_hook: Option<Timestamp>,
    /// When it last asked for an auth decision.
    pub last_auth: Option<Timestamp>,
}

/// Where viewers reach a media server, one base URL for each protocol, without a trailing slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrls {
    /// e.g. `http://127.0.0.1:8888`.
    pub hls: String,
    /// e.g. `http://127.0.0.1:8889`; WHEP and WHIP hang below it.
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
    /// Page of the built-in player; `…/whep` is the WHEP endpoint.
    pub webrtc: String,
    /// RTMP.
    pub rtmp: String,
    /// RTSP.
    pub rtsp: String,
    /// SRT, with the stream id that reads.
    pub srt: String,
}

/// Ready settings for encoders, one for each protocol. These contain the key: shown once, when it is made.
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
    /// RTSP.
    pub rtsp: String,
    /// WHIP endpoint; the key goes in `Authorization: Bearer`.
    pub whip: String,
}

impl BaseUrls {
    /// Where viewers read `path`.
    pub fn playback(&self, path: &StreamPath) -> PlaybackUrls {
        PlaybackUrls {
            hls: format!("{}/{path}/index.m3u8", self.hls),
            webrtc: format!("{}/{path}", self.webrtc),
            rtmp: format!("{}/{path}", self.rtmp),
            rtsp: format!("{}/{path}", self.rtsp),
            srt: format!("{}?streamid=read:{path}", self.srt),
        }
    }

    /// Where an encoder sends `path` with `key`.
    pub fn ingest(&self, path: &StreamPath, key: &super::secret::KeySecret) -> IngestUrls {
        let secret = key.expose();
        let (app, name) =
            path.as_str().rsplit_once('/').map_or(("", path.as_str()), |(app, name)| (app, name));
        let slash = if app.is_empty() { "" } else { "/" };
        let (scheme, host) = self.rtsp.split_once("://").unwrap_or(("rtsp", &self.rtsp));
        IngestUrls {
            obs_server: format!("{}{slash}{app}", self.rtmp),
            obs_stream_key: format!("{name}?key={secret}"),
            rtmp: format!("{}/{path}?key={secret}", self.rtmp),
            rtmp_secret_path: format!("{}/{secret}", self.rtmp),
            srt: format!("{}?streamid=publish:{path}:key:{secret}&pkt_size=1316", self.srt),
            rtsp: format!("{scheme}://key:{secret}@{host}/{path}"),
            whip: format!("{}/{path}/whip", self.webrtc),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::secret::KeySecret;
    use super::*;

    fn urls() -> BaseUrls {
        BaseUrls {
            hls: "http://h:8888".into(),
            webrtc: "http://h:8889".into(),
            rtmp: "rtmp://h:1935".into(),
            rtsp: "rtsp://h:8554".into(),
            srt: "srt://h:8890".into(),
        }
    }

    #[test]
    fn obs_gets_server_and_key_apart() {
        let key = KeySecret::from_random([3; 32]);
        let nested = urls().ingest(&StreamPath::parse("live/eu/alice").unwrap(), &key);
        assert_eq!(nested.obs_server, "rtmp://h:1935/live/eu");
        assert_eq!(nested.obs_stream_key, format!("alice?key={}", key.expose()));
        let flat = urls().ingest(&StreamPath::parse("alice").unwrap(), &key);
        assert_eq!(flat.obs_server, "rtmp://h:1935");
        assert_eq!(flat.rtsp, format!("rtsp://key:{}@h:8554/alice", key.expose()));
    }

    #[test]
    fn only_connected_clients_are_publishers() {
        for (kind, publisher) in [
            ("rtmpConn", true),
            ("rtmpsConn", true),
            ("webRTCSession", true),
            ("srtConn", true),
            ("rtspSource", false),
            ("redirect", false),
        ] {
            assert_eq!(SourceKind(kind.into()).is_publisher(), publisher, "{kind}");
        }
    }
}
