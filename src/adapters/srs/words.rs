//! SRS's names for clients, and the forms of its URLs.

use crate::domain::media_server::{BaseUrls, IngestUrls, PlaybackUrls, SourceKind, UrlTemplates};
use crate::domain::path::DEFAULT_APPLICATION;

/// SRS's name for a client that publishes, and its kind.
const PUBLISHERS: [(&str, SourceKind); 5] = [
    ("fmle-publish", SourceKind::Rtmp),
    ("flash-publish", SourceKind::Rtmp),
    ("haivision-publish", SourceKind::Rtmp),
    ("srt-publish", SourceKind::Srt),
    ("rtc-publish", SourceKind::WebRtc),
];

/// The kind of client that SRS calls `name`.
pub(super) fn source_kind(name: &str) -> SourceKind {
    let known = PUBLISHERS.into_iter().find(|(known, _)| *known == name);
    known.map_or_else(|| SourceKind::Other(name.to_owned()), |(_, kind)| kind)
}

/// The URLs of an SRS with these addresses.
pub fn url_templates(base: &BaseUrls) -> UrlTemplates {
    let BaseUrls { hls, webrtc, rtmp, srt, .. } = base;
    UrlTemplates {
        default_folder: Some(DEFAULT_APPLICATION),
        playback: PlaybackUrls {
            hls: format!("{hls}/{{path}}.m3u8"),
            flv: Some(format!("{hls}/{{path}}.flv")),
            webrtc: format!("{webrtc}/rtc/v1/whep/?app={{folder}}&stream={{name}}"),
            rtmp: format!("{rtmp}/{{path}}"),
            rtsp: None,
            srt: format!("{srt}?streamid=#!::r={{path}},m=request"),
        },
        ingest: IngestUrls {
            obs_server: format!("{rtmp}{{/folder}}"),
            obs_stream_key: "{name}?key={key}".to_owned(),
            rtmp: format!("{rtmp}/{{path}}?key={{key}}"),
            rtmp_secret_path: format!("{rtmp}/live/{{key}}"),
            srt: format!("{srt}?streamid=#!::r={{path}},m=publish,key={{key}}&pkt_size=1316"),
            rtsp: None,
            whip: format!("{webrtc}/rtc/v1/whip/?app={{folder}}&stream={{name}}&key={{key}}"),
        },
        srt_token: ",token={token}",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::path::StreamPath;
    use crate::domain::secret::KeySecret;

    #[test]
    fn urls_have_the_shapes_of_srs() {
        let templates = url_templates(&BaseUrls {
            hls: "http://h:8888".into(),
            webrtc: "http://h:1985".into(),
            rtmp: "rtmp://h:1935".into(),
            rtsp: String::new(),
            srt: "srt://h:10080".into(),
        });
        let secret = KeySecret::from_random([3; 32]);
        let (path, key) = (StreamPath::parse("live/eu/alice").unwrap(), secret.expose());
        let ingest = templates.ingest(&path, &secret);
        assert_eq!(ingest.obs_server, "rtmp://h:1935/live/eu");
        assert_eq!(ingest.obs_stream_key, format!("alice?key={key}"));
        assert_eq!(ingest.rtmp_secret_path, format!("rtmp://h:1935/live/{key}"));
        assert_eq!(ingest.rtsp, None);
        let srt = format!("srt://h:10080?streamid=#!::r=live/eu/alice,m=publish,key={key}&pkt_size=1316");
        assert_eq!(ingest.srt, srt);
        assert_eq!(ingest.whip, format!("http://h:1985/rtc/v1/whip/?app=live/eu&stream=alice&key={key}"));
        let playback = templates.playback(&path);
        assert_eq!(playback.hls, "http://h:8888/live/eu/alice.m3u8");
        assert_eq!(playback.flv.as_deref(), Some("http://h:8888/live/eu/alice.flv"));
        assert_eq!(playback.webrtc, "http://h:1985/rtc/v1/whep/?app=live/eu&stream=alice");
        let flat = StreamPath::parse("alice").unwrap();
        assert_eq!(templates.playback(&flat).rtmp, "rtmp://h:1935/__defaultApp__/alice");
        assert_eq!(templates.ingest(&flat, &secret).obs_server, "rtmp://h:1935/__defaultApp__");
    }

    #[test]
    fn kinds_of_publishers_have_the_words_of_the_api() {
        assert_eq!(source_kind("fmle-publish").to_string(), "rtmpConn");
        assert_eq!(source_kind("srt-publish").to_string(), "srtConn");
        assert_eq!(source_kind("new-publish"), SourceKind::Other("new-publish".into()));
    }
}
