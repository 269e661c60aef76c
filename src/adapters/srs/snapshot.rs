//! A complete poll of all streams.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::api::Api;
use super::dto::{Identity, Stream, Streams};
use super::publishers::Publishers;
use crate::domain::media_server::{
    ObservedPath, ObservedSource, Snapshot, SourceId, SourceKind, StreamStats,
};
use crate::domain::path::IngestPath;
use crate::ports::RemoteError;

/// Requests everything at once. Without a number, SRS lists ten.
const COUNT: usize = 100_000;

/// Polls all streams.
pub(super) async fn snapshot(api: &Api, publishers: &Publishers) -> Result<Snapshot, RemoteError> {
    let (_, version) = api.version().await?;
    let answer = api.streams(COUNT).await?;
    let listed = answer.json::<Streams<'_>>()?.streams;
    if listed.len() >= COUNT {
        return Err(RemoteError::Malformed(format!("streams: {COUNT} or more")));
    }
    let (mut streams, mut unreadable) = (Vec::new(), Vec::new());
    for raw in listed {
        match serde_json::from_str::<Stream>(raw.get()) {
            Ok(stream) => streams.push(stream),
            Err(_) => unreadable.push(identity(raw)),
        }
    }
    let active: HashMap<String, u64> = streams
        .iter()
        .filter(|stream| stream.publish.active)
        .filter_map(|stream| Some((stream.publish.cid.clone()?, stream.recv_bytes)))
        .collect();
    publishers.update(api, &active).await;
    let paths = streams.into_iter().map(|stream| observed(stream, publishers)).collect();
    Ok(Snapshot { run: answer.head.run(), version: Some(format!("SRS {version}")), paths, unreadable })
}

/// The path of a stream of which nothing else can be read.
fn identity(raw: &RawValue) -> Option<IngestPath> {
    serde_json::from_str(raw.get()).ok().map(|identity| path(&identity))
}

fn path(Identity { app, name, url }: &Identity) -> IngestPath {
    IngestPath::from_srs(app, name, url.as_deref())
}

fn observed(stream: Stream, publishers: &Publishers) -> ObservedPath {
    let Stream { identity, clients, recv_bytes, publish, video, audio } = stream;
    // The id of the last publisher stays while somebody watches.
    let id = publish.cid.filter(|_| publish.active);
    let (kind, inbound_bytes) = match &id {
        Some(id) => publishers.of(id, recv_bytes),
        None => (SourceKind::Rtmp, 0),
    };
    let tracks: Vec<String> = video.into_iter().chain(audio).map(|track| track.codec).collect();
    ObservedPath {
        path: path(&identity),
        // A publisher without media may have been let in a moment ago.
        live: publish.active && !tracks.is_empty(),
        configured: false,
        source: publish.active.then(|| ObservedSource {
            kind,
            publishes: true,
            id: id.as_deref().and_then(SourceId::parse),
            aliases: Vec::new(),
        }),
        stats: StreamStats {
            readers: clients.saturating_sub(u32::from(publish.active)),
            tracks,
            inbound_bytes,
        },
    }
}

#[cfg(test)]
mod tests {
    use streamward_test_support::fuzz::{KEY, fuzz, texts};

    use super::*;

    /// Recorded from SRS 5.0.
    const LIVE: &str = r#"{"id":"vid-90p8h65","name":"alice","vhost":"vid-1d1tv0g","app":"live","tcUrl":"rtmp://127.0.0.1:19350/live",
        "url":"/live/alice","live_ms":1763831858123,"clients":3,"frames":243,"send_bytes":13652,"recv_bytes":1092342,
        "kbps":{"recv_30s":0,"send_30s":0},"publish":{"active":true,"cid":"3app8g3p"},
        "video":{"codec":"H264","profile":"High","level":"3","width":640,"height":360},
        "audio":{"codec":"AAC","sample_rate":44100,"channel":2,"profile":"LC"}}"#;
    const WAITING: &str = r#"{"id":"vid-90p8h65","name":"alice","vhost":"vid-1d1tv0g","app":"live","url":"/live/alice","clients":2,
        "recv_bytes":1092342,"publish":{"active":false,"cid":"3app8g3p"},"video":null,"audio":null}"#;

    fn seen(json: &str) -> ObservedPath {
        observed(serde_json::from_str(json).unwrap(), &Publishers::default())
    }

    #[test]
    fn publisher_is_no_reader() {
        let live = seen(LIVE);
        assert!(live.live && live.path.public() == Some("live/alice"));
        assert_eq!(live.source.unwrap().id, SourceId::parse("3app8g3p"));
        let tracks = vec!["H264".to_owned(), "AAC".to_owned()];
        assert_eq!(live.stats, StreamStats { readers: 2, tracks, inbound_bytes: 1_092_342 });
    }

    #[test]
    fn stream_without_publisher_has_no_source_although_players_wait() {
        let waiting = seen(WAITING);
        assert!(!waiting.live && waiting.source.is_none());
        assert_eq!(waiting.stats.readers, 2);
    }

    #[test]
    fn publisher_without_media_is_not_live_yet() {
        let silent = seen(&WAITING.replace("\"active\":false", "\"active\":true"));
        assert!(!silent.live && silent.source.is_some());
    }

    const PRIVATE: &str = r#"{"name":"sk_Zm9yLXRlc3RzLW9ubHktbm90LWEtcmVhbC1rZXktMTI","app":"live","recv_bytes":1,
        "url":"/live/sk_Zm9yLXRlc3RzLW9ubHktbm90LWEtcmVhbC1rZXktMTI","clients":1,"publish":{"active":true,"cid":"3app8g3p"}}"#;

    #[test]
    fn any_item_is_read_or_left_as_it_is_and_prints_no_key() {
        assert!(matches!(seen(PRIVATE).path, IngestPath::Private(_)));
        fuzz(&texts(&[LIVE, WAITING, PRIVATE]), |text| {
            let Ok(raw) = serde_json::from_str::<Box<RawValue>>(&text) else { return };
            let path = match serde_json::from_str::<Stream>(raw.get()) {
                Ok(stream) => Some(observed(stream, &Publishers::default()).path),
                Err(_) => identity(&raw),
            };
            assert!(!format!("{path:?}").contains(KEY));
        });
    }
}
