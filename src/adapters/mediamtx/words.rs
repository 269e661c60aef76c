//! MediaMTX's names for the sources of a path, and the forms of its URLs.

use crate::domain::media_server::{BaseUrls, IngestUrls, PlaybackUrls, SourceKind, UrlTemplates};

/// MediaMTX's name for a kind of session, and the list of the control API that has these sessions.
const SESSIONS: [(&str, SourceKind, &str); 8] = [
    ("rtmpConn", SourceKind::Rtmp, "rtmpconns"),
    ("rtmpsConn", SourceKind::Rtmps, "rtmpsconns"),
    ("rtspSession", SourceKind::Rtsp, "rtspsessions"),
    ("rtspsSession", SourceKind::Rtsps, "rtspssessions"),
    ("srtConn", SourceKind::Srt, "srtconns"),
    ("webRTCSession", SourceKind::WebRtc, "webrtcsessions"),
    ("moqSession", SourceKind::Moq, "moqsessions"),
    ("hlsSession", SourceKind::Hls, "hlssessions"),
];

/// The kind of source that MediaMTX calls `name`.
pub(super) fn source_kind(name: &str) -> SourceKind {
    let known = SESSIONS.into_iter().find(|(known, ..)| *known == name);
    known.map_or_else(|| SourceKind::Other(name.to_owned()), |(_, kind, _)| kind)
}

/// Whether a source of this name is a client that connected and publishes. The others (`rtspSource`, `redirect`, …) are
/// configured by the operator. New versions add names: MoQ came in 1.19.
pub(super) fn publishes(name: &str) -> bool {
    name.ends_with("Conn") || name.ends_with("Session")
}

/// The list of the control API that has sessions of this kind.
pub(super) fn session_list(kind: &SourceKind) -> Option<&'static str> {
    SESSIONS.into_iter().find(|(_, known, _)| known == kind).map(|(.., list)| list)
}

/// The URLs of a MediaMTX with these addresses.
pub fn url_templates(base: &BaseUrls) -> UrlTemplates {
    let BaseUrls { hls, webrtc, rtmp, rtsp, srt } = base;
    let (rtsp_scheme, rtsp_host) = rtsp.split_once("://").unwrap_or(("rtsp", rtsp));
    UrlTemplates {
        default_folder: None,
        playback: PlaybackUrls {
            hls: format!("{hls}/{{path}}/index.m3u8"),
            flv: None,
            webrtc: format!("{webrtc}/{{path}}"),
            rtmp: format!("{rtmp}/{{path}}"),
            rtsp: Some(format!("{rtsp}/{{path}}")),
            srt: format!("{srt}?streamid=read:{{path}}"),
        },
        ingest: IngestUrls {
            obs_server: format!("{rtmp}{{/folder}}"),
            obs_stream_key: "{name}?key={key}".to_owned(),
            rtmp: format!("{rtmp}/{{path}}?key={{key}}"),
            rtmp_secret_path: format!("{rtmp}/{{key}}"),
            srt: format!("{srt}?streamid=publish:{{path}}:key:{{key}}&pkt_size=1316"),
            rtsp: Some(format!("{rtsp_scheme}://key:{{key}}@{rtsp_host}/{{path}}")),
            whip: format!("{webrtc}/{{path}}/whip"),
        },
        srt_token: ":jwt:{token}",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::path::StreamPath;
    use crate::domain::secret::{KeySecret, Secret};

    #[test]
    fn urls_have_the_shapes_of_mediamtx() {
        let templates = url_templates(&BaseUrls {
            hls: "http://h:8888".into(),
            webrtc: "http://h:8889".into(),
            rtmp: "rtmp://h:1935".into(),
            rtsp: "rtsp://h:8554".into(),
            srt: "srt://h:8890".into(),
        });
        let secret = KeySecret::from_random([3; 32]);
        let (path, key) = (StreamPath::parse("live/eu/alice").unwrap(), secret.expose());
        let ingest = templates.ingest(&path, &secret);
        assert_eq!(ingest.obs_server, "rtmp://h:1935/live/eu");
        assert_eq!(ingest.obs_stream_key, format!("alice?key={key}"));
        assert_eq!(
            ingest.srt,
            format!("srt://h:8890?streamid=publish:live/eu/alice:key:{key}&pkt_size=1316")
        );
        assert_eq!(ingest.whip, "http://h:8889/live/eu/alice/whip");
        assert_eq!(templates.playback(&path).hls, "http://h:8888/live/eu/alice/index.m3u8");
        assert_eq!(templates.playback(&path).srt, "srt://h:8890?streamid=read:live/eu/alice");
        let links = templates.with_token(&path, &Secret::new("e.y.J"));
        assert_eq!(links.hls, "http://h:8888/live/eu/alice/index.m3u8?token=e.y.J");
        assert_eq!(links.rtmp, "rtmp://h:1935/live/eu/alice?token=e.y.J");
        assert_eq!(links.srt.as_deref(), Some("srt://h:8890?streamid=read:live/eu/alice:jwt:e.y.J"));
        assert_eq!(
            templates.with_token(&path, &Secret::new("x".repeat(500))).srt,
            None,
            "a stream id has 512 characters"
        );
        let flat = templates.ingest(&StreamPath::parse("alice").unwrap(), &secret);
        assert_eq!(flat.obs_server, "rtmp://h:1935");
        assert_eq!(flat.rtsp, Some(format!("rtsp://key:{key}@h:8554/alice")));
    }

    #[test]
    fn only_connected_clients_publish() {
        for name in ["rtmpConn", "rtmpsConn", "webRTCSession", "srtConn", "newSession"] {
            assert!(publishes(name), "{name}");
        }
        for name in ["rtspSource", "redirect"] {
            assert!(!publishes(name), "{name}");
        }
    }

    /// `source_type` of the API has the same words.
    #[test]
    fn source_kinds_are_named_alike_in_the_api() {
        for (name, kind, _) in SESSIONS {
            assert_eq!(SourceKind::from_name(name), kind);
            assert_eq!(kind.to_string(), name);
        }
    }
}
